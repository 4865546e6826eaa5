/// The whole configuration of one proxy at one moment, as value types. Knows no protobuf, no YAML and no Kubernetes.
///
/// Every collection is keyed by resource name, which is unique per type (xDS).
package struct ProxyConfiguration: Sendable, Hashable, Codable {
    package var listeners: [String: Listener] = [:]
    package var routes: [String: RouteConfiguration] = [:]
    /// Scopes of route tables that came by SRDS.
    package var scopes: [String: RouteScope] = [:]
    package var clusters: [String: Cluster] = [:]
    package var endpoints: [String: ClusterLoadAssignment] = [:]
    package var secrets: [String: Secret] = [:]
    /// What users change in the encoded form of these resources, in the order in which it is done.
    package var patches: [ResourcePatch] = []
    /// The names that the proxy answers DNS questions for; `nil` if it answers none.
    package var names: NameTable?

    package init() {}
}

/// Names and their addresses, for a proxy that answers its workload's DNS questions (NDS, `istio.networking.nds.v1`).
package struct NameTable: Sendable, Hashable, Codable {
    /// What one host is.
    package struct Entry: Sendable, Hashable, Codable {
        package var addresses: [String]
        /// `Kubernetes`, or `External` for what only the mesh knows.
        package var registry: String
        /// Of a Kubernetes service: the name that its own namespace may use alone.
        package var shortName = ""
        package var namespace = ""

        package init(addresses: [String], registry: String) {
            self.addresses = addresses
            self.registry = registry
        }
    }
    /// By host in lower case without a dot at the end; `*.` in front stands for every name below.
    package var entries: [String: Entry]

    package init(entries: [String: Entry] = [:]) { self.entries = entries }
}
