extension HandWritten {
    /// Limits of a whole request, and what gRPC clients say about theirs.
    static let limits: [DifferentialCase] = [
        DifferentialCase(
            "stream-duration-manager",
            routes(
                "match: {prefix: /off}, route: {cluster: a, max_stream_duration: {max_stream_duration: 0s}}",
                "match: {prefix: /}, route: {cluster: a}"),
            manager: "common_http_protocol_options: {max_stream_duration: 0.2s}",
            get("/", "x-do: delay=2000"), get("/off", "x-do: delay=500"), get("/")),
        DifferentialCase(
            "stream-duration-grpc",
            routes(
                "match: {prefix: /cap}, route: {cluster: a, max_stream_duration: {grpc_timeout_header_max: 2s}}",
                "match: {prefix: /any}, route: {cluster: a, max_stream_duration: {grpc_timeout_header_max: 0s}}",
                "match: {prefix: /offset}, route: {cluster: a, max_stream_duration: {grpc_timeout_header_max: 9s, "
                    + "grpc_timeout_header_offset: 0.5s}}",
                "match: {prefix: /both}, route: {cluster: a, max_stream_duration: {max_stream_duration: 3s, "
                    + "grpc_timeout_header_max: 9s}}",
                "match: {prefix: /}, route: {cluster: a, max_stream_duration: {max_stream_duration: 4s}}"),
            requests: ["/cap", "/any", "/offset", "/both", "/none"].flatMap { path in
                [grpc(path, "grpc-timeout: 5S"), grpc(path, "grpc-timeout: 1500m"), grpc(path), get(path)]
            }),
        DifferentialCase(
            "grpc-timeout-old",
            routes(
                "match: {prefix: /cap}, route: {cluster: a, max_grpc_timeout: 2s}",
                "match: {prefix: /any}, route: {cluster: a, max_grpc_timeout: 0s}",
                "match: {prefix: /offset}, route: {cluster: a, max_grpc_timeout: 9s, grpc_timeout_offset: 0.5s}",
                "match: {prefix: /try}, route: {cluster: a, max_grpc_timeout: 9s, retry_policy: {retry_on: reset, "
                    + "per_try_timeout: 1s}}",
                "match: {prefix: /}, route: {cluster: a}"),
            requests: ["/cap", "/any", "/offset", "/try", "/none"].flatMap { path in
                [
                    grpc(path, "grpc-timeout: 5S"), grpc(path, "grpc-timeout: 100000000u"),
                    grpc(path, "grpc-timeout: 99999999H"), grpc(path, "grpc-timeout: junk"), grpc(path), get(path),
                ]
            }),
        DifferentialCase(
            "grpc-timeout-over", routes("match: {prefix: /}, route: {cluster: a, max_grpc_timeout: 5s}"),
            grpc("/s.S/M", "grpc-timeout: 200m", "x-do: delay=2000")),
        DifferentialCase(
            "per-try-idle",
            routes(
                "match: {prefix: /none}, route: {cluster: a, timeout: 5s, retry_policy: {retry_on: connect-failure, "
                    + "per_try_idle_timeout: 0.2s}}",
                "match: {prefix: /}, route: {cluster: a, timeout: 5s, retry_policy: {retry_on: 5xx, num_retries: 1, "
                    + "per_try_idle_timeout: 0.2s}}"),
            get("/", "x-do: delay=2000|status=200"), get("/none", "x-do: delay=2000"), get("/")),
        DifferentialCase(
            "stream-idle-manager", manager: "stream_idle_timeout: 0.3s", get("/", "x-do: delay=2000"),
            raw(
                "POST / HTTP/1.1\nhost: {host}\nx-id: {id}\nx-do: delay=2000\ncontent-length: 10\n\nabc",
                untilClosed: true)),
        DifferentialCase(
            "request-timeout", manager: "request_timeout: 0.3s", get("/", "x-do: delay=700"),
            raw(
                "POST / HTTP/1.1\nhost: {host}\nx-id: {id}\nx-do: delay=2000\ncontent-length: 10\n\nabc",
                untilClosed: true)),
        DifferentialCase(
            "timeout-retry-header",
            """
            include_is_timeout_retry_header: true
            routes:
            - match: {prefix: /}
              route: {cluster: a, retry_policy: {retry_on: 5xx, num_retries: 2, per_try_timeout: 0.3s}}
            """, get("/", "x-do: status=503|status=200"), get("/", "x-do: delay=2000|status=200"), get("/")),
    ]

