package import WeftCore

/// What a proxy starts with (`envoy.config.bootstrap.v3.Bootstrap`).
package struct Bootstrap: Sendable, Hashable {
    /// Where listeners or clusters come from while the proxy runs (`ConfigSource`).
    package enum Source: Sendable, Hashable {
        case ads
        /// A file with a `DiscoveryResponse`, read again when it is replaced (`path_config_source`).
        case path(String)
        /// A stream of its own for the one type (`api_config_source`).
        case server(DiscoveryServer)
    }
    /// A management server (`ApiConfigSource`).
    package struct DiscoveryServer: Sendable, Hashable {
        /// The static cluster that it is reached through.
        package var cluster: String
        /// Incremental (`DELTA_GRPC`) or state of the world (`GRPC`).
        package var isDelta: Bool
        /// gRPC metadata that every stream carries (`initial_metadata`).
        package var metadata: [String: String] = [:]
        package init(cluster: String, isDelta: Bool) {
            self.cluster = cluster
            self.isDelta = isDelta
        }
    }
    /// Who the proxy says it is (`Node`); the command line overrides identifier and cluster.
    package struct Node: Sendable, Hashable {
        package var id = ""
        package var cluster = ""
        package var metadata = JSONValue.object([:])
        package var locality = Locality()
        package init() {}
    }

    package var node = Node()
    /// Where the admin pages are served; `nil`: nowhere.
    package var admin: Address?
    /// `static_resources`, and secrets and routes that they hold inline.
    package var configuration = ProxyConfiguration()
    /// `dynamic_resources.ads_config`.
    package var ads: DiscoveryServer?
    /// `dynamic_resources.lds_config`.
    package var listeners: Source?
    /// `dynamic_resources.cds_config`.
    package var clusters: Source?
    /// `layered_runtime`, static layers merged, the last one wins. Keys are flat: `upstream.healthy_panic_threshold`.
    package var runtime: [String: JSONValue] = [:]
    /// `cluster_manager.local_cluster_name`: the cluster that this proxy is a member of, for zone-aware balancing.
    package var localCluster = ""
    /// `overload_manager`
    package var overload = Overload()

    package init() {}
}
