/// One line of a scrape: a name, its labels, a value.
package struct MetricSample: Sendable, Hashable {
    package var name: String
    package var labels: [String: String]
    package var value: Double

    package init(name: String, labels: [String: String] = [:], value: Double) {
        self.name = name
        self.labels = labels
        self.value = value
    }
}

/// Reads the Prometheus text format (version 0.0.4). Comments, types and time stamps are passed over; so is a line
/// that is no sample, since one odd metric must not hide the others.
package enum PrometheusText {
    /// - Parameter prefix: only samples whose name starts with it are read.
    package static func samples(in text: some Collection<UInt8>, prefix: String = "") -> [MetricSample] {
        let wanted = Array(prefix.utf8)
        return text.split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard line.first != UInt8(ascii: "#"), line.starts(with: wanted) else { return nil }
            return sample(line)
        }
    }

    private static func sample(_ line: some Collection<UInt8>) -> MetricSample? {
        var rest = Array(line)[...]
        let name = rest.prefix { $0 != UInt8(ascii: "{") && $0 != UInt8(ascii: " ") }
        rest = rest[name.endIndex...]
        guard !name.isEmpty else { return nil }
        var labels: [String: String] = [:]
        if rest.first == UInt8(ascii: "{") {
            guard let read = readLabels(&rest) else { return nil }
            labels = read
        }
        let fields = rest.split(separator: UInt8(ascii: " "))
        guard let first = fields.first, let value = number(String(decoding: first, as: UTF8.self)) else { return nil }
        return MetricSample(name: String(decoding: name, as: UTF8.self), labels: labels, value: value)
    }

    private static func readLabels(_ rest: inout ArraySlice<UInt8>) -> [String: String]? {
        var labels: [String: String] = [:]
        rest.removeFirst()
        while true {
            rest = rest.drop { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: " ") }
            guard let next = rest.first else { return nil }
            if next == UInt8(ascii: "}") {
                rest.removeFirst()
                return labels
            }
            let key = rest.prefix { $0 != UInt8(ascii: "=") }
            rest = rest[key.endIndex...].dropFirst()
            guard rest.first == UInt8(ascii: "\"") else { return nil }
            rest.removeFirst()
            guard let value = readQuoted(&rest) else { return nil }
            labels[String(decoding: key, as: UTF8.self)] = value
        }
    }

    /// Reads up to the closing quote; `\\`, `\"` and `\n` are escapes.
    private static func readQuoted(_ rest: inout ArraySlice<UInt8>) -> String? {
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") { return String(decoding: bytes, as: UTF8.self) }
            guard byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() else {
                bytes.append(byte)
                continue
            }
            bytes.append(escaped == UInt8(ascii: "n") ? UInt8(ascii: "\n") : escaped)
        }
        return nil
    }

    private static func number(_ text: String) -> Double? {
        switch text {
        case "+Inf", "Inf": .infinity
        case "-Inf": -.infinity
        case "NaN": .nan
        default: Double(text)
        }
    }
}
