package import WeftHTTP
package import WeftIR

/// Which headers a service is shown, compiled (``HeaderSelection``). Immutable.
package struct CompiledHeaderSelection: Sendable {
    private let allowed: [CompiledStringMatcher]
    private let disallowed: [CompiledStringMatcher]
    /// Patterns that do not compile: such a list must not let anything out.
    package let isBroken: Bool

    package init(_ selection: HeaderSelection) {
        allowed = selection.allowed.map(CompiledStringMatcher.init)
        disallowed = selection.disallowed.map(CompiledStringMatcher.init)
        isBroken = (allowed + disallowed).contains { $0.isBroken }
    }

    /// - Parameter name: In lower case.
    package func shows(_ name: String) -> Bool {
        guard !isBroken else { return false }
        return (allowed.isEmpty || allowed.contains { $0.matches(name) }) && !disallowed.contains { $0.matches(name) }
    }
}

/// What a remote service may do to headers, compiled (``HeaderMutationRules``). Immutable.
package struct CompiledMutationRules: Sendable {
    package enum Verdict: Sendable, Hashable {
        case allowed
        /// The change is left out.
        case ignored
        /// The change makes the whole answer an error.
        case failure
    }
    private let rules: HeaderMutationRules
    private let allow: CompiledStringMatcher?
    private let disallow: CompiledStringMatcher?

    package init(_ rules: HeaderMutationRules) {
        self.rules = rules
        allow = rules.allowExpression.map { CompiledStringMatcher(StringMatcher(.regex($0))) }
        disallow = rules.disallowExpression.map { CompiledStringMatcher(StringMatcher(.regex($0))) }
    }

    /// The patterns that do not compile.
    package var problems: [String] {
        let broken = [("allow_expression", allow), ("disallow_expression", disallow)].filter { $0.1?.isBroken == true }
        return broken.map { "mutation rules: \($0.0) is no valid pattern" }
    }

    /// - Parameter name: In lower case.
    package func verdict(_ name: String, removes: Bool = false) -> Verdict {
        isAllowed(name, removes) ? .allowed : rules.disallowIsError ? .failure : .ignored
    }

    private func isAllowed(_ name: String, _ removes: Bool) -> Bool {
        let isSystem = name.hasPrefix(":") || name == "host"
        // A request without them is none.
        if name.isEmpty || removes && isSystem { return false }
        if let disallow, disallow.isBroken || disallow.matches(name) { return false }
        if let allow, allow.matches(name) { return true }
        if rules.disallowsAll || rules.disallowsSystem && isSystem { return false }
        if name.hasPrefix("x-envoy-") { return rules.allowsEnvoy }
        let isRouting = [":scheme", ":authority", ":method", "host"].contains(name)
        return rules.allowsAllRouting || !isRouting
    }
}

extension HeaderBlock {
    /// Whether a name and a value that came from elsewhere can be a header: a token, and no control characters.
    package static func isField(_ name: String, _ value: String) -> Bool {
        !name.isEmpty && name.utf8.allSatisfy(ASCII.isToken) && value.utf8.allSatisfy(ASCII.isFieldValue)
    }
}
