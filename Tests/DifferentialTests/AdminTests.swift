import Foundation
import TestSupport
import Testing

/// The admin pages of both proxies, started from one bootstrap: the same statuses, the same types of answers, and the same
/// shape of what the pages say. What is each program's own (versions, memory, words of help) is compared by members alone.
@Suite(.serialized) struct AdminTests {
    private struct Answer: Equatable {
        var status = 0
        var type = ""
        var body = ""

        var json: Any? { try? JSONSerialization.jsonObject(with: Data(body.utf8)) }
    }

    /// One of the two, alone on an address.
    private final class Pair {
        let processes: [ServerProcess]
        let ports: [UInt16]
        let addresses = ["127.0.0.2", "127.0.0.3"]

        init(_ name: String) async throws {
            let folder = try Workspace.folder("admin-\(name)")
            let ports = try RawListener.freePorts(3)
            try await DifferentialCertificates.make(in: folder)
            self.ports = ports
            processes = try zip([ProxyUnderTest.Kind.envoy, .weft], addresses).map { kind, address in
                let file = "\(folder)/\(kind.rawValue).yaml"
                try AdminTests.bootstrap(address, ports, folder).write(toFile: file, atomically: true, encoding: .utf8)
                return try ServerProcess(
                    kind.rawValue, kind == .envoy ? Workspace.envoy : Workspace.weftProxy,
                    ["-c", file, "--concurrency", "1", "-l", "critical", "--use-dynamic-base-id"],
                    log: "\(folder)/\(kind.rawValue).log")
            }
            for (process, address) in zip(processes, addresses) {
                try await process.waitForPort(ports[0], address: address)
                try await process.waitForPort(ports[1], address: address)
            }
        }

        func stop() { processes.forEach { $0.stop() } }

        /// Envoy's answer and ours.
        func ask(_ question: String) -> [Answer] {
            let parts = question.split(separator: " ").map(String.init)
            return addresses.map { AdminTests.ask($0, ports[0], parts[0], parts[1]) }
        }
    }

