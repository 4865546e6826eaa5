extension HandWritten {
    /// Access log formats and filters.
    static let observing: [DifferentialCase] = operatorCases + filterCases + traceCases

    /// An access log beside the common one, whose lines name the exchange too.
    static func log(_ fields: String, filter: String? = nil, more: String = "") -> String {
        let file =
            "{\"@type\": \(Bootstrap.type("access_loggers.file.v3.FileAccessLog")), path: {logpath}, "
            + "log_format: {json_format: {id: \"%REQ(X-ID)%\", \(fields)}\(more)}}"
        return "{name: more, \(filter.map { "filter: {\($0)}, " } ?? "")typed_config: \(file)}"
    }

    static func fields(_ operators: [String]) -> String {
        operators.enumerated().map { "f\($0.offset): \"\($0.element)\"" }.joined(separator: ", ")
    }

    private static let operatorCases: [DifferentialCase] = [
        DifferentialCase(
            "log-operators",
            routes(
                "match: {prefix: /named}, name: named, route: {cluster: a}",
                "match: {prefix: /direct}, direct_response: {status: 418, body: {inline_string: tea}}",
                "match: {prefix: /dead}, route: {cluster: empty}", "match: {prefix: /}, route: {cluster: a}"),
            get("/named?q=1&w=2", "x-a: abc", "user-agent: ua"), get("/direct"), get("/dead"),
            post("/", "hello", "x-a: \"quoted\""), send("HEAD", "/")
        ).logging(
            log(
                fields([
                    "%REQ(X-A)%", "%REQ(X-A):2%", "%REQ(X-NONE?X-A)%", "%REQ(X-NONE)%", "%REQ(:PATH)%",
                    "%REQ(:METHOD):2%", "%REQ(:AUTHORITY)%", "%RESP(X-UPSTREAM)%", "%RESP(:STATUS)%",
                    "%RESP(CONTENT-LENGTH?X-NONE)%", "%TRAILER(X-NONE)%", "%PROTOCOL%", "%UPSTREAM_PROTOCOL%",
                    "%RESPONSE_CODE%", "code=%RESPONSE_CODE%", "%RESPONSE_FLAGS%", "%RESPONSE_FLAGS_LONG%",
                    "%ROUTE_NAME%", "%UPSTREAM_HOST%", "%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
                    "%UPSTREAM_REMOTE_PORT%", "%UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%", "%UPSTREAM_CLUSTER_RAW%",
                    "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
                    "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%", "%DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT%",
                    "%BYTES_RECEIVED%", "%BYTES_SENT%", "%REQUESTED_SERVER_NAME%", "%FILTER_CHAIN_NAME%",
                    "%ACCESS_LOG_TYPE%", "%QUERY_PARAM(q)%", "%QUERY_PARAM(none)%", "%GRPC_STATUS%",
                    "%GRPC_STATUS_NUMBER%", "%UPSTREAM_REQUEST_ATTEMPT_COUNT%", "%VIRTUAL_CLUSTER_NAME%",
                    "%DYNAMIC_METADATA(none:key)%", "%CONNECTION_TERMINATION_DETAILS%", "%HOSTNAME%", "100%%",
                    "%UPSTREAM_HOST_NAME%", "%ENVIRONMENT(WEFT_TEST_NONE)%",
                ]))),
        DifferentialCase(
            "log-grpc", DifferentialCase.toA, post("/s.S/M", "x", "content-type: application/grpc"),
            post("/s.S/M", "x", "content-type: application/grpc", "x-do: header=grpc-status:5")
        ).logging(
            log(fields(["%GRPC_STATUS%", "%GRPC_STATUS(SNAKE_STRING)%", "%GRPC_STATUS(NUMBER)%"]))),
        DifferentialCase(
            "log-attempts",
            route("prefix: /", "route: {cluster: a, retry_policy: {retry_on: \"5xx\", num_retries: 3}}"), get("/"),
            get("/", "x-do: status=503|status=503|status=200")
        ).logging(
            log(
                fields([
                    "%UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT%", "%UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT%",
                    "%UPSTREAM_TLS_VERSION%", "%DOWNSTREAM_TLS_CIPHER%", "%UPSTREAM_PEER_SUBJECT%",
                ]))),
        DifferentialCase("log-nested", get("/", "x-a: 1"), get("/"))
            .logging(
                log("o: {a: \"%REQ(X-A)%\", n: 7, b: true}, l: [\"%PROTOCOL%\", \"x\"]"),
                log(fields(["%REQ(X-A)%", "v=%REQ(X-A)%", "%RESPONSE_CODE%"]), more: ", omit_empty_values: true")),
        DifferentialCase("log-path", manager: "normalize_path: true", get("/a/../b?x=1"), get("/c"))
            .logging(log(fields(["%REQ(:PATH)%", "%PATH(NQ)%", "%PATH(WQ:PATH)%", "%PATH(NQ:ORIG)%"]))),
        DifferentialCase("log-without-query", get("/a?x=1", "x-a: b?c?d"), get("/c"), get("/?"))
            .logging(
                log(
                    fields([
                        "%REQ_WITHOUT_QUERY(:PATH)%", "%REQ_WITHOUT_QUERY(X-NONE?X-A)%", "%REQ_WITHOUT_QUERY(:PATH):1%",
                        "%REQ_WITHOUT_QUERY(X-NONE)%", "%METADATA(DYNAMIC:none:key)%",
                    ]),
                    more: ", formatters: [{name: q, typed_config: {\"@type\": "
                        + "\(Bootstrap.type("formatter.req_without_query.v3.ReqWithoutQuery"))}}, {name: m, typed_config: "
                        + "{\"@type\": \(Bootstrap.type("formatter.metadata.v3.Metadata"))}}]")),
        DifferentialCase(
            "log-rewritten", route("prefix: /old", "route: {cluster: a, prefix_rewrite: /new}"), get("/old/x?y=1")
        ).logging(
            log(fields(["%REQ(:PATH)%", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "%PATH(NQ:ORIG)%", "%PATH(NQ:PATH)%"]))),
        DifferentialCase(
            "header-operators",
            route(
                "prefix: /", "route: {cluster: a}",
                """
                request_headers_to_add:
                - {header: {key: x-limited, value: "%REQ(X-A):3%"}}
                - {header: {key: x-other, value: "%REQ(X-NONE?X-A)%"}}
                - {header: {key: x-text, value: "a%%b-%PROTOCOL%"}}
                - {header: {key: x-query, value: "%QUERY_PARAM(q)%"}}
                response_headers_to_add:
                - {header: {key: x-code, value: "%RESPONSE_CODE%"}}
                - {header: {key: x-from, value: "%RESP(X-UPSTREAM)%"}}
                - {header: {key: x-host, value: "%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}}
                """), get("/?q=7", "x-a: abcdef"), get("/")),
    ]

    private static func filtered(_ name: String, _ filter: String, _ requests: Sending...) -> DifferentialCase {
        DifferentialCase(
            name,
            routes(
                "match: {prefix: /teapot}, direct_response: {status: 418}",
                "match: {prefix: /dead}, route: {cluster: empty}", "match: {prefix: /}, route: {cluster: a}"),
            requests: requests
        ).logging(log("seen: \"yes\"", filter: filter))
    }

    private static func status(_ operation: String, _ value: Int) -> String {
        "status_code_filter: {comparison: {op: \(operation), value: {default_value: \(value), runtime_key: k}}}"
    }

    private static let filterCases: [DifferentialCase] = [
        filtered("log-filter-status-ge", status("GE", 400), get("/"), get("/teapot"), get("/dead")),
        filtered("log-filter-status-eq", status("EQ", 418), get("/"), get("/teapot")),
        filtered("log-filter-status-le", status("LE", 200), get("/"), get("/teapot")),
        filtered("log-filter-status-ne", status("NE", 418), get("/"), get("/teapot")),
        filtered(
            "log-filter-duration",
            "duration_filter: {comparison: {op: GE, value: {default_value: 60000, runtime_key: k}}}", get("/")),
        filtered(
            "log-filter-header", "header_filter: {header: {name: x-log, string_match: {exact: \"yes\"}}}",
            get("/"), get("/", "x-log: yes")),
        filtered("log-filter-flags", "response_flag_filter: {flags: [UH]}", get("/"), get("/dead"), get("/teapot")),
        filtered("log-filter-any-flag", "response_flag_filter: {}", get("/"), get("/dead")),
        filtered(
            "log-filter-grpc", "grpc_status_filter: {statuses: [NOT_FOUND, UNAVAILABLE]}", get("/"), get("/dead"),
            get("/", "x-do: header=grpc-status:5")),
        filtered(
            "log-filter-grpc-exclude", "grpc_status_filter: {statuses: [UNKNOWN], exclude: true}", get("/"),
            get("/", "x-do: header=grpc-status:0")),
        filtered(
            "log-filter-and",
            "and_filter: {filters: [{\(status("GE", 400))}, {header_filter: {header: {name: x-log, present_match: true}}}]}",
            get("/teapot"), get("/teapot", "x-log: 1"), get("/", "x-log: 1")),
        filtered(
            "log-filter-or",
            "or_filter: {filters: [{\(status("GE", 400))}, {header_filter: {header: {name: x-log, present_match: true}}}]}",
            get("/"), get("/teapot"), get("/", "x-log: 1")),
        filtered(
            "log-filter-runtime-all", "runtime_filter: {runtime_key: k, percent_sampled: {numerator: 100}}", get("/")),
        filtered(
            "log-filter-runtime-none", "runtime_filter: {runtime_key: k, percent_sampled: {numerator: 0}}", get("/")),
        filtered(
            "log-filter-runtime-off",
            "runtime_filter: {runtime_key: weft.none, percent_sampled: {numerator: 100}}", get("/")),
        filtered(
            "log-filter-runtime-on",
            "runtime_filter: {runtime_key: weft.all, percent_sampled: {numerator: 0}}", get("/")),
        filtered(
            "log-filter-status-runtime",
            "status_code_filter: {comparison: {op: GE, value: {default_value: 600, runtime_key: weft.status}}}",
            get("/"), get("/teapot")),
        filtered("log-filter-not-health-check", "not_health_check_filter: {}", get("/")),
        filtered("log-filter-type", "log_type_filter: {types: [DownstreamEnd]}", get("/")),
        filtered("log-filter-type-other", "log_type_filter: {types: [DownstreamEnd], exclude: true}", get("/")),
        filtered(
            "log-filter-metadata",
            "metadata_filter: {matcher: {filter: none, path: [{key: k}], value: {present_match: true}}, "
                + "match_if_key_not_found: false}", get("/")),
        filtered("log-filter-traceable", "traceable_filter: {}", get("/")),
    ]

    private static let id = "x-request-id: 0000000a-1111-4222-8333-444444444444"

    private static func traced(_ name: String, _ more: String, _ requests: Sending...) -> DifferentialCase {
        let zipkin =
            "{\"@type\": type.googleapis.com/envoy.config.trace.v3.ZipkinConfig, collector_cluster: dead, "
            + "collector_endpoint: /api/v2/spans, collector_endpoint_version: HTTP_JSON}"
        return DifferentialCase(
            name, DifferentialCase.toA,
            manager:
                "tracing: {provider: {name: z, typed_config: \(zipkin)}\(more)}\npreserve_external_request_id: true",
            requests: requests
        ).logging(
            log("seen: \"%REQ(X-REQUEST-ID)%\""),
            log("demanded: \"%REQ(X-REQUEST-ID)%\"", filter: "traceable_filter: {}"))
    }

    /// The sampling decision, where it travels, and the context that is passed on.
    private static let traceCases: [DifferentialCase] = [
        traced(
            "trace-none", ", random_sampling: {value: 0}", get("/", id),
            get("/", id, "x-client-trace-id: c")),
        traced("trace-all", "", get("/", id), get("/", "x-request-id: no-uuid")),
        traced(
            "trace-overall-none", ", overall_sampling: {value: 0}", get("/", id),
            get("/", id, "x-client-trace-id: c")),
        traced(
            "trace-decided", ", random_sampling: {value: 0}",
            get("/", "x-request-id: 0000000a-1111-9222-8333-444444444444"),
            get("/", "x-request-id: 0000000a-1111-a222-8333-444444444444"),
            get("/", "x-request-id: 0000000a-1111-b222-8333-444444444444")),
        traced(
            "trace-random", ", random_sampling: {value: 0.1}",
            get("/", "x-request-id: 00000001-1111-4222-8333-444444444444"),
            get("/", "x-request-id: 0000000a-1111-4222-8333-444444444444"),
            get("/", "x-request-id: 00002710-1111-4222-8333-444444444444")),
    ]
}
