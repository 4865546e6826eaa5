package import WeftCore

/// Which requests somebody wants to see live, and how many at most. Pure.
///
/// Where a proxy is chosen (`namespace`, `workload`, `pod`) the control plane looks, the rest is judged by the proxies:
/// what nobody wants never leaves them.
package struct TapFilter: Sendable, Hashable {
    /// Entries a second that one viewer may ask for.
    package static let highestRate = 1000
    /// The names of the query parameters, and of the members in an order to a proxy.
    package static let names: Set<String> = [
        "namespace", "workload", "pod", "reporter", "source", "destination", "method", "path", "host", "status",
        "flags", "minLatency", "max",
    ]

    /// What a filter says that makes no sense, in words for who wrote it.
    package struct Invalid: Error, Sendable, Hashable, CustomStringConvertible {
        package var description: String
    }

    private let values: [String: String]
    private let statuses: [ClosedRange<Int>]
    private let flags: Set<String>
    private let minimumMilliseconds: Double
    /// Entries a second.
    package let rate: Int

    /// - Parameter values: Query parameters; empty ones are as good as not there.
    /// - Throws: ``Invalid`` for a name that does not exist or a value that means nothing.
    package init(_ values: [String: String]) throws(Invalid) {
        let values = values.filter { !$0.value.isEmpty }
        for (name, value) in values.sorted(by: { $0.key < $1.key }) {
            guard Self.names.contains(name) else {
                let known = Self.names.sorted().joined(separator: ", ")
                throw Invalid(description: "a tap has no filter \"\(name.prefix(40))\"; there are: \(known)")
            }
            guard value.utf8.count <= 512 else {
                throw Invalid(description: "the filter \(name) is longer than 512 bytes")
            }
        }
        self.values = values
        if let reporter = values["reporter"], reporter != "source", reporter != "destination" {
            throw Invalid(description: "reporter is \"\(reporter)\"; it is source or destination")
        }
        statuses = try Self.ranges(values["status"])
        flags = Set((values["flags"] ?? "").split(separator: ",").map(String.init))
        minimumMilliseconds = try Self.number("minLatency", values["minLatency"], 0...86_400_000) ?? 0
        rate = Int(try Self.number("max", values["max"], 1...Double(Self.highestRate)) ?? 100)
    }

    private static func number(
        _ name: String, _ text: String?, _ range: ClosedRange<Double>
    ) throws(Invalid) -> Double? {
        guard let text else { return nil }
        guard let value = Double(text), range.contains(value) else {
            throw Invalid(
                description: "\(name) is \"\(text)\"; it is a number from \(Int(range.lowerBound)) to "
                    + "\(Int(range.upperBound))")
        }
        return value
    }

    /// `404`, `5xx` and `400-499`, with commas between.
    private static func ranges(_ text: String?) throws(Invalid) -> [ClosedRange<Int>] {
        var ranges: [ClosedRange<Int>] = []
        for part in (text ?? "").split(separator: ",") {
            let bounds = part.split(separator: "-", omittingEmptySubsequences: false)
            if part.utf8.count == 3, part.hasSuffix("xx"), let hundreds = Int(part.prefix(1)) {
                ranges.append(hundreds * 100...hundreds * 100 + 99)
            } else if let low = bounds.first.flatMap({ Int($0) }), let high = bounds.last.flatMap({ Int($0) }),
                bounds.count <= 2, 0 <= low, low <= high, high <= 999
            {
                ranges.append(low...high)
            } else {
                throw Invalid(description: "status is \"\(part)\"; write for example 404, 5xx or 400-499")
            }
        }
        return ranges
    }

    // MARK: - Judging

    /// Whether a proxy's requests may be wanted at all.
    package func concerns(_ node: TapNode) -> Bool {
        (values["namespace"] ?? node.namespace) == node.namespace
            && (values["workload"] ?? node.workload) == node.workload && (values["pod"] ?? node.pod) == node.pod
    }

    package func accepts(_ record: TapRecord) -> Bool {
        if let wanted = values["reporter"], wanted != record.reporter { return false }
        if let wanted = values["method"], wanted != record.method { return false }
        if let wanted = values["path"], !record.path.hasPrefix(wanted) { return false }
        if let wanted = values["host"], !record.host.contains(wanted) { return false }
        if !statuses.isEmpty, !statuses.contains(where: { $0.contains(record.status) }) { return false }
        if record.milliseconds < minimumMilliseconds { return false }
        if let wanted = values["source"], !record.source.mentions(wanted) { return false }
        if let wanted = values["destination"], !record.destination.mentions(wanted) { return false }
        guard !flags.isEmpty else { return true }
        if flags.contains("any") { return record.flags != "-" }
        return record.flags.split(separator: ",").contains { flags.contains(String($0)) }
    }

    // MARK: - On the wire

    package var json: JSONValue { .object(values.mapValues { .string($0) }) }

    package init(json: JSONValue) throws(Invalid) {
        try self.init((json.objectValue ?? [:]).compactMapValues(\.stringValue))
    }
}

/// A proxy that tells of its requests.
package struct TapNode: Sendable, Hashable {
    package var pod: String
    package var namespace: String
    package var workload: String

    package init(pod: String, namespace: String, workload: String) {
        self.pod = pod
        self.namespace = namespace
        self.workload = workload
    }

    /// `POD.NAMESPACE`, as every command names proxies.
    package var name: String { "\(pod).\(namespace)" }
}
