extension HandWritten {
    /// Compression and sessions.
    static let bodies: [DifferentialCase] = [
        compressor(
            "compressor", "",
            get("/", "accept-encoding: gzip", "x-do: header=content-type:text/plain;size=500"),
            get("/", "x-do: header=content-type:text/plain;size=500"),
            get("/", "accept-encoding: br", "x-do: header=content-type:text/plain;size=500"),
            get("/", "accept-encoding: gzip;q=0", "x-do: header=content-type:text/plain;size=500"),
            get("/", "accept-encoding: identity, gzip", "x-do: header=content-type:text/plain;size=500"),
            get("/", "accept-encoding: *", "x-do: header=content-type:text/plain;size=500"),
            get("/", "accept-encoding: gzip", "x-do: header=content-type:text/plain;size=10"),
            get("/", "accept-encoding: gzip", "x-do: header=content-type:image/png;size=500"),
            get("/", "accept-encoding: gzip", "x-do: header=content-type:text/html,charset=x;size=500"),
            get("/", "accept-encoding: gzip", "x-do: header=content-encoding:br;size=500"),
            get("/", "accept-encoding: gzip", "x-do: header=cache-control:no-transform;size=500"),
            get("/", "accept-encoding: gzip", "x-do: header=etag:\"abc\";header=vary:origin;size=500"),
            get("/", "accept-encoding: gzip", "x-do: header=etag:W/\"abc\";size=500"),
            send("HEAD", "/", "accept-encoding: gzip")),
        compressor(
            "compressor-options",
            "response_direction_config: {common_config: {min_content_length: 5, content_type: [a/b]}, "
                + "disable_on_etag_header: true, remove_accept_encoding_header: true, "
                + "uncompressible_response_codes: [404]}",
            get("/", "accept-encoding: gzip", "x-do: header=content-type:a/b;size=20"),
            get("/", "accept-encoding: gzip", "x-do: header=content-type:text/plain;size=500"),
            get("/", "accept-encoding: gzip", "x-do: header=content-type:a/b;header=etag:\"x\";size=500"),
            get("/", "accept-encoding: gzip", "x-do: status=404;header=content-type:a/b;size=500")),
        DifferentialCase(
            "compressor-off",
            routes(
                "match: {prefix: /}, route: {cluster: a}, typed_per_filter_config: {envoy.filters.http.compressor: "
                    + "{\"@type\": \(Bootstrap.type("filters.http.compressor.v3.CompressorPerRoute")), disabled: true}}"
            ),
            filters: filter("compressor", "filters.http.compressor.v3.Compressor", library),
            get("/", "accept-encoding: gzip", "x-do: header=content-type:text/plain;size=500")),
        DifferentialCase(
            "decompressor",
            filters: filter(
                "decompressor", "filters.http.decompressor.v3.Decompressor",
                "decompressor_library: {name: g, typed_config: {\"@type\": "
                    + "\(Bootstrap.type("compression.gzip.decompressor.v3.Gzip"))}}"),
            get("/"), get("/", "accept-encoding: br"), post("/", "plain"),
            get("/", "x-do: header=content-encoding:br;size=50")),
        session(
            "session-cookie", "cookie.v3.CookieBasedSessionState", "cookie: {name: s, path: /p}",
            get("/p"), get("/other"), get("/p", "cookie: s=\"Cg8xMjcuMC4wLjE6MTIzNDU=\""), get("/p", "cookie: s=bad")),
        session(
            "session-cookie-ttl", "cookie.v3.CookieBasedSessionState", "cookie: {name: s, ttl: 0s}", get("/")),
        session(
            "session-header", "header.v3.HeaderBasedSessionState", "name: x-session", get("/"),
            get("/", "x-session: MTI3LjAuMC4xOjE="), get("/", "x-session: bad")),
    ]

    private static let library =
        "compressor_library: {name: g, typed_config: {\"@type\": \(Bootstrap.type("compression.gzip.compressor.v3.Gzip"))}}"

    private static func filter(_ name: String, _ type: String, _ more: String) -> String {
        "- name: envoy.filters.http.\(name)\n  typed_config:\n    \"@type\": \(Bootstrap.type(type))\n"
            + indent(more, 4)
    }

    private static func compressor(_ name: String, _ more: String, _ requests: Sending...) -> DifferentialCase {
        DifferentialCase(
            name, DifferentialCase.toA,
            filters: filter("compressor", "filters.http.compressor.v3.Compressor", library + "\n" + more),
            requests: requests)
    }

    private static func session(
        _ name: String, _ type: String, _ state: String, _ requests: Sending...
    ) -> DifferentialCase {
        DifferentialCase(
            name, DifferentialCase.toA,
            filters: filter(
                "stateful_session", "filters.http.stateful_session.v3.StatefulSession",
                "session_state: {name: envoy.http.stateful_session.\(type.prefix { $0 != "." }), typed_config: {\"@type\": \(Bootstrap.type("http.stateful_session.\(type)")), "
                    + "\(state)}}"), requests: requests)
    }
}
