import WeftConfig
import WeftCore

/// What translation does not take of an object, because admission would refuse it.
///
/// Objects come by other ways than through the webhook: they were there before it, it was away, or an older release took
/// them. A proxy refuses a whole listener or table for one bad value in it, so what is refused must not get there.
/// Objects whose parts stand by themselves lose those parts; of others nothing is taken, unless they guard workloads
/// (``GuardingSpec``). Pure.
struct Refusals: Sendable {
    /// Why the object as a whole cannot be taken.
    private(set) var whole: String?
    /// Why a rule, patch or server cannot be, by its place in the list.
    private(set) var parts: [Int: String] = [:]
    /// Rules of routes whose matches cannot be read: there is no request that they could answer.
    private(set) var unmatchable: Set<Int> = []
    /// The same as findings about the object.
    private(set) var diagnostics: [Diagnostic] = []

    init(_ object: KubernetesObject) {
        // The Gateway API says itself, in conditions, what becomes of Gateways, listeners and policies.
        let isGatewayAPI = object.group == GatewayAPI.group
        let list = Self.lists[object.group]?[object.kind]
        if isGatewayAPI, list == nil { return }
        for finding in Validator.validate(object: object) where finding.severity == .error {
            let path = finding.path ?? ""
            if isGatewayAPI, Self.hasItsOwnCondition(path) { continue }
            diagnostics.append(finding.asSchemaFinding)
            if let list, let place = Self.place(in: list, path) {
                parts[place] = parts[place] ?? "\(path): \(finding.message)"
                if path.hasPrefix("\(list)[\(place)].matches") { unmatchable.insert(place) }
            } else {
                whole = whole ?? "\(path): \(finding.message)"
            }
        }
    }

    /// Where the parts of an object are that stand by themselves.
    ///
    /// Without a rule, an ALLOW policy allows less; a policy as a whole would open what it guards. A route of a
    /// VirtualService is no such part: what it does not take, those after it would.
    private static let lists: [String: [String: String]] = [
        AuthorizationPolicy.group: [AuthorizationPolicy.kind: "spec.rules"],
        EnvoyFilter.group: [EnvoyFilter.kind: "spec.configPatches", Gateway.kind: "spec.servers"],
        GatewayAPI.group: Dictionary(
            uniqueKeysWithValues: ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"].map { ($0, "spec.rules") }),
    ]

    /// Conditions of routes have reasons of their own for backends and filters that cannot be had.
    private static func hasItsOwnCondition(_ path: String) -> Bool {
        path.hasSuffix("].filters") || path.hasSuffix("].backendRefs")
            || path.contains(".backendRefs[") && path.hasSuffix("].port")
    }

    /// The `3` of `spec.rules[3].from`.
    private static func place(in list: String, _ path: String) -> Int? {
        guard path.hasPrefix("\(list)[") else { return nil }
        return Int(path.dropFirst(list.utf8.count + 1).prefix { $0 != "]" })
    }
}
