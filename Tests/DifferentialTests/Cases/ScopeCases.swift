/// Route tables by scope (`scoped_routes`), listed in the connection manager.
extension HandWritten {
    /// - Parameter scopes: Key fragments, and the cluster of everything that has them.
    private static func scoped(
        _ name: String, _ fragments: [String], _ scopes: [([String], String)], filters: String = "",
        _ requests: Sending...
    ) -> DifferentialCase {
        let list = scopes.enumerated().map { index, scope in
            let key = scope.0.map { "{string_key: \"\($0)\"}" }.joined(separator: ", ")
            return
                "{name: s\(index), key: {fragments: [\(key)]}, route_configuration: {name: t\(index), virtual_hosts: "
                + "[{name: h\(index), domains: [\"*\"], routes: [{match: {prefix: /}, name: r\(index), "
                + "route: {cluster: \(scope.1)}}]}]}}"
        }
        let builder = fragments.map { "{header_value_extractor: {\($0)}}" }.joined(separator: ", ")
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
                \(indent(filters, 6))
                      - name: envoy.filters.http.router
                        typed_config: {"@type": \(Bootstrap.type("filters.http.router.v3.Router"))}
                      scoped_routes:
                        name: scopes
                        scope_key_builder: {fragments: [\(builder)]}
                        rds_config_source: {ads: {}, resource_api_version: V3}
                        scoped_route_configurations_list:
                          scoped_route_configurations: [\(list.joined(separator: ", "))]
                """,
            requests: requests)
    }

    static let scoping: [DifferentialCase] = [
        scoped(
            "scope-whole", ["name: x-scope, index: 0"], [(["one"], "a"), (["two"], "b")], get("/", "x-scope: one"),
            get("/", "x-scope: two"), get("/", "x-scope: three"), get("/"), get("/", "x-scope: One"),
            get("/", "X-SCOPE: two", "x-scope: one"), get("/", "x-scope:"), post("/", "body", "x-scope: two"),
            get("/", "x-scope: one").http2()),
        scoped(
            "scope-index", ["name: x-scope, element_separator: \",\", index: 1"], [(["one"], "a"), (["two"], "b")],
            get("/", "x-scope: x,one"), get("/", "x-scope: one,two,one"), get("/", "x-scope: one"),
            get("/", "x-scope: x, one"), get("/", "x-scope: x", "x-scope: one")),
        scoped(
            "scope-element",
            ["name: x-scope, element_separator: \";\", element: {separator: \"=\", key: zone}"],
            [(["one"], "a"), (["two=2"], "b")], get("/", "x-scope: zone=one"), get("/", "x-scope: a=b;zone=one"),
            get("/", "x-scope: zone=two=2"), get("/", "x-scope: zone=one;zone=two=2"), get("/", "x-scope: zone"),
            get("/", "x-scope: a=b; zone=one")),
        scoped(
            "scope-parts", ["name: x-scope, index: 0", "name: \":authority\", index: 0"],
            [(["one", "x.test"], "a"), (["one", "y.test"], "b")], get("/", "host: x.test", "x-scope: one"),
            get("/", "host: y.test", "x-scope: one"), get("/", "host: z.test", "x-scope: one"),
            get("/", "host: x.test")),
    ]
}
