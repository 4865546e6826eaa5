/// The whole configuration of one proxy at one moment, as value types. Knows no protobuf, no YAML and no Kubernetes.
///
/// Every collection is keyed by resource name, which is unique per type (xDS).
package struct ProxyConfiguration: Sendable, Hashable, Codable {
    package var listeners: [String: Listener] = [:]
    package var routes: [String: RouteConfiguration] = [:]
    package var clusters: [String: Cluster] = [:]
    package var endpoints: [String: ClusterLoadAssignment] = [:]
    package var secrets: [String: Secret] = [:]

    package init() {}
}
