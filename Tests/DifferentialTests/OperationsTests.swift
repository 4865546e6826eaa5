import Foundation
import Synchronization
import TestSupport
import Testing

private let types = "type.googleapis.com/envoy.extensions"

/// A bootstrap whose one listener answers by itself, and tells by its body who it is.
private func bootstrap(
    address: String, port: UInt16, admin: UInt16, body: String, listener: String = "l", more: String = ""
) -> String {
    """
    node: {id: operations, cluster: operations}
    admin: {address: {socket_address: {address: \(address), port_value: \(admin)}}}
    static_resources:
      listeners:
      - name: \(listener)
        address: {socket_address: {address: \(address), port_value: \(port)}}
        filter_chains:
        - filters:
    \(more)
          - name: envoy.filters.network.http_connection_manager
            typed_config:
              "@type": \(types).filters.network.http_connection_manager.v3.HttpConnectionManager
              stat_prefix: h
              http_filters: [{name: r, typed_config: {"@type": \(types).filters.http.router.v3.Router}}]
              route_config:
                virtual_hosts:
                - name: v
                  domains: ["*"]
                  routes: [{match: {prefix: /}, direct_response: {status: 200, body: {inline_string: \(body)}}}]

    """
}

/// One HTTP/1.1 request on a connection; `nil` when the connection ended instead.
private func exchange(_ socket: RawSocket, _ reader: inout WireReader, method: String = "GET", path: String = "/")
    -> WireMessage?
{
    let length = method == "POST" ? "content-length: 0\r\n" : ""
    guard socket.send("\(method) \(path) HTTP/1.1\r\nhost: a\r\n\(length)\r\n") else { return nil }
    let deadline = ContinuousClock.now + .seconds(20)
    while ContinuousClock.now < deadline {
        if let message = reader.next(isResponse: true) { return message }
        switch socket.receive(within: 500) {
        case .bytes(let bytes): reader.buffer += bytes
        case .closed, .reset: return nil
        case .nothing: break
        }
    }
    return nil
}

private func once(_ address: String, _ port: UInt16, _ method: String, _ path: String) -> WireMessage? {
    guard let socket = try? RawSocket(to: address, port: port) else { return nil }
    defer { socket.close() }
    var reader = WireReader()
    return exchange(socket, &reader, method: method, path: path)
}

/// What operators do to a running proxy: drain it, fail its health checks, replace it. Where Envoy does the same, it is
/// asked too.
@Suite(.serialized) struct OperationsTests {
    /// Clients that come all the time, each with a connection of its own or one that it keeps until told to go.
    private final class Load: Sendable {
        private struct State {
            var bodies: [String: Int] = [:]
            var failures: [String] = []
            var isOver = false
            var running = 0
        }
        private let state = Mutex(State())
        var bodies: [String: Int] { state.withLock(\.bodies) }
        var failures: [String] { state.withLock(\.failures) }

        init(clients: Int, address: String, port: UInt16) {
            state.withLock { $0.running = clients }
            for number in 0..<clients {
                let thread = Thread { [self] in
                    run(keeps: number.isMultiple(of: 2), address, port)
                    state.withLock { $0.running -= 1 }
                }
                thread.start()
            }
        }

        private func run(keeps: Bool, _ address: String, _ port: UInt16) {
            while !state.withLock(\.isOver) {
                guard let socket = try? RawSocket(to: address, port: port) else {
                    state.withLock { $0.failures.append("refused") }
                    continue
                }
                var reader = WireReader()
                repeat {
                    guard let response = exchange(socket, &reader), response.status == 200 else {
                        state.withLock { $0.failures.append("no answer on a \(keeps ? "kept" : "new") connection") }
                        break
                    }
                    state.withLock { $0.bodies[response.text, default: 0] += 1 }
                    if response.first("connection") == "close" { break }
                } while keeps && !state.withLock(\.isOver)
                socket.close()
            }
        }

        func stop() async throws {
            state.withLock { $0.isOver = true }
            try await eventually("clients end") { state.withLock { $0.running == 0 } ? true : nil }
        }
    }

