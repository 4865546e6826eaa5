/// Counts gRPC calls and their messages (`envoy.extensions.filters.http.grpc_stats.v3.FilterConfig`).
package struct GRPCStats: Sendable, Hashable, Codable {
    /// Whose calls are counted under a name of their own.
    package enum Methods: Sendable, Hashable, Codable {
        /// Nobody's: all calls are counted together.
        case none
        /// Everybody's (`stats_for_all_methods`).
        case all
        /// Method names by service; other calls are counted together (`individual_method_stats_allowlist`).
        case listed([String: Set<String>])
    }
    package var methods = Methods.none
    /// Later filters and access logs are told the numbers of messages (`emit_filter_state`).
    package var tellsCounts = false
    /// The time of the upstream is counted too (`enable_upstream_stats`).
    package var timesUpstream = false
    /// With ``Methods/all``: in names of services dots become underscores (`replace_dots_in_grpc_service_name`).
    package var replacesDots = false

    package init() {}
}
