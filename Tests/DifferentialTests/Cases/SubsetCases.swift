/// Endpoints picked by metadata that routes ask for.
extension HandWritten {
    private static let cluster = """
        - name: subset-fallback-list
          type: STATIC
          connect_timeout: 1s
          lb_subset_config:
            fallback_policy: NO_FALLBACK
            metadata_fallback_policy: FALLBACK_LIST
            subset_selectors: [{keys: [version]}, {keys: [stage, version]}]
          load_assignment:
            cluster_name: subset-fallback-list
            endpoints:
            - lb_endpoints:
              - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: {a}}}}
                metadata: {filter_metadata: {envoy.lb: {version: v1, stage: prod}}}
              - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: {b}}}}
                metadata: {filter_metadata: {envoy.lb: {version: v2, stage: dev}}}
        """

    private static func to(_ path: String, _ metadata: String) -> String {
        "match: {prefix: \(path)}, route: {cluster: subset-fallback-list, "
            + "metadata_match: {filter_metadata: {envoy.lb: {\(metadata)}}}}"
    }

    static let subsets: [DifferentialCase] = [
        DifferentialCase(
            "subset-fallback-list",
            routes(
                to("/second", "fallback_list: [{version: v9}, {version: v2}]"),
                to("/first", "fallback_list: [{version: v1}, {version: v2}]"),
                to("/none", "fallback_list: [{version: v8}, {version: v9}]"),
                to("/merged", "stage: dev, fallback_list: [{version: v1}, {version: v2}]"),
                to("/empty", "version: v2, fallback_list: []"), to("/plain", "version: v1")),
            clusters: cluster, get("/second"), get("/first"), get("/none"), get("/merged"), get("/empty"), get("/plain")
        )
    ]
}
