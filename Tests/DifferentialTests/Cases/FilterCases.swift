extension HandWritten {
    /// Filters before the router.
    static let filtering: [DifferentialCase] = [
        DifferentialCase(
            "cors",
            """
            typed_per_filter_config:
              envoy.filters.http.cors:
                "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy
                allow_origin_string_match: [{exact: "http://ok.example"}, {safe_regex: {regex: "https://.*\\\\.ok\\\\.example"}}]
                allow_methods: "GET, PUT"
                allow_headers: "x-a, x-b"
                expose_headers: x-e
                max_age: "600"
                allow_credentials: true
            routes: [{match: {prefix: /}, route: {cluster: a}}]
            """, get("/", "origin: http://ok.example"), get("/", "origin: https://x.ok.example"),
            get("/", "origin: http://bad.example"), get("/"),
            send("OPTIONS", "/", "origin: http://ok.example", "access-control-request-method: PUT"),
            send("OPTIONS", "/", "origin: http://bad.example", "access-control-request-method: PUT"),
            send("OPTIONS", "/", "origin: http://ok.example"),
            get("/", "origin: http://ok.example", "x-do: header=access-control-allow-origin:http://up.example")),
        // A preflight's answer is the filter's alone.
        DifferentialCase(
            "cors-own-headers",
            """
            typed_per_filter_config:
              envoy.filters.http.cors:
                "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy
                allow_origin_string_match: [{exact: "http://a.example"}]
                allow_methods: "GET,POST"
            response_headers_to_add: [{header: {key: x-host, value: "1"}}]
            routes:
            - match: {prefix: /}
              route: {cluster: a}
              response_headers_to_add: [{header: {key: x-route, value: "%RESPONSE_CODE%"}}]
            """,
            send("OPTIONS", "/", "origin: http://a.example", "access-control-request-method: GET"),
            send(
                "OPTIONS", "/", "origin: http://a.example", "access-control-request-method: GET",
                "content-type: application/grpc"),
            get("/", "origin: http://a.example")),
        DifferentialCase(
            "cors-minimal",
            """
            typed_per_filter_config:
              envoy.filters.http.cors:
                "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy
                allow_origin_string_match: [{prefix: "http://"}]
            routes: [{match: {prefix: /}, route: {cluster: a}}]
            """, get("/", "origin: http://any"),
            send("OPTIONS", "/", "origin: http://any", "access-control-request-method: PUT")),
        fault("fault-abort", "abort: {http_status: 418, percentage: {numerator: 100}}", get("/"), post("/", "x")),
        fault("fault-abort-none", "abort: {http_status: 418, percentage: {numerator: 0}}", get("/")),
        fault(
            "fault-delay", "delay: {fixed_delay: 0.05s, percentage: {numerator: 100}}", get("/")),
        fault(
            "fault-delay-abort",
            "delay: {fixed_delay: 0.05s, percentage: {numerator: 100}}\n"
                + "abort: {http_status: 503, percentage: {numerator: 100}}", get("/")),
        fault(
            "fault-headers",
            "headers: [{name: x-fault, string_match: {exact: \"yes\"}}]\n"
                + "abort: {http_status: 500, percentage: {numerator: 100}}",
            get("/"), get("/", "x-fault: yes")),
        fault(
            "fault-grpc", "abort: {grpc_status: 14, percentage: {numerator: 100}}",
            post("/s.S/M", "x", "content-type: application/grpc"), get("/")),
        fault(
            "fault-by-header", "abort: {header_abort: {}, percentage: {numerator: 100}}", get("/"),
            get("/", "x-envoy-fault-abort-request: 451"),
            get("/", "x-envoy-fault-abort-request: 451", "x-envoy-fault-abort-request-percentage: 0")),
        fault(
            "fault-cluster", "upstream_cluster: b\nabort: {http_status: 418, percentage: {numerator: 100}}", get("/")),
        DifferentialCase(
            "fault-route",
            """
            routes:
            - match: {prefix: /f}
              route: {cluster: a}
              typed_per_filter_config:
                envoy.filters.http.fault:
                  "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault
                  abort: {http_status: 418, percentage: {numerator: 100}}
            - {match: {prefix: /}, route: {cluster: a}}
            """,
            filters: """
                - name: envoy.filters.http.fault
                  typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault}
                """, get("/f"), get("/g")),
        rbac(
            "rbac-allow-path", "ALLOW", "permissions: [{url_path: {path: {prefix: /ok}}}], principals: [{any: true}]",
            [
                get("/ok"), get("/no"), get("/ok/../no"), get("/ok?x"), get("/OK"),
            ]),
        rbac(
            "rbac-port-range", "ALLOW",
            "permissions: [{destination_port_range: {start: 1, end: 65536}}], principals: [{any: true}]", [get("/")]),
        rbac(
            "rbac-port-range-other", "ALLOW",
            "permissions: [{destination_port_range: {start: 1, end: 2}}], principals: [{any: true}]", [get("/")]),
        rbac(
            "rbac-uri-template", "DENY",
            "permissions: [{uri_template: {name: envoy.path.match.uri_template.uri_template_matcher, typed_config: "
                + "{\"@type\": \(Bootstrap.type("path.match.uri_template.v3.UriTemplateMatchConfig")), "
                + "path_template: \"/users/{id}/**\"}}}], principals: [{any: true}]",
            [get("/users/1/a"), get("/users/1/a/b?q=/"), get("/users/1"), get("/users"), get("/other/1/a")]),
        rbac(
            "rbac-deny-path", "DENY", "permissions: [{url_path: {path: {exact: /secret}}}], principals: [{any: true}]",
            [get("/secret"), get("/secret?x=1"), get("/secret/"), get("/x")]),
        rbac(
            "rbac-header", "ALLOW",
            "permissions: [{header: {name: x-role, string_match: {exact: admin}}}], principals: [{any: true}]",
            [get("/", "x-role: admin"), get("/", "x-role: user"), get("/"), get("/", "x-role: admin", "x-role: user")]),
        rbac(
            "rbac-method", "ALLOW",
            "permissions: [{header: {name: \":method\", string_match: {exact: GET}}}], principals: [{any: true}]",
            [get("/"), post("/", "x")]),
        rbac(
            "rbac-and-or-not", "ALLOW",
            "permissions: [{and_rules: {rules: [{url_path: {path: {prefix: /a}}}, "
                + "{not_rule: {url_path: {path: {suffix: z}}}}]}}], principals: [{or_ids: {ids: [{header: {name: x-u, "
                + "string_match: {exact: j}}}, {header: {name: x-v, present_match: true}}]}}]",
            [get("/a", "x-u: j"), get("/az", "x-u: j"), get("/a", "x-v: 1"), get("/a"), get("/b", "x-u: j")]),
        rbac(
            "rbac-ip", "ALLOW",
            "permissions: [{any: true}], principals: [{direct_remote_ip: {address_prefix: 127.0.0.9, prefix_len: 32}}]",
            [get("/"), get("/", "x-forwarded-for: 10.1.1.1")]),
        rbac(
            "rbac-not-ip", "DENY",
            "permissions: [{any: true}], principals: [{direct_remote_ip: {address_prefix: 127.0.0.0, prefix_len: 8}}]",
            [get("/")]),
        rbac("rbac-empty", "ALLOW", "permissions: [{destination_port: 1}], principals: [{any: true}]", [get("/")]),
        DifferentialCase(
            "rbac-route",
            """
            routes:
            - match: {prefix: /open}
              route: {cluster: a}
              typed_per_filter_config:
                envoy.filters.http.rbac: {"@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute}
            - {match: {prefix: /}, route: {cluster: a}}
            """,
            filters: """
                - name: envoy.filters.http.rbac
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
                    rules: {action: ALLOW, policies: {}}
                """, get("/open"), get("/x")),
        DifferentialCase(
            "rbac-shadow",
            filters: """
                - name: envoy.filters.http.rbac
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
                    shadow_rules: {action: ALLOW, policies: {}}
                """, get("/")),
        DifferentialCase(
            "header-mutation",
            filters: """
                - name: envoy.filters.http.header_mutation
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
                    mutations:
                      request_mutations: [{append: {header: {key: x-m, value: "1"}}}, {remove: x-gone}]
                      response_mutations: [{append: {header: {key: x-n, value: "2"}}}]
                """, get("/", "x-gone: 1")),
        DifferentialCase(
            "local-rate-limit",
            filters: """
                - name: envoy.filters.http.local_ratelimit
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
                    stat_prefix: limit
                    token_bucket: {max_tokens: 2, tokens_per_fill: 2, fill_interval: 600s}
                    filter_enabled: {default_value: {numerator: 100}}
                    filter_enforced: {default_value: {numerator: 100}}
                """, get("/1"), get("/2"), get("/3")),
        DifferentialCase(
            "buffer-limit",
            filters: """
                - name: envoy.filters.http.buffer
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer
                    max_request_bytes: 8
                """, post("/", "short"), post("/", "longer than eight"),
            raw(
                "POST / HTTP/1.1\nhost: {host}\nx-id: {id}\ntransfer-encoding: chunked\n\n3\nabc\n0\n\n")),
        DifferentialCase(
            "health-check-filter",
            filters: """
                - name: envoy.filters.http.health_check
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck
                    pass_through_mode: false
                    headers: [{name: ":path", string_match: {exact: /healthz}}]
                """, get("/healthz"), get("/other")),
    ]

    private static func fault(_ name: String, _ fields: String, _ requests: Sending...) -> DifferentialCase {
        DifferentialCase(
            name, "routes: [{match: {prefix: /}, route: {cluster: a}}]",
            filters: "- name: envoy.filters.http.fault\n  typed_config:\n"
                + "    \"@type\": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault\n"
                + indent(fields, 4), requests: requests)
    }

    private static func rbac(
        _ name: String, _ action: String, _ policy: String, _ requests: [Sending]
    ) -> DifferentialCase {
        DifferentialCase(
            name, "routes: [{match: {prefix: /}, route: {cluster: a}}]",
            filters: "- name: envoy.filters.http.rbac\n  typed_config:\n"
                + "    \"@type\": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC\n"
                + "    rules: {action: \(action), policies: {policy-one: {\(policy)}}}", requests: requests)
    }

    /// Choices among endpoints that both must make alike.
    static let balancing: [DifferentialCase] =
        ["ring", "maglev"].flatMap { cluster -> [DifferentialCase] in
            let keys = (0..<12).map { "user-\($0)" }
            return [
                hash(
                    "hash-header-\(cluster)", cluster, "[{header: {header_name: x-key}}]",
                    keys.map { get("/", "x-key: \($0)") }),
                hash(
                    "hash-cookie-\(cluster)", cluster, "[{cookie: {name: sess}}]",
                    keys.map { get("/", "cookie: a=b; sess=\($0)") }),
                hash(
                    "hash-query-\(cluster)", cluster, "[{query_parameter: {name: key}}]",
                    keys.map { get("/?x=1&key=\($0)") }),
                hash(
                    "hash-source-\(cluster)", cluster, "[{connection_properties: {source_ip: true}}]",
                    [get("/"), get("/x")]),
                hash(
                    "hash-terminal-\(cluster)", cluster,
                    "[{header: {header_name: x-one}, terminal: true}, {header: {header_name: x-two}}]",
                    keys.map { get("/", "x-two: \($0)") } + [get("/", "x-one: 1", "x-two: 5"), get("/", "x-one: 1")]),
                hash(
                    "hash-two-\(cluster)", cluster, "[{header: {header_name: x-one}}, {header: {header_name: x-two}}]",
                    keys.map { get("/", "x-one: \($0)", "x-two: z\($0)") }),
            ]
        } + [
            DifferentialCase(
                "hash-cookie-made",
                routes(
                    "match: {prefix: /}, route: {cluster: a, hash_policy: [{cookie: {name: sess, ttl: 60s, path: /}}]}"),
                get("/", "cookie: sess=1"))
        ]

    private static func hash(_ name: String, _ cluster: String, _ policy: String, _ requests: [Sending])
        -> DifferentialCase
    {
        DifferentialCase(
            name, routes("match: {prefix: /}, route: {cluster: \(cluster), hash_policy: \(policy)}"),
            requests: requests)
    }
}
