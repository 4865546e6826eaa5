import WeftConfig
import WeftCore

/// Which proxies a security policy holds for.
///
/// A policy of the root namespace holds in all namespaces, any other in its own. A selector picks workloads by label;
/// `targetRefs` pick gateways of the Gateway API by name, and sidecars take no notice of such a policy.
struct PolicyAttachment {
    let scope: Scope

    private static let gatewayAPI = "gateway.networking.k8s.io"

    func holds(
        namespace: String, selector: WorkloadSelector?, targets: [PolicyTargetReference]
    ) -> Bool {
        let proxy = scope.proxy
        guard namespace == proxy.namespace || namespace == scope.mesh.effectiveRootNamespace else { return false }
        if targets.isEmpty { return selector?.matches(proxy.labels) ?? true }
        // Only objects that admission refuses have both.
        return selector?.matches(proxy.labels) == true || targets.contains { names($0, namespace: namespace) }
    }

    private func names(_ target: PolicyTargetReference, namespace: String) -> Bool {
        let labels = scope.proxy.labels
        guard scope.proxy.kind == .router, target.group == Self.gatewayAPI, let name = target.name else { return false }
        switch target.kind {
        case "Gateway":
            guard namespace == scope.proxy.namespace, let own = labels["\(Self.gatewayAPI)/gateway-name"] else {
                return false
            }
            return own == name || name == PolicyTargetReference.anyGateway.name
        case "GatewayClass":
            return namespace == scope.mesh.effectiveRootNamespace
                && labels["\(Self.gatewayAPI)/gateway-class-name"] == name
        default: return false
        }
    }
}

extension AuthorizationPolicy {
    /// `targetRefs`, or the single one of its older form.
    var targets: [PolicyTargetReference] { (targetRefs ?? []) + (targetRef.map { [$0] } ?? []) }
}

extension RequestAuthentication {
    /// `targetRefs`, or the single one of its older form.
    var targets: [PolicyTargetReference] { (targetRefs ?? []) + (targetRef.map { [$0] } ?? []) }
}

extension PolicyTargetReference {
    /// Every gateway of the Gateway API in the policy's namespace: what a reference stands for that cannot be read.
    static let anyGateway = PolicyTargetReference(group: "gateway.networking.k8s.io", kind: "Gateway", name: "*")
}
