package import WeftHTTP
package import WeftIR

/// Which answers count as errors for outlier detection, ready to run on heads of responses.
package struct ErrorCondition: Sendable {
    private indirect enum Node: Sendable {
        case any
        case and([Node])
        case or([Node])
        case not(Node)
        case headers([CompiledHeaderMatcher])
    }
    private let root: Node

    package init(_ condition: ResponseCondition) { root = Self.compile(condition) }

    /// What an error counts as: its own status if that is one from 500 on, else 500. `nil` if the condition does not hold.
    package func status(of head: ResponseHead) -> Int? {
        Self.holds(root, head) ? max(500, Int(head.status)) : nil
    }

    private static func compile(_ condition: ResponseCondition) -> Node {
        switch condition {
        case .any: .any
        case .and(let conditions): .and(conditions.map(compile))
        case .or(let conditions): .or(conditions.map(compile))
        case .not(let condition): .not(compile(condition))
        case .headers(let matchers): .headers(matchers.map(CompiledHeaderMatcher.init))
        }
    }

    private static func holds(_ node: Node, _ head: ResponseHead) -> Bool {
        switch node {
        case .any: true
        case .and(let nodes): nodes.allSatisfy { holds($0, head) }
        case .or(let nodes): nodes.contains { holds($0, head) }
        case .not(let node): !holds(node, head)
        case .headers(let matchers): matchers.allSatisfy { $0.matches(head) }
        }
    }
}
