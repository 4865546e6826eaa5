import NIOCore
import Synchronization
import Testing
import WeftADS
import WeftCore
import WeftIR
import WeftTransport

@testable import WeftProxy

/// What a proxy tells to those who watch its requests.
@Suite(.timeLimit(.minutes(2))) struct TapRecorderTests {
    private final class Told: Sendable {
        let messages = Mutex<[TapMessage]>([])
        var entries: [JSONValue] { messages.withLock { $0.compactMap(\.entry) } }
        var lost: Int { messages.withLock { $0.reduce(0) { $0 + $1.lost.values.reduce(0, +) } } }
    }

    /// Orders are in force on every worker when this returns.
    private func order(_ proxy: ObservedProxy, _ told: Told, _ filters: [String: String]...) async throws {
        let orders = try filters.enumerated().map { TapOrder(id: $0 + 1, filter: try TapFilter($1)) }
        proxy.plane.serve(orders) { message in
            told.messages.withLock { $0.append(message) }
            return true
        }
        for worker in proxy.plane.workers { try await worker.eventLoop.submit {}.get() }
    }

    private func settled(_ proxy: ObservedProxy) async throws {
        for worker in proxy.plane.workers { try await worker.eventLoop.submit {}.get() }
    }

    @Test func tellsOfRequestsOnlyWhileSomebodyWatches() async throws {
        let upstream = try await CollectorServer(.http1, body: "hello")
        let proxy = try await ObservedProxy(["up": (upstream.port, false)]) { _ in }
        let told = Told()
        _ = try await proxy.get("/before")
        #expect(proxy.plane.workers[0].logs.tap == nil)
        try await order(proxy, told, ["path": "/a"], ["status": "4xx"])
        _ = try await proxy.get("/a/b?token=secret", "x-request-id: 11111111-2222-4333-8444-555555555555")
        _ = try await proxy.get("/other")
        try await order(proxy, told)
        _ = try await proxy.get("/a/after")
        try await settled(proxy)
        #expect(proxy.plane.workers[0].logs.tap == nil)
        let entry = try #require(told.entries.first)
        #expect(told.entries.count == 1)
        #expect(told.messages.withLock { $0.first?.viewers } == [1])
        #expect(!entry.text().contains("secret"), "query strings stay where they are")
        let texts: [String: String] = [
            "method": "GET", "path": "/a/b", "host": "shop", "protocol": "HTTP/1.1", "flags": "-",
            "details": "via_upstream", "route": "only", "cluster": "up", "reporter": "destination",
            "upstream": "127.0.0.1:\(upstream.port)",
        ]
        for (name, value) in texts { #expect(entry[name]?.stringValue == value, "\(name)") }
        #expect(entry["status"]?.intValue == 200)
        #expect(entry["responseBytes"]?.intValue == 5)
        #expect(entry["attempts"]?.intValue == 1)
        #expect(entry["mtls"]?.boolValue == false)
        #expect((entry["latency"]?.doubleValue ?? -1) > 0)
        #expect((entry["time"]?.intValue ?? 0) > 1_700_000_000_000)
        await proxy.stop()
        await upstream.stop()
    }

    @Test func namesTheObjectBehindARefusal() async throws {
        let proxy = try await ObservedProxy(
            [:],
            route: {
                $0.provenance = Provenance(
                    ResourceReference(kind: "VirtualService", namespace: "dev", name: "shop"), rule: 2)
            }
        ) { _ in }
        let told = Told()
        try await order(proxy, told, ["flags": "any"])
        _ = try await proxy.get("/x")
        try await settled(proxy)
        let entry = try #require(told.entries.first)
        #expect(entry["status"]?.intValue == 503)
        #expect(entry["flags"]?.stringValue == "NC")
        #expect(entry["routeConfig"]?.stringValue?.hasSuffix("rule 2") == true)
        await proxy.stop()
    }

    @Test func whatIsBeyondTheRateIsCounted() async throws {
        let upstream = try await CollectorServer(.http1, body: "hello")
        let proxy = try await ObservedProxy(["up": (upstream.port, false)]) { _ in }
        let told = Told()
        try await order(proxy, told, ["max": "1"])
        // More than there are seconds in the time that this takes.
        for _ in 0..<40 { _ = try await proxy.get("/a") }
        try await proxy.plane.workers[0].eventLoop.submit { proxy.plane.workers[0].logs.flush() }.get()
        #expect(told.entries.count + told.lost == 40)
        #expect(told.entries.count < 40)
        await proxy.stop()
        await upstream.stop()
    }
}