    /// Three generations, with one, two and one workers: no connection is refused, none is cut, the old ones end.
    @Test(.timeLimit(.minutes(3))) func hotRestartLosesNothing() async throws {
        let folder = try Workspace.folder("hot-restart")
        let ports = try RawListener.freePorts(2)
        let base = Int.random(in: 1000..<1_000_000)
        func start(_ epoch: Int, workers: Int) throws -> ServerProcess {
            let file = "\(folder)/\(epoch).yaml"
            // The listener's name changes too: the socket belongs to the address.
            try bootstrap(
                address: "127.0.0.4", port: ports[0], admin: ports[1], body: "epoch\(epoch)", listener: "l\(epoch)"
            ).write(toFile: file, atomically: true, encoding: .utf8)
            return try ServerProcess(
                "weft-\(epoch)", Workspace.weftProxy,
                [
                    "-c", file, "--concurrency", "\(workers)", "--base-id", "\(base)", "--restart-epoch", "\(epoch)",
                    "--drain-time-s", "2", "--parent-shutdown-time-s", "60",
                ], log: "\(folder)/\(epoch).log")
        }
        var processes = [try start(0, workers: 1)]
        defer { processes.forEach { $0.stop() } }
        try await processes[0].waitForPort(ports[0], address: "127.0.0.4")
        let load = Load(clients: 6, address: "127.0.0.4", port: ports[0])
        for (epoch, workers) in [(1, 2), (2, 1)] {
            try await eventually("epoch \(epoch - 1) answers") {
                load.bodies["epoch\(epoch - 1)", default: 0] > 50 ? true : nil
            }
            processes.append(try start(epoch, workers: workers))
            try await eventually("epoch \(epoch - 1) ends") { processes[epoch - 1].isRunning ? nil : true }
            #expect(processes[epoch].isRunning, "\(processes[epoch].output)")
        }
        try await eventually("epoch 2 answers") { load.bodies["epoch2", default: 0] > 50 ? true : nil }
        try await load.stop()
        #expect(load.failures.isEmpty, "\(load.failures.prefix(5)) of \(load.bodies)")
        #expect(load.bodies.count == 3)
        // The admin pages moved along.
        #expect(once("127.0.0.4", ports[1], "GET", "/ready")?.status == 200)
        #expect(once("127.0.0.4", ports[1], "GET", "/hot_restart_version")?.text == "weft.1\n")
    }

    @Test func whoCannotTakeOverSaysWhy() async throws {
        let folder = try Workspace.folder("no-restart")
        let ports = try RawListener.freePorts(2)
        let file = "\(folder)/b.yaml"
        try bootstrap(address: "127.0.0.4", port: ports[0], admin: ports[1], body: "x")
            .write(toFile: file, atomically: true, encoding: .utf8)
        let base = "\(Int.random(in: 1000..<1_000_000))"
        let orphan = try await command([
            Workspace.weftProxy, "-c", file, "--base-id", base, "--restart-epoch", "1",
        ])
        #expect(orphan.status == 1)
        #expect(orphan.err.contains("no process with --base-id \(base) and --restart-epoch 0"))
        let first = try ServerProcess(
            "first", Workspace.weftProxy, ["-c", file, "--base-id", base], log: "\(folder)/first.log")
        defer { first.stop() }
        try await first.waitForPort(ports[0], address: "127.0.0.4")
        let text = bootstrap(address: "127.0.0.4", port: ports[0], admin: 0, body: "x")
        let second = try await command([Workspace.weftProxy, "--config-yaml", text, "--base-id", base])
        #expect(second.status == 1)
        #expect(second.err.contains("a process with --base-id \(base) and --restart-epoch 0 is running"))
        #expect(first.isRunning)
    }

    /// One of the two proxies, alone on an address.
    private func start(_ kind: ProxyUnderTest.Kind, _ text: String, folder: String, _ flags: [String]) throws
        -> ServerProcess
    {
        let file = "\(folder)/\(kind.rawValue).yaml"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let arguments = ["-c", file, "--concurrency", "1", "-l", "warning", "--use-dynamic-base-id"] + flags
        let executable = kind == .envoy ? Workspace.envoy : Workspace.weftProxy
        return try ServerProcess(kind.rawValue, executable, arguments, log: "\(folder)/\(kind.rawValue).log")
    }