    private static func grpc(_ path: String, _ headers: String...) -> Sending {
        request("POST", path, ["content-type: application/grpc", "content-length: 1"] + headers, body: "x")
    }

    /// Two tries at one time.
    static let hedging: [DifferentialCase] = [
        DifferentialCase(
            "hedge",
            routes(
                "match: {prefix: /}, route: {cluster: a, timeout: 5s, hedge_policy: {hedge_on_per_try_timeout: true}, "
                    + "retry_policy: {retry_on: 5xx, num_retries: 1, per_try_timeout: 0.3s}}"),
            get("/", "x-do: delay=3000;status=201|status=200").reaching(2),
            get("/", "x-do: status=200"), get("/", "x-do: status=503|status=200")),
        DifferentialCase(
            "hedge-first-wins",
            routes(
                "match: {prefix: /}, route: {cluster: a, timeout: 6s, hedge_policy: {hedge_on_per_try_timeout: true}, "
                    + "retry_policy: {retry_on: 5xx, num_retries: 1, per_try_timeout: 0.3s}}"),
            get("/", "x-do: delay=1000;status=201|delay=5000;status=202").reaching(2)),
        DifferentialCase(
            "hedge-global-timeout",
            routes(
                "match: {prefix: /}, route: {cluster: a, timeout: 1s, hedge_policy: {hedge_on_per_try_timeout: true}, "
                    + "retry_policy: {retry_on: 5xx, num_retries: 1, per_try_timeout: 0.3s}}"),
            get("/", "x-do: delay=4000").reaching(2)),
        DifferentialCase(
            "hedge-bad-answer",
            routes(
                "match: {prefix: /}, route: {cluster: a, timeout: 5s, hedge_policy: {hedge_on_per_try_timeout: true}, "
                    + "retry_policy: {retry_on: 5xx, num_retries: 1, per_try_timeout: 0.3s}}"),
            get("/", "x-do: delay=1500;status=200|status=503").reaching(2)),
    ]

    /// Redirects that the proxy follows.
    static let redirecting: [DifferentialCase] =
        [
            internalRedirect("internal-redirect-host", "", "http://internal-redirect-host.test/second?q=1#part"),
            internalRedirect("internal-redirect-relative", "", "/second"),
            internalRedirect("internal-redirect-scheme", "", "https://internal-redirect-scheme.test/second"),
            internalRedirect(
                "internal-redirect-cross", ", allow_cross_scheme_redirect: true",
                "https://internal-redirect-cross.test/second"),
            internalRedirect("internal-redirect-stranger", "", "http://nobody.example/second"),
            internalRedirect("internal-redirect-nowhere", "", "http://internal-redirect-nowhere.test/none"),
            DifferentialCase(
                "internal-redirect-chain",
                routes(
                    "match: {prefix: /}, route: {cluster: a, internal_redirect_policy: {max_internal_redirects: 2}}"),
                get(
                    "/1",
                    "x-do: "
                        + (2...5).map { "status=302;header=location:http://internal-redirect-chain.test/\($0)" }
                        .joined(separator: "|"))),
            DifferentialCase(
                "internal-redirect-post",
                routes(
                    "match: {prefix: /}, route: {cluster: a, internal_redirect_policy: {redirect_response_codes: "
                        + "[303, 307, 308], response_headers_to_copy: [x-copied, x-absent]}}"),
                post(
                    "/", "body",
                    "x-do: status=303;header=location:http://internal-redirect-post.test/x;header=x-copied:1|status=200",
                    "x-absent: old"),
                post(
                    "/", "body", "x-do: status=307;header=location:http://internal-redirect-post.test/x|status=200"),
                post("/", "body", "x-do: status=302;header=location:http://internal-redirect-post.test/x|status=200")),
        ] + predicates

    private static func predicate(_ name: String, _ message: String, _ fields: String = "") -> String {
        "{name: envoy.internal_redirect_predicates.\(name), typed_config: {\"@type\": "
            + "\(Bootstrap.type("internal_redirect.\(name).v3.\(message)"))\(fields)}}"
    }

