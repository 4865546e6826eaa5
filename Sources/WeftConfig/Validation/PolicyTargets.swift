/// Checks of what a policy is attached to, which several kinds share.
extension Findings {
    private static let targetKinds: Set = [
        "gateway.networking.k8s.io/Gateway", "gateway.networking.k8s.io/GatewayClass", "/Service", "core/Service",
        "networking.istio.io/ServiceEntry",
    ]
    /// More names than this on one policy are refused.
    private static let targetLimit = 16

    /// `selector`, `targetRef` and `targetRefs`: one of them at most.
    mutating func attachment(
        _ selector: WorkloadSelector?, _ single: PolicyTargetReference?, _ several: [PolicyTargetReference]?
    ) {
        self.selector(selector?.matchLabels, isGiven: selector != nil, "spec.selector.matchLabels")
        let given = [selector != nil, single != nil, !(several ?? []).isEmpty].filter { $0 }.count
        if given > 1 {
            error(
                "spec", "only one of targetRefs, targetRef or selector can be set",
                hint: "selector is for workloads, targetRefs for gateways and services")
        }
        if let single { target(single, "spec.targetRef") }
        if let several, several.count > Self.targetLimit {
            error("spec.targetRefs", "at most \(Self.targetLimit) targets may be named, found \(several.count)")
        }
        for (index, reference) in (several ?? []).enumerated() { target(reference, "spec.targetRefs[\(index)]") }
    }

    private mutating func target(_ reference: PolicyTargetReference, _ path: String) {
        if (reference.name ?? "").isEmpty { error("\(path).name", "name must be set") }
        if !(reference.namespace ?? "").isEmpty {
            error("\(path).namespace", "cross namespace referencing is not currently supported")
        }
        let kind = reference.kind ?? ""
        guard Self.targetKinds.contains("\(reference.group ?? "")/\(kind)") else {
            return error(
                path, "targetRef kind \"\(reference.group ?? "")/\(kind)\" is not supported",
                hint:
                    "known are gateway.networking.k8s.io Gateway and GatewayClass, Service, networking.istio.io ServiceEntry"
            )
        }
        if kind == "Service" || kind == "ServiceEntry" {
            warning(
                path, "only waypoints take notice of a policy for a \(kind), and this release has none",
                hint: "select the workloads by label instead")
        }
    }
}
