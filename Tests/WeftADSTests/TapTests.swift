import Logging
import Synchronization
import TestSupport
import Testing
import WeftADS
import WeftCore
import WeftIdentity

/// The tap from filter to stream, with a proxy that tells of made-up requests.
@Suite(.timeLimit(.minutes(1))) struct TapTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func record(
        status: Int = 200, flags: String = "-", method: String = "GET", path: String = "/reviews/0",
        milliseconds: Double = 12, reporter: String = "destination"
    ) -> TapRecord {
        var record = TapRecord()
        (record.status, record.flags, record.method, record.path) = (status, flags, method, path)
        (record.milliseconds, record.reporter, record.host) = (milliseconds, reporter, "reviews:9080")
        record.source.workload = "productpage-v1"
        record.source.namespace = "bookinfo"
        record.source.principal = "spiffe://cluster.local/ns/bookinfo/sa/productpage"
        record.destination.workload = "reviews-v1"
        record.destination.namespace = "bookinfo"
        record.destination.service = "reviews.bookinfo.svc.cluster.local"
        return record
    }

    @Test(
        arguments: [
            ([:], true), (["method": "GET"], true), (["method": "POST"], false), (["path": "/reviews"], true),
            (["path": "reviews"], false), (["host": "views:90"], true), (["status": "200"], true),
            (["status": "5xx,404"], false), (["status": "100-299"], true), (["flags": "any"], false),
            (["flags": "UH"], false), (["minLatency": "12"], true), (["minLatency": "12.5"], false),
            (["source": "bookinfo/productpage"], true), (["source": "sa/productpage"], true), (["source": "x"], false),
            (["destination": "reviews.bookinfo.svc"], true), (["destination": "ratings"], false),
            (["reporter": "destination"], true), (["reporter": "source"], false), (["method": ""], true),
            (["method": "GET", "status": "4xx"], false),
        ] as [([String: String], Bool)])
    func filters(_ values: [String: String], _ isWanted: Bool) throws {
        #expect(try TapFilter(values).accepts(Self.record()) == isWanted)
        // As an order brings it to the proxy.
        #expect(try TapFilter(json: TapFilter(values).json).accepts(Self.record()) == isWanted)
    }

    @Test func flagsOfAFailedRequest() throws {
        let failed = Self.record(status: 503, flags: "UH,URX")
        #expect(try TapFilter(["flags": "URX"]).accepts(failed))
        #expect(try TapFilter(["flags": "any"]).accepts(failed))
        #expect(try !TapFilter(["flags": "UF"]).accepts(failed))
    }

    @Test(
        arguments: [
            ["colour": "red"], ["status": "6x"], ["status": "500-400"], ["status": "a-b"], ["minLatency": "soon"],
            ["minLatency": "-1"], ["max": "0"], ["max": "1001"], ["max": "nan"], ["reporter": "both"],
            ["path": String(repeating: "x", count: 513)],
        ])
    func refusesFiltersWithoutSense(_ values: [String: String]) {
        let error = #expect(throws: TapFilter.Invalid.self) { try TapFilter(values) }
        #expect(error?.description.contains(values.keys.first ?? "?") == true)
    }

    @Test func aProxyIsChosenByWhereItIs() throws {
        let node = TapNode(pod: "reviews-v1-x", namespace: "bookinfo", workload: "reviews-v1")
        #expect(try TapFilter(["namespace": "bookinfo", "workload": "reviews-v1"]).concerns(node))
        #expect(try !TapFilter(["workload": "reviews-v2"]).concerns(node))
        #expect(try TapFilter(["pod": "reviews-v1-x"]).concerns(node))
        #expect(try !TapFilter(["namespace": "other"]).concerns(node))
    }

    // MARK: - Over the wire

    /// Tells of as many requests as it is asked for, once, per order.
    private final class Source: TapSource {
        let orders = Mutex<[[TapOrder]]>([])
        let asking = Mutex<(@Sendable (String) -> Bool)?>(nil)
        let answers = Mutex<[ClientAnswer]>([])
        let count: Int

        init(count: Int = 1) { self.count = count }

        func serve(_ orders: [TapOrder], tell: @escaping @Sendable (TapMessage) -> Bool) {
            self.orders.withLock { $0.append(orders) }
            for order in orders where order.filter.accepts(TapTests.record()) {
                for _ in 0..<count {
                    _ = tell(TapMessage(viewers: [order.id], entry: TapTests.record().json, lost: [:]))
                }
            }
        }

        func resolve(_ ask: (@Sendable (_ address: String) -> Bool)?) { asking.withLock { $0 = ask } }
        func learn(_ answer: ClientAnswer) { answers.withLock { $0.append(answer) } }
    }

    private static let caller: JSONValue = ["WORKLOAD_NAME": "caller", "NAMESPACE": "plain"]

    /// A proxy asks who has an address, as soon as it is told that it may, with nobody watching.
    @Test func aProxyAsksWhoHasAnAddress() async throws {
        let source = Source()
        try await run(source) { hub in
            try await eventually("it may ask") { source.asking.withLock { $0 != nil } }
            let ask = try #require(source.asking.withLock { $0 })
            #expect(ask("10.244.0.9"))
            #expect(ask("10.244.0.10"))
            #expect(ask(String(repeating: "9", count: 65)))
            try await eventually("two answers") { source.answers.withLock { $0.count >= 2 } }
            // An address that is too long is no question, and ends the stream like every message of no kind.
            try await eventually("the stream has ended") { source.asking.withLock { $0 == nil } }
            #expect(
                source.answers.withLock { $0 } == [
                    ClientAnswer(address: "10.244.0.9", workload: TapTests.caller),
                    ClientAnswer(address: "10.244.0.10", workload: nil),
                ])
        }
    }

    private final class Nothing: ADSClientDelegate {
        func apply(_ update: ADSUpdate) async -> ADSVerdict { .accept }
    }

    private func client(port: Int, _ source: Source, namespace: String = "dev") -> ADSClient {
        var settings = ADSClient.Configuration(
            host: "127.0.0.1", port: port,
            node: ADSNode(
                id: "sidecar~10.0.0.1~a.\(namespace)~\(namespace).svc.cluster.local",
                metadata: ["NAMESPACE": .string(namespace), "WORKLOAD_NAME": "a-v1", "SECRET": "s"]))
        settings.token = { "good" }
        settings.tap = source
        return ADSClient(settings, delegate: Nothing(), logger: Self.logger)
    }

    /// Runs a server with the tap, and a client of it.
    private func run(
        _ source: Source, namespace: String = "dev", hub: TapHub = TapHub(), logger: Logger = TapTests.logger,
        _ body: @escaping @Sendable (TapHub) async throws -> Void
    ) async throws {
        let identity = try SPIFFEIdentity(uri: "spiffe://cluster.local/ns/dev/sa/default")
        let host = try GRPCHost(
            host: "127.0.0.1", port: 0, certificate: nil,
            services: [
                ADSServer(authentication: .none, delegate: RecordingControlPlane(), logger: Self.logger),
                TapService(
                    hub: hub, logger: logger, resolve: { $0 == "10.244.0.9" ? Self.caller : nil }
                ) { $0 == "good" ? identity : nil },
            ])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await host.run() }
            let client = client(port: try #require(try await host.port), source, namespace: namespace)
            group.addTask { await client.run() }
            try await body(hub)
            group.cancelAll()
        }
    }

    private func eventually(_ what: String, _ condition: () -> Bool) async throws {
        for _ in 0..<3_000 {
            if condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("never happened: \(what)")
    }

    @Test func aViewerSeesRequestsUntilHeGoes() async throws {
        let source = Source()
        try await run(source) { hub in
            try await eventually("the proxy comes") { hub.proxyCount == 1 }
            #expect(source.orders.withLock { $0.allSatisfy(\.isEmpty) })
            let view = try hub.open(TapFilter(["namespace": "dev", "status": "2xx"]))
            var events = view.events.makeAsyncIterator()
            guard case .hello(1)? = await events.next(), case .request(let entry)? = await events.next() else {
                Issue.record("no hello and request")
                return
            }
            // Whose request it is says the control plane, not the proxy.
            #expect(entry["proxy"]?.stringValue == "a.dev")
            #expect(entry[path: "source", "principal"]?.stringValue?.hasSuffix("productpage") == true)
            #expect(entry["latency"]?.doubleValue == 12)
            let other = try hub.open(TapFilter(["namespace": "elsewhere"]))
            hub.close(other)
            hub.close(view)
            try await eventually("the proxy is told to stop") {
                source.orders.withLock { $0.last?.isEmpty == true && $0.count >= 2 }
            }
        }
    }

    @Test func whatIsTooMuchIsCounted() async throws {
        try await run(Source(count: 50), hub: TapHub(now: { 7 })) { hub in
            try await eventually("the proxy comes") { hub.proxyCount == 1 }
            let view = try hub.open(TapFilter(["max": "20"]))
            var (shown, lost) = (0, 0)
            let pulse = Task { while (try? await Task.sleep(for: .milliseconds(20))) != nil { hub.keepAlive(view) } }
            for await event in view.events {
                if case .request = event { shown += 1 }
                if case .lost(let count) = event { lost += count }
                if shown + lost == 50 { break }
            }
            pulse.cancel()
            #expect(shown == 20)
            #expect(lost == 30)
        }
    }

    @Test func aProxyOfAnotherNamespaceIsRefused() async throws {
        let source = Source()
        let log = RecordedLog()
        try await run(source, namespace: "other", logger: Logger(label: "test") { _ in log }) { hub in
            let view = try hub.open(TapFilter([:]))
            try await eventually("the refusal is logged") { log.has("the node says namespace other") }
            #expect(hub.proxyCount == 0)
            #expect(source.orders.withLock { $0.allSatisfy(\.isEmpty) })
            hub.close(view)
        }
    }

    @Test func onlySoManyMayWatch() throws {
        let hub = TapHub()
        let views = try (0..<TapHub.viewerLimit).map { _ in try hub.open(TapFilter([:])) }
        #expect(throws: TapRefusal.self) { try hub.open(TapFilter([:])) }
        hub.close(views[0])
        hub.close(views[0])
        #expect(hub.viewerCount == TapHub.viewerLimit - 1)
        #expect((try? hub.open(TapFilter([:]))) != nil)
    }
}