    /// The counters of the filter `grpc_stats`: the same numbers under the same names.
    @Test(.timeLimit(.minutes(2))) func countsOfGRPCCalls() async throws {
        let upstream = try RecordingUpstream(name: "a", record: UpstreamRecord())
        defer { upstream.close() }
        var counts: [[String]] = []
        for kind in [ProxyUnderTest.Kind.envoy, .weft] {
            let folder = try Workspace.folder("grpc-stats-\(kind.rawValue)")
            let address = kind == .envoy ? "127.0.0.2" : "127.0.0.3"
            let ports = try RawListener.freePorts(3)
            let text = Self.countingBootstrap(address, port: ports[0], admin: ports[1], upstream.port, dead: ports[2])
            let process = try start(kind, text, folder: folder, [])
            defer { process.stop() }
            try await process.waitForPort(ports[0], address: address)
            for (path, script) in Self.calls {
                let call =
                    "POST \(path) HTTP/1.1\r\nhost: a\r\nx-id: \(kind.rawValue)\r\nx-do: \(script)\r\n"
                    + "content-type: application/grpc\r\ncontent-length: 12\r\nconnection: close\r\n\r\n"
                    + "\0\0\0\0\u{1}a\0\0\0\0\u{1}b"
                let socket = try RawSocket(to: address, port: ports[0])
                defer { socket.close() }
                var reader = WireReader()
                #expect(socket.send(call))
                let deadline = ContinuousClock.now + .seconds(20)
                while reader.next(isResponse: true) == nil, ContinuousClock.now < deadline {
                    if case .bytes(let bytes) = socket.receive(within: 500) { reader.buffer += bytes }
                }
            }
            let page = once(address, ports[1], "GET", "/stats?filter=grpc")
            let lines = (page?.text ?? "").split(separator: "\n").map(String.init)
            counts.append(lines.filter { $0.hasPrefix("cluster.") && !$0.contains("upstream_rq_time") }.sorted())
        }
        #expect(counts[0].count > 10)
        #expect(counts[0] == counts[1])
    }

    private static let answer = "header=content-type:application/grpc;trailer=grpc-status:"
    private static let calls = [
        ("/pkg.Service/Ok", answer + "0;size=0"), ("/pkg.Service/Ok", answer + "5;size=0"),
        ("/pkg.Service/Only", "only;" + answer + "12"), ("/pkg.Service/Dead", ""), ("/pkg.Service/Http", "status=503"),
        ("/listed/pkg.Service/Ok", answer + "0"), ("/one", answer + "0"), ("/pkg.Service/Ok/", answer + "0"),
    ]

    private static func countingBootstrap(
        _ address: String, port: UInt16, admin: UInt16, _ upstream: UInt16, dead: UInt16
    ) -> String {
        let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        func cluster(_ name: String, _ port: UInt16) -> String {
            "- {name: \(name), type: STATIC, connect_timeout: 1s, typed_extension_protocol_options: {\(options): "
                + "{\"@type\": type.googleapis.com/\(options), explicit_http_config: {http2_protocol_options: {}}}}, "
                + "load_assignment: {cluster_name: \(name), endpoints: [{lb_endpoints: [{endpoint: {address: "
                + "{socket_address: {address: 127.0.0.1, port_value: \(port)}}}}]}]}}"
        }
        return """
            admin: {address: {socket_address: {address: \(address), port_value: \(admin)}}}
            static_resources:
              clusters:
              \(cluster("up", upstream))
              \(cluster("dead", dead))
              listeners:
              - name: l
                address: {socket_address: {address: \(address), port_value: \(port)}}
                filter_chains:
                - filters:
                  - name: envoy.filters.network.http_connection_manager
                    typed_config:
                      "@type": \(types).filters.network.http_connection_manager.v3.HttpConnectionManager
                      stat_prefix: h
                      http_filters:
                      - name: g
                        typed_config:
                          "@type": \(types).filters.http.grpc_stats.v3.FilterConfig
                          stats_for_all_methods: true
                          replace_dots_in_grpc_service_name: true
                      - name: "n"
                        typed_config:
                          "@type": \(types).filters.http.grpc_stats.v3.FilterConfig
                          individual_method_stats_allowlist: {services: [{name: pkg.Service, method_names: [Http]}]}
                      - {name: r, typed_config: {"@type": \(types).filters.http.router.v3.Router}}
                      route_config:
                        virtual_hosts:
                        - name: v
                          domains: ["*"]
                          routes:
                          - {match: {prefix: /pkg.Service/Dead}, route: {cluster: dead}}
                          - {match: {prefix: /}, route: {cluster: up}}

            """
    }

