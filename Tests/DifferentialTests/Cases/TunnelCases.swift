/// TCP that goes through an HTTP proxy (`tunneling_config`).
extension HandWritten {
    private static func towards(_ name: String, _ place: String, _ options: String) -> String {
        """
        - name: \(name)
          type: STATIC
          typed_extension_protocol_options:
            envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
              "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
              explicit_http_config: {\(options): {}}
          load_assignment:
            cluster_name: \(name)
            endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {\(place)}}}}]}]
        """
    }
    private static let back = "address: {address}, port_value: {port:tunnel-back}"

    private static func tunnel(
        _ name: String, _ options: String, _ config: String, place: String = back, _ requests: Sending...
    ) -> DifferentialCase {
        DifferentialCase(
            name, "", chain: tcpProxy("cluster: \(name)\ntunneling_config: {\(config)}"),
            clusters: towards(name, place, options), requests: requests)
    }

    private static let allowed =
        "hostname: \"inside.example:443\", headers_to_add: [{header: {key: x-allow, value: \"%PROTOCOL%yes\"}}]"
    private static let inner = "GET /inside HTTP/1.1\nhost: x\nx-id: {id}\n\n"

    static let tunnels: [DifferentialCase] = [
        DifferentialCase(
            "tunnel-back",
            "routes:\n- match: {connect_matcher: {}, headers: [{name: x-allow, present_match: true}]}\n"
                + "  route: {cluster: a, upgrade_configs: [{upgrade_type: CONNECT, connect_config: {}}]}",
            manager: "http2_protocol_options: {allow_connect: true}\nupgrade_configs: [{upgrade_type: CONNECT}]"),
        tunnel(
            "tunnel-h1", "http_protocol_options", allowed, raw(inner), raw(inner + inner, responses: 2),
            raw(
                "POST / HTTP/1.1\nhost: x\nx-id: {id}\ncontent-length: 90000\n\n"
                    + String(repeating: "t", count: 90_000)),
            raw("GET / HTTP/1.1\nhost: x\nx-id: {id}\nx-do: close\n\n", untilClosed: true)),
        tunnel(
            "tunnel-h2", "http2_protocol_options", allowed, raw(inner), raw(inner + inner, responses: 2),
            raw(
                "POST / HTTP/1.1\nhost: x\nx-id: {id}\ncontent-length: 90000\n\n"
                    + String(repeating: "t", count: 90_000)),
            raw("GET / HTTP/1.1\nhost: x\nx-id: {id}\nx-do: close\n\n", untilClosed: true)),
        tunnel(
            "tunnel-refused", "http_protocol_options", "hostname: \"inside.example:443\"",
            raw("x", responses: 0, untilClosed: true)),
        tunnel(
            "tunnel-refused-h2", "http2_protocol_options", "hostname: \"inside.example:443\"",
            raw("x", responses: 0, untilClosed: true)),
        tunnel(
            "tunnel-dead", "http_protocol_options", "hostname: \"inside.example:443\"",
            place: "address: 127.0.0.1, port_value: {dead}", raw("x", responses: 0, untilClosed: true)),
        DifferentialCase(
            "tunnel-end-post",
            "routes:\n- match: {prefix: /dead}\n  route: {cluster: dead, upgrade_configs: [{upgrade_type: CONNECT, "
                + "connect_config: {allow_post: true}}]}\n- match: {prefix: /}\n  route: {cluster: a, upgrade_configs: "
                + "[{upgrade_type: CONNECT, connect_config: {allow_post: true}}]}",
            manager: "upgrade_configs: [{upgrade_type: CONNECT}]",
            post("/in", "GET /inside HTTP/1.1\r\nhost: x\r\nx-id: inner\r\nx-do: close\r\n\r\n"),
            post("/in", "GET /inside HTTP/1.1\r\nhost: x\r\nx-id: inner\r\nx-do: close;size=90000\r\n\r\n"),
            get("/plain"), post("/dead", "x")),
        tunnel(
            "tunnel-post", "http2_protocol_options",
            "hostname: \"inside.example:443\", use_post: true, post_path: /in, "
                + "headers_to_add: [{header: {key: x-do, value: echo}}]",
            place: "address: 127.0.0.1, port_value: {a}", raw("HTTP/1.1 200 OK\ncontent-length: 2\n\nhi")),
    ]
}
