package import WeftConfig
import WeftCore

/// Where the API server keeps one kind: enough to build its paths.
package struct APIResource: Sendable, Hashable, CustomStringConvertible {
    package var group: String
    package var version: String
    package var kind: String
    /// The plural name in paths: `virtualservices`.
    package var name: String
    package var isNamespaced: Bool

    package init(group: String = "", version: String = "v1", kind: String, name: String, isNamespaced: Bool = true) {
        self.group = group
        self.version = version
        self.kind = kind
        self.name = name
        self.isNamespaced = isNamespaced
    }

    package var groupVersionKind: GroupVersionKind { GroupVersionKind(group: group, version: version, kind: kind) }
    package var apiVersion: String { groupVersionKind.apiVersion }
    package var description: String { group.isEmpty ? name : "\(name).\(group)" }

    /// The path of the collection, or of one object in it.
    ///
    /// - Parameter namespace: `nil` or empty for cluster-scoped kinds and for lists over all namespaces.
    package func path(namespace: String? = nil, name: String? = nil, subresource: String? = nil) -> String {
        var path = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
        if isNamespaced, let namespace, !namespace.isEmpty { path += "/namespaces/\(namespace.pathEscaped)" }
        path += "/\(self.name)"
        if let name { path += "/\(name.pathEscaped)" }
        if let subresource { path += "/\(subresource)" }
        return path
    }
}

// MARK: - Kinds that every cluster serves

extension APIResource {
    package static let services = APIResource(kind: "Service", name: "services")
    package static let pods = APIResource(kind: "Pod", name: "pods")
    package static let namespaces = APIResource(kind: "Namespace", name: "namespaces", isNamespaced: false)
    package static let nodes = APIResource(kind: "Node", name: "nodes", isNamespaced: false)
    package static let events = APIResource(kind: "Event", name: "events")
    package static let secrets = APIResource(kind: "Secret", name: "secrets")
    package static let configMaps = APIResource(kind: "ConfigMap", name: "configmaps")
    package static let serviceAccounts = APIResource(kind: "ServiceAccount", name: "serviceaccounts")
    package static let deployments = APIResource(group: "apps", kind: "Deployment", name: "deployments")
    package static let replicaSets = APIResource(group: "apps", kind: "ReplicaSet", name: "replicasets")
    package static let endpointSlices = APIResource(
        group: "discovery.k8s.io", kind: "EndpointSlice", name: "endpointslices")
    package static let leases = APIResource(group: "coordination.k8s.io", kind: "Lease", name: "leases")
    package static let tokenReviews = APIResource(
        group: "authentication.k8s.io", kind: "TokenReview", name: "tokenreviews", isNamespaced: false)
    package static let customResourceDefinitions = APIResource(
        group: "apiextensions.k8s.io", kind: "CustomResourceDefinition", name: "customresourcedefinitions",
        isNamespaced: false)
    package static let mutatingWebhookConfigurations = APIResource(
        group: "admissionregistration.k8s.io", kind: "MutatingWebhookConfiguration",
        name: "mutatingwebhookconfigurations", isNamespaced: false)
    package static let validatingWebhookConfigurations = APIResource(
        group: "admissionregistration.k8s.io", kind: "ValidatingWebhookConfiguration",
        name: "validatingwebhookconfigurations", isNamespaced: false)
}