    /// `/drain_listeners?graceful`: the next answer ends a kept connection, and the port closes after the drain time.
    @Test(.timeLimit(.minutes(2)), arguments: [ProxyUnderTest.Kind.envoy, .weft])
    func gracefulDrain(_ kind: ProxyUnderTest.Kind) async throws {
        let folder = try Workspace.folder("drain-\(kind.rawValue)")
        let address = kind == .envoy ? "127.0.0.2" : "127.0.0.3"
        let ports = try RawListener.freePorts(2)
        let text = bootstrap(address: address, port: ports[0], admin: ports[1], body: "x")
        let process = try start(
            kind, text, folder: folder, ["--drain-strategy", "immediate", "--drain-time-s", "8"])
        defer { process.stop() }
        try await process.waitForPort(ports[0], address: address)
        let kept = try RawSocket(to: address, port: ports[0])
        defer { kept.close() }
        var reader = WireReader()
        #expect(exchange(kept, &reader)?.first("connection") == nil)
        #expect(once(address, ports[1], "POST", "/drain_listeners?graceful")?.text == "OK\n")
        let last = exchange(kept, &reader)
        #expect(last?.status == 200)
        #expect(last?.first("connection") == "close")
        // New connections are served until the time is over.
        #expect(once(address, ports[0], "GET", "/")?.status == 200)
        #expect(kept.receive(within: 10_000) == .closed)
        try await eventually("the port closes") { (try? RawSocket(to: address, port: ports[0])) == nil ? true : nil }
        #expect(process.isRunning)
    }

    @Test(.timeLimit(.minutes(1)), arguments: [ProxyUnderTest.Kind.envoy, .weft])
    func failedHealthChecks(_ kind: ProxyUnderTest.Kind) async throws {
        let folder = try Workspace.folder("health-\(kind.rawValue)")
        let address = kind == .envoy ? "127.0.0.2" : "127.0.0.3"
        let ports = try RawListener.freePorts(2)
        let text = bootstrap(address: address, port: ports[0], admin: ports[1], body: "x")
        let process = try start(kind, text, folder: folder, [])
        defer { process.stop() }
        try await process.waitForPort(ports[0], address: address)
        #expect(once(address, ports[0], "GET", "/")?.first("connection") == nil)
        #expect(once(address, ports[1], "POST", "/healthcheck/fail")?.text == "OK\n")
        #expect(once(address, ports[0], "GET", "/")?.first("connection") == "close")
        #expect(once(address, ports[1], "POST", "/healthcheck/ok")?.text == "OK\n")
        #expect(once(address, ports[0], "GET", "/")?.first("connection") == nil)
    }

    /// The connection over the limit is closed without an answer; when one goes, there is room again.
    @Test(.timeLimit(.minutes(1)), arguments: [ProxyUnderTest.Kind.envoy, .weft])
    func connectionLimit(_ kind: ProxyUnderTest.Kind) async throws {
        let folder = try Workspace.folder("limit-\(kind.rawValue)")
        let address = kind == .envoy ? "127.0.0.2" : "127.0.0.3"
        let ports = try RawListener.freePorts(2)
        let limit = """
                  - name: envoy.filters.network.connection_limit
                    typed_config:
                      "@type": \(types).filters.network.connection_limit.v3.ConnectionLimit
                      stat_prefix: few
                      max_connections: 1
            """
        let text = bootstrap(address: address, port: ports[0], admin: ports[1], body: "x", more: limit)
        let process = try start(kind, text, folder: folder, [])
        defer { process.stop() }
        try await process.waitForPort(ports[0], address: address)
        // The look whether the port is open may still count.
        try await eventually("room") { once(address, ports[0], "GET", "/")?.status == 200 ? true : nil }
        try await eventually("nobody is connected") {
            let stats = once(address, ports[1], "GET", "/stats?filter=connection_limit")?.text ?? ""
            return stats.contains("few.active_connections: 0") ? true : nil
        }
        let first = try RawSocket(to: address, port: ports[0])
        var reader = WireReader()
        #expect(exchange(first, &reader)?.status == 200)
        #expect(once(address, ports[0], "GET", "/") == nil)
        let stats = once(address, ports[1], "GET", "/stats?filter=connection_limit")?.text ?? ""
        #expect(stats.contains("connection_limit.few.active_connections: 1"))
        #expect(!stats.contains("connection_limit.few.limited_connections: 0"))
        first.close()
        try await eventually("room again") { once(address, ports[0], "GET", "/")?.status == 200 ? true : nil }
    }

