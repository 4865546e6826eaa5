/// Bounds of one scrape. What is beyond them is left out and told of.
package struct ScrapeLimits: Sendable, Hashable {
    package var bodyBytes = 32 << 20
    package var samples = 50_000
    package var labels = 64
    package var nameBytes = 256
    package var valueBytes = 4096
    package var lineBytes = 64 << 10

    package init() {}
}

/// What a family is, from its `# TYPE`, `# HELP` and `# UNIT` lines.
package struct MetricMetadata: Sendable, Hashable {
    package var kind = "unknown"
    package var help = ""
    package var unit = ""
}

/// Reads the Prometheus text format 0.0.4 and OpenMetrics 1.0, line by line.
///
/// A line that makes no sense is left out and counted, since one odd metric must not hide the others. Nothing grows
/// beyond the limits, whatever the bytes are.
package struct ExpositionParser {
    /// A sample line, not yet taken apart.
    package struct Line {
        /// Name and labels as they stand there: what tells one series from another within a target.
        package var series: ArraySlice<UInt8>
        package var value: Double
        /// Milliseconds since 1970, where the line says so.
        package var time: Int64?
    }

    package private(set) var metadata: [String: MetricMetadata] = [:]
    /// Lines that were left out.
    package private(set) var badLines = 0
    /// The first of them: where and why.
    package private(set) var firstProblem: String?
    private let limits: ScrapeLimits
    private let isOpenMetrics: Bool

    /// - Parameter openMetrics: From the content type; times are in seconds there, not milliseconds.
    package init(limits: ScrapeLimits = ScrapeLimits(), openMetrics: Bool = false) {
        self.limits = limits
        isOpenMetrics = openMetrics
    }

    package mutating func read(_ bytes: [UInt8], _ body: (Line) -> Void) {
        var position = 0
        var number = 0
        var samples = 0
        let end = min(bytes.count, limits.bodyBytes)
        while position < end {
            number += 1
            let stop = bytes[position..<end].firstIndex(of: 10) ?? end
            let line = bytes[position..<stop]
            position = stop + 1
            guard let first = line.first(where: { $0 != 32 && $0 != 9 }) else { continue }
            if first == UInt8(ascii: "#") {
                if Self.isEnd(line) { return }
                comment(line)
                continue
            }
            guard stop < end else {
                note(number, "the text ends within a line")
                break
            }
            guard samples < limits.samples else {
                note(number, "more than \(limits.samples) samples; the rest is left out")
                return
            }
            guard line.count <= limits.lineBytes else {
                note(number, "longer than \(limits.lineBytes) bytes")
                continue
            }
            if let sample = sample(line, number) {
                samples += 1
                body(sample)
            }
        }
        if bytes.count > end { note(number, "more than \(limits.bodyBytes) bytes; the rest is left out") }
    }

    private mutating func note(_ line: Int, _ reason: String) {
        badLines += 1
        if firstProblem == nil { firstProblem = "line \(line): \(reason)" }
    }

    /// Problems that are found when a series is taken apart.
    package mutating func note(_ reason: String) {
        badLines += 1
        if firstProblem == nil { firstProblem = reason }
    }

    private static func isEnd(_ line: ArraySlice<UInt8>) -> Bool { line.starts(with: "# EOF".utf8) && line.count < 8 }

    private mutating func comment(_ line: ArraySlice<UInt8>) {
        let words = line.split(separator: 32, maxSplits: 3)
        guard words.count == 4, words[0].elementsEqual("#".utf8), metadata.count < limits.samples else { return }
        let name = String(decoding: words[2], as: UTF8.self)
        guard MetricNames.isMetric(name), name.utf8.count <= limits.nameBytes else { return }
        let text = String(decoding: words[3].prefix(limits.valueBytes), as: UTF8.self)
        switch String(decoding: words[1], as: UTF8.self) {
        case "TYPE": metadata[name, default: MetricMetadata()].kind = text
        case "HELP": metadata[name, default: MetricMetadata()].help = text
        case "UNIT": metadata[name, default: MetricMetadata()].unit = text
        default: return
        }
    }

    // MARK: - Samples

    private mutating func sample(_ line: ArraySlice<UInt8>, _ number: Int) -> Line? {
        guard let start = line.firstIndex(where: { $0 != 32 && $0 != 9 }),
            let end = Self.seriesEnd(line[start...])
        else {
            note(number, "no metric name, or labels without an end")
            return nil
        }
        let fields = line[end...].split(maxSplits: 2, whereSeparator: { $0 == 32 || $0 == 9 })
        guard let first = fields.first, let value = Self.number(first) else {
            note(number, "no value behind the metric")
            return nil
        }
        var time: Int64?
        if fields.count > 1, fields[1].first != UInt8(ascii: "#") {
            guard let read = self.time(fields[1]) else {
                note(number, "the time stamp is no number")
                return nil
            }
            time = read
        }
        return Line(series: line[start..<end], value: value, time: time)
    }

    /// Where name and labels end; quotes may hold any sign.
    private static func seriesEnd(_ line: ArraySlice<UInt8>) -> Int? {
        var position = line.startIndex
        while position < line.endIndex, line[position] != UInt8(ascii: "{"), line[position] != 32, line[position] != 9 {
            position += 1
        }
        guard position > line.startIndex, position < line.endIndex else { return nil }
        guard line[position] == UInt8(ascii: "{") else { return position }
        var isQuoted = false
        while position < line.endIndex {
            let byte = line[position]
            position += 1
            if isQuoted, byte == UInt8(ascii: "\\") {
                position += 1
            } else if byte == UInt8(ascii: "\"") {
                isQuoted.toggle()
            } else if !isQuoted, byte == UInt8(ascii: "}") {
                return position
            }
        }
        return nil
    }

    private func time(_ field: ArraySlice<UInt8>) -> Int64? {
        guard let number = Self.number(field), number.magnitude < 9e15 else { return nil }
        return Int64((isOpenMetrics ? number * 1000 : number).rounded())
    }

    private static func number(_ field: ArraySlice<UInt8>) -> Double? {
        // Most values are short whole numbers.
        if field.count < 16, field.allSatisfy({ (48...57).contains($0) }) {
            return Double(field.reduce(0) { $0 * 10 + Int($1 - 48) })
        }
        let text = String(decoding: field, as: UTF8.self)
        switch text.lowercased() {
        case "nan": return .nan
        case "+inf", "inf": return .infinity
        case "-inf": return -.infinity
        default: return text.utf8.allSatisfy { $0 > 32 && $0 < 127 } ? Double(text) : nil
        }
    }

    // MARK: - Labels

    /// Why a series cannot be taken.
    package struct BadSeries: Error, Sendable, Hashable, CustomStringConvertible {
        package var description: String
    }

    /// Takes name and labels apart.
    package func labels(_ series: ArraySlice<UInt8>) throws(BadSeries) -> [(String, String)] {
        let name = series.prefix { $0 != UInt8(ascii: "{") }
        guard name.count <= limits.nameBytes, MetricNames.isName(name, colon: true) else {
            throw BadSeries(description: "\(Self.shown(name)) is no metric name")
        }
        let metric = String(decoding: name, as: UTF8.self)
        var pairs = [(Labels.metricName, metric)]
        var rest = series[name.endIndex...].dropFirst()
        while true {
            rest = rest.drop { $0 == UInt8(ascii: ",") || $0 == 32 || $0 == 9 }
            guard let next = rest.first, next != UInt8(ascii: "}") else { break }
            let key = rest.prefix { $0 != UInt8(ascii: "=") }
            let label = String(decoding: key.reversed().drop { $0 == 32 }.reversed(), as: UTF8.self)
            guard key.count <= limits.nameBytes, MetricNames.isLabel(label), label != Labels.metricName else {
                throw BadSeries(description: "\(metric): \(Self.shown(key)) is no label name")
            }
            rest = rest[key.endIndex...].dropFirst().drop { $0 == 32 }
            guard rest.popFirst() == UInt8(ascii: "\""), let value = try quoted(&rest, metric) else {
                throw BadSeries(description: "\(metric): label \(label) has no quoted value")
            }
            guard pairs.count <= limits.labels else {
                throw BadSeries(description: "\(metric) has more than \(limits.labels) labels")
            }
            guard !pairs.contains(where: { $0.0 == label }) else {
                throw BadSeries(description: "\(metric) has label \(label) twice")
            }
            pairs.append((label, value))
        }
        return pairs
    }

    private static func shown(_ bytes: ArraySlice<UInt8>) -> String {
        PromQLText.quoted(String(decoding: bytes.prefix(60), as: UTF8.self))
    }

    /// Reads up to the closing quote; `\\`, `\"` and `\n` are escapes.
    private func quoted(_ rest: inout ArraySlice<UInt8>, _ metric: String) throws(BadSeries) -> String? {
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") {
                guard let text = String(validating: bytes, as: UTF8.self) else {
                    throw BadSeries(description: "\(metric) has a label value that is no UTF-8")
                }
                return text
            }
            guard bytes.count < limits.valueBytes else {
                throw BadSeries(description: "\(metric) has a label value of more than \(limits.valueBytes) bytes")
            }
            guard byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() else {
                bytes.append(byte)
                continue
            }
            switch escaped {
            case UInt8(ascii: "n"): bytes.append(10)
            case UInt8(ascii: "\\"), UInt8(ascii: "\""): bytes.append(escaped)
            default: bytes += [byte, escaped]
            }
        }
        return nil
    }
}