    /// Redirects that predicates let through or not.
    private static let predicates: [DifferentialCase] = [
        DifferentialCase(
            "internal-redirect-allowed",
            routes(
                "match: {prefix: /first}, route: {cluster: a, internal_redirect_policy: {predicates: ["
                    + predicate("allow_listed_routes", "AllowListedRoutesConfig", ", allowed_route_names: [second]")
                    + "]}}", "match: {prefix: /second}, name: second, route: {cluster: b}",
                "match: {prefix: /third}, name: third, route: {cluster: b}"),
            get("/first", "x-do: status=302;header=location:http://internal-redirect-allowed.test/second|status=200"),
            get("/first", "x-do: status=302;header=location:http://internal-redirect-allowed.test/third|status=200")),
        DifferentialCase(
            "internal-redirect-previous",
            routes(
                "match: {prefix: /a}, name: a, route: {cluster: a, internal_redirect_policy: "
                    + "{max_internal_redirects: 10, predicates: ["
                    + predicate("previous_routes", "PreviousRoutesConfig")
                    + "]}}",
                "match: {prefix: /b}, name: b, route: {cluster: a, internal_redirect_policy: "
                    + "{max_internal_redirects: 10, predicates: ["
                    + predicate("previous_routes", "PreviousRoutesConfig")
                    + "]}}"),
            get(
                "/a",
                "x-do: "
                    + ["b", "a", "b", "a"].map {
                        "status=302;header=location:http://internal-redirect-previous.test/\($0)"
                    }
                    .joined(separator: "|"))),
        DifferentialCase(
            "internal-redirect-safe-scheme",
            routes(
                "match: {prefix: /first}, route: {cluster: a, internal_redirect_policy: {allow_cross_scheme_redirect: true, "
                    + "predicates: [" + predicate("safe_cross_scheme", "SafeCrossSchemeConfig") + "]}}",
                "match: {prefix: /second}, route: {cluster: b}"),
            get(
                "/first",
                "x-do: status=302;header=location:https://internal-redirect-safe-scheme.test/second|status=200"),
            get(
                "/first",
                "x-do: status=302;header=location:http://internal-redirect-safe-scheme.test/second|status=200"),
            get(
                "/first", "x-forwarded-proto: https",
                "x-do: status=302;header=location:http://internal-redirect-safe-scheme.test/second|status=200")),
    ]

    private static func internalRedirect(_ name: String, _ policy: String, _ location: String) -> DifferentialCase {
        DifferentialCase(
            name,
            routes(
                "match: {prefix: /first}, route: {cluster: a, internal_redirect_policy: {max_internal_redirects: 1"
                    + "\(policy)}}", "match: {prefix: /second}, route: {cluster: b}"),
            get("/first?a=b", "x-do: status=302;header=location:\(location)|status=200"))
    }

