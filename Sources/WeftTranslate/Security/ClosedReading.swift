import WeftConfig
import WeftCore

/// A kind whose objects keep something closed: without one of them, or with half of it, more would be let in than its author
/// wanted.
///
/// Such an object stays in force although admission would refuse it, and what of it cannot be read falls to the closed side
/// (ADR 0109).
protocol GuardingSpec: IstioSpec {
    /// Closes what cannot be read.
    /// - Returns: What is in force until the object is corrected.
    mutating func close(_ faults: Faults) -> String
}

/// What is wrong with an object, by the paths of its fields.
struct Faults {
    /// Every field with an error.
    let fields: [String]
    /// Of these, the ones that are not there any more because they had the wrong form.
    let malformed: [String]

    /// More values of a wrong form than this, and the whole `spec` counts as one.
    private static let limit = 100

    /// Whether something at `field` or in it is wrong.
    func touch(_ field: String) -> Bool { fields.contains { Self.isWithin(field, $0) } }
    /// Whether something at `field` or in it had the wrong form.
    func malform(_ field: String) -> Bool { malformed.contains { Self.isWithin(field, $0) } }
    /// Whether `field`, or what it stands in, had the wrong form.
    func remove(_ field: String) -> Bool { malformed.contains { Self.isWithin($0, field) } }

    private static func isWithin(_ field: String, _ path: String) -> Bool {
        path == field || path.hasPrefix(field + ".") || path.hasPrefix(field + "[")
    }

    /// Reads an object as far as it can be read; `nil` for a kind that guards nothing.
    /// - Returns: The spec, and what is in force.
    static func closedSpec<Spec: IstioSpec>(
        of object: KubernetesObject, _ type: Spec.Type, _ errors: [Diagnostic]
    ) -> (spec: Spec, inForce: String)? {
        var (readable, malformed) = object.withoutMalformedFields(as: type, limit: limit) ?? (object, ["spec"])
        if malformed == ["spec"] { readable.json["spec"] = .object([:]) }
        guard var spec = (try? readable.spec(type)) as? any GuardingSpec else { return nil }
        let inForce = spec.close(Faults(fields: errors.compactMap(\.path) + malformed, malformed: malformed))
        return (spec as? Spec).map { ($0, inForce) }
    }
}

extension WorkloadSelector {
    /// An entry that cannot be read is met by every workload; see also ``matches(_:)``.
    fileprivate static func close(_ selector: inout WorkloadSelector?, _ faults: Faults) {
        guard faults.touch("spec.selector") else { return }
        var labels = selector?.matchLabels ?? [:]
        let unreadable = labels.keys.filter { $0.isEmpty || $0.contains("*") }
        for key in unreadable { labels[key] = nil }
        if !unreadable.isEmpty || faults.malform("spec.selector") { labels[everyone] = "" }
        selector = WorkloadSelector(matchLabels: labels)
    }
}

/// References that cannot be read stand for every gateway that they could mean.
private func close(_ single: inout PolicyTargetReference?, _ several: inout [PolicyTargetReference]?, _ faults: Faults)
{
    if faults.touch("spec.targetRef") { single = .anyGateway }
    if faults.malformed.contains("spec.targetRefs") { several = [.anyGateway] }
    for index in (several ?? []).indices where faults.touch("spec.targetRefs[\(index)]") {
        several?[index] = .anyGateway
    }
}

extension AuthorizationPolicy: GuardingSpec {
    mutating func close(_ faults: Faults) -> String {
        let isPlaceUnclear =
            faults.fields.contains("spec")
            || ["selector", "targetRef", "targetRefs"].contains { faults.touch("spec.\($0)") }
        WorkloadSelector.close(&selector, faults)
        WeftTranslate.close(&targetRef, &targetRefs, faults)
        if faults.remove("spec.action") {
            (action, provider, rules) = (.deny, nil, [Rule()])
            return "everything is refused at its workloads, because its action cannot be read"
        }
        let areRulesGone = faults.remove("spec.rules")
        switch action ?? .allow {
        case .allow:
            guard isPlaceUnclear || areRulesGone else { return "it allows what its other rules allow" }
            rules = []
            return "it allows nothing"
        case .deny, .custom, .audit:
            if areRulesGone { rules = [Rule()] }
            return "what cannot be read is left out of its rules, which match more than is written"
        }
    }
}

extension PeerAuthentication: GuardingSpec {
    mutating func close(_ faults: Faults) -> String {
        let strict = MutualTLS(mode: .strict)
        if faults.malform("spec.mtls") || faults.remove(Self.ports) { mtls = strict }
        for path in faults.malformed where path != Self.ports && path.hasPrefix(Self.ports) {
            // Keys that are numbers look like places in a list.
            let port = path.dropFirst(Self.ports.count + 1).prefix { $0 != "." && $0 != "]" }
            portLevelMtls = (portLevelMtls ?? [:]).merging([String(port): strict]) { $1 }
        }
        guard faults.touch("spec.selector") else { return "modes that cannot be read are STRICT" }
        WorkloadSelector.close(&selector, faults)
        // Whoever it is for, it opens nothing for others.
        if mtls?.mode != .strict { mtls = nil }
        portLevelMtls = portLevelMtls?.filter { $0.value.mode == .strict }
        return "it asks STRICT where it says so, of every workload that it may mean, and opens nothing"
    }

    private static let ports = "spec.portLevelMtls"
}

extension RequestAuthentication: GuardingSpec {
    mutating func close(_ faults: Faults) -> String {
        let isPlaceUnclear =
            faults.fields.contains("spec")
            || ["selector", "targetRef", "targetRefs"].contains { faults.touch("spec.\($0)") }
        WorkloadSelector.close(&selector, faults)
        WeftTranslate.close(&targetRef, &targetRefs, faults)
        if faults.remove("spec.jwtRules") { jwtRules = [JWTRule()] }
        for index in (jwtRules ?? []).indices {
            let path = "spec.jwtRules[\(index)]"
            if isPlaceUnclear || faults.touch(path) { jwtRules?[index].acceptNothing(path, faults) }
        }
        return "tokens for the rules that cannot be read are refused"
    }
}

extension RequestAuthentication.JWTRule {
    /// Takes the keys away. Tokens are still looked for where the rule says it, and what callers write into its output headers
    /// is still taken out.
    fileprivate mutating func acceptNothing(_ path: String, _ faults: Faults) {
        func isClear(_ field: String) -> Bool { !faults.touch("\(path).\(field)") }
        (jwks, jwksUri, timeout) = (nil, nil, nil)
        if !isClear("fromHeaders") { fromHeaders = nil }
        if !isClear("fromParams") { fromParams = nil }
        if !isClear("fromCookies") { fromCookies = nil }
        if !isClear("outputPayloadToHeader") { outputPayloadToHeader = nil }
        if !isClear("outputClaimToHeaders") { outputClaimToHeaders = nil }
    }
}
