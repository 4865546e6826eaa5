extension HandWritten {
    private static let types = "type.googleapis.com/envoy.extensions.filters.http"
    private static let toServices =
        "rate_limit_service: {transport_api_version: V3, grpc_service: {envoy_grpc: "
        + "{cluster_name: services}}}"

    private static func filter(_ name: String, _ type: String, _ fields: String) -> String {
        "- name: envoy.filters.http.\(name)\n  typed_config:\n    \"@type\": \(types).\(type)\n" + indent(fields, 4)
    }

    /// Filters that ask a service: authorization by HTTP.
    static let authorizingByHTTP: [DifferentialCase] = [
        http("authz-http-allow", "header=x-up:1;header=x-app:2;header=x-down:3;header=x-none:4", get("/p?q=1")),
        http(
            "authz-http-append", "header=x-app:2;header=x-envoy-auth-headers-to-remove:x-gone", get("/", "x-app: 1"),
            get("/", "x-gone: 1"), get("/", "x-up: mine")),
        http("authz-http-deny", "status=401;body=no entry;header=x-why:because;header=location:/login", get("/")),
        http("authz-http-redirect", "status=302;header=location:/login", get("/")),
        http("authz-http-error", "status=503;body=broken", get("/")),
        http("authz-http-reset", "reset", get("/")),
        http("authz-http-status-on-error", "status=500", fields: "status_on_error: {code: 511}", get("/")),
        http(
            "authz-http-failure-allowed", "status=500",
            fields: "failure_mode_allow: true\nfailure_mode_allow_header_add: true",
            get("/")),
        http("authz-http-dead", "", cluster: "dead", get("/"), post("/", "x")),
        http("authz-http-missing-endpoint", "", cluster: "empty", get("/")),
        http(
            "authz-http-body", "header=x-up:1", fields: "with_request_body: {max_request_bytes: 10}",
            post("/", "short"),
            post("/", "longer than ten bytes"), get("/"),
            raw("POST / HTTP/1.1\nhost: {host}\nx-id: {id}\ntransfer-encoding: chunked\n\n3\nabc\n2\nde\n0\n\n")),
        http(
            "authz-http-partial", "header=x-up:1",
            fields: "with_request_body: {max_request_bytes: 4, allow_partial_message: true}", post("/", "abc"),
            post("/", "abcd"), post("/", "abcdefgh")),
        http("authz-http-headers", "header=x-up:1", get("/", "authorization: Bearer x", "cookie: a=b", "x-other: 1")),
        http("authz-http-methods", "", send("HEAD", "/"), send("DELETE", "/x"), post("/y", "body")),
        http("authz-http-grpc-caller", "status=403;body=no", post("/s.S/M", "x", "content-type: application/grpc")),
        DifferentialCase(
            "authz-http-per-route",
            """
            routes:
            - match: {prefix: /open}
              route: {cluster: a}
              typed_per_filter_config:
                envoy.filters.http.ext_authz: {"@type": \(types).ext_authz.v3.ExtAuthzPerRoute, disabled: true}
            - {match: {prefix: /}, route: {cluster: a}}
            """, filters: httpFilter("status=403;body=no", "", "b"), get("/open"), get("/closed")),
        DifferentialCase(
            "authz-http-enabled-by-route",
            """
            routes:
            - match: {prefix: /closed}
              route: {cluster: a}
              typed_per_filter_config:
                envoy.filters.http.ext_authz:
                  "@type": \(types).ext_authz.v3.ExtAuthzPerRoute
                  check_settings: {context_extensions: {a: b}}
            - {match: {prefix: /}, route: {cluster: a}}
            """, filters: httpFilter("status=403;body=no", "", "b") + "\n  disabled: true", get("/open"), get("/closed")
        ),
        DifferentialCase(
            "authz-http-disabled",
            filters: httpFilter(
                "status=403",
                "filter_enabled: {default_value: {numerator: 0}}\ndeny_at_disable: "
                    + "{runtime_key: x, default_value: true}", "b"), get("/")),
    ]

    private static func http(
        _ name: String, _ script: String, fields: String = "", cluster: String = "b", _ requests: Sending...
    ) -> DifferentialCase {
        DifferentialCase(
            name, DifferentialCase.toA, filters: httpFilter(script, fields, cluster), requests: requests)
    }

    private static func httpFilter(_ script: String, _ fields: String, _ cluster: String) -> String {
        filter(
            "ext_authz", "ext_authz.v3.ExtAuthz",
            """
            http_service:
              server_uri: {uri: "http://auth.test:1234/ignored", cluster: \(cluster), timeout: 5s}
              path_prefix: /auth
              authorization_request:
                headers_to_add: [{key: x-do, value: "\(script)"}]
              authorization_response:
                allowed_upstream_headers: {patterns: [{exact: x-up}]}
                allowed_upstream_headers_to_append: {patterns: [{exact: x-app}]}
                allowed_client_headers_on_success: {patterns: [{exact: x-down}]}
            allowed_headers: {patterns: [{exact: x-id}]}
            """ + "\n" + fields)
    }

    /// Authorization by gRPC.
    static let authorizingByGRPC: [DifferentialCase] = [
        grpc(
            "authz-grpc-allow",
            [
                get("/p?q=1", "x-authz: see"), get("/", "x-authz: set=x-new:1;append=x-app:2", "x-app: 1"),
                get("/", "x-authz: append=x-app:2"), get("/", "x-authz: plain=x-app:2", "x-app: 1"),
                get("/", "x-authz: remove=x-gone;remove=host;remove=:path", "x-gone: 1"),
                get("/", "x-authz: response=x-down:1;response-add=x-down:2;response-plain=x-e:1"),
                get("/?a=1&b=2", "x-authz: query=c:3;unquery=a"),
                get("/", "x-authz: set=:path:/other"),
            ]),
        grpc(
            "authz-grpc-actions",
            ["add", "absent", "overwrite", "existing"].flatMap {
                [get("/", "x-authz: \($0)=x-app:2", "x-app: 1"), get("/", "x-authz: \($0)=x-app:2")]
            }),
        grpc(
            "authz-grpc-deny",
            [
                get("/", "x-authz: deny"),
                get("/", "x-authz: deny;status=401;body=who are you;header=x-why:a;header-add=x-why:b"),
                get("/", "x-authz: deny;status=429;header-plain=set-cookie:a=1;header-plain=set-cookie:b=2"),
                get("/", "x-authz: deny;status=302;header=location:/login"),
                post("/s.S/M", "x", "content-type: application/grpc", "x-authz: deny;body=no"),
            ]),
        grpc(
            "authz-grpc-error",
            [get("/", "x-authz: fail"), get("/", "x-authz: error;status=418;body=tea"), get("/", "x-authz: error")]),
        grpc("authz-grpc-failure-allowed", fields: "failure_mode_allow: true", [get("/", "x-authz: fail")]),
        grpc(
            "authz-grpc-timeout", fields: "status_on_error: {code: 504}", timeout: "0.05s",
            [get("/", "x-authz: sleep=1")]),
        grpc(
            "authz-grpc-body", fields: "with_request_body: {max_request_bytes: 8, allow_partial_message: true}",
            [post("/", "abc", "x-authz: see"), post("/", "abcdefghij", "x-authz: see"), get("/", "x-authz: see")]),
        grpc(
            "authz-grpc-raw",
            fields: "with_request_body: {max_request_bytes: 80, pack_as_bytes: true}\nencode_raw_headers: true",
            [post("/", "abc", "x-authz: see", "x-two: 1", "x-two: 2")]),
        grpc(
            "authz-grpc-headers",
            fields: "allowed_headers: {patterns: [{prefix: x-}]}\ndisallowed_headers: {patterns: [{exact: x-secret}]}",
            [get("/", "x-authz: see", "x-secret: 1", "cookie: a=b", "x-two: 1", "x-two: 2")]),
        DifferentialCase(
            "authz-grpc-context",
            """
            typed_per_filter_config:
              envoy.filters.http.ext_authz:
                "@type": \(types).ext_authz.v3.ExtAuthzPerRoute
                check_settings: {context_extensions: {host: "1", both: host}}
            routes:
            - match: {prefix: /}
              route: {cluster: a}
              typed_per_filter_config:
                envoy.filters.http.ext_authz:
                  "@type": \(types).ext_authz.v3.ExtAuthzPerRoute
                  check_settings: {context_extensions: {route: "1", both: route}}
            """, filters: grpcFilter("", "1s"), get("/", "x-authz: see")),
        DifferentialCase(
            "authz-grpc-route-cache",
            """
            routes:
            - {match: {prefix: /, headers: [{name: x-new, present_match: true}]}, route: {cluster: b}}
            - {match: {prefix: /}, route: {cluster: a}}
            """, filters: grpcFilter("clear_route_cache: true", "1s"), get("/", "x-authz: set=x-new:1"), get("/")),
        DifferentialCase(
            "authz-grpc-no-route-cache",
            """
            routes:
            - {match: {prefix: /, headers: [{name: x-new, present_match: true}]}, route: {cluster: b}}
            - {match: {prefix: /}, route: {cluster: a}}
            """, filters: grpcFilter("", "1s"), get("/", "x-authz: set=x-new:1")),
    ]

    private static func grpc(
        _ name: String, fields: String = "", timeout: String = "5s", _ requests: [Sending]
    ) -> DifferentialCase {
        DifferentialCase(name, DifferentialCase.toA, filters: grpcFilter(fields, timeout), requests: requests)
    }

    private static func grpcFilter(_ fields: String, _ timeout: String) -> String {
        filter(
            "ext_authz", "ext_authz.v3.ExtAuthz",
            "transport_api_version: V3\ngrpc_service: {envoy_grpc: {cluster_name: services}, timeout: \(timeout)}\n"
                + fields)
    }

    /// Global rate limits.
    static let limiting: [DifferentialCase] = [
        limit(
            "ratelimit",
            [
                get("/", "x-limit: see"), get("/", "x-limit: over;body=slow down"), get("/"),
                get("/", "x-limit: over;limit=10,MINUTE,0,33;limit=5,HOUR,3,4;response=x-r:1"),
                get("/", "x-limit: limit=10,SECOND,9,1"),
                post("/s.S/M", "x", "content-type: application/grpc", "x-limit: over"),
            ]),
        limit("ratelimit-error", [get("/", "x-limit: fail"), get("/", "x-limit: unknown")]),
        limit(
            "ratelimit-deny", fields: "failure_mode_deny: true",
            [get("/", "x-limit: fail"), get("/", "x-limit: sleep=1")]),
        limit(
            "ratelimit-options",
            fields: """
                enable_x_ratelimit_headers: DRAFT_VERSION_03
                disable_x_envoy_ratelimited_header: true
                rate_limited_as_resource_exhausted: true
                rate_limited_status: {code: 503}
                response_headers_to_add: [{header: {key: x-limited, value: "yes"}}]
                """,
            [
                get("/", "x-limit: over;limit=10,MINUTE,0,33;limit=5,HOUR,3,4"),
                get("/", "x-limit: limit=10,SECOND,9,1;response=x-r:1"),
                post("/s.S/M", "x", "content-type: application/grpc", "x-limit: over"),
            ]),
        limit(
            "ratelimit-not-enforced", fields: "filter_enforced: {default_value: {numerator: 0}}",
            [get("/", "x-limit: over")]),
        limit("ratelimit-external", fields: "request_type: internal", [get("/", "x-limit: over")]),
        DifferentialCase(
            "ratelimit-actions",
            """
            rate_limits: [{actions: [{generic_key: {descriptor_value: host}}]}]
            routes:
            - match: {prefix: /none}
              route: {cluster: a}
            - match: {prefix: /both}
              route: {cluster: a, include_vh_rate_limits: true, rate_limits: [\(told), {actions: [{source_cluster: {}}]}]}
            - match: {prefix: /}
              route:
                cluster: a
                rate_limits:
                - \(told)
                - {stage: 1, actions: [{generic_key: {descriptor_value: other stage}}]}
                - {actions: [{source_cluster: {}}, {destination_cluster: {}}, {remote_address: {}}]}
                - {actions: [{generic_key: {descriptor_value: val, descriptor_key: kay}}, {masked_remote_address: {}}]}
                - {actions: [{masked_remote_address: {v4_prefix_mask_len: 24}}]}
                - {actions: [{request_headers: {header_name: x-a, descriptor_key: a}}]}
                - {actions: [{request_headers: {header_name: ":path", descriptor_key: path}}, {request_headers: {header_name: x-a, descriptor_key: a, skip_if_absent: true}}]}
                - {actions: [{header_value_match: {descriptor_value: m, headers: [{name: x-a, string_match: {exact: "1"}}]}}]}
                - {actions: [{header_value_match: {descriptor_value: other, expect_match: false, headers: [{name: x-a, string_match: {exact: "1"}}]}}]}
                - {actions: [{query_parameters: {query_parameter_name: q, descriptor_key: query}}]}
                - {actions: [{query_parameter_value_match: {descriptor_value: qm, query_parameters: [{name: q, string_match: {exact: "1"}}]}}]}
                - {actions: [{generic_key: {descriptor_value: costly}}], hits_addend: {number: 7}}
            """, filters: limitFilter(""), get("/", "x-limit: see"), get("/?q=1", "x-limit: see", "x-a: 1"),
            get("/none"), get("/both", "x-limit: see")),
        DifferentialCase(
            "ratelimit-per-route",
            """
            rate_limits: [{actions: [{generic_key: {descriptor_value: host}}]}]
            routes:
            - match: {prefix: /include}
              route: {cluster: a, rate_limits: [\(told)]}
              typed_per_filter_config:
                envoy.filters.http.ratelimit: {"@type": \(types).ratelimit.v3.RateLimitPerRoute, vh_rate_limits: INCLUDE}
            - match: {prefix: /ignore}
              route: {cluster: a}
              typed_per_filter_config:
                envoy.filters.http.ratelimit: {"@type": \(types).ratelimit.v3.RateLimitPerRoute, vh_rate_limits: IGNORE}
            - match: {prefix: /own}
              route: {cluster: a, rate_limits: [{actions: [{generic_key: {descriptor_value: unused}}]}]}
              typed_per_filter_config:
                envoy.filters.http.ratelimit:
                  "@type": \(types).ratelimit.v3.RateLimitPerRoute
                  domain: another
                  rate_limits: [\(told)]
            - match: {prefix: /}
              route: {cluster: a, rate_limits: [\(told)]}
            """, filters: limitFilter(""), get("/include", "x-limit: see"), get("/ignore"),
            get("/own", "x-limit: see"), get("/", "x-limit: see")),
    ]

    private static let told = "{actions: [{request_headers: {header_name: x-limit, descriptor_key: do}}]}"

    private static func limit(_ name: String, fields: String = "", _ requests: [Sending]) -> DifferentialCase {
        DifferentialCase(
            name, "routes: [{match: {prefix: /}, route: {cluster: a, rate_limits: [\(told)]}}]",
            filters: limitFilter(fields), requests: requests)
    }

    private static func limitFilter(_ fields: String) -> String {
        filter("ratelimit", "ratelimit.v3.RateLimit", "domain: limits\ntimeout: 0.5s\n\(toServices)\n" + fields)
    }

    /// Processing by a service.
    static let processing: [DifferentialCase] = [
        process(
            "processing-headers",
            [
                get("/p?q=1", "x-proc: q-see"),
                get("/", "x-proc: q-set=x-new:1;q-add=x-a:2;q-remove=x-gone", "x-gone: 1", "x-a: 1"),
                get("/", "x-proc: q-set=:path:/other;q-set=host:other;q-set=x-envoy-a:1"),
                get("/", "x-proc: p-set=x-down:1;p-remove=x-upstream"), post("/", "body", "x-proc: q-see"),
                get("/", "x-proc: p-set=:status:418"),
            ]),
        process(
            "processing-immediate",
            [
                get("/", "x-proc: q-immediate=403:go away"), get("/", "x-proc: p-immediate=429:late"),
                post("/s.S/M", "x", "content-type: application/grpc", "x-proc: q-immediate=403:no"),
            ]),
        process(
            "processing-error", [get("/", "x-proc: q-fail"), get("/", "x-proc: p-fail"), get("/", "x-proc: q-wrong")]),
        process(
            "processing-allowed", fields: "failure_mode_allow: true",
            [get("/", "x-proc: q-fail"), get("/", "x-proc: p-fail"), get("/", "x-proc: q-wrong")]),
        process("processing-timeout", fields: "message_timeout: 0.05s", [get("/", "x-proc: q-hang=1")]),
        process("processing-ended", [get("/", "x-proc: q-end"), get("/", "x-proc: p-end")]),
        process(
            "processing-bodies",
            fields: "processing_mode: {request_body_mode: BUFFERED, response_body_mode: BUFFERED}",
            [
                post("/", "hello", "x-proc: qb-see;pb-see"), get("/", "x-proc: q-see;pb-see"),
                post("/", "hello", "x-proc: q-set=content-length:3;qb-body=abc"),
                post("/", "hello", "x-proc: qb-clear"),
                raw(
                    "POST / HTTP/1.1\nhost: {host}\nx-id: {id}\nx-proc: qb-see;qb-body=changed\ntransfer-encoding: chunked\n\n3\nabc\n2\nde\n0\n\n"
                ),
                get("/", "x-proc: pb-set=x-late:1"),
                get("/", "x-do: chunked;body=chunks", "x-proc: pb-see;pb-body=changed"),
                get("/", "x-do: size=100000"),
            ]),
        process(
            "processing-pieces",
            fields: "processing_mode: {request_body_mode: STREAMED, response_body_mode: STREAMED}",
            [
                post("/", "hello", "x-proc: qb-upper;pb-upper"), get("/", "x-proc: q-see;qb-fail"),
                post("/", "hello", "x-proc: qb-clear"), post("/", "hello", "x-proc: qb-see;pb-see"),
                raw(
                    "POST / HTTP/1.1\nhost: {host}\nx-id: {id}\nx-proc: q-see;qb-upper\ntransfer-encoding: chunked\n\n3\nabc\n2\nde\n0\n\n"
                ),
                get("/", "x-do: chunked;body=chunks", "x-proc: pb-upper"), get("/", "x-do: size=600000"),
                post("/", String(repeating: "long ", count: 60_000), "x-proc: qb-upper"),
                get("/", "x-do: status=204", "x-proc: p-set=x-late:1"),
                request("HEAD", "/", ["x-proc: p-set=x-late:1"]),
                post("/", "hello", "x-proc: qb-fail"),
            ]),
        process(
            "processing-pieces-alone",
            fields: "processing_mode: {request_header_mode: SKIP, response_header_mode: SKIP, "
                + "request_body_mode: STREAMED, response_body_mode: STREAMED}",
            [post("/", "hello", "x-do: size=70000"), get("/", "x-do: chunked;body=chunks")]),
        process(
            "processing-part",
            fields: "processing_mode: {request_body_mode: BUFFERED_PARTIAL, response_body_mode: BUFFERED_PARTIAL}",
            [
                post("/", "hello", "x-proc: qb-see;qb-upper;pb-upper"),
                post("/", "hello", "x-proc: qb-body=changed;pb-set=x-late:1"), get("/", "x-do: chunked;body=chunks"),
            ]),
        process(
            "processing-whole-alone",
            fields: "processing_mode: {request_header_mode: SKIP, response_header_mode: SKIP, "
                + "request_body_mode: BUFFERED, response_body_mode: BUFFERED}",
            [post("/", "hello"), get("/", "x-do: body=whole")]),
        DifferentialCase(
            "processing-trailers",
            routes("match: {prefix: /}, route: {cluster: h2}"),
            filters: processFilter(
                "processing_mode: {request_trailer_mode: SEND, response_trailer_mode: SEND, request_body_mode: STREAMED, "
                    + "response_body_mode: STREAMED}", "services"),
            requests: [
                post(
                    "/", "body", "x-do: body=answer;trailer=x-end:1", "x-proc: pt-set=x-new:2;pt-remove=x-end;pb-upper"
                )
                .http2(),
                post("/", "body", "x-do: body=answer;trailer=x-end:1", "x-proc: pt-see").http2(),
                get("/", "x-do: body=answer", "x-proc: pt-fail").http2(),
                raw(
                    "POST / HTTP/1.1\nhost: {host}\nx-id: {id}\nx-proc: qt-set=x-more:1;qt-remove=x-t\n"
                        + "transfer-encoding: chunked\n\n3\nabc\n0\nx-t: 1\n\n"
                ).http2(),
            ]),
        DifferentialCase(
            "processing-trailers-alone",
            routes("match: {prefix: /}, route: {cluster: h2}"),
            filters: processFilter(
                "processing_mode: {request_trailer_mode: SEND, response_trailer_mode: SEND}", "services"),
            requests: [
                post("/", "body", "x-do: body=answer;trailer=x-end:1", "x-proc: pt-set=x-new:2").http2(),
                post("/", "body", "x-do: trailer=x-end:1", "x-proc: pt-fail").http2(),
            ]),
        process(
            "processing-replace",
            [get("/", "x-proc: p-replace=instead"), post("/", "hello", "x-proc: q-replace=instead")]),
        process(
            "processing-skip",
            fields: "processing_mode: {request_header_mode: SKIP, response_header_mode: SKIP}",
            [get("/", "x-proc: q-fail")]),
        process(
            "processing-override", fields: "allow_mode_override: true",
            [post("/", "hello", "x-proc: q-mode=request_body_mode:BUFFERED,response_header_mode:SKIP;qb-see;p-fail")]),
        process(
            "processing-no-override", [post("/", "hello", "x-proc: q-mode=request_body_mode:BUFFERED;qb-see")]),
        process(
            "processing-rules",
            fields: "mutation_rules: {allow_all_routing: true, allow_envoy: true}\n"
                + "forward_rules: {disallowed_headers: {patterns: [{exact: x-secret}]}}",
            [get("/", "x-secret: 1", "x-proc: q-see;q-set=:path:/other;q-set=:authority:other;q-set=x-envoy-a:1")]),
        process(
            "processing-attributes",
            fields:
                "request_attributes: [request.path, request.method, request.host, request.scheme, request.url_path, "
                + "request.query, \"request.headers['x-a']\", connection.mtls, xds.route_name, request.protocol, "
                + "request.useragent, request.referer]\nresponse_attributes: [response.code, xds.cluster_name, "
                + "upstream.request_attempt_count]\nprocessing_mode: {request_body_mode: BUFFERED}",
            [
                get("/p?q=1", "x-a: 7", "x-proc: q-attributes;p-attributes", "user-agent: ua"),
                post("/p", "body", "x-proc: q-attributes;qb-attributes", "referer: r"),
            ]),
        process(
            "processing-metadata",
            fields:
                "metadata_options: {forwarding_namespaces: {untyped: [mine]}, receiving_namespaces: {untyped: [mine]}}",
            [
                get("/", "x-proc: q-tell=mine:a:1;p-metadata"), get("/", "x-proc: q-tell=other:a:1;p-metadata"),
                get("/", "x-proc: q-metadata"),
            ]),
        process("processing-metadata-none", [get("/", "x-proc: q-tell=mine:a:1;p-metadata")]),
        process(
            "processing-observed",
            fields: "observability_mode: true\nprocessing_mode: {request_body_mode: STREAMED, "
                + "response_body_mode: STREAMED, response_trailer_mode: SEND}",
            [
                get("/", "x-proc: q-set=x-new:1;p-set=x-down:1"), get("/", "x-proc: q-immediate=403:no"),
                post("/", "hello", "x-proc: q-hang=30"),
                get("/", "x-do: size=200000", "x-proc: pb-upper"),
            ]),
        process(
            "processing-observed-dead", fields: "observability_mode: true", cluster: "dead",
            [get("/", "x-do: delay=500")]),
        process(
            "processing-observed-allowed", fields: "observability_mode: true\nfailure_mode_allow: true",
            cluster: "dead",
            [get("/"), post("/", "hello")]),
        process("processing-dead", cluster: "dead", [get("/")]),
        DifferentialCase(
            "processing-per-route",
            """
            routes:
            - match: {prefix: /off}
              route: {cluster: a}
              typed_per_filter_config:
                envoy.filters.http.ext_proc: {"@type": \(types).ext_proc.v3.ExtProcPerRoute, disabled: true}
            - match: {prefix: /skip}
              route: {cluster: a}
              typed_per_filter_config:
                envoy.filters.http.ext_proc:
                  "@type": \(types).ext_proc.v3.ExtProcPerRoute
                  overrides: {processing_mode: {request_header_mode: SKIP}}
            - {match: {prefix: /, headers: [{name: x-new, present_match: true}]}, route: {cluster: b}}
            - {match: {prefix: /}, route: {cluster: a}}
            """, filters: processFilter("", "services"), get("/off", "x-proc: q-fail"), get("/skip", "x-proc: q-fail"),
            get("/", "x-proc: q-set=x-new:1;q-route"), get("/", "x-proc: q-set=x-new:1")),
    ]

    private static func process(
        _ name: String, fields: String = "", cluster: String = "services", _ requests: [Sending]
    ) -> DifferentialCase {
        DifferentialCase(name, DifferentialCase.toA, filters: processFilter(fields, cluster), requests: requests)
    }

    private static func processFilter(_ fields: String, _ cluster: String) -> String {
        let timeout = fields.contains("message_timeout") ? "" : "message_timeout: 5s\n"
        return filter(
            "ext_proc", "ext_proc.v3.ExternalProcessor",
            "grpc_service: {envoy_grpc: {cluster_name: \(cluster)}}\n" + timeout + fields)
    }
}
