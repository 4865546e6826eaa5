import WeftConfig

/// What of a route cannot be obeyed: filters of a kind that is not supported, or that exclude each other, and values that
/// admission refuses.
///
/// A rule with such a filter answers 500 instead of letting requests past the filter; the others go on.
struct RouteInvalidity: Sendable {
    /// By rule; `nil` is a good one.
    let rules: [ReferenceProblem?]

    /// Of the route itself, outside of its rules.
    private let whole: ReferenceProblem?

    init(_ route: AnyRoute) {
        func refused(_ text: String) -> ReferenceProblem { ReferenceProblem(reason: "UnsupportedValue", message: text) }
        guard !route.filters.isEmpty else {
            // Of a route of connections no rule can answer with an error.
            let first = route.refusedRules.min { $0.key < $1.key }
            (rules, whole) = ([], (route.refusal ?? first?.value).map(refused))
            return
        }
        whole = route.refusal.map(refused)
        rules = route.filters.enumerated().map { index, filters in
            Self.problem(rule: filters.rule, isGRPC: route.kind == "GRPCRoute")
                ?? filters.backends.lazy.compactMap(Self.problem(backend:)).first
                ?? route.refusedRules[index].map(refused)
        }
    }

    /// Why the route as a whole is refused: no rule is left.
    var refusal: ReferenceProblem? {
        if let whole { return whole }
        guard !rules.isEmpty, rules.allSatisfy({ $0 != nil }), let first = rules[0] else { return nil }
        return first
    }

    /// Said beside acceptance when some rules are left out.
    var partial: ReferenceProblem? {
        guard refusal == nil else { return nil }
        let bad = rules.enumerated().compactMap { index, problem in problem.map { (index, $0) } }
        guard let first = bad.first else { return nil }
        let sentences = bad.map { "rules[\($0.0)] is not obeyed and answers 500: \($0.1.message)" }
        return ReferenceProblem(reason: first.1.reason, message: sentences.joined(separator: "; "))
    }

    private static func problem(rule filters: [GatewayAPI.HTTPFilter], isGRPC: Bool) -> ReferenceProblem? {
        let types = filters.map(\.type)
        if types.contains("RequestRedirect"), types.contains("URLRewrite") {
            return ReferenceProblem(
                reason: "IncompatibleFilters", message: "RequestRedirect and URLRewrite exclude each other in one rule")
        }
        var known: Set<String> = ["RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror"]
        if !isGRPC { known.formUnion(["RequestRedirect", "URLRewrite", "CORS"]) }
        guard let filter = filters.first(where: { !known.contains($0.type) }) else { return nil }
        return unsupported(filter, where: "in a rule")
    }

    private static func problem(backend filter: GatewayAPI.HTTPFilter) -> ReferenceProblem? {
        switch filter.type {
        case "RequestHeaderModifier", "ResponseHeaderModifier": nil
        case "URLRewrite" where filter.urlRewrite?.path == nil: nil
        default: unsupported(filter, where: "of a backendRef")
        }
    }

    private static func unsupported(_ filter: GatewayAPI.HTTPFilter, where place: String) -> ReferenceProblem {
        var message = "filter \(filter.type) \(place) is not supported"
        if let reference = filter.extensionRef {
            message =
                "filter \(reference.group ?? "")/\(reference.kind ?? "") \(reference.name) \(place) is of no known kind"
        }
        return ReferenceProblem(reason: "UnsupportedValue", message: message)
    }
}
