package import WeftCore

/// The `spec` of an EnvoyFilter: patches on the xDS resources that the control plane makes.
package struct EnvoyFilter: IstioSpec {
    package static let group = "networking.istio.io"
    package static let kind = "EnvoyFilter"
    package enum ApplyTo: String, Sendable, Hashable, Codable, CaseIterable {
        case invalid = "INVALID"
        case listener = "LISTENER"
        case filterChain = "FILTER_CHAIN"
        case networkFilter = "NETWORK_FILTER"
        case httpFilter = "HTTP_FILTER"
        case listenerFilter = "LISTENER_FILTER"
        case routeConfiguration = "ROUTE_CONFIGURATION"
        case virtualHost = "VIRTUAL_HOST"
        case httpRoute = "HTTP_ROUTE"
        case cluster = "CLUSTER"
        case extensionConfig = "EXTENSION_CONFIG"
        case bootstrap = "BOOTSTRAP"
    }
    package enum Context: String, Sendable, Hashable, Codable, CaseIterable {
        case any = "ANY"
        case sidecarInbound = "SIDECAR_INBOUND"
        case sidecarOutbound = "SIDECAR_OUTBOUND"
        case gateway = "GATEWAY"
        case waypoint = "WAYPOINT"
    }
    package enum Operation: String, Sendable, Hashable, Codable, CaseIterable {
        case invalid = "INVALID"
        case merge = "MERGE"
        case add = "ADD"
        case remove = "REMOVE"
        case insertBefore = "INSERT_BEFORE"
        case insertAfter = "INSERT_AFTER"
        case insertFirst = "INSERT_FIRST"
        case replace = "REPLACE"
        case mergeAndReplaceList = "MERGE_AND_REPLACE_LIST"
    }
    package enum FilterClass: String, Sendable, Hashable, Codable, CaseIterable {
        case unspecified = "UNSPECIFIED"
        case authentication = "AUTHN"
        case authorization = "AUTHZ"
        case stats = "STATS"
    }
    package struct ProxyMatch: Sendable, Hashable, Codable {
        /// A regular expression that the proxy's `ISTIO_VERSION` must match.
        package var proxyVersion: String?
        package var metadata: [String: String]?
    }
    package struct ListenerMatch: Sendable, Hashable, Codable {
        package struct SubFilter: Sendable, Hashable, Codable { package var name: String? }
        package struct Filter: Sendable, Hashable, Codable {
            package var name: String?
            package var subFilter: SubFilter?
        }
        package struct Chain: Sendable, Hashable, Codable {
            package var name: String?
            package var sni: String?
            package var transportProtocol: String?
            package var applicationProtocols: String?
            package var destinationPort: Int?
            package var filter: Filter?
        }
        package var portNumber: Int?
        package var portName: String?
        package var filterChain: Chain?
        package var listenerFilter: String?
        package var name: String?
    }
    package struct RouteMatch: Sendable, Hashable, Codable {
        package enum Action: String, Sendable, Hashable, Codable, CaseIterable {
            case any = "ANY"
            case route = "ROUTE"
            case redirect = "REDIRECT"
            case directResponse = "DIRECT_RESPONSE"
        }
        package struct Route: Sendable, Hashable, Codable {
            package var name: String?
            package var action: Action?
        }
        package struct VirtualHost: Sendable, Hashable, Codable {
            package var name: String?
            package var domainName: String?
            package var route: Route?
        }
        package var portNumber: Int?
        package var portName: String?
        package var gateway: String?
        package var vhost: VirtualHost?
        package var name: String?
    }
    package struct ClusterMatch: Sendable, Hashable, Codable {
        package var portNumber: Int?
        package var service: String?
        package var subset: String?
        package var name: String?
    }
    package struct Match: Sendable, Hashable, Codable {
        package var context: Context?
        package var proxy: ProxyMatch?
        package var listener: ListenerMatch?
        package var routeConfiguration: RouteMatch?
        package var cluster: ClusterMatch?
        package var waypoint: JSONValue?
    }
    package struct Patch: Sendable, Hashable, Codable {
        package var operation: Operation?
        /// The piece of an xDS resource in protobuf's JSON form.
        package var value: JSONValue?
        package var filterClass: FilterClass?
    }
    package struct ConfigPatch: Sendable, Hashable, Codable {
        package var applyTo: ApplyTo?
        package var match: Match?
        package var patch: Patch?
    }
    package var workloadSelector: EntrySelector?
    package var targetRefs: [PolicyTargetReference]?
    package var configPatches: [ConfigPatch]?
    /// Lower ones are applied first.
    package var priority: Int?
}
