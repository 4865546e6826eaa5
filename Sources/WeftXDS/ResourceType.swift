/// The kinds of resource that travel on an ADS stream.
///
/// The order of the cases is the order of a push: what others refer to goes first (make before break).
package enum ResourceType: Int, Sendable, Hashable, Codable, CaseIterable, Comparable {
    case cluster, endpoint, listener, scope, route, secret
    /// The names that a proxy answers DNS questions for.
    case names

    package init?(typeURL: String) {
        guard let type = Self.allCases.first(where: { $0.typeURL == typeURL }) else { return nil }
        self = type
    }

    package var typeURL: String {
        switch self {
        case .cluster: "type.googleapis.com/envoy.config.cluster.v3.Cluster"
        case .endpoint: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
        case .listener: "type.googleapis.com/envoy.config.listener.v3.Listener"
        case .scope: "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration"
        case .route: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
        case .secret: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
        case .names: "type.googleapis.com/istio.networking.nds.v1.NameTable"
        }
    }

    /// Istio's short name, as `proxy-status` prints it.
    package var shortName: String {
        switch self {
        case .cluster: "CDS"
        case .endpoint: "EDS"
        case .listener: "LDS"
        case .scope: "SRDS"
        case .route: "RDS"
        case .secret: "SDS"
        case .names: "NDS"
        }
    }

    /// Listeners, clusters, scopes and the name table are subscribed to as a whole; the others by the names that these
    /// refer to.
    package var isWildcardByDefault: Bool {
        switch self {
        case .cluster, .listener, .scope, .names: true
        case .endpoint, .route, .secret: false
        }
    }

    /// Whether resources of the type say what goes to which cluster.
    var sendsToClusters: Bool {
        switch self {
        case .listener, .scope, .route, .names: true
        case .cluster, .endpoint, .secret: false
        }
    }

    package static func < (left: ResourceType, right: ResourceType) -> Bool { left.rawValue < right.rawValue }
}

/// Who will read what is encoded: our own proxy, which knows filters and metadata of ours, or Envoy, which does not.
package enum Target: Sendable, Hashable {
    case weft, envoy

    /// - Parameter userAgent: the node's `user_agent_name`.
    package init(userAgent: String) { self = userAgent == "weft-proxy" ? .weft : .envoy }
}
