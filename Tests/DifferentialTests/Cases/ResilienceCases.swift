extension HandWritten {
    /// Time limits. Delays are far longer than limits, so that a slow machine gives the same answer.
    static let timing: [DifferentialCase] = [
        DifferentialCase(
            "timeout", routes("match: {prefix: /}, route: {cluster: a, timeout: 0.2s}"), get("/", "x-do: delay=2000"),
            get("/"), send("HEAD", "/", "x-do: delay=2000")),
        DifferentialCase(
            "timeout-header", routes("match: {prefix: /}, route: {cluster: a, timeout: 5s}"),
            get("/", "x-do: delay=2000", "x-envoy-upstream-rq-timeout-ms: 100"),
            get("/", "x-do: delay=2000", "x-envoy-upstream-rq-timeout-ms: junk", "x-envoy-expected-rq-timeout-ms: 9")),
        DifferentialCase(
            "timeout-off", routes("match: {prefix: /}, route: {cluster: a, timeout: 0s}"), get("/", "x-do: delay=300")),
        DifferentialCase(
            "per-try-timeout",
            routes(
                "match: {prefix: /}, route: {cluster: a, timeout: 5s, retry_policy: {retry_on: 5xx, num_retries: 1, "
                    + "per_try_timeout: 0.2s}}"),
            get("/", "x-do: delay=2000|status=200"), get("/", "x-do: delay=2000|delay=2000")),
        DifferentialCase(
            "per-try-no-retry",
            routes(
                "match: {prefix: /}, route: {cluster: a, timeout: 5s, retry_policy: {retry_on: connect-failure, "
                    + "per_try_timeout: 0.2s}}"), get("/", "x-do: delay=2000")),
        DifferentialCase(
            "stream-idle", routes("match: {prefix: /}, route: {cluster: a, timeout: 5s, idle_timeout: 0.2s}"),
            get("/", "x-do: delay=2000")),
        DifferentialCase(
            "max-stream-duration",
            routes(
                "match: {prefix: /}, route: {cluster: a, timeout: 5s, max_stream_duration: "
                    + "{max_stream_duration: 0.2s}}"), get("/", "x-do: delay=2000")),
        DifferentialCase(
            "grpc-timeout",
            routes(
                "match: {prefix: /}, route: {cluster: a, max_stream_duration: {grpc_timeout_header_max: 1s}}"),
            post("/s.S/M", "x", "content-type: application/grpc", "grpc-timeout: 200m", "x-do: delay=2000"),
            post("/s.S/M", "x", "content-type: application/grpc", "grpc-timeout: 99999999H")),
    ]

    /// Conditions, counts and what the upstream sees.
    static let retrying: [DifferentialCase] = [
        retry(
            "retry-5xx", "retry_on: 5xx, num_retries: 2",
            [
                "status=503|status=200", "status=500|status=501|status=200", "status=503|status=503|status=503",
                "status=404",
                "reset|status=200", "fin|status=200", "garbage|status=200", "reset|reset|reset",
            ]),
        retry(
            "retry-gateway", "retry_on: gateway-error, num_retries: 1",
            [
                "status=502|status=200", "status=503|status=200", "status=504|status=200", "status=500|status=200",
                "reset|status=200",
            ]),
        retry(
            "retry-reset", "retry_on: reset, num_retries: 1",
            [
                "reset|status=200", "fin|status=200", "status=503|status=200",
            ]),
        retry(
            "retry-connect", "retry_on: connect-failure, num_retries: 1", ["status=503|status=200", "reset|status=200"]),
        retry(
            "retry-4xx", "retry_on: retriable-4xx, num_retries: 1", ["status=409|status=200", "status=404|status=200"]),
        retry(
            "retry-codes", "retry_on: retriable-status-codes, retriable_status_codes: [418, 429], num_retries: 1",
            ["status=418|status=200", "status=429|status=200", "status=503|status=200"]),
        retry(
            "retry-headers",
            "retry_on: retriable-headers, retriable_headers: [{name: x-again, present_match: true}], num_retries: 1",
            ["header=x-again:1|status=200", "status=503|status=200"]),
        retry(
            "retry-request-headers",
            "retry_on: 5xx, retriable_request_headers: [{name: x-may, present_match: true}], num_retries: 1",
            ["status=503|status=200"]),
        retry(
            "retry-ratelimited", "retry_on: envoy-ratelimited, num_retries: 1",
            ["status=429;header=x-envoy-ratelimited:true|status=200", "status=429|status=200"]),
        retry("retry-default-count", "retry_on: 5xx", ["status=503|status=503|status=200"]),
        retry(
            "retry-rate-limited-back-off",
            "retry_on: 5xx, num_retries: 1, rate_limited_retry_back_off: "
                + "{reset_headers: [{name: retry-after, format: SECONDS}], max_interval: 0.1s}",
            ["status=503;header=retry-after:1|status=200"]),
        DifferentialCase(
            "retry-body", routes("match: {prefix: /}, route: {cluster: a, retry_policy: {retry_on: 5xx}}"),
            post("/", "the body", "x-do: status=503|status=200"),
            raw(
                "POST / HTTP/1.1\nhost: {host}\nx-id: {id}\nx-do: status=503|status=200\ntransfer-encoding: chunked\n\n"
                    + "3\nabc\n2\nde\n0\n\n")),
        DifferentialCase(
            "retry-by-header", get("/", "x-envoy-retry-on: 5xx", "x-do: status=503|status=200"),
            get("/", "x-envoy-retry-on: 5xx", "x-envoy-max-retries: 3", "x-do: status=503|status=503|status=200"),
            get("/", "x-envoy-retry-grpc-on: unavailable", "x-do: header=grpc-status:14|status=200")),
        DifferentialCase(
            "retry-by-added-headers",
            """
            request_headers_to_add: [{header: {key: x-may, value: "yes"}}]
            request_headers_to_remove: [x-gone]
            routes:
            - match: {prefix: /may}
              route:
                cluster: a
                retry_policy: {retry_on: 5xx, retriable_request_headers: [{name: x-may, present_match: true}]}
            - match: {prefix: /gone}
              route:
                cluster: a
                retry_policy: {retry_on: 5xx, retriable_request_headers: [{name: x-gone, present_match: true}]}
            - match: {prefix: /path}
              route:
                cluster: a
                prefix_rewrite: /new
                retry_policy:
                  retry_on: 5xx
                  retriable_request_headers: [{name: ":path", string_match: {prefix: /new}}]
            - match: {prefix: /on}
              request_headers_to_add:
              - {header: {key: x-envoy-retry-on, value: 5xx}}
              - {header: {key: x-envoy-max-retries, value: "2"}}
              route: {cluster: a}
            """, get("/may", "x-do: status=503|status=200"), get("/gone", "x-gone: 1", "x-do: status=503|status=200"),
            get("/path", "x-do: status=503|status=200"), get("/on", "x-do: status=503|status=503|status=200")),
        retry(
            "retry-grpc", "retry_on: unavailable, num_retries: 1",
            [
                "header=grpc-status:14|status=200", "header=grpc-status:13|status=200",
            ]),
        DifferentialCase(
            "retry-vhost",
            """
            retry_policy: {retry_on: 5xx, num_retries: 1}
            routes:
            - {match: {prefix: /own}, route: {cluster: a, retry_policy: {retry_on: reset}}}
            - {match: {prefix: /}, route: {cluster: a}}
            """, get("/", "x-do: status=503|status=200"), get("/own", "x-do: status=503|status=200")),
        DifferentialCase(
            "upstream-failures", get("/", "x-do: reset"), get("/", "x-do: fin"), get("/", "x-do: garbage"),
            get("/", "x-do: cut").closing(), get("/", "x-do: close"), get("/", "x-do: status=204"),
            get("/", "x-do: status=304"), get("/", "x-do: hint"), get("/", "x-do: chunked"),
            get("/", "x-do: trailer=x-t:1")),
        DifferentialCase(
            "internal-redirect",
            routes(
                "match: {prefix: /first}, route: {cluster: a, internal_redirect_policy: {max_internal_redirects: 1, "
                    + "redirect_response_codes: [302]}}", "match: {prefix: /second}, route: {cluster: b}"),
            get("/first", "x-do: status=302;header=location:http://internal-redirect.test/second|status=200"),
            get("/first", "x-do: status=301;header=location:http://internal-redirect.test/second|status=200")),
    ]

    private static func retry(_ name: String, _ policy: String, _ scripts: [String]) -> DifferentialCase {
        DifferentialCase(
            name, routes("match: {prefix: /}, route: {cluster: a, retry_policy: {\(policy)}}"),
            requests: scripts.map { get("/", "x-do: \($0)") })
    }

    static let mirroring: [DifferentialCase] = [
        DifferentialCase(
            "mirror",
            routes("match: {prefix: /}, route: {cluster: a, request_mirror_policies: [{cluster: b}]}"),
            get("/x?y=1").reaching(2), post("/", "some body").reaching(2),
            get("/", "host: mirror.test:80").reaching(0)),
        DifferentialCase(
            "mirror-two",
            routes(
                "match: {prefix: /}, route: {cluster: a, request_mirror_policies: [{cluster: b}, {cluster: c}]}"),
            get("/").reaching(3)),
        DifferentialCase(
            "mirror-none",
            routes(
                "match: {prefix: /}, route: {cluster: a, request_mirror_policies: [{cluster: b, runtime_fraction: "
                    + "{default_value: {numerator: 0}}}]}"), get("/")),
        DifferentialCase(
            "mirror-rewritten",
            routes(
                "match: {prefix: /o}, route: {cluster: a, prefix_rewrite: /n, request_mirror_policies: [{cluster: b}]}"),
            get("/o").reaching(2)),
        DifferentialCase(
            "mirror-dead",
            routes("match: {prefix: /}, route: {cluster: a, request_mirror_policies: [{cluster: dead}]}"),
            get("/")),
    ]
}
