import WeftCore
import WeftIR
import WeftMetrics
import WeftRouting

/// What a stats filter changes about Istio's metrics, compiled. Immutable.
final class MetricChanges: Sendable {
    /// One metric that is not as Istio has it.
    struct Change: Sendable {
        enum Part: Sendable {
            /// A label of Istio's, by its place.
            case standard(Int)
            /// One of ``MetricChanges/expressions``.
            case expression(Int)
        }
        let isDropped: Bool
        /// Names of the labels, in the order of ``parts``.
        let names: [String]
        let parts: [Part]

        /// The values of the labels.
        /// - Parameters:
        ///   - standard: those that Istio's metric would have.
        ///   - computed: what the expressions came to.
        func values(_ standard: [String], _ computed: [String]) -> [String] {
            parts.map { part in
                switch part {
                case .standard(let index): standard[index]
                case .expression(let index): computed[index]
                }
            }
        }
    }
    /// By the place of the family in ``IstioMetrics/families``; `nil` is as Istio has it.
    let changes: [Change?]
    private let expressions: [CompiledExpression]

    /// - Returns: `nil` when nothing is changed.
    init?(_ filter: StatsFilter) {
        guard !filter.overrides.isEmpty else { return nil }
        let texts = Set(filter.overrides.flatMap(\.tags.values)).sorted()
        expressions = texts.map(CompiledExpression.init)
        changes = IstioMetrics.families.map { family in
            filter.overrides.first { $0.metric == family.name }.map { Self.change($0, family.labels, texts) }
        }
    }

    private static func change(_ override: MetricOverride, _ labels: [String], _ texts: [String]) -> Change {
        var names: [String] = []
        var parts: [Change.Part] = []
        func expression(_ name: String) -> Change.Part? {
            override.tags[name].flatMap(texts.firstIndex).map { .expression($0) }
        }
        for (index, label) in labels.enumerated() where !override.removedTags.contains(label) {
            names.append(label)
            parts.append(expression(label) ?? .standard(index))
        }
        for name in override.tags.keys.sorted() where !labels.contains(name) {
            guard let part = expression(name) else { continue }
            names.append(name)
            parts.append(part)
        }
        return Change(isDropped: override.isDropped, names: names, parts: parts)
    }

    /// What the expressions come to for one exchange or connection; a value that is missing reads `unknown`.
    func computed(_ context: LogContext) -> [String] {
        expressions.map { expression in
            String((expression.value(context.value(of:))?.text ?? "unknown").cut(toBytes: Self.longestValue))
        }
    }

    /// Bytes of a label that clients can choose.
    private static let longestValue = 253

    /// What an exchange has to keep for the expressions.
    var needs: KeptForLogs { KeptForLogs(expressions.reduce(into: []) { $0.formUnion($1.attributes) }) }
}
