/// What the numbers of a family mean.
package enum MetricKind: Sendable, Hashable {
    case counter
    case gauge
    /// - Parameter bounds: Upper bounds of the buckets, ascending; the one without bound is added.
    case histogram(bounds: [Double])

    /// Envoy's default buckets, for milliseconds and bytes alike.
    package static let envoyHistogram = MetricKind.histogram(bounds: [
        0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300_000, 600_000, 1_800_000,
        3_600_000,
    ])

    var bounds: [Double] { if case .histogram(let bounds) = self { bounds } else { [] } }

    /// As the `# TYPE` line says it.
    package var text: String {
        switch self {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        }
    }
}

/// A metric name with its kind and the names of its labels: one group of series in the exposition.
package struct MetricFamily: Sendable, Hashable {
    package let name: String
    package let help: String
    package let kind: MetricKind
    package let labels: [String]

    package init(_ name: String, help: String, kind: MetricKind, labels: [String]) {
        self.name = name
        self.help = help
        self.kind = kind
        self.labels = labels
    }
}
