package import WeftCore

/// Whether a pod gets a sidecar, and why; the reason is for `check-inject` and for the log.
package struct InjectionDecision: Sendable, Hashable {
    package var inject: Bool
    package var reason: String

    static let excludedNamespaces: Set<String> = [
        "kube-system", "kube-public", "kube-node-lease", "local-path-storage",
    ]

    /// The whole decision.
    /// - Parameter namespaceLabels: `nil` when the webhook's selectors have already answered for the namespace.
    package init(pod: JSONValue, namespace: String, namespaceLabels: [String: String]?, settings: InjectionSettings) {
        if let refusal = Self.refusal(pod: pod, namespace: namespace) {
            self.init(inject: false, reason: refusal)
            return
        }
        let wish = Self.podWish(pod)
        if let wish, !wish.inject {
            self = wish
            return
        }
        guard let namespaceLabels else {
            self = wish ?? InjectionDecision(inject: true, reason: "the webhook's selectors chose the pod")
            return
        }
        self = Self.selected(pod: pod, wish: wish, namespaceLabels: namespaceLabels, settings: settings)
    }

    private init(inject: Bool, reason: String) {
        self.inject = inject
        self.reason = reason
    }

    private static func refusal(pod: JSONValue, namespace: String) -> String? {
        if pod[path: "spec", "hostNetwork"]?.boolValue == true {
            return "the pod uses the host's network, which must not be redirected"
        }
        if excludedNamespaces.contains(namespace) { return "namespace \(namespace) is never injected" }
        if InjectedPod.isInjected(pod) { return "the pod has a sidecar already" }
        return nil
    }

    /// What the pod asks for by itself; the label beats the annotation.
    private static func podWish(_ pod: JSONValue) -> InjectionDecision? {
        let name = InjectionName.inject
        for (place, key) in [("label", "labels"), ("annotation", "annotations")] {
            guard let value = pod[path: "metadata", key]?[name]?.stringValue else { continue }
            switch value.lowercased() {
            case "true", "y", "yes", "on": return .init(inject: true, reason: "the pod's \(place) \(name) is \(value)")
            case "false", "n", "no", "off":
                return .init(inject: false, reason: "the pod's \(place) \(name) is \(value)")
            default: continue
            }
        }
        return nil
    }

    /// The same answer that the selectors of the webhook configuration give: `istio-injection` goes before `istio.io/rev`,
    /// and the namespace's revision goes before the pod's.
    private static func selected(
        pod: JSONValue, wish: InjectionDecision?, namespaceLabels: [String: String], settings: InjectionSettings
    ) -> InjectionDecision {
        let isDefault = settings.choice == "default"
        if let value = namespaceLabels[InjectionName.namespaceInjection] {
            switch value {
            case "enabled" where isDefault:
                return wish ?? .init(inject: true, reason: "namespace label istio-injection=enabled")
            case "enabled":
                return .init(
                    inject: false,
                    reason: "istio-injection=enabled chooses revision default, this is \(settings.choice)")
            default:
                return .init(inject: false, reason: "namespace label istio-injection=\(value)")
            }
        }
        if let revision = namespaceLabels[InjectionName.revision] {
            guard revision == settings.choice else {
                return .init(inject: false, reason: "namespace label istio.io/rev=\(revision) chooses another revision")
            }
            return wish ?? .init(inject: true, reason: "namespace label istio.io/rev=\(revision)")
        }
        if let revision = pod[path: "metadata", "labels"]?[InjectionName.revision]?.stringValue {
            guard revision == settings.choice else {
                return .init(inject: false, reason: "pod label istio.io/rev=\(revision) chooses another revision")
            }
            return wish ?? .init(inject: true, reason: "pod label istio.io/rev=\(revision)")
        }
        if isDefault, let wish { return wish }
        if isDefault, settings.enableNamespacesByDefault {
            return .init(inject: true, reason: "injection is on for every namespace")
        }
        return .init(
            inject: false,
            reason:
                "the namespace has no label istio-injection=enabled (kubectl label namespace NAME istio-injection=enabled)"
        )
    }
}
