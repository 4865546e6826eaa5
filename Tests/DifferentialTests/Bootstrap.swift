import TestSupport

/// Builds the one bootstrap file that starts either proxy.
struct Bootstrap {
    /// Upstream name to port.
    var upstreams: [String: UInt16]
    var deadPort: UInt16
    var adminPort: UInt16
    var sharedPort: UInt16
    /// Case name to port, for cases with a listener of their own.
    var ports: [String: UInt16] = [:]
    /// The address of the proxy, and the path of its access log.
    var address: String
    var logPath: String

    /// Names an access log field, and the operator that gives it.
    static let logFields = [
        "id": "%REQ(X-ID)%", "method": "%REQ(:METHOD)%", "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
        "protocol": "%PROTOCOL%", "status": "%RESPONSE_CODE%", "flags": "%RESPONSE_FLAGS%",
        "details": "%RESPONSE_CODE_DETAILS%", "received": "%BYTES_RECEIVED%", "sent": "%BYTES_SENT%",
        "authority": "%REQ(:AUTHORITY)%", "upstream_host": "%UPSTREAM_HOST%", "cluster": "%UPSTREAM_CLUSTER%",
        "route": "%ROUTE_NAME%", "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%", "sni": "%REQUESTED_SERVER_NAME%",
        "remote": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "agent": "%REQ(USER-AGENT)%",
    ]

    func text(_ cases: [DifferentialCase]) -> String {
        let shared = cases.filter { !$0.needsListener }
        let own = cases.filter(\.needsListener)
        let corsFilter = """
            - name: envoy.filters.http.cors
              typed_config: {"@type": \(Self.type("filters.http.cors.v3.Cors"))}
            """
        let sharedHosts = shared.map { virtualHost($0, domains: "[\"\($0.domain)\"]") }.joined(separator: "\n")
        var listeners = [listener("shared", sharedPort, manager: "", filters: corsFilter, hosts: sharedHosts, "")]
        for one in own {
            if let chain = one.chain {
                listeners.append(rawListener(one, chain))
                continue
            }
            listeners.append(
                listener(
                    one.name, ports[one.name] ?? 0, manager: one.manager ?? "", filters: one.filters ?? "",
                    hosts: virtualHost(one, domains: "[\"*\"]"), one.listener ?? "", logs: one.logs))
        }
        return fill(
            """
            node: {id: differential, cluster: differential}
            admin: {address: {socket_address: {address: \(address), port_value: \(adminPort)}}}
            static_resources:
              listeners:
            \(indent(listeners.joined(separator: "\n"), 2))
              clusters:
            \(indent(clusters() + "\n" + own.map(\.clusters).joined(separator: "\n"), 2))
            \(indent(shared.map(\.clusters).filter { !$0.isEmpty }.joined(separator: "\n"), 2))

            """)
    }

    /// `{a}` is the port of upstream a, `{dead}` a port that refuses, `{address}` the proxy's own address, `{log}` an
    /// access log with all fields.
    func fill(_ text: String) -> String {
        var result = text
        for (name, port) in upstreams { result = ByteSearch.replace("{\(name)}", with: String(port), in: result) }
        for (name, value) in [
            ("{dead}", String(deadPort)), ("{address}", address), ("{log}", accessLog), ("{logpath}", logPath),
        ] {
            result = ByteSearch.replace(name, with: value, in: result)
        }
        return result
    }

    static func type(_ name: String) -> String { "type.googleapis.com/envoy.extensions.\(name)" }

    private var accessLog: String {
        let fields = Self.logFields.sorted { $0.key < $1.key }.map { "\($0.key): \"\($0.value)\"" }
        return "{name: log, typed_config: {\"@type\": \(Self.type("access_loggers.file.v3.FileAccessLog")), "
            + "path: \(logPath), log_format: {json_format: {\(fields.joined(separator: ", "))}}}}"
    }

    private func virtualHost(_ one: DifferentialCase, domains: String) -> String {
        "- name: \(one.name)\n  domains: \(domains)\n" + indent(one.virtualHost, 2)
    }

    private func listener(
        _ name: String, _ port: UInt16, manager: String, filters: String, hosts: String, _ more: String,
        logs: [String] = []
    ) -> String {
        """
        - name: \(name)
          address: {socket_address: {address: \(address), port_value: \(port)}}
        \(indent(more, 2))
          filter_chains:
          - filters:
        \(indent(connectionManager(name, manager: manager, filters: filters, hosts: hosts, logs: logs), 4))
        """
    }

    func connectionManager(
        _ name: String, manager: String, filters: String, hosts: String, logs: [String] = []
    ) -> String {
        let httpManager = Self.type("filters.network.http_connection_manager.v3.HttpConnectionManager")
        return """
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": \(httpManager)
                stat_prefix: \(name)
                access_log: [\((["{log}"] + logs).joined(separator: ", "))]
            \(indent(manager, 4))
                http_filters:
            \(indent(filters, 4))
                - name: envoy.filters.http.router
                  typed_config: {"@type": \(Self.type("filters.http.router.v3.Router"))}
                route_config:
                  name: \(name)
                  virtual_hosts:
            \(indent(hosts, 6))
            """
    }

    private func rawListener(_ one: DifferentialCase, _ chain: String) -> String {
        """
        - name: \(one.name)
          address: {socket_address: {address: \(address), port_value: \(ports[one.name] ?? 0)}}
        \(indent(one.listener ?? "", 2))
          filter_chains:
        \(indent(chain, 2))
        """
    }

    private static let speaksHTTP2 =
        "\n  typed_extension_protocol_options:\n"
        + "    envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n      \"@type\": "
        + type("upstreams.http.v3.HttpProtocolOptions")
        + "\n      explicit_http_config: {http2_protocol_options: {}}"

    private func clusters() -> String {
        let single = ["a", "b", "c", "d"].map { cluster($0, endpoints: [$0]) }
        let four = ["a", "b", "c", "d"]
        return
            (single + [
                cluster("ring", policy: "RING_HASH", endpoints: four),
                cluster("maglev", policy: "MAGLEV", endpoints: four),
                cluster("pair", endpoints: ["a", "b"]),
                cluster("dead", endpoints: ["dead"]),
                cluster("empty", endpoints: []),
                cluster("half", endpoints: ["dead", "a"]),
                cluster("services", endpoints: ["services"]) + Self.speaksHTTP2,
            ]).joined(separator: "\n")
    }

    private func cluster(_ name: String, policy: String = "ROUND_ROBIN", endpoints: [String]) -> String {
        let list = endpoints.map {
            "{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: {\($0)}}}}}"
        }
        return """
            - name: \(name)
              type: STATIC
              connect_timeout: 1s
              circuit_breakers: {thresholds: [{max_retries: 1000}]}
              lb_policy: \(policy)
              load_assignment: {cluster_name: \(name), endpoints: [{lb_endpoints: [\(list.joined(separator: ", "))]}]}
            """
    }
}

func indent(_ text: String, _ count: Int) -> String {
    let blanks = String(repeating: " ", count: count)
    return text.split(separator: "\n", omittingEmptySubsequences: true).map { blanks + $0 }.joined(separator: "\n")
}
