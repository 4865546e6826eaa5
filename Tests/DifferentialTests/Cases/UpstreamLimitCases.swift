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
        ] + serverNames

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
