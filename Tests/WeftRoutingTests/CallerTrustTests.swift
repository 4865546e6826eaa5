import Testing
import WeftHTTP
import WeftIR

@testable import WeftRouting

/// Who a request comes from, and what it may say.
struct CallerTrustTests {
    private func judge(
        _ headers: [(String, String)], ip: String = "9.9.9.9", _ edit: (inout HTTPConnectionManager) -> Void
    ) -> (CallerTrust.Verdict, HeaderBlock) {
        var manager = HTTPConnectionManager(statPrefix: "t", routes: .rds("r"), filters: [])
        edit(&manager)
        var head = RequestHead(.get, "/", authority: "h", headers: headers)
        let peer = CallerTrust.Peer(ip: ip, isTLS: false, localPort: 80, ownIP: "10.9.9.9")
        let verdict = CallerTrust(manager).apply(to: &head, from: peer, internalOnly: ["x-secret"])
        return (verdict, head.headers)
    }

    @Test func strangersGiveNoOrders() {
        let orders = [("x-envoy-max-retries", "9"), ("x-envoy-internal", "true"), ("x-secret", "1"), ("x-free", "1")]
        for isEdge in [true, false] {
            let (verdict, headers) = judge(orders) { $0.useRemoteAddress = isEdge }
            #expect(verdict.isEdge == isEdge && !verdict.isInternal)
            #expect(!headers.contains("x-envoy-max-retries") && !headers.contains("x-envoy-internal"))
            #expect(!headers.contains("x-secret") && headers.contains("x-free"))
            #expect(headers.contains("x-envoy-external-address") == isEdge)
        }
    }

    @Test func callersInsideDo() {
        let inside: (inout HTTPConnectionManager) -> Void = {
            $0.useRemoteAddress = true
            $0.internalAddresses = [CIDR("9.0.0.0", prefixLength: 8)]
        }
        let (verdict, headers) = judge([("x-envoy-max-retries", "9"), ("x-secret", "1")], inside)
        #expect(verdict.isInternal && !verdict.isEdge)
        #expect(headers.string("x-envoy-internal") == "true")
        #expect(headers.contains("x-envoy-max-retries") && headers.contains("x-secret"))
        // Whoever brings an x-forwarded-for comes from somewhere else.
        #expect(!judge([("x-forwarded-for", "9.1.1.1")], inside).0.isInternal)
    }

    @Test(arguments: [
        ("1.1.1.1, 2.2.2.2", 0 as UInt32, "2.2.2.2" as String?), ("1.1.1.1,2.2.2.2", 1, "1.1.1.1"),
        ("1.1.1.1", 1, nil), ("junk", 0, nil), ("1.1.1.1,", 0, nil), ("::1", 0, "::1"),
    ])
    func addressesBehindTrustedHops(list: String, hops: UInt32, client: String?) {
        let (verdict, headers) = judge([("x-forwarded-for", list)]) { $0.xffNumTrustedHops = hops }
        #expect(verdict.client == client)
        #expect(headers.string(.forwardedFor) == list)
    }

    @Test func hopsAreAppended() {
        let edge: (inout HTTPConnectionManager) -> Void = { $0.useRemoteAddress = true }
        #expect(judge([], edge).1.string(.forwardedFor) == "9.9.9.9")
        #expect(judge([], ip: "127.0.0.1", edge).1.string(.forwardedFor) == "10.9.9.9")
        let two = judge([("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2")], edge).1
        #expect(two.values(.forwardedFor).count == 1)
        #expect(two.string(.forwardedFor) == "1.1.1.1,2.2.2.2,9.9.9.9")
    }

    @Test(arguments: [
        (0 as UInt64, "0m"), (99_999_999, "99999999m"), (100_000_000, "100000S"), (360_000_000_000_000, "99999999H"),
    ])
    func gRPCTimeoutsAreWritten(milliseconds: UInt64, text: String) {
        #expect(GRPCTimeout.text(milliseconds) == text)
    }
}
