import TestSupport

/// HTTP/2 from clients, towards upstreams, and gRPC over both.
extension HandWritten {
    /// Cases of HTTP/1 whose requests mean the same in HTTP/2, put in frames of HTTP/2.
    static let overHTTP2: [DifferentialCase] =
        (routing + headerMatching + rewriting + replying + manipulating + retrying + mirroring + balancing + filtering
        + paths)
        .filter { one in one.chain == nil && one.listener == nil && one.requests.allSatisfy(\.isPlainMessage) }
        .map { $0.overHTTP2() }

    private static func grpc(_ name: String, _ script: String, _ more: String..., body: String = "\0\0\0\0\u{1}x")
        -> Sending
    {
        request(
            "POST", "/pkg.Service/\(name)",
            ["content-type: application/grpc", "te: trailers", "x-do: \(script)", "content-length: \(body.utf8.count)"]
                + more, body: body
        ).http2()
    }
    private static let toH2 = routes("match: {prefix: /}, route: {cluster: h2}")

    private static let ok = "header=content-type:application/grpc;trailer=grpc-status:0;trailer=grpc-message:fine"

    static let grpcCases: [DifferentialCase] = [
        DifferentialCase(
            "grpc-unary", toH2, grpc("Ok", ok), grpc("Empty", ok + ";size=0"), grpc("Large", ok + ";size=100000"),
            grpc("Failed", "header=content-type:application/grpc;trailer=grpc-status:5;trailer=grpc-message:no%20such"),
            grpc("Only", "only;header=content-type:application/grpc;trailer=grpc-status:12;trailer=grpc-message:none"),
            grpc("NoStatus", "header=content-type:application/grpc"), grpc("Http", "status=503"),
            grpc("Http404", "status=404"), grpc("Interim", "hint;" + ok)),
        DifferentialCase(
            "grpc-streaming", toH2, grpc("Echo", "echo", body: "\0\0\0\0\u{1}a\0\0\0\0\u{1}b"),
            grpc("EchoLarge", "echo", body: String(repeating: "m", count: 40_000))),
        DifferentialCase(
            "grpc-resets", toH2, grpc("Internal", "rst=2"), grpc("Refused", "rst=7"), grpc("Cancel", "rst=8"),
            grpc("NoError", "rst=0"), grpc("Calm", "rst=11"), grpc("Cut", "cut;header=content-type:application/grpc")),
        DifferentialCase(
            "grpc-stats", toH2,
            filters: """
                - name: envoy.filters.http.grpc_stats
                  typed_config:
                    "@type": \(Bootstrap.type("filters.http.grpc_stats.v3.FilterConfig"))
                    emit_filter_state: true
                    stats_for_all_methods: true
                    enable_upstream_stats: true
                """,
            grpc("Echo", "echo", body: "\0\0\0\0\u{1}a\0\0\0\0\u{1}b"), grpc("Ok", ok + ";size=0"),
            grpc("Only", "only;header=content-type:application/grpc;trailer=grpc-status:12"),
            grpc("None", ok + ";size=0", body: ""), get("/", "x-do: " + ok).http2()
        ).logging(
            log(
                fields([
                    "%FILTER_STATE(envoy.filters.http.grpc_stats:PLAIN)%",
                    "%FILTER_STATE(envoy.filters.http.grpc_stats:TYPED)%",
                    "%FILTER_STATE(envoy.filters.http.grpc_stats)%", "%GRPC_STATUS%",
                ]))),
        DifferentialCase(
            "grpc-own-replies",
            routes(
                "match: {prefix: /pkg.Service/Dead}, route: {cluster: dead}",
                "match: {prefix: /pkg.Service/Empty}, route: {cluster: empty}",
                "match: {prefix: /pkg.Service/Direct}, direct_response: {status: 403, body: {inline_string: denied}}",
                "match: {prefix: /pkg.Service/Slow}, route: {cluster: h2, timeout: 0.2s}"),
            // Without a body: whether its bytes come before the connection is refused is chance.
            grpc("Dead", "", body: ""), grpc("Empty", ""), grpc("Direct", ""), grpc("Slow", "delay=2000"),
            grpc("None", "")),
        DifferentialCase(
            "grpc-deadline",
            routes(
                "match: {prefix: /pkg.Service/Max}, route: {cluster: h2, max_stream_duration: {grpc_timeout_header_max: 5s}}",
                "match: {prefix: /pkg.Service/Zero}, route: {cluster: h2, timeout: 0s, max_stream_duration: {grpc_timeout_header_max: 0s}}",
                "match: {prefix: /}, route: {cluster: h2}"),
            grpc("Max", "delay=2000;" + ok, "grpc-timeout: 200m"), grpc("Max", ok, "grpc-timeout: 1S"),
            grpc("Zero", "delay=2000;" + ok, "grpc-timeout: 200m"), grpc("Plain", ok, "grpc-timeout: 1S")),
        DifferentialCase(
            "grpc-retry",
            routes(
                "match: {prefix: /}, route: {cluster: h2, retry_policy: {retry_on: \"unavailable,cancelled,refused-stream\", "
                    + "num_retries: 1, retry_back_off: {base_interval: 0.002s}}}"),
            grpc("Unavailable", "only;trailer=grpc-status:14|" + ok),
            grpc("Cancelled", "only;trailer=grpc-status:1|" + ok),
            grpc("Internal", "only;trailer=grpc-status:13|" + ok), grpc("Refused", "rst=7|" + ok),
            grpc("Late", "trailer=grpc-status:14|" + ok)),
        DifferentialCase(
            "grpc-match",
            routes("match: {prefix: /, grpc: {}}, route: {cluster: h2}", "match: {prefix: /}, route: {cluster: b}"),
            grpc("Any", ok), get("/").http2(), post("/", "x", "content-type: application/grpc+proto").http2(),
            post("/", "x", "content-type: application/grpcx").http2()),
        DifferentialCase(
            "grpc-to-http1", routes("match: {prefix: /}, route: {cluster: a}"), grpc("Ok", ok),
            grpc("NoTrailers", "header=content-type:application/grpc")),
        DifferentialCase(
            "grpc-from-http1", toH2,
            post("/pkg.Service/Ok", "x", "content-type: application/grpc", "te: trailers", "x-do: \(ok)")),
    ]

