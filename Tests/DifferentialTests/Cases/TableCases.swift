/// What whole route tables and the proxy's runtime say.
extension HandWritten {
    static let tables: [DifferentialCase] = runtime + mostSpecific

    /// Each route's fraction has a default, and a key of the bootstrap's runtime layers.
    private static let runtime: [DifferentialCase] = [
        DifferentialCase(
            "runtime-fraction",
            routes(
                shared("all", "0, denominator: HUNDRED"), shared("none", "100"), shared("absent", "100"),
                shared("absent", "0"), shared("text", "0"), shared("word", "100"), shared("many", "0"),
                shared("parts", "0"), shared("less", "100")),
            requests: ["all", "none", "absent", "text", "word", "many", "parts", "less"].map { get("/\($0)") })
    ]

    private static func shared(_ key: String, _ numerator: String) -> String {
        "match: {path: /\(key), runtime_fraction: {runtime_key: weft.\(key), default_value: {numerator: \(numerator)}}}, "
            + "route: {cluster: a}"
    }

    /// Additions of three levels, in both orders.
    private static let mostSpecific: [DifferentialCase] = [false, true].map { wins in
        func additions(_ level: String) -> String {
            func add(_ name: String, _ action: String) -> String {
                "{header: {key: \(name), value: \(level)}, append_action: \(action)}"
            }
            let all = [
                add("x-over", "OVERWRITE_IF_EXISTS_OR_ADD"), add("x-more", "APPEND_IF_EXISTS_OR_ADD"),
                add("x-once", "ADD_IF_ABSENT"),
            ].joined(separator: ", ")
            return "request_headers_to_add: [\(all)], response_headers_to_add: [\(all)], "
                + "request_headers_to_remove: [x-\(level)]"
        }
        let name = wins ? "most-specific-wins" : "most-general-wins"
        return DifferentialCase(
            name, "",
            chain: """
                - filters:
                  - name: envoy.filters.network.http_connection_manager
                    typed_config:
                      "@type": \(Bootstrap.type("filters.network.http_connection_manager.v3.HttpConnectionManager"))
                      stat_prefix: \(name)
                      access_log: [{log}]
                      http_filters:
                      - name: envoy.filters.http.router
                        typed_config: {"@type": \(Bootstrap.type("filters.http.router.v3.Router"))}
                      route_config: {name: t, most_specific_header_mutations_wins: \(wins), \(additions("table")),
                        virtual_hosts: [{name: h, domains: ["*"], \(additions("host")), routes: [
                          {match: {path: /plain}, route: {cluster: a}},
                          {match: {path: /weighted}, \(additions("route")), route: {weighted_clusters: {clusters: [
                            {name: a, weight: 1, request_headers_to_add: [{header: {key: x-over, value: weighted},
                              append_action: OVERWRITE_IF_EXISTS_OR_ADD}]}]}}},
                          {match: {prefix: /}, \(additions("route")), route: {cluster: a}}]}]}
                """,
            requests: [get("/"), get("/plain"), get("/", "x-over: own", "x-once: own", "x-host: 1"), get("/weighted")])
    }
}
