extension HandWritten {
    /// Path, query, method and order of routes.
    static let routing: [DifferentialCase] = [
        DifferentialCase("plain", get("/")),
        DifferentialCase(
            "path-exact", route("path: /exact"), get("/exact"), get("/exact?q=1"), get("/exact/"), get("/Exact"),
            get("/exac"), get("/exact#part")),
        DifferentialCase(
            "path-prefix", route("prefix: /pre"), get("/pre"), get("/prefix"), get("/pre/x?y=z"), get("/pr"),
            get("/PRE")),
        DifferentialCase(
            "path-no-case", routes("match: {path: /One, case_sensitive: false}, route: {cluster: a}"),
            get("/one"), get("/ONE"), get("/oNe?A=b"), get("/two")),
        DifferentialCase(
            "prefix-no-case", routes("match: {prefix: /One, case_sensitive: false}, route: {cluster: a}"),
            get("/onetwo"), get("/ONE/x"), get("/tw")),
        DifferentialCase(
            "path-separated", route("path_separated_prefix: /api"), get("/api"), get("/api/v1"), get("/apiv1"),
            get("/api?x"), get("/api/"), get("/API")),
        DifferentialCase(
            "path-regex", route(#"safe_regex: {regex: "/[a-z]+/\\d{2,3}"}"#), get("/abc/12"), get("/abc/1234"),
            get("/abc/12?q=/"), get("/abc/12/"), get("/a/1"), get("/ABC/12")),
        DifferentialCase(
            "path-regex-alternation", route(#"safe_regex: {regex: "/(a|ab)(c|bcd)(d*)"}"#), get("/abcd"), get("/acdd"),
            get("/abbcdd"), get("/ab")),
        DifferentialCase(
            "path-template",
            """
            routes:
            - match:
                path_match_policy:
                  name: t
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig
                    path_template: "/users/{id}/**"
              route: {cluster: a}
            """, get("/users/7/x/y"), get("/users/7"), get("/users//x"), get("/user/7/x")),
        DifferentialCase(
            "first-match",
            routes(
                "name: one, match: {prefix: /a}, route: {cluster: a}",
                "name: two, match: {path: /ab}, route: {cluster: b}",
                "name: rest, match: {prefix: /}, route: {cluster: c}"),
            get("/ab"), get("/b"), get("/a")),
        DifferentialCase("no-route", route("path: /only"), get("/other"), post("/other", "body")),
        DifferentialCase(
            "unknown-host", get("/", "host: nobody.example"), get("/", "host: unknown-host.test.more")),
        DifferentialCase("host-case", get("/", "host: HOST-case.TEST")),
        DifferentialCase("host-port", get("/", "host: host-port.test:80"), get("/", "host: host-port.test:")),
        DifferentialCase("host-dot", get("/", "host: host-dot.test.")),
        DifferentialCase(
            "query-exact",
            routes(
                "match: {prefix: /, query_parameters: [{name: v, string_match: {exact: one}}]}, route: {cluster: a}",
                "match: {prefix: /, query_parameters: [{name: debug, present_match: true}]}, route: {cluster: b}",
                "match: {prefix: /}, route: {cluster: c}"),
            get("/?v=one"), get("/?v=two"), get("/?x=1&v=one"), get("/?v=one&v=two"), get("/?v=two&v=one"),
            get("/?debug"), get("/?debug=1"), get("/?V=one"), get("/?v=o%6Ee"), get("/?"), get("/?v")),
        DifferentialCase(
            "query-regex",
            routes(
                #"match: {prefix: /, query_parameters: [{name: num, string_match: {safe_regex: {regex: "[0-9]+"}}}]}, "#
                    + "route: {cluster: a}"),
            get("/?num=12"), get("/?num=12a"), get("/?num="), get("/?num=1&num=x")),
        DifferentialCase(
            "method-match",
            routes(
                "match: {prefix: /, headers: [{name: \":method\", string_match: {exact: POST}}]}, route: {cluster: a}",
                "match: {prefix: /, headers: [{name: \":method\", string_match: {prefix: P}}]}, route: {cluster: b}",
                "match: {prefix: /}, route: {cluster: c}"),
            get("/"), post("/", "x"), request("PUT", "/", ["content-length: 0"]), send("HEAD", "/"),
            send("DELETE", "/"), send("FROB", "/"), send("get", "/")),
        DifferentialCase(
            "authority-match",
            routes(
                "match: {prefix: /, headers: [{name: \":authority\", string_match: {suffix: \".test\"}}]}, "
                    + "route: {cluster: a}"),
            get("/")),
        DifferentialCase(
            "grpc-only", routes("match: {prefix: /, grpc: {}}, route: {cluster: a}"),
            post("/s.S/M", "x", "content-type: application/grpc"),
            post("/s.S/M", "x", "content-type: application/grpc+proto"),
            post("/s.S/M", "x", "content-type: application/grpcx"), get("/")),
        DifferentialCase(
            "fraction",
            routes(
                "match: {prefix: /, runtime_fraction: {default_value: {numerator: 0}}}, route: {cluster: a}",
                "match: {prefix: /, runtime_fraction: {default_value: {numerator: 100}}}, route: {cluster: b}"),
            get("/"), get("/x")),
        DifferentialCase(
            "tls-context",
            routes(
                "match: {prefix: /, tls_context: {presented: true}}, route: {cluster: a}",
                "match: {prefix: /}, route: {cluster: b}"), get("/")),
        DifferentialCase(
            "cluster-header", routes("match: {prefix: /}, route: {cluster_header: x-to}"), get("/", "x-to: b"),
            get("/", "x-to: nowhere"), get("/")),
        DifferentialCase(
            "cluster-missing-404",
            routes(
                "match: {prefix: /}, route: {cluster_header: x-to, cluster_not_found_response_code: NOT_FOUND}"),
            get("/", "x-to: nowhere")),
        DifferentialCase("empty-cluster", routes("match: {prefix: /}, route: {cluster: empty}"), get("/")),
        DifferentialCase("dead-cluster", routes("match: {prefix: /}, route: {cluster: dead}"), get("/")),
        DifferentialCase(
            "weighted-all-one",
            routes(
                "match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: a, weight: 0}, "
                    + "{name: b, weight: 100, request_headers_to_add: [{header: {key: x-w, value: b}}], "
                    + "response_headers_to_add: [{header: {key: x-wr, value: b}}], "
                    + "request_headers_to_remove: [x-gone]}]}}"),
            get("/", "x-gone: 1"), get("/x")),
        DifferentialCase(
            "require-tls", "require_tls: ALL\n" + route("prefix: /"), get("/a?b=c"), post("/x", "body")),
    ]

    /// Every form of header matcher.
    static let headerMatching: [DifferentialCase] = [
        headerCase("header-exact", "{name: x-h, string_match: {exact: one}}", ["one", "One", "one ", "oneone", ""]),
        headerCase(
            "header-exact-no-case", "{name: x-h, string_match: {exact: One, ignore_case: true}}",
            ["one", "ONE", "two"]),
        headerCase("header-prefix", "{name: x-h, string_match: {prefix: \"on\"}}", ["one", "on", "xon", "ON"]),
        headerCase("header-suffix", "{name: x-h, string_match: {suffix: ne}}", ["one", "ne", "nex", "NE"]),
        headerCase("header-contains", "{name: x-h, string_match: {contains: \"n\"}}", ["one", "n", "xx", "N"]),
        headerCase(
            "header-contains-no-case", "{name: x-h, string_match: {contains: Ne, ignore_case: true}}",
            ["oNE", "ne", "xx"]),
        headerCase(
            "header-regex", #"{name: x-h, string_match: {safe_regex: {regex: "o[a-z]e|two"}}}"#,
            ["one", "two", "ones", "xone", "oNe"]),
        headerCase(
            "header-range", "{name: x-h, range_match: {start: -5, end: 10}}",
            [
                "-5", "10", "9", "-6", "1.5", "+3", "x", " 7", "0x5", "9999999999999999999999",
            ]),
        headerCase("header-present", "{name: x-h, present_match: true}", ["", "x"]),
        headerCase("header-absent", "{name: x-h, present_match: false}", ["", "x"]),
        headerCase(
            "header-inverted", "{name: x-h, string_match: {exact: one}, invert_match: true}", ["one", "two", ""]),
        headerCase(
            "header-inverted-range", "{name: x-h, range_match: {start: 1, end: 3}, invert_match: true}",
            [
                "1", "3", "x",
            ]),
        headerCase("header-inverted-present", "{name: x-h, present_match: true, invert_match: true}", ["one"]),
        headerCase(
            "header-missing-as-empty",
            "{name: x-h, string_match: {exact: \"\"}, treat_missing_header_as_empty: true}", ["", "x"]),
        headerCase(
            "header-missing-inverted",
            "{name: x-h, string_match: {exact: a}, invert_match: true, treat_missing_header_as_empty: true}",
            ["a", "b"]),
        DifferentialCase(
            "header-twice",
            routes(
                "match: {prefix: /, headers: [{name: x-h, string_match: {exact: \"one,two\"}}]}, route: {cluster: a}",
                "match: {prefix: /, headers: [{name: x-h, string_match: {exact: one}}]}, route: {cluster: b}",
                "match: {prefix: /}, route: {cluster: c}"),
            get("/", "x-h: one", "x-h: two"), get("/", "x-h: one"), get("/", "x-h: two", "x-h: one"),
            get("/", "x-h: one, two")),
        DifferentialCase(
            "headers-and",
            routes(
                "match: {prefix: /, headers: [{name: x-a, string_match: {exact: \"1\"}}, "
                    + "{name: x-b, present_match: true}]}, route: {cluster: a}"),
            get("/", "x-a: 1", "x-b: 2"), get("/", "x-a: 1"), get("/", "x-b: 2")),
        DifferentialCase(
            "header-cookie",
            routes(
                #"match: {prefix: /, headers: [{name: cookie, string_match: {safe_regex: {regex: "^(.*?;)?(u=j)(;.*)?$"}}}]}, "#
                    + "route: {cluster: a}", "match: {prefix: /}, route: {cluster: b}"),
            get("/", "cookie: a=b;u=j"), get("/", "cookie: u=j"), get("/", "cookie: u=jj"),
            get("/", "cookie: a=b", "cookie: u=j")),
    ]

    private static func headerCase(_ name: String, _ matcher: String, _ values: [String]) -> DifferentialCase {
        DifferentialCase(
            name,
            routes(
                "match: {prefix: /, headers: [\(matcher)]}, route: {cluster: a}",
                "match: {prefix: /}, route: {cluster: b}"),
            requests: [get("/")] + values.map { get("/", "x-h: \($0)") })
    }
}