    private static func ask(_ address: String, _ port: UInt16, _ method: String, _ path: String) -> Answer {
        guard let socket = try? RawSocket(to: address, port: port) else { return Answer() }
        defer { socket.close() }
        var reader = WireReader()
        let length = method == "POST" ? "content-length: 0\r\n" : ""
        socket.send("\(method) \(path) HTTP/1.1\r\nhost: a\r\n\(length)\r\n")
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            if let message = reader.next(isResponse: true) {
                // The version of the format is told by us alone.
                let type = (message.first("content-type") ?? "").lowercased().replacing("version=0.0.4; ", with: "")
                return Answer(
                    status: message.status, type: type,
                    body: message.text.replacing(address, with: "ADDRESS").replacing("\(port)", with: "1"))
            }
            guard case .bytes(let bytes) = socket.receive(within: 500) else { continue }
            reader.buffer += bytes
        }
        return Answer()
    }

    private static func bootstrap(_ address: String, _ ports: [UInt16], _ folder: String) -> String {
        let types = "type.googleapis.com/envoy.extensions"
        func manager(_ prefix: String, _ routes: String) -> String {
            """
            - filters:
                  - name: envoy.filters.network.http_connection_manager
                    typed_config:
                      "@type": \(types).filters.network.http_connection_manager.v3.HttpConnectionManager
                      stat_prefix: \(prefix)
                      http_filters: [{name: r, typed_config: {"@type": \(types).filters.http.router.v3.Router}}]
                      \(routes)
            """
        }
        let hosts = "virtual_hosts: [{name: v, domains: [\"*\"], routes: [{match: {prefix: /}, route: {cluster: c}}]}]"
        let scope =
            "{name: s1, key: {fragments: [{string_key: one}]}, route_configuration: {name: scoped-table, \(hosts)}}"
        return """
            node: {id: nid, cluster: nc}
            admin: {address: {socket_address: {address: \(address), port_value: \(ports[0])}}}
            layered_runtime: {layers: [{name: static, static_layer: {a: {b: 5}, c: x}}]}
            static_resources:
              listeners:
              - name: l
                address: {socket_address: {address: \(address), port_value: \(ports[1])}}
                filter_chains:
                \(manager("h", "route_config: {name: table, \(hosts)}"))
              - name: scoped
                address: {socket_address: {address: \(address), port_value: \(ports[2])}}
                filter_chains:
                \(manager("s", "scoped_routes: {name: sr, scope_key_builder: {fragments: [{header_value_extractor: "
                    + "{name: x-s, element_separator: ;, element: {key: k, separator: =}}}]}, "
                    + "scoped_route_configurations_list: {scoped_route_configurations: [\(scope)]}}"))
              clusters:
              - name: c
                type: STATIC
                connect_timeout: 1s
                load_assignment:
                  cluster_name: c
                  endpoints:
                  - locality: {region: r, zone: z}
                    lb_endpoints:
                    - load_balancing_weight: 3
                      endpoint: {hostname: hh, address: {socket_address: {address: 127.0.0.1, port_value: 9}}}
              - name: secure
                type: STATIC
                connect_timeout: 1s
                transport_socket:
                  name: envoy.transport_sockets.tls
                  typed_config:
                    "@type": \(types).transport_sockets.tls.v3.UpstreamTlsContext
                    common_tls_context: {validation_context: {trusted_ca: {filename: \(folder)/ca.pem}}}

            """
    }

    /// Each with the status and the type of Envoy's answer.
    private static let questions = [
        "GET /", "GET /help", "GET /nosuch", "GET /certs", "GET /clusters", "GET /clusters?format=json",
        "GET /clusters?filter=^c", "GET /clusters?filter=(", "GET /config_dump", "GET /config_dump?include_eds",
        "GET /config_dump?resource=static_clusters&mask=cluster.name", "GET /contention", "GET /drain_listeners",
        "GET /healthcheck/fail", "POST /healthcheck/fail", "POST /healthcheck/ok", "GET /hot_restart_version",
        "GET /init_dump", "GET /init_dump?mask=listener", "GET /listeners", "GET /listeners?format=json",
        "POST /logging", "POST /logging?level=error", "POST /logging?level=bogus", "POST /logging?bogus=info",
        "GET /logging?level=info", "GET /memory", "GET /quitquitquit", "GET /ready", "GET /reopen_logs",
        "POST /reopen_logs", "GET /reset_counters", "POST /reset_counters", "GET /runtime", "GET /runtime_modify?a=1",
        "POST /runtime_modify", "POST /runtime_modify?a=1", "GET /server_info", "GET /stats",
        "GET /stats?filter=(", "GET /stats?usedonly", "GET /stats?format=json", "GET /stats?format=bogus",
        "GET /stats?type=Gauges", "GET /stats?type=bogus", "GET /stats?hidden=bogus",
        "GET /stats?histogram_buckets=bogus", "GET /stats?format=prometheus", "GET /stats/prometheus",
    ]

    @Test(.timeLimit(.minutes(2))) func statusesAndTypes() async throws {
        let pair = try await Pair("statuses")
        defer { pair.stop() }
        for question in Self.questions {
            let answers = pair.ask(question)
            #expect(answers[0].status > 0)
            #expect(answers[0].status == answers[1].status, "\(question): \(answers[1].body.prefix(200))")
            #expect(answers[0].type == answers[1].type, "\(question)")
            if answers[0].status == 405 { #expect(answers[0].body == answers[1].body, "\(question)") }
        }
    }

    /// Whole answers that are to be the same.
    private static let same = [
        "GET /clusters?filter=nope", "GET /config_dump?resource=nosuch",
        "GET /config_dump?resource=dynamic_listeners", "GET /config_dump?mask=bootstrap.node.id",
        "GET /config_dump?resource=static_clusters&mask=cluster.name",
        "GET /config_dump?resource=static_clusters&mask=cluster.name&name_regex=sec.*",
        "GET /config_dump?resource=static_clusters&name_regex=zz",
        "GET /config_dump?resource=inline_scoped_route_configs&mask=name", "GET /config_dump?resource=bootstrap",
        "GET /config_dump?resource=static_route_configs&mask=route_config.name&name_regex=table",
        "GET /config_dump?resource=static_listeners&mask=listener.name,listener.address",
        "GET /config_dump?mask=nothing_has_this", "GET /init_dump", "GET /listeners", "GET /listeners?format=json",
        "GET /ready", "POST /reopen_logs", "POST /reset_counters", "GET /runtime", "GET /stats?type=TextReadouts",
        "GET /stats?filter=^cluster\\.c\\.upstream_cx_(active|total)$",
        "GET /stats?filter=cluster.c.upstream_cx_active&format=json", "GET /stats?type=bogus",
        "GET /stats?filter=cluster.c.membership&type=Gauges", "GET /stats?filter=cluster.c.upstream_cx_total&usedonly",
        "GET /stats?filter=http.h.downstream_rq_time$", "GET /stats?filter=http.h.downstream_rq_time$&format=json",
    ]

    @Test(.timeLimit(.minutes(2))) func wholeAnswers() async throws {
        let pair = try await Pair("answers")
        defer { pair.stop() }
        for question in Self.same {
            let answers = pair.ask(question)
            #expect(answers[0].status == answers[1].status, "\(question)")
            if let left = answers[0].json as? NSDictionary, let right = answers[1].json as? NSDictionary {
                #expect(left == right, "\(question): \(answers[0].body)\n\(answers[1].body)")
            } else {
                #expect(
                    answers[0].body.split(separator: "\n") == answers[1].body.split(separator: "\n"), "\(question)")
            }
        }
    }

    /// `/clusters` and its JSON: what Envoy says of limits and endpoints, but for numbers that are not kept by endpoint.
    @Test(.timeLimit(.minutes(2))) func clusters() async throws {
        let pair = try await Pair("clusters")
        defer { pair.stop() }
        let kept = { (line: Substring) in
            !["rq_pending_active", "rq_success", "rq_timeout"].contains { line.contains("::\($0)::") }
        }
        let texts = pair.ask("GET /clusters").map { $0.body.split(separator: "\n").filter(kept).sorted() }
        #expect(texts[0] == texts[1])
        #expect(texts[0].count > 20)
        let pages = pair.ask("GET /clusters?format=json&filter=c").map { answer in
            let clusters = (answer.json as? [String: Any])?["cluster_statuses"] as? [[String: Any]] ?? []
            return clusters.sorted { "\($0["name"] ?? "")" < "\($1["name"] ?? "")" }.map { cluster in
                var cluster = cluster
                cluster["host_statuses"] = (cluster["host_statuses"] as? [[String: Any]])?.map { host in
                    var host = host
                    host["stats"] = (host["stats"] as? [[String: Any]])?.filter {
                        !["rq_pending_active", "rq_success", "rq_timeout"].contains("\($0["name"] ?? "")")
                    }.sorted { "\($0["name"] ?? "")" < "\($1["name"] ?? "")" }
                    return host
                }
                return cluster as NSDictionary
            }
        }
        #expect(pages[0] == pages[1])
    }

    /// Sections of `/config_dump`, in Envoy's order, and the members of `/server_info` and `/memory`.
    @Test(.timeLimit(.minutes(2))) func shapes() async throws {
        let pair = try await Pair("shapes")
        defer { pair.stop() }
        func sections(_ question: String) -> [[String]] {
            pair.ask(question).map { answer in
                let configs = (answer.json as? [String: Any])?["configs"] as? [[String: Any]] ?? []
                // Extensions by name are looked up while resources are read here.
                return configs.map { "\($0["@type"] ?? "")" }.filter { !$0.hasSuffix("EcdsConfigDump") }
            }
        }
        for question in ["GET /config_dump", "GET /config_dump?include_eds"] {
            let both = sections(question)
            #expect(both[0] == both[1], "\(question)")
            #expect(both[0].contains { $0.hasSuffix("ScopedRoutesConfigDump") })
        }
        for question in ["GET /server_info", "GET /memory"] {
            let members = pair.ask(question).map { Set(($0.json as? [String: Any] ?? [:]).keys) }
            #expect(members[0] == members[1], "\(question)")
        }
        for page in pair.ask("GET /config_dump?include_eds") {
            #expect(page.body.contains("\"scoped-table\""))
            #expect(!page.body.contains("PRIVATE KEY"))
        }
    }

    /// Counters start again; gauges stay.
    @Test(.timeLimit(.minutes(2))) func resetCounters() async throws {
        let pair = try await Pair("reset")
        defer { pair.stop() }
        for address in pair.addresses { _ = Self.ask(address, pair.ports[1], "GET", "/") }
        let question = "GET /stats?filter=http.h.downstream_rq_total"
        #expect(
            pair.ask(question).map(\.body) == ["http.h.downstream_rq_total: 1\n", "http.h.downstream_rq_total: 1\n"])
        #expect(pair.ask("POST /reset_counters").map(\.body) == ["OK\n", "OK\n"])
        #expect(
            pair.ask(question).map(\.body) == ["http.h.downstream_rq_total: 0\n", "http.h.downstream_rq_total: 0\n"])
        for address in pair.addresses { _ = Self.ask(address, pair.ports[1], "GET", "/") }
        #expect(
            pair.ask(question).map(\.body) == ["http.h.downstream_rq_total: 1\n", "http.h.downstream_rq_total: 1\n"])
    }
}