    /// A listener that changes asks its connections to go, and drops none, new or kept.
    @Test(.timeLimit(.minutes(2))) func aChangedListenerDropsNothing() async throws {
        let folder = try Workspace.folder("listener-update")
        let ports = try RawListener.freePorts(2)
        func listeners(_ body: String, _ name: String) throws {
            let whole = bootstrap(
                address: "127.0.0.4", port: ports[0], admin: ports[1], body: body, listener: name)
            let lines = whole.split(separator: "\n", omittingEmptySubsequences: false)
            let start = lines.firstIndex { $0.hasPrefix("  listeners:") }.map { $0 + 1 } ?? 0
            let resource = lines[start...].joined(separator: "\n").replacing(
                "  - name: \(name)\n",
                with: "  - name: \(name)\n    \"@type\": type.googleapis.com/envoy.config.listener.v3.Listener\n")
            let beside = "\(folder)/lds.new"
            try ("resources:\n" + resource).write(toFile: beside, atomically: true, encoding: .utf8)
            #expect(rename(beside, "\(folder)/lds.yaml") == 0)
        }
        try listeners("a", "one")
        let text = """
            node: {id: u, cluster: u}
            admin: {address: {socket_address: {address: 127.0.0.4, port_value: \(ports[1])}}}
            dynamic_resources: {lds_config: {path_config_source: {path: \(folder)/lds.yaml}}}
            """
        let process = try start(
            .weft, text, folder: folder, ["--drain-strategy", "immediate", "--drain-time-s", "600"])
        defer { process.stop() }
        try await process.waitForPort(ports[0], address: "127.0.0.4")
        let load = Load(clients: 6, address: "127.0.0.4", port: ports[0])
        var before = "a"
        // The second change gives the address to a listener of another name.
        for (body, name) in [("b", "one"), ("c", "two"), ("d", "two")] {
            try await eventually("\(before) answers") { load.bodies[before, default: 0] > 50 ? true : nil }
            try listeners(body, name)
            before = body
        }
        try await eventually("d answers") { load.bodies["d", default: 0] > 50 ? true : nil }
        try await load.stop()
        #expect(load.failures.isEmpty, "\(load.failures.prefix(5)) of \(load.bodies)")
        #expect(load.bodies.count == 4)
    }

    /// Unix sockets on both sides: curl → Unix listener → Unix upstream of the same proxy → answer.
    @Test(.timeLimit(.minutes(1)), arguments: [ProxyUnderTest.Kind.envoy, .weft])
    func unixSockets(_ kind: ProxyUnderTest.Kind) async throws {
        let folder = try Workspace.folder("unix-\(kind.rawValue)")
        let address = kind == .envoy ? "127.0.0.2" : "127.0.0.3"
        let short = NSTemporaryDirectory() + "weft-\(kind.rawValue)-\(getpid())"
        let ports = try RawListener.freePorts(2)
        var text = bootstrap(address: address, port: ports[0], admin: ports[1], body: "inner")
        text += """
              - name: inner
                address: {pipe: {path: \(short)-inner, mode: 384}}
                filter_chains:
                - filters:
                  - name: envoy.filters.network.http_connection_manager
                    typed_config:
                      "@type": \(types).filters.network.http_connection_manager.v3.HttpConnectionManager
                      stat_prefix: i
                      http_filters: [{name: r, typed_config: {"@type": \(types).filters.http.router.v3.Router}}]
                      route_config:
                        virtual_hosts:
                        - name: v
                          domains: ["*"]
                          routes: [{match: {prefix: /}, direct_response: {status: 200, body: {inline_string: reached}}}]
              - name: outer
                address: {pipe: {path: "@\(short)-outer"}}
                filter_chains:
                - filters:
                  - name: envoy.filters.network.http_connection_manager
                    typed_config:
                      "@type": \(types).filters.network.http_connection_manager.v3.HttpConnectionManager
                      stat_prefix: o
                      http_filters: [{name: r, typed_config: {"@type": \(types).filters.http.router.v3.Router}}]
                      route_config:
                        virtual_hosts: [{name: v, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: inner}}]}]
              clusters:
              - name: inner
                type: STATIC
                load_assignment:
                  cluster_name: inner
                  endpoints: [{lb_endpoints: [{endpoint: {address: {pipe: {path: \(short)-inner}}}}]}]

            """
        let process = try start(kind, text, folder: folder, [])
        defer { process.stop() }
        try await process.waitForPort(ports[0], address: address)
        let answer = try await command(["curl", "-s", "--abstract-unix-socket", "\(short)-outer", "http://a/"])
        #expect(answer.out == "reached", "\(answer) \(process.output)")
        let mode = try FileManager.default.attributesOfItem(atPath: "\(short)-inner")[.posixPermissions] as? Int
        #expect(mode == 0o600)
        process.stop()
        try? FileManager.default.removeItem(atPath: "\(short)-inner")
    }

