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
    /// The folder of ``DifferentialCertificates``.
    var certificates: String

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
        // Filters that do nothing unless a route configures them.
        let quiet = ["cors": "cors.v3.Cors", "fault": "fault.v3.HTTPFault", "rbac": "rbac.v3.RBAC"]
        let quietFilters = quiet.sorted { $0.key < $1.key }.map { name, message in
            "- name: envoy.filters.http.\(name)\n  typed_config: {\"@type\": \(Self.type("filters.http.\(message)"))}"
        }
        let sharedHosts = shared.map { virtualHost($0, domains: "[\"\($0.domain)\"]") }.joined(separator: "\n")
        var listeners = [
            listener(
                "shared", sharedPort, manager: "", filters: quietFilters.joined(separator: "\n"), hosts: sharedHosts, ""
            )
        ]
        for one in own {
            if let chain = one.chain {
                listeners.append(rawListener(one, chain))
                continue
            }
            listeners.append(
                listener(
                    one.name, ports[one.name] ?? 0, manager: one.manager ?? "", filters: one.filters ?? "",
                    hosts: virtualHost(one, domains: "[\"*\"]"), one.listener ?? "", tls: one.tls, logs: one.logs))
        }
        return fill(
            """
            node: {id: differential, cluster: differential}
            admin: {address: {socket_address: {address: \(address), port_value: \(adminPort)}}}
            layered_runtime:
              layers:
              - name: first
                static_layer: {weft.all: 0, weft.none: 0, weft.text: "100", weft.word: some, weft.status: 418}
              - name: second
                static_layer:
                  weft: {all: 100, many: 101, parts: {numerator: 1000000, denominator: MILLION}, less: {numerator: 0}}
            static_resources:
              listeners:
            \(indent(listeners.joined(separator: "\n"), 2))
              clusters:
            \(indent(clusters() + "\n" + own.map(\.clusters).joined(separator: "\n"), 2))
            \(indent(shared.map(\.clusters).filter { !$0.isEmpty }.joined(separator: "\n"), 2))

            """)
    }

    /// `{a}` is the port of upstream a, `{dead}` a port that refuses, `{address}` the proxy's own address, `{log}` an
    /// access log with all fields, `{certs}` the folder of the certificates.
    func fill(_ text: String) -> String {
        var result = text
        for (name, port) in ports where result.contains("{port:") {
            result = ByteSearch.replace("{port:\(name)}", with: String(port), in: result)
        }
        for (name, port) in upstreams { result = ByteSearch.replace("{\(name)}", with: String(port), in: result) }
        for (name, value) in [
            ("{dead}", String(deadPort)), ("{address}", address), ("{log}", accessLog), ("{certs}", certificates),
            ("{logpath}", logPath),
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

    static func downstreamTLS(_ fields: String) -> String {
        """
        transport_socket:
          name: envoy.transport_sockets.tls
          typed_config:
            "@type": \(type("transport_sockets.tls.v3.DownstreamTlsContext"))
        \(indent(fields, 4))
        """
    }

    private func virtualHost(_ one: DifferentialCase, domains: String) -> String {
        "- name: \(one.name)\n  domains: \(domains)\n" + indent(one.virtualHost, 2)
    }

    private func listener(
        _ name: String, _ port: UInt16, manager: String, filters: String, hosts: String, _ more: String,
        tls: String? = nil, logs: [String] = []
    ) -> String {
        """
        - name: \(name)
          address: {socket_address: {address: \(address), port_value: \(port)}}
        \(indent(more, 2))
          filter_chains:
          - filters:
        \(indent(connectionManager(name, manager: manager, filters: filters, hosts: hosts, logs: logs), 4))
        \(indent(tls.map(Self.downstreamTLS) ?? "", 4))
        """
    }

    func connectionManager(
        _ name: String, manager: String, filters: String, hosts: String, logs: [String] = []
    ) -> String {
        Self.manager(name, manager: manager, filters: filters, hosts: hosts, logs: logs)
    }

    static func manager(
        _ name: String, manager: String = "", filters: String = "", hosts: String, logs: [String] = []
    ) -> String {
        let httpManager = type("filters.network.http_connection_manager.v3.HttpConnectionManager")
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
                  typed_config: {"@type": \(type("filters.http.router.v3.Router"))}
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
            ] + protocolClusters()).joined(separator: "\n")
    }

    private func protocolClusters() -> [String] {
        let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        func speaks(_ fields: String) -> String {
            "typed_extension_protocol_options: {\(options): {\"@type\": type.googleapis.com/\(options), \(fields)}}\n"
        }
        func tls(_ fields: String) -> String {
            "transport_socket: {name: envoy.transport_sockets.tls, typed_config: {\"@type\": "
                + "\(Self.type("transport_sockets.tls.v3.UpstreamTlsContext")), \(fields)}}\n"
        }
        let http2 = speaks("explicit_http_config: {http2_protocol_options: {}}")
        let trusted = "validation_context: {trusted_ca: {filename: {certs}/ca.pem}"
        let client =
            "tls_certificates: [{certificate_chain: {filename: {certs}/client.pem}, "
            + "private_key: {filename: {certs}/client.key}}], "
        func sans(_ value: String, _ kind: String = "URI") -> String {
            "common_tls_context: {\(trusted), match_typed_subject_alt_names: "
                + "[{san_type: \(kind), matcher: {exact: \"\(value)\"}}]}}"
        }
        return [
            cluster("h2", endpoints: ["a"], http2), cluster("h2-b", endpoints: ["b"], http2),
            cluster("tls", endpoints: ["t"], tls("sni: upstream.test, common_tls_context: {\(trusted)}}")),
            cluster("tls-h2", endpoints: ["t"], http2 + tls("common_tls_context: {\(trusted)}}")),
            cluster(
                "tls-auto", endpoints: ["t"],
                speaks("auto_config: {http2_protocol_options: {}}") + tls("common_tls_context: {\(trusted)}}")),
            cluster("tls-san", endpoints: ["t"], tls(sans("spiffe://td/ns/x/sa/up"))),
            cluster("tls-dns", endpoints: ["t"], tls(sans("upstream.test", "DNS"))),
            cluster("tls-wrong", endpoints: ["t"], tls(sans("spiffe://td/ns/x/sa/other"))),
            cluster(
                "tls-untrusted", endpoints: ["t"],
                tls("common_tls_context: {validation_context: {trusted_ca: {filename: {certs}/other-ca.pem}}}")),
            cluster("mtls", endpoints: ["m"], tls("common_tls_context: {\(client)\(trusted)}}")),
            cluster("mtls-missing", endpoints: ["m"], tls("common_tls_context: {\(trusted)}}")),
            cluster("plain-to-tls", endpoints: ["t"]),
            cluster("tls-to-plain", endpoints: ["a"], tls("common_tls_context: {}")),
        ]
    }

    private func cluster(
        _ name: String, policy: String = "ROUND_ROBIN", endpoints: [String], _ more: String = ""
    ) -> String {
        let list = endpoints.map {
            "{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: {\($0)}}}}}"
        }
        return """
            - name: \(name)
              type: STATIC
              connect_timeout: 1s
              circuit_breakers: {thresholds: [{max_retries: 1000}]}
              lb_policy: \(policy)
            \(indent(more, 2))
              load_assignment: {cluster_name: \(name), endpoints: [{lb_endpoints: [\(list.joined(separator: ", "))]}]}
            """
    }
}

func indent(_ text: String, _ count: Int) -> String {
    let blanks = String(repeating: " ", count: count)
    return text.split(separator: "\n", omittingEmptySubsequences: true).map { blanks + $0 }.joined(separator: "\n")
}
