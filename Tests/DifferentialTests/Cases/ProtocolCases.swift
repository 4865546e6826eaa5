extension HandWritten {
    private static let strangePaths = [
        "/a//b", "/a/./b", "/a/../b", "/../../x", "/a%2Fb", "/a%5Cb", "/a\\b", "/%61bc", "/a%2fb/../c", "/a/%2e%2e/b",
        "/a/..;/b", "/%252e%252e/x", "/a?b/../c", "/a%zz", "/a/b/..", "/a/.", "//", "/a//../b", "/%41%2D%2E%5F%7E",
    ]

    /// Path normalisation in each setting.
    static let paths: [DifferentialCase] = [
        DifferentialCase(
            "path-raw", "routes: [{match: {prefix: /}, route: {cluster: a}}]", requests: strangePaths.map { get($0) }),
        pathCase("path-normalised", "normalize_path: true"),
        pathCase("path-merged", "normalize_path: true\nmerge_slashes: true"),
        pathCase("path-merged-only", "merge_slashes: true"),
        pathCase("path-escaped-reject", "path_with_escaped_slashes_action: REJECT_REQUEST"),
        pathCase(
            "path-escaped-redirect", "path_with_escaped_slashes_action: UNESCAPE_AND_REDIRECT\nnormalize_path: true"),
        pathCase(
            "path-escaped-forward", "path_with_escaped_slashes_action: UNESCAPE_AND_FORWARD\nnormalize_path: true"),
        pathCase("path-escaped-keep", "path_with_escaped_slashes_action: KEEP_UNCHANGED\nnormalize_path: true"),
    ]

    private static func pathCase(_ name: String, _ manager: String) -> DifferentialCase {
        DifferentialCase(
            name, "routes: [{match: {prefix: /}, route: {cluster: a}}]", manager: manager,
            requests: strangePaths.map { get($0) })
    }

    /// Who the client is, and what the proxy tells the upstream about it.
    static let forwarding: [DifferentialCase] = [
        xff("xff-plain", "use_remote_address: false"),
        xff("xff-edge", "use_remote_address: true"),
        xff("xff-edge-hops", "use_remote_address: true\nxff_num_trusted_hops: 1"),
        xff("xff-hops", "xff_num_trusted_hops: 1"),
        xff("xff-skip", "use_remote_address: true\nskip_xff_append: true"),
        xff(
            "xff-internal",
            "use_remote_address: true\ninternal_address_config: {cidr_ranges: [{address_prefix: 127.0.0.0, prefix_len: 8}]}"
        ),
        DifferentialCase(
            "request-id-keep", manager: "use_remote_address: true\npreserve_external_request_id: true",
            get("/", "x-request-id: 01234567-89ab-4def-8123-456789abcdef"), get("/")),
        DifferentialCase(
            "request-id-off", manager: "generate_request_id: false", get("/"), get("/", "x-request-id: own")),
        DifferentialCase(
            "request-id-response", manager: "always_set_request_id_in_response: true", get("/")),
        DifferentialCase("strip-port", manager: "strip_any_host_port: true", get("/", "host: strip-port.test:99")),
        DifferentialCase(
            "strip-matching-port", manager: "strip_matching_host_port: true",
            get("/", "host: strip-matching-port.test:99")),
        DifferentialCase("strip-dot", manager: "strip_trailing_host_dot: true", get("/", "host: strip-dot.test.")),
        DifferentialCase(
            "underscores-reject",
            manager: "common_http_protocol_options: {headers_with_underscores_action: REJECT_REQUEST}",
            get("/", "x_y: 1"), get("/", "x-y: 1")),
        DifferentialCase(
            "underscores-drop",
            manager: "common_http_protocol_options: {headers_with_underscores_action: DROP_HEADER}",
            get("/", "x_y: 1", "x-y: 2")),
        DifferentialCase(
            "proper-case",
            manager: """
                http_protocol_options:
                  header_key_format: {proper_case_words: {}}
                """, get("/", "x-Y: 1")),
        DifferentialCase(
            "header-limit", manager: "max_request_headers_kb: 2",
            get("/", "x-big: \(String(repeating: "a", count: 3000))"),
            get("/", "x-big: \(String(repeating: "a", count: 1000))")),
        DifferentialCase(
            "header-count", manager: "common_http_protocol_options: {max_headers_count: 10}",
            request("GET", "/", (0..<20).map { "x-\($0): 1" }), request("GET", "/", (0..<4).map { "x-\($0): 1" })),
        DifferentialCase(
            "max-requests", manager: "common_http_protocol_options: {max_requests_per_connection: 1}",
            get("/").closing()),
        DifferentialCase(
            "scheme-override", manager: "scheme_header_transformation: {scheme_to_overwrite: https}",
            get("/")),
    ]

    private static func xff(_ name: String, _ manager: String) -> DifferentialCase {
        DifferentialCase(
            name,
            "routes: [{match: {prefix: /}, route: {cluster: a}, request_headers_to_add: [{header: {key: x-seen, "
                + "value: \"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%\"}}]}]", manager: manager, get("/"),
            get("/", "x-forwarded-for: 1.2.3.4"), get("/", "x-forwarded-for: 1.2.3.4, 10.0.0.1"),
            get("/", "x-forwarded-for: 1.2.3.4,5.6.7.8,9.10.11.12"), get("/", "x-forwarded-for: junk"),
            get("/", "x-forwarded-for: 1.2.3.4", "x-forwarded-for: 5.6.7.8"),
            get("/", "x-forwarded-proto: https"), get("/", "x-forwarded-proto: nonsense"),
            get("/", "x-forwarded-host: h", "x-forwarded-port: 1"),
            get("/", "x-envoy-internal: true", "x-envoy-external-address: 9.9.9.9"),
            get(
                "/", "x-envoy-upstream-rq-timeout-ms: 5000", "x-envoy-max-retries: 1", "x-envoy-decorator-operation: o"),
            get("/", "x-forwarded-client-cert: By=spiffe://x", "x-envoy-original-path: /secret"),
            get("/", "x-request-id: 01234567-89ab-4def-8123-456789abcdef"))
    }

    /// The forms of HTTP/1.
    static let protocols: [DifferentialCase] = [
        DifferentialCase("http10-refused", raw("GET / HTTP/1.0\nhost: {host}\nx-id: {id}\n\n", untilClosed: true)),
        DifferentialCase(
            "http10", manager: "http_protocol_options: {accept_http_10: true, default_host_for_http_10: dflt.example}",
            raw("GET / HTTP/1.0\nhost: {host}\nx-id: {id}\n\n", untilClosed: true),
            raw("GET / HTTP/1.0\nx-id: {id}\n\n", untilClosed: true),
            raw("GET / HTTP/1.0\nhost: {host}\nx-id: {id}\nconnection: keep-alive\n\n"),
            raw("GET / HTTP/1.0\nhost: {host}\nx-id: {id}\nx-do: chunked\n\n", untilClosed: true)),
        DifferentialCase(
            "pipelined",
            raw(
                "GET /1 HTTP/1.1\nhost: {host}\nx-id: {id}\n\nGET /2 HTTP/1.1\nhost: {host}\nx-id: {id}\n\n"
                    + "POST /3 HTTP/1.1\nhost: {host}\nx-id: {id}\ncontent-length: 3\n\nabcGET /4 HTTP/1.1\n"
                    + "host: {host}\nx-id: {id}\n\n", responses: 4)),
        DifferentialCase(
            "connection-close", get("/", "connection: close").closing(), get("/", "connection: Close").closing()),
        DifferentialCase(
            "chunked-request",
            raw("POST / HTTP/1.1\nhost: {host}\nx-id: {id}\ntransfer-encoding: chunked\n\n3\nabc\n0\n\n"),
            raw("POST / HTTP/1.1\nhost: {host}\nx-id: {id}\ntransfer-encoding: Chunked\n\n3;ext=1\nabc\n0\n\n"),
            raw("POST / HTTP/1.1\nhost: {host}\nx-id: {id}\ntransfer-encoding: chunked\n\n3\nabc\n0\nx-t: 1\n\n")),
        DifferentialCase(
            "trailers", manager: "http_protocol_options: {enable_trailers: true}",
            raw("POST / HTTP/1.1\nhost: {host}\nx-id: {id}\ntransfer-encoding: chunked\n\n3\nabc\n0\nx-t: 1\n\n"),
            get("/", "x-do: trailer=x-t:1")),
        DifferentialCase(
            "expect-continue",
            raw(
                "POST / HTTP/1.1\nhost: {host}\nx-id: {id}\nexpect: 100-continue\ncontent-length: 3\n\nabc",
                responses: 2)),
        DifferentialCase("expect-unknown", get("/", "expect: a-miracle")),
        DifferentialCase(
            "absolute-form",
            raw("GET http://{host}/x?y HTTP/1.1\nhost: other.example\nx-id: {id}\n\n"),
            raw("GET http://{host} HTTP/1.1\nhost: {host}\nx-id: {id}\n\n"),
            raw("GET HTTP://{host}/x HTTP/1.1\nhost: {host}\nx-id: {id}\n\n"),
            raw("GET https://{host}/x HTTP/1.1\nhost: {host}\nx-id: {id}\n\n")),
        DifferentialCase(
            "options-star", raw("OPTIONS * HTTP/1.1\nhost: {host}\nx-id: {id}\n\n")),
        DifferentialCase(
            "connect-refused", raw("CONNECT {host}:443 HTTP/1.1\nhost: {host}:443\nx-id: {id}\n\n", untilClosed: true)),
        DifferentialCase(
            "upgrade-refused", get("/", "connection: upgrade", "upgrade: websocket", "x-do: switch")),
        DifferentialCase(
            "upgrade", manager: "upgrade_configs: [{upgrade_type: websocket}]",
            get("/", "connection: upgrade", "upgrade: websocket", "x-do: switch"),
            get("/", "connection: Upgrade", "upgrade: WebSocket", "x-do: switch"),
            get("/", "connection: upgrade", "upgrade: other"),
            get("/", "connection: upgrade", "upgrade: websocket", "x-do: status=403")),
        DifferentialCase(
            "methods", send("HEAD", "/"), send("OPTIONS", "/"), send("TRACE", "/"), send("PATCH", "/"),
            send("PURGE", "/"),
            request("DELETE", "/", ["content-length: 1"], body: "x"), send("HEAD", "/", "x-do: size=5000")),
        DifferentialCase("large", get("/", "x-do: size=300000"), post("/", String(repeating: "b", count: 200_000))),
        DifferentialCase("empty-body", post("/", ""), get("/", "content-length: 0"), get("/", "x-do: size=0")),
        DifferentialCase("get-body", request("GET", "/", ["content-length: 4"], body: "body")),
    ]

    /// Raw TCP and what stands before it.
    static let tcp: [DifferentialCase] = [
        DifferentialCase(
            "tcp", "", chain: tcpProxy("cluster: a"),
            raw("GET / HTTP/1.1\nhost: x\nx-id: {id}\n\n"),
            raw("GET / HTTP/1.1\nhost: x\nx-id: {id}\nx-do: close\n\n", untilClosed: true),
            raw(
                "POST / HTTP/1.1\nhost: x\nx-id: {id}\ncontent-length: 100000\n\n"
                    + String(repeating: "t", count: 100_000))),
        DifferentialCase(
            "tcp-dead", "", chain: tcpProxy("cluster: dead"), raw("x", responses: 0, untilClosed: true)),
        DifferentialCase(
            "tcp-empty", "", chain: tcpProxy("cluster: empty"), raw("x", responses: 0, untilClosed: true)),
        DifferentialCase(
            "tcp-unknown", "", chain: tcpProxy("cluster: nowhere"), raw("x", responses: 0, untilClosed: true)),
        DifferentialCase(
            "tcp-weighted", "",
            chain: tcpProxy("weighted_clusters: {clusters: [{name: a, weight: 1}, {name: b, weight: 1000000}]}"),
            raw("GET / HTTP/1.1\nhost: x\nx-id: {id}\n\n")),
        DifferentialCase(
            "tcp-idle", "", chain: tcpProxy("cluster: a\nidle_timeout: 0.2s"),
            raw("GET / HTTP/1.1\nhost: x\nx-id: {id}\n\n", untilClosed: true)),
        DifferentialCase(
            "tcp-proxy-protocol-out", "", chain: tcpProxy("cluster: tcp-proxy-protocol-out"),
            clusters: """
                - name: tcp-proxy-protocol-out
                  type: STATIC
                  transport_socket:
                    name: envoy.transport_sockets.upstream_proxy_protocol
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport
                      config: {version: V1}
                      transport_socket: {name: envoy.transport_sockets.raw_buffer, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}
                  load_assignment:
                    cluster_name: tcp-proxy-protocol-out
                    endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: {a}}}}}]}]
                """, raw("\nGET / HTTP/1.1\nhost: x\nx-id: {id}\n\n", responses: 2)),
        DifferentialCase(
            "rbac-network", "",
            chain: "- filters:\n  - name: envoy.filters.network.rbac\n    typed_config:\n"
                + "      \"@type\": type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC\n"
                + "      stat_prefix: r\n      rules: {action: DENY, policies: {p: {permissions: [{any: true}], "
                + "principals: [{direct_remote_ip: {address_prefix: 127.0.0.9, prefix_len: 32}}]}}}\n"
                + indent(tcpProxyFilter("cluster: a"), 2),
            raw("GET / HTTP/1.1\nhost: x\nx-id: {id}\n\n", responses: 0, untilClosed: true)),
        DifferentialCase(
            "chain-by-source", "",
            chain: "- filter_chain_match: {source_prefix_ranges: [{address_prefix: 127.0.0.9, prefix_len: 32}]}\n"
                + "  filters:\n" + indent(tcpProxyFilter("cluster: b"), 2) + "\n- filters:\n"
                + indent(tcpProxyFilter("cluster: a"), 2),
            raw("GET / HTTP/1.1\nhost: x\nx-id: {id}\n\n")),
        DifferentialCase(
            "chain-none", "",
            chain: "- filter_chain_match: {source_prefix_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}\n"
                + "  filters:\n" + indent(tcpProxyFilter("cluster: b"), 2),
            raw("GET / HTTP/1.1\nhost: x\nx-id: {id}\n\n", responses: 0, untilClosed: true)),
        proxyProtocol(
            "proxy-protocol-v1",
            raw(
                "PROXY TCP4 5.6.7.8 9.9.9.9 1000 80\nGET / HTTP/1.1\nhost: {host}\nx-id: {id}\n\n"),
            raw("PROXY UNKNOWN\nGET / HTTP/1.1\nhost: {host}\nx-id: {id}\n\n"),
            raw("PROXY TCP6 ::1 ::2 1000 80\nGET / HTTP/1.1\nhost: {host}\nx-id: {id}\n\n"),
            raw(
                "PROXY TCP4 5.6.7.8 9.9.9.9 99999 80\nGET / HTTP/1.1\nhost: x\nx-id: {id}\n\n", responses: 0,
                untilClosed: true),
            raw("GET / HTTP/1.1\nhost: {host}\nx-id: {id}\n\n", responses: 0, untilClosed: true)),
    ]

    private static func proxyProtocol(_ name: String, _ requests: Sending...) -> DifferentialCase {
        DifferentialCase(
            name, "routes: [{match: {prefix: /}, route: {cluster: a}}]", manager: "use_remote_address: true",
            listener: """
                listener_filters:
                - name: envoy.filters.listener.proxy_protocol
                  typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol}
                """, requests: requests)
    }

    static func tcpProxyFilter(_ fields: String) -> String {
        """
        - name: envoy.filters.network.tcp_proxy
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
            stat_prefix: tcp
        \(indent(fields, 4))
        """
    }

    static func tcpProxy(_ fields: String) -> String {
        "- filters:\n" + indent(tcpProxyFilter(fields), 2)
    }
}
