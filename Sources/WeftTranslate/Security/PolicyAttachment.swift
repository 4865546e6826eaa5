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
        guard targets.isEmpty else { return targets.contains { names($0, namespace: namespace) } }
        return selector?.matches(proxy.labels) ?? true
    }

    private func names(_ target: PolicyTargetReference, namespace: String) -> Bool {
        let labels = scope.proxy.labels
        guard scope.proxy.kind == .router, target.group == Self.gatewayAPI, let name = target.name else { return false }
        switch target.kind {
        case "Gateway":
            return namespace == scope.proxy.namespace && labels["\(Self.gatewayAPI)/gateway-name"] == name
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
