package import WeftHTTP
package import WeftIR

/// The match of a route, for filters that have rules of their own. Immutable.
package struct RequestMatcher: Sendable {
    private let match: CompiledMatch
    /// A pattern does not compile. Such a matcher matches nothing: what protects must refuse by itself then.
    package var isBroken: Bool { match.isBroken }

    package init(_ match: RouteMatch) { self.match = CompiledMatch(match) }

    package func matches(_ head: RequestHead, context: RouteContext = RouteContext(), random: UInt64 = 0) -> Bool {
        match.matches(head, target: PathAndQuery.path(head.path), context: context, random: random)
    }
}