    /// Who may say what, and the smaller parts of a connection manager.
    static let trusting: [DifferentialCase] = [
        DifferentialCase(
            "orders-internal", DifferentialCase.toA + "\n",
            manager: "use_remote_address: true\n"
                + "internal_address_config: {cidr_ranges: [{address_prefix: 127.0.0.0, prefix_len: 8}]}",
            requests: orders),
        DifferentialCase(
            "orders-external", DifferentialCase.toA + "\n", manager: "use_remote_address: true", requests: orders),
        DifferentialCase(
            "xff-port", manager: "use_remote_address: true\nappend_x_forwarded_port: true",
            get("/", "x-forwarded-port: 99")),
        DifferentialCase(
            "strip-any-port", manager: "strip_any_host_port: true", get("/", "host: h.test"),
            get("/", "host: [::1]:80"), get("/", "host: [::1]"), get("/", "host: h.test:"),
            get("/", "host: h.test:65536")),
        DifferentialCase(
            "strip-dot-port", manager: "strip_trailing_host_dot: true", get("/", "host: h.test.:80"),
            get("/", "host: h.test:80"), get("/", "host: .")),
        DifferentialCase(
            "via-both", "response_headers_to_add: [{header: {key: via, value: route}}]\n" + DifferentialCase.toA,
            manager: "via: p", get("/", "via: x", "x-do: header=via:up"), get("/", "x-do: reset")),
        DifferentialCase(
            "custom-methods", manager: "http_protocol_options: {allow_custom_methods: true}", send("FROB", "/"),
            send("get", "/"), request("FROB", "/", ["content-length: 1"], body: "x")),
        DifferentialCase(
            "continue-proxied", manager: "proxy_100_continue: true", get("/", "x-do: hint"),
            raw("POST / HTTP/1.1\nhost: {host}\nx-id: {id}\nexpect: 100-continue\ncontent-length: 3\n\nabc")),
        DifferentialCase(
            "proper-case-names", manager: "http_protocol_options: {header_key_format: {proper_case_words: {}}}",
            get("/", "x-y-z: 1", "x-do: header=x-a1b-c:1").seeingCase()),
        DifferentialCase(
            "proper-case-upstream", routes("match: {prefix: /}, route: {cluster: proper-case-upstream}"),
            clusters: upstream(
                "proper-case-upstream", "a",
                "explicit_http_config: {http_protocol_options: {header_key_format: {proper_case_words: {}}}}"),
            get("/", "x-y-z: 1").seeingCase()),
        DifferentialCase(
            "trailers-both", routes("match: {prefix: /}, route: {cluster: trailers-both}"),
            manager: "http_protocol_options: {enable_trailers: true}",
            clusters: upstream(
                "trailers-both", "a", "explicit_http_config: {http_protocol_options: {enable_trailers: true}}"),
            raw("POST / HTTP/1.1\nhost: {host}\nx-id: {id}\ntransfer-encoding: chunked\n\n3\nabc\n0\nx-t: 1\n\n"),
            get("/", "x-do: trailer=x-t:1")),
        DifferentialCase(
            "mirror-header",
            routes(
                "match: {prefix: /}, route: {cluster: a, request_mirror_policies: [{cluster_header: x-copy, "
                    + "disable_shadow_host_suffix_append: true}]}"), get("/", "x-copy: b").reaching(2), get("/")),
        DifferentialCase(
            "mirror-vhost",
            """
            request_mirror_policies: [{cluster: b}]
            routes:
            - {match: {prefix: /own}, route: {cluster: a, request_mirror_policies: [{cluster: c}]}}
            - {match: {prefix: /}, route: {cluster: a}}
            """, get("/").reaching(2), get("/own").reaching(2)),
        DifferentialCase(
            "overflow", routes("match: {prefix: /}, route: {cluster: overflow}"),
            clusters: limited("overflow", "max_requests: 0"), get("/")),
        DifferentialCase(
            "overflow-pending", routes("match: {prefix: /}, route: {cluster: overflow-pending}"),
            clusters: limited("overflow-pending", "max_pending_requests: 0"), get("/")),
        DifferentialCase(
            "overflow-retries",
            routes("match: {prefix: /}, route: {cluster: overflow-retries, retry_policy: {retry_on: 5xx}}"),
            clusters: limited("overflow-retries", "max_retries: 0"), get("/", "x-do: status=503|status=200"),
            get("/", "x-do: reset|status=200")),
        DifferentialCase(
            "retry-dead-host", routes("match: {prefix: /}, route: {cluster: dead, retry_policy: {retry_on: 5xx}}"),
            get("/")),
    ]

