/// Limits of what upstreams send and how long they take, limits of clients' heads and connections, and TLS names that
/// come from requests.
extension HandWritten {
    static let upstreamLimits: [DifferentialCase] =
        ["http_protocol_options", "http2_protocol_options"].flatMap { (protocolOptions: String) -> [DifferentialCase] in
            let suffix = protocolOptions.hasPrefix("http2") ? "-h2" : ""
            func one(_ name: String, _ common: String, _ requests: Sending...) -> DifferentialCase {
                let name = name + suffix
                return DifferentialCase(
                    name, routes("match: {prefix: /}, route: {cluster: \(name)}"),
                    clusters: upstream(
                        name, "a",
                        "explicit_http_config: {\(protocolOptions): {}}\n      common_http_protocol_options: {\(common)}"
                    ),
                    requests: requests)
            }
            let many = (0..<20).map { "header=x-\($0):v" }.joined(separator: ";")
            let long = "header=x-long:" + String(repeating: "l", count: 2000)
            return [
                one("upstream-duration", "max_stream_duration: 0.3s", get("/", "x-do: delay=1500"), get("/")),
                one("upstream-header-count", "max_headers_count: 6", get("/", "x-do: \(many)"), get("/")),
                one("upstream-header-size", "max_response_headers_kb: 1", get("/", "x-do: \(long)"), get("/")),
            ]
        } + [
            DifferentialCase(
                "upstream-duration-retried",
                routes(
                    "match: {prefix: /}, route: {cluster: upstream-duration-retried, retry_policy: {retry_on: reset}}"),
                clusters: upstream(
                    "upstream-duration-retried", "a",
                    "explicit_http_config: {http_protocol_options: {}}\n      "
                        + "common_http_protocol_options: {max_stream_duration: 0.3s}"),
                get("/", "x-do: delay=1500|status=200")),
            DifferentialCase(
                "head-timeout", manager: "request_headers_timeout: 0.3s",
                raw("GET / HTTP/1.1\nhost: x\nx-id: {id}\n", untilClosed: true), get("/")),
            DifferentialCase(
                "connection-duration", manager: "common_http_protocol_options: {max_connection_duration: 0.4s}",
                get("/").closing()),
            DifferentialCase(
                "empty-body-kept", routes("match: {prefix: /}, direct_response: {status: 200}"),
                raw(
                    "GET / HTTP/1.1\nhost: {host}\nx-id: {id}\ncontent-length: 0\n\n"
                        + "GET / HTTP/1.1\nhost: {host}\nx-id: {id}\ncontent-length: 0\n\n", responses: 2)),
        ] + outliers + serverNames

    /// Which answers eject the only host: the next request then finds none.
    private static let outliers: [DifferentialCase] = {
        func one(_ name: String, _ matcher: String, _ requests: Sending...) -> DifferentialCase {
            let ejection =
                "outlier_detection: {consecutive_5xx: 1, max_ejection_percent: 100, base_ejection_time: 300s}\n  "
                + "common_lb_config: {healthy_panic_threshold: {value: 0}}\n  load_assignment:"
            let cluster = upstream(
                name, "a",
                "explicit_http_config: {http_protocol_options: {}}\n      outlier_detection: "
                    + "{error_matcher: {\(matcher)}}")
            // Envoy's workers learn of an ejection a moment later.
            let table = """
                routes:
                - {match: {path: /pause}, route: {cluster: a}}
                - {match: {prefix: /}, route: {cluster: \(name)}}
                """
            return DifferentialCase(
                name, table, clusters: cluster.replacing("load_assignment:", with: ejection),
                requests: requests.flatMap { [$0, get("/pause", "x-do: delay=400")] })
        }
        func status(_ from: Int, _ to: Int) -> String {
            "http_response_headers_match: {headers: [{name: ':status', range_match: {start: \(from), end: \(to)}}]}"
        }
        let also = "or_match: {rules: [{\(status(500, 600))}, {\(status(429, 430))}]}"
        return [
            one("outlier-listed", also, get("/", "x-do: status=404"), get("/", "x-do: status=429"), get("/")),
            one("outlier-server", also, get("/", "x-do: status=503"), get("/")),
            one(
                "outlier-instead", status(404, 405), get("/", "x-do: status=503"), get("/", "x-do: status=404"),
                get("/")),
            one("outlier-not", "not_match: {\(status(200, 300))}", get("/"), get("/", "x-do: status=301"), get("/")),
            one(
                "outlier-both",
                "and_match: {rules: [{\(status(200, 300))}, {http_response_headers_match: {headers: [{name: x-bad, present_match: true}]}}]}",
                get("/"), get("/", "x-do: header=x-bad:1"), get("/")),
        ]
    }()

    private static let serverNames: [DifferentialCase] = [
        ("auto-names", "auto_sni: true, auto_san_validation: true"),
        ("auto-name-header", "auto_sni: true, auto_san_validation: true, override_auto_sni_header: x-name"),
        ("auto-sni", "auto_sni: true"),
    ].map { name, options in
        let tls =
            "transport_socket: {name: envoy.transport_sockets.tls, typed_config: {\"@type\": "
            + "\(Bootstrap.type("transport_sockets.tls.v3.UpstreamTlsContext")), common_tls_context: "
            + "{validation_context: {trusted_ca: {filename: {certs}/ca.pem}}}}}"
        return DifferentialCase(
            name, routes("match: {prefix: /}, route: {cluster: \(name)}"), manager: "stream_idle_timeout: 9s",
            clusters: upstream(
                name, "t",
                "explicit_http_config: {http_protocol_options: {}}\n      upstream_http_protocol_options: {\(options)}")
                + "\n  " + tls,
            requests: [
                get("/", "host: upstream.test"), get("/", "host: upstream.test:8443"), get("/", "host: other.test"),
                get("/", "host: other.test", "x-name: upstream.test"), get("/", "host: 127.0.0.1"),
            ])
    }
}
