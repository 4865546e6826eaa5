import Testing
import WeftHTTP
import WeftIR

@testable import WeftRouting

/// Access log filters.
struct LogFilterTests {
    private func accepts(
        _ filter: AccessLogFilter, random: UInt64 = 0, _ change: (inout LogFilterView) -> Void = { _ in }
    ) -> Bool {
        var view = LogFilterView()
        view.status = 404
        view.durationMilliseconds = 20
        change(&view)
        return CompiledLogFilter(filter).accepts(view, draw: { random })
    }

    @Test(arguments: [
        (AccessLogFilter.Comparison.equal, 404 as UInt32, true), (.equal, 405, false), (.atLeast, 404, true),
        (.atLeast, 405, false), (.atMost, 404, true), (.atMost, 403, false), (.notEqual, 404, false),
        (.notEqual, 1, true),
    ])
    func comparesStatus(_ operation: AccessLogFilter.Comparison, _ value: UInt32, _ result: Bool) {
        #expect(accepts(.status(operation, value)) == result)
    }

    @Test func comparesDuration() {
        #expect(accepts(.duration(.atLeast, 20)))
        #expect(!accepts(.duration(.atLeast, 21)))
    }

    @Test func looksAtFlags() {
        #expect(!accepts(.responseFlags([])))
        #expect(accepts(.responseFlags([])) { $0.flags = "UH" })
        #expect(accepts(.responseFlags(["URX"])) { $0.flags = "UF,URX" })
        #expect(!accepts(.responseFlags(["UR"])) { $0.flags = "UF,URX" })
    }

    @Test func looksAtMetadata() {
        let matcher = DynamicMetadataMatcher(
            filter: "f", path: ["a", "b"], test: .string(StringMatcher(.exact("x"))))
        #expect(accepts(.metadata(matcher, orMissing: true)))
        #expect(!accepts(.metadata(matcher, orMissing: false)))
        let holding: (String) -> (inout LogFilterView) -> Void = { text in
            { $0.metadata = ["f": .object(["a": .object(["b": .string(text)])])] }
        }
        #expect(accepts(.metadata(matcher, orMissing: false), holding("x")))
        #expect(!accepts(.metadata(matcher, orMissing: true), holding("y")))
    }

    @Test func sharesAreByRequestIDOrChance() {
        let half = FractionalPercent(percent: 50)
        #expect(accepts(.runtime(half, isIndependent: false)) { $0.requestNumber = 499_999 })
        #expect(!accepts(.runtime(half, isIndependent: false)) { $0.requestNumber = 500_000 })
        #expect(!accepts(.runtime(half, isIndependent: true), random: 500_000) { $0.requestNumber = 1 })
        #expect(accepts(.runtime(half, isIndependent: false), random: 499_999))
    }

    @Test func combines() {
        let yes = AccessLogFilter.status(.equal, 404)
        let no = AccessLogFilter.status(.equal, 1)
        #expect(accepts(.and([yes, yes])) && !accepts(.and([yes, no])))
        #expect(accepts(.or([no, yes])) && !accepts(.or([no, no])))
    }

    @Test func looksAtTheRest() {
        #expect(!accepts(.notHealthCheck) { $0.isHealthCheck = true })
        #expect(accepts(.traceable) { $0.isTraced = true } && !accepts(.traceable))
        #expect(accepts(.grpcStatus([5], excludes: false)) { $0.grpcStatus = 5 })
        #expect(!accepts(.grpcStatus([5], excludes: true)) { $0.grpcStatus = 5 })
        #expect(accepts(.logType([.downstreamEnd], excludes: false)) { $0.type = .downstreamEnd })
        let matcher = HeaderMatcher(name: "x-a", test: .present(true))
        #expect(!accepts(.header(matcher)), "no request")
        #expect(accepts(.header(matcher)) { $0.head = RequestHead(.get, "/", authority: "h", headers: [("x-a", "1")]) })
    }
}
