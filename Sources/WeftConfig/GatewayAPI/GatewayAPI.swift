/// The kinds of the Kubernetes Gateway API (`gateway.networking.k8s.io`, version 1.5, standard channel and TCPRoute).
///
/// A name space of its own, because Istio's API has a `Gateway` and an `HTTPRoute` too.
package enum GatewayAPI {
    package static let group = "gateway.networking.k8s.io"

    /// Of which release the API's definitions are is told by this annotation of each.
    package static let versionAnnotation = "gateway.networking.k8s.io/bundle-version"
    /// The release that schemas, defaults and conditions follow.
    package static let version = "v1.5.1"
    /// The definition whose annotation is looked at.
    package static let classDefinition = "gatewayclasses.gateway.networking.k8s.io"

    /// Controllers whose GatewayClasses are ours, and how gateways of such a class come to run.
    package enum Controller {
        /// The control plane deploys the gateway (classes `istio` and `weft`).
        package static let managed: Set<String> = ["istio.io/gateway-controller", "weft.dev/gateway-controller"]
        /// The gateway runs elsewhere: the control plane configures and reports it, and deploys nothing.
        package static let unmanaged = "istio.io/unmanaged-gateway"
        /// Stands in the status of routes whose parent is a Service.
        package static let mesh = "istio.io/mesh-controller"

        package static func isOurs(_ name: String) -> Bool { managed.contains(name) || name == unmanaged }
    }

    /// What a route or a policy is attached to (`ParentReference`).
    package struct ParentReference: Sendable, Hashable, Codable {
        package var group: String?
        package var kind: String?
        package var namespace: String?
        package var name: String
        package var sectionName: String?
        package var port: Int?

        package var effectiveGroup: String { group ?? GatewayAPI.group }
        package var effectiveKind: String { kind ?? "Gateway" }
        /// The mesh's parents: a Service, for all who call it.
        package var isService: Bool { effectiveGroup.isEmpty && effectiveKind == "Service" }
        package var isGateway: Bool { effectiveGroup == GatewayAPI.group && effectiveKind == "Gateway" }
        package var isListenerSet: Bool { effectiveGroup == GatewayAPI.group && effectiveKind == "ListenerSet" }
    }

    /// An object somewhere (`ObjectReference`, `SecretObjectReference`): the defaults are the place of use's.
    package struct ObjectReference: Sendable, Hashable, Codable {
        package var group: String?
        package var kind: String?
        package var namespace: String?
        package var name: String

        package init(group: String? = nil, kind: String? = nil, namespace: String? = nil, name: String) {
            self.group = group
            self.kind = kind
            self.namespace = namespace
            self.name = name
        }
    }

    /// A place that requests go to (`BackendObjectReference`).
    package struct BackendReference: Sendable, Hashable, Codable {
        package var group: String?
        package var kind: String?
        package var namespace: String?
        package var name: String
        package var port: Int?

        package var effectiveGroup: String { group ?? "" }
        package var effectiveKind: String { kind ?? "Service" }
    }

    /// Which namespaces may attach something (`RouteNamespaces`, `ListenerNamespaces`).
    package struct AllowedNamespaces: Sendable, Hashable, Codable {
        package enum From: String, Sendable, Hashable, Codable {
            case all = "All"
            case selector = "Selector"
            case same = "Same"
            case none = "None"
        }
        package var from: From?
        package var selector: LabelSelector?

        package init(from: From? = nil, selector: LabelSelector? = nil) {
            self.from = from
            self.selector = selector
        }

        /// - Parameters:
        ///   - labels: of the namespace that wants to attach.
        ///   - fallback: what holds when `from` is not given.
        package func allows(_ namespace: String, labels: [String: String], owner: String, fallback: From) -> Bool {
            switch from ?? fallback {
            case .all: true
            case .same: namespace == owner
            case .selector: selector?.matches(labels) ?? false
            case .none: false
            }
        }
    }

    /// A group and kind of routes (`RouteGroupKind`).
    package struct RouteGroupKind: Sendable, Hashable, Codable {
        package var group: String?
        package var kind: String

        package init(group: String? = GatewayAPI.group, kind: String) {
            self.group = group
            self.kind = kind
        }
    }
}