    /// Upgrades and CONNECT on their way to other protocols.
    static let tunnelling: [DifferentialCase] = [
        DifferentialCase(
            "upgrade-h2-back",
            manager: "codec_type: HTTP2\nhttp2_protocol_options: {allow_connect: true}\n"
                + "upgrade_configs: [{upgrade_type: websocket}]"),
        DifferentialCase(
            "upgrade-h2", routes("match: {prefix: /}, route: {cluster: upgrade-h2}"),
            manager: "upgrade_configs: [{upgrade_type: websocket}]",
            clusters: """
                - name: upgrade-h2
                  type: STATIC
                  typed_extension_protocol_options:
                    envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
                      "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
                      explicit_http_config: {http2_protocol_options: {allow_connect: true}}
                  load_assignment:
                    cluster_name: upgrade-h2
                    endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: {address}, port_value: {port:upgrade-h2-back}}}}}]}]
                """, get("/", "connection: upgrade", "upgrade: websocket", "x-do: switch"),
            get("/", "connection: upgrade", "upgrade: websocket", "x-do: status=403"), get("/")),
        DifferentialCase(
            "connect-end",
            "routes:\n- match: {connect_matcher: {}}\n  route: {cluster: a, upgrade_configs: "
                + "[{upgrade_type: CONNECT, connect_config: {}}]}\n- {match: {prefix: /}, route: {cluster: b}}",
            manager: "upgrade_configs: [{upgrade_type: CONNECT}]", connectThenGet, get("/")),
        DifferentialCase(
            "connect-end-dead",
            "routes:\n- match: {connect_matcher: {}}\n  route: {cluster: dead, upgrade_configs: "
                + "[{upgrade_type: CONNECT, connect_config: {}}]}",
            manager: "upgrade_configs: [{upgrade_type: CONNECT}]",
            raw("CONNECT h:1 HTTP/1.1\nhost: h:1\nx-id: {id}\n\n")),
        DifferentialCase(
            "local-reply-kinds",
            routes(
                "match: {prefix: /uh}, route: {cluster: empty}", "match: {prefix: /uf}, route: {cluster: dead}",
                "match: {prefix: /direct}, direct_response: {status: 401, body: {inline_string: own}}",
                "match: {prefix: /up}, route: {cluster: a}"),
            manager: """
                local_reply_config:
                  mappers:
                  - filter: {response_flag_filter: {flags: [UH]}}
                    status_code: 502
                    headers_to_add: [{header: {key: x-flag, value: "%RESPONSE_FLAGS%"}}]
                  - filter: {and_filter: {filters: [{header_filter: {header: {name: x-json, present_match: true}}}, {status_code_filter: {comparison: {op: GE, value: {default_value: 400, runtime_key: k}}}}]}}
                    body_format_override: {json_format: {status: "%RESPONSE_CODE%", text: "<%LOCAL_REPLY_BODY%>", inner: {flags: "%RESPONSE_FLAGS%"}}, content_type: "application/problem+json"}
                  - filter: {status_code_filter: {comparison: {op: LE, value: {default_value: 401, runtime_key: k}}}}
                    body: {inline_string: "mapped"}
                  body_format: {text_format_source: {inline_string: "[%LOCAL_REPLY_BODY%] %REQ(x-id)%"}}
                """, get("/uh"), get("/uf"), get("/uf", "x-json: 1"), get("/direct"), get("/none"), get("/up"),
            get("/up", "x-do: status=404"), post("/uh", "x", "content-type: application/grpc"),
            send("HEAD", "/uf")),
    ]

    /// The answer to CONNECT has no body, and neither is one expected of what follows.
    private static let connectThenGet = Sending(
        text: "CONNECT h:443 HTTP/1.1\r\nhost: h:443\r\nx-id: {id}\r\n\r\n"
            + "GET /inside HTTP/1.1\r\nhost: x\r\nx-id: {id}\r\n\r\n", responses: 2, isHead: true)

    private static let orders = [
        get("/", "x-envoy-retry-on: 5xx", "x-do: status=503|status=200"),
        get("/", "x-envoy-max-retries: 2", "x-envoy-retry-on: 5xx", "x-do: status=503|status=503|status=200"),
        get("/", "x-envoy-upstream-rq-timeout-ms: 200", "x-do: delay=2000"),
        get(
            "/", "x-envoy-retry-on: 5xx", "x-envoy-upstream-rq-per-try-timeout-ms: 200", "x-do: delay=2000|status=200"),
        get(
            "/", "x-envoy-retriable-status-codes: 418", "x-envoy-retry-on: retriable-status-codes", "x-do: status=418|"),
        get(
            "/", "x-envoy-retriable-header-names: x-again", "x-envoy-retry-on: retriable-headers",
            "x-do: header=x-again:1|status=200"),
        get("/", "x-envoy-expected-rq-timeout-ms: 77"),
        get("/", "x-envoy-ip-tags: a", "x-envoy-original-url: http://x/"),
        get("/", "x-envoy-downstream-service-cluster: c", "x-envoy-decorator-operation: o"),
    ]

    static func upstream(_ name: String, _ port: String, _ options: String) -> String {
        """
        - name: \(name)
          type: STATIC
          typed_extension_protocol_options:
            envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
              "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
              \(options)
          load_assignment:
            cluster_name: \(name)
            endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: {\(port)}}}}}]}]
        """
    }

    private static func limited(_ name: String, _ threshold: String) -> String {
        """
        - name: \(name)
          type: STATIC
          circuit_breakers: {thresholds: [{\(threshold)}]}
          load_assignment:
            cluster_name: \(name)
            endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: {a}}}}}]}]
        """
    }
}
