/// Writes the Prometheus text exposition format 0.0.4.
package struct PrometheusText {
    /// Value of `Content-Type`.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"
    package private(set) var text = ""

    package init() {}

    /// The header of a family; its samples follow.
    package mutating func family(_ family: MetricFamily) {
        text += "# HELP \(family.name) \(Self.escaped(family.help, quotes: false))\n"
        text += "# TYPE \(family.name) \(family.kind.text)\n"
    }

    /// One sample of a counter or gauge.
    package mutating func sample(_ family: MetricFamily, values: [String], _ value: Int64) {
        text += "\(family.name)\(Self.labels(Self.pairs(family.labels, values))) \(value)\n"
    }

    /// - Parameter cells: As ``MetricSeries`` keeps them: a value, or buckets and sum.
    package mutating func series(_ family: MetricFamily, values: [String], cells: [UInt64]) {
        series(family, MetricLabels(names: family.labels, values: values), cells: cells)
    }

    mutating func series(_ family: MetricFamily, _ labels: MetricLabels, cells: [UInt64]) {
        let pairs = Self.pairs(labels.names, labels.values)
        switch family.kind {
        case .counter: text += "\(family.name)\(Self.labels(pairs)) \(cells[0])\n"
        case .gauge: text += "\(family.name)\(Self.labels(pairs)) \(Int64(bitPattern: cells[0]))\n"
        case .histogram(let bounds): histogram(family, pairs, bounds, cells)
        }
    }

    private mutating func histogram(_ family: MetricFamily, _ pairs: String, _ bounds: [Double], _ cells: [UInt64]) {
        var total: UInt64 = 0
        let prefix = pairs.isEmpty ? "" : pairs + ","
        for (index, bound) in bounds.enumerated() {
            total &+= cells[index]
            text += "\(family.name)_bucket{\(prefix)le=\"\(Self.number(bound))\"} \(total)\n"
        }
        total &+= cells[bounds.count]
        text += "\(family.name)_bucket{\(prefix)le=\"+Inf\"} \(total)\n"
        text += "\(family.name)_sum\(Self.labels(pairs)) \(cells[bounds.count + 1])\n"
        text += "\(family.name)_count\(Self.labels(pairs)) \(total)\n"
    }

    private static func pairs(_ names: [String], _ values: [String]) -> String {
        zip(names, values).map { "\($0)=\"\(escaped($1, quotes: true))\"" }.joined(separator: ",")
    }

    private static func labels(_ pairs: String) -> String { pairs.isEmpty ? "" : "{\(pairs)}" }

    private static func number(_ value: Double) -> String { Int(exactly: value).map(String.init) ?? "\(value)" }

    /// Backslash and line feed everywhere, the double quote in label values.
    static func escaped(_ value: String, quotes: Bool) -> String {
        guard value.utf8.contains(where: { $0 == 0x5c || $0 == 0x0a || $0 == 0x22 }) else { return value }
        var result = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