    /// Frames between the proxy, its clients and its upstreams.
    static let http2Cases: [DifferentialCase] = [
        DifferentialCase(
            "http2-upstream", toH2, get("/"), post("/", "body"), send("HEAD", "/"), get("/", "x-do: size=300000"),
            post("/", String(repeating: "u", count: 200_000)), get("/", "x-do: status=204"),
            get("/", "x-do: status=304"),
            get("/", "x-do: trailer=x-t:1"), get("/", "x-do: hint"), get("/", "x-do: rst=2"), get("/", "x-do: rst=7"),
            get("/", "x-do: cut").closing(), get("/", "cookie: a=b; c=d", "x-A-b: C"), send("OPTIONS", "/"),
            get("/", "connection: x-hop", "x-hop: 1", "te: trailers", "keep-alive: 5")),
        DifferentialCase(
            "http2-both", toH2, get("/").http2(), post("/", "body").http2(), send("HEAD", "/").http2(),
            get("/", "x-do: size=300000").http2(), post("/", String(repeating: "u", count: 200_000)).http2(),
            get("/", "x-do: trailer=x-t:1").http2(), get("/", "x-do: hint").http2(), get("/", "x-do: rst=2").http2(),
            get("/", "x-do: rst=7").http2(), get("/", "x-do: cut").http2(),
            get("/", "cookie: a=b", "cookie: c=d").http2(),
            get("/", "te: trailers").http2()),
        DifferentialCase(
            "http2-trailers", toH2,
            raw("POST / HTTP/1.1\nhost: {host}\nx-id: {id}\ntransfer-encoding: chunked\n\n3\nabc\n0\nx-t: 1\n\n")
                .http2()),
        DifferentialCase(
            "trailer-mutation", toH2,
            filters: """
                - name: envoy.filters.http.header_mutation
                  typed_config:
                    "@type": \(Bootstrap.type("filters.http.header_mutation.v3.HeaderMutation"))
                    mutations:
                      request_trailers_mutations:
                      - {remove: x-t}
                      - {append: {header: {key: x-new, value: "%REQ(x-a)%"}}}
                      response_trailers_mutations:
                      - {append: {header: {key: x-late, value: "%PROTOCOL%"}, append_action: ADD_IF_ABSENT}}
                      - {append: {header: {key: grpc-message, value: changed}, append_action: OVERWRITE_IF_EXISTS}}
                """,
            raw(
                "POST / HTTP/1.1\nhost: {host}\nx-id: {id}\nx-a: b\nx-do: \(ok)\ntransfer-encoding: chunked\n\n3\nabc\n0\n"
                    + "x-t: 1\nx-u: 2\n\n"
            ).http2(),
            get("/", "x-do: " + ok).http2(), get("/").http2()),
        DifferentialCase(
            "http2-many-streams", toH2,
            raw((1...20).map { "GET /\($0) HTTP/1.1\nhost: {host}\nx-id: {id}\n\n" }.joined(), responses: 20).http2()
                .reaching(20)),
        DifferentialCase(
            "http2-retry",
            routes(
                "match: {prefix: /}, route: {cluster: h2, retry_policy: {retry_on: \"5xx,reset\", num_retries: 1, "
                    + "retry_back_off: {base_interval: 0.002s}}}"),
            get("/", "x-do: rst=2|status=200").http2(), get("/", "x-do: rst=7|status=200").http2(),
            get("/", "x-do: status=503|status=200").http2(), post("/", "again", "x-do: rst=2|status=200").http2()),
        DifferentialCase(
            "http2-request-forms", toH2, get("/", "content-length: 0").http2(), send("PATCH", "/").http2(),
            get("/?", "x-empty:").http2(), get("/%7Ea?b=c#d").http2(), send("OPTIONS", "*").http2(),
            get("/", "host: HTTP2-Request-Forms.test").http2(), get("/", "host: http2-request-forms.test:99").http2(),
            get("/", "x-dup: 1", "x-dup: 2").http2()),
        DifferentialCase(
            "http2-mirror",
            routes("match: {prefix: /}, route: {cluster: h2, request_mirror_policies: [{cluster: h2-b}]}"),
            post("/", "copied").http2().reaching(2)),
    ]
}

extension Sending {
    /// Whether the text is one HTTP/1.1 request that HTTP/2 can say as well.
    var isPlainMessage: Bool {
        let lower = text.lowercased()
        let hopByHop = [
            "\r\nconnection:", "\r\nupgrade:", "\r\nte:", "\r\nkeep-alive:", "\r\nproxy-connection:", "\r\nexpect:",
        ]
        let isBroken = hopByHop.contains { ByteSearch.find(Array($0.utf8), in: Array(lower.utf8)) != nil }
        return !isBroken && tls == nil && responses == 1 && !untilClosed && !lower.hasPrefix("connect")
            && ByteSearch.find(Array(" HTTP/1.1\r\nhost: ".utf8), in: Array(text.utf8)) != nil
            && ByteSearch.find(Array("x-do: garbage".utf8), in: Array(text.utf8)) == nil
    }
}