    /// Options of a listener's sockets: seen by `ss` on the socket and on what it accepts; one that the system refuses
    /// keeps the proxy from starting.
    @Test(.timeLimit(.minutes(1)), arguments: [ProxyUnderTest.Kind.envoy, .weft])
    func socketOptions(_ kind: ProxyUnderTest.Kind) async throws {
        let folder = try Workspace.folder("socket-options-\(kind.rawValue)")
        let ports = try RawListener.freePorts(2)
        // Nobody has this address: only IP_FREEBIND can bind it.
        let address = "192.0.2.77"
        let options =
            "[{level: 1, name: 9, int_value: 1, state: STATE_PREBIND}, "
            + "{level: 6, name: 4, int_value: 77, state: STATE_PREBIND}, "
            + "{level: 6, name: 6, buf_value: AwAAAA==, state: STATE_BOUND}]"
        func text(_ options: String, _ address: String) -> String {
            bootstrap(address: address, port: ports[0], admin: ports[1], body: "x").replacing(
                "    filter_chains:\n",
                with: "    freebind: true\n    tcp_backlog_size: 33\n    tcp_fast_open_queue_length: 5\n"
                    + "    socket_options: \(options)\n    filter_chains:\n"
            ).replacing(
                "admin: {address: {socket_address: {address: \(address)",
                with: "admin: {address: {socket_address: {address: 127.0.0.1")
        }
        let process = try start(kind, text(options, address), folder: folder, [])
        defer { process.stop() }
        try await process.waitForPort(ports[1], address: "127.0.0.1")
        try await eventually("a socket on \(address)") {
            let listening = try await command(["ss", "-Hltno", "src", "\(address):\(ports[0])"]).out
            // The length of the queue.
            return listening.split(separator: " ").dropFirst(2).first == "33" ? true : nil
        }
        process.stop()
        let local = try start(kind, text(options, "127.0.0.9"), folder: folder, [])
        defer { local.stop() }
        try await local.waitForPort(ports[0], address: "127.0.0.9")
        let socket = try RawSocket(to: "127.0.0.9", port: ports[0])
        defer { socket.close() }
        var reader = WireReader()
        #expect(exchange(socket, &reader)?.status == 200)
        let accepted = try await command(["ss", "-Htno", "src", "127.0.0.9:\(ports[0])"]).out
        #expect(accepted.contains("timer:(keepalive,"), "\(accepted)")
        local.stop()
        let bad = try start(kind, text("[{level: 1, name: 9999, int_value: 1}]", "127.0.0.9"), folder: folder, [])
        defer { bad.stop() }
        try await eventually("a refusal") { bad.isRunning ? nil : true }
    }

    @Test(.timeLimit(.minutes(1))) func logLevelsChangeWhileRunning() async throws {
        let folder = try Workspace.folder("log-levels")
        let ports = try RawListener.freePorts(2)
        let text = bootstrap(address: "127.0.0.3", port: ports[0], admin: ports[1], body: "x")
        let process = try start(.weft, text, folder: folder, ["--component-log-level", "xds:trace"])
        defer { process.stop() }
        try await process.waitForPort(ports[0], address: "127.0.0.3")
        func levels(_ path: String) -> String? { once("127.0.0.3", ports[1], "POST", path)?.text }
        #expect(levels("/logging")?.contains("  xds: trace\n") == true)
        #expect(levels("/logging?xds=debug")?.contains("  xds: debug\n") == true)
        #expect(levels("/logging?paths=xds:error,weft-proxy:info")?.contains("  weft-proxy: info\n") == true)
        #expect(levels("/logging?level=error")?.contains("  weft-proxy: error\n") == true)
        #expect(once("127.0.0.3", ports[1], "POST", "/logging?nobody=info")?.status == 400)
        #expect(once("127.0.0.3", ports[1], "POST", "/logging?level=loud")?.status == 400)
        #expect(once("127.0.0.3", ports[1], "GET", "/logging?level=info")?.status == 405)
    }
}
