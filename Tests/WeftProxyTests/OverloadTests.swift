import Foundation
import NIOCore
import NIOPosix
import Synchronization
import Testing
import WeftCore
import WeftIR
import WeftRouting

@testable import WeftProxy

/// Limits on connections, and what is shed when there is too much.
@Suite(.timeLimit(.minutes(1))) struct OverloadTests {
    private struct Reply: Equatable {
        var text: String
        var isClosed: Bool
        var status: Substring { text.dropFirst(9).prefix(3) }
    }

    /// A blocking client.
    private final class Client: @unchecked Sendable {
        // Used by one thread at a time: the test's.
        private let descriptor: CInt
        init(port: Int) throws {
            descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(UInt16(port).bigEndian)
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            let result = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard result == 0 else { throw IOError(errnoCode: errno, reason: "connect") }
        }
        deinit { close(descriptor) }

        /// - Returns: One reply, or nothing when the connection is closed.
        func get() -> Reply {
            let request = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
            _ = send(descriptor, request, request.count, CInt(MSG_NOSIGNAL))
            return read(until: { $0.contains("\r\n\r\n") && ($0.hasSuffix("body") || $0.hasSuffix("overloaded")) })
        }

        func read(until isDone: (String) -> Bool) -> Reply {
            var text = ""
            var buffer = [UInt8](repeating: 0, count: 4096)
            while !isDone(text) {
                let count = recv(descriptor, &buffer, buffer.count, 0)
                guard count > 0 else { return Reply(text: text, isClosed: true) }
                text += String(decoding: buffer[..<count], as: UTF8.self)
            }
            return Reply(text: text, isClosed: false)
        }

        var isClosedByPeer: Bool { read(until: { !$0.isEmpty }).isClosed }
    }

    private func configuration(_ names: String...) -> ProxyConfiguration {
        var configuration = ProxyConfiguration()
        for name in names {
            let reply = DirectResponse(status: 200, body: "body")
            let route = Route(match: RouteMatch(path: .prefix("/")), action: .directResponse(reply))
            let host = VirtualHost(name: "all", domains: ["*"], routes: [route])
            let manager = HTTPConnectionManager(
                statPrefix: name, routes: .inline(RouteConfiguration(name: "r", virtualHosts: [host])),
                filters: [HTTPFilter(name: "router", kind: .router)])
            var listener = Listener(name: name, address: .ip("127.0.0.1", port: 0))
            listener.filterChains = [FilterChain(name: "c", filters: [.httpConnectionManager(manager)])]
            listener.ignoresGlobalConnectionLimit = name == "exempt"
            configuration.listeners[name] = listener
        }
        return configuration
    }

    private func start(_ limits: ConnectionLimits, _ names: String...) async throws -> (DataPlane, [String: Int]) {
        var options = DataPlane.Options()
        options.limits = limits
        let plane = DataPlane(options: options)
        var wanted = ProxyConfiguration()
        for name in names { wanted.listeners.merge(configuration(name).listeners) { $1 } }
        let (bound, problems) = await plane.start(wanted)
        #expect(problems.isEmpty)
        return (plane, bound.compactMapValues { $0.first?.port })
    }

    private func stat(_ plane: DataPlane, _ suffix: String) -> Int? {
        StatsPage(plane, nil, isLive: true).all.map { ($0.name, $0.value) }.first { $0.0.hasSuffix(suffix) }?.1
    }

    /// A connection is counted until its channel is gone, which its client does not wait for.
    private func settle(_ plane: DataPlane, _ count: Int) async throws {
        while plane.gate.active.load(ordering: .relaxed) != count { try await Task.sleep(for: .milliseconds(2)) }
    }

    @Test func theLimitOfTheProxyClosesWhatIsTooMuch() async throws {
        var limits = ConnectionLimits()
        limits.global = 2
        let (plane, ports) = try await start(limits, "a", "b", "exempt")
        let (a, b) = (try #require(ports["a"]), try #require(ports["b"]))
        var clients = [try Client(port: a), try Client(port: b)]
        for client in clients { #expect(client.get().status == "200") }
        #expect(try Client(port: a).isClosedByPeer)
        #expect(try Client(port: b).isClosedByPeer)
        #expect(try Client(port: #require(ports["exempt"])).get().status == "200")
        #expect(stat(plane, ".downstream_global_cx_overflow") != nil)
        #expect(plane.gate.all.values.reduce(0) { $0 + $1.globalOverflow.load(ordering: .relaxed) } == 2)
        clients.removeLast()
        try await settle(plane, 1)
        #expect(try Client(port: a).get().status == "200", "a place that was left is taken")
        clients.removeAll()
        await plane.shutdown(grace: .zero)
    }

    @Test func theLimitOfAListenerIsItsOwn() async throws {
        var limits = ConnectionLimits()
        limits.byListener["a"] = 1
        let (plane, ports) = try await start(limits, "a", "b")
        let (a, b) = (try #require(ports["a"]), try #require(ports["b"]))
        let first = try Client(port: a)
        #expect(first.get().status == "200")
        #expect(try Client(port: a).isClosedByPeer)
        #expect(try Client(port: b).get().status == "200")
        #expect(plane.gate.counts(of: "a").overflow.load(ordering: .relaxed) == 1)
        #expect(plane.gate.counts(of: "b").overflow.load(ordering: .relaxed) == 0)
        // The count outlives a change of the listener.
        await plane.apply(configuration("a", "b"))
        #expect(try Client(port: #require(plane.bound["a"]?.first?.port)).isClosedByPeer)
        #expect(first.get().status == "200")
        await plane.shutdown(grace: .zero)
    }

    @Test func requestsAreRefusedAndAdmittedAgain() async throws {
        let (plane, ports) = try await start(ConnectionLimits(), "a")
        let client = try Client(port: #require(ports["a"]))
        #expect(client.get().status == "200")
        plane.overload.set([.stopAcceptingRequests: 1], pressures: ["heap": 0.99])
        let refused = client.get()
        #expect(refused.status == "503")
        #expect(refused.text.hasSuffix("envoy overloaded"))
        #expect(stat(plane, "downstream_rq_overload_close") == 1)
        #expect(stat(plane, "overload.heap.pressure") == 99)
        #expect(stat(plane, "stop_accepting_requests.active") == 1)
        plane.overload.set([.stopAcceptingRequests: 0.5], pressures: ["heap": 0.5])
        #expect(client.get().status == "200", "the action is on or off")
        plane.overload.set([.shedRequests: 1], pressures: [:])
        #expect(client.get().status == "503")
        plane.overload.set([:], pressures: [:])
        #expect(client.get().status == "200")
        await plane.shutdown(grace: .zero)
    }

    @Test func keepAliveEndsAndConnectionsAreRejected() async throws {
        let (plane, ports) = try await start(ConnectionLimits(), "a")
        let port = try #require(ports["a"])
        plane.overload.set([.disableKeepAlive: 1], pressures: ["heap": 1])
        let client = try Client(port: port)
        let reply = client.get()
        #expect(reply.status == "200")
        #expect(reply.text.lowercased().contains("connection: close\r\n"))
        #expect(client.isClosedByPeer)
        plane.overload.set([.rejectIncomingConnections: 1], pressures: ["heap": 1])
        #expect(try Client(port: port).isClosedByPeer)
        #expect(stat(plane, "downstream_cx_overload_reject") == 1)
        plane.overload.set([:], pressures: [:])
        #expect(try Client(port: port).get().status == "200")
        await plane.shutdown(grace: .zero)
    }

    /// Connections that come meanwhile wait in the kernel and are served afterwards.
    @Test func acceptingPausesAndGoesOn() async throws {
        let (plane, ports) = try await start(ConnectionLimits(), "a")
        let port = try #require(ports["a"])
        await plane.pauseAccepting(true)
        let waiting = try Client(port: port)
        // Whatever the worker would accept, it would have by then.
        for worker in plane.workers { try await worker.eventLoop.submit {}.get() }
        #expect(plane.gate.active.load(ordering: .relaxed) == 0)
        await plane.pauseAccepting(false)
        #expect(waiting.get().status == "200")
        await plane.shutdown(grace: .zero)
    }

    @Test func whatAFileSaysIsActedUpon() async throws {
        let (plane, ports) = try await start(ConnectionLimits(), "a")
        let path = FileManager.default.temporaryDirectory.appending(path: "pressure-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: path) }
        var settings = Overload()
        settings.refreshMilliseconds = 5
        settings.monitors = [
            .init(name: "file", resource: .injected(path: path.path())),
            .init(name: "heap", resource: .fixedHeap(limit: 1 << 40)),
        ]
        settings.rules = [
            .init(measure: .stopAcceptingRequests, triggers: ["file": .threshold(0.9), "heap": .threshold(0.9)])
        ]
        let watch = try #require(OverloadWatch(settings, plane))
        let task = Task { await watch.run() }
        let client = try Client(port: #require(ports["a"]))
        func waitFor(_ active: Bool) async throws {
            while plane.overload.anything.load(ordering: .relaxed) != active {
                try await Task.sleep(for: .milliseconds(2))
            }
        }
        while (plane.overload.report.failures["file"] ?? 0) == 0 { try await Task.sleep(for: .milliseconds(2)) }
        #expect(client.get().status == "200", "a file that is not there presses nobody")
        try Data("0.95\n".utf8).write(to: path, options: .atomic)
        try await waitFor(true)
        #expect(client.get().status == "503")
        try Data("0.1".utf8).write(to: path, options: .atomic)
        try await waitFor(false)
        #expect(client.get().status == "200")
        #expect((plane.overload.report.pressures["heap"] ?? -1) >= 0, "memory was measured")
        task.cancel()
        await task.value
        await plane.shutdown(grace: .zero)
    }

    @Test func limitsComeFromRuntimeAndMonitor() {
        let runtime: [String: JSONValue] = [
            "overload.global_downstream_max_connections": 50,
            "envoy.resource_limits.listener.http_8080.connection_limit": 7,
            "envoy.resource_limits.listener.text.connection_limit": "9", "other": 1,
        ]
        let plain = ConnectionLimits(runtime: runtime, overload: Overload())
        #expect(plain.global == 50)
        #expect(plain.byListener == ["http_8080": 7, "text": 9])
        var overload = Overload()
        overload.monitors = [.init(name: "c", resource: .downstreamConnections(limit: 3))]
        #expect(ConnectionLimits(runtime: runtime, overload: overload).global == 3)
    }

    @Test func triggersBecomeLevels() {
        var settings = Overload()
        settings.rules = [
            .init(measure: .stopAcceptingRequests, triggers: ["a": .threshold(0.9)]),
            .init(
                measure: .disableKeepAlive, triggers: ["a": .scaled(from: 0.5, to: 1), "b": .scaled(from: 0, to: 0.5)]),
        ]
        let rules = OverloadRules(settings)
        #expect(rules.levels([:]) == [.stopAcceptingRequests: 0, .disableKeepAlive: 0])
        #expect(rules.levels(["a": 0.75]) == [.stopAcceptingRequests: 0, .disableKeepAlive: 0.5])
        #expect(rules.levels(["a": 0.9, "b": 0.5]) == [.stopAcceptingRequests: 1, .disableKeepAlive: 1])
        #expect(rules.levels(["a": 0.5, "b": 0.125]) == [.stopAcceptingRequests: 0, .disableKeepAlive: 0.25])
    }
}
