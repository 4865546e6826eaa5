/// What the proxy does with a field that a resource sets.
package enum FieldVerdict: String, Sendable, Hashable, CaseIterable {
    /// Does what the API says.
    case obeyed
    /// Taken, and has no meaning here: nothing that a user could notice is lost.
    case accepted
    /// Taken, has no effect, and is told: log, metric, `/config_dump` of what was understood.
    case ignored
    /// The resource is refused (NACK): to serve it without this field would be wrong or unsafe.
    case refused
}

/// The one place that says which xDS fields the proxy obeys. The docs page `docs/xds-fields.md` is made from it.
///
/// A field of our own `.proto` files that ``FieldExceptions`` does not name is obeyed. A field that only the published
/// definitions have is ignored, if it is not named there either.
package struct FieldSupport: Sendable {
    package struct Entry: Sendable, Hashable {
        package var message: String
        package var number: Int
        package var name: String
        package var verdict: FieldVerdict
        package var reason: String
    }

    package static let shared = FieldSupport(parsing: FieldExceptions.text)

    package private(set) var exceptions: [Entry] = []
    private var byMessage: [String: [Int: Entry]] = [:]
    /// Lines that are no entries; a test demands that there are none.
    package private(set) var malformed: [String] = []

    /// - Parameter text: A message's full name on a line of its own, then its entries, indented:
    ///   `verdict number name: reason`.
    init(parsing text: String) {
        var message = ""
        for line in text.split(separator: "\n") where !line.isEmpty {
            guard line.hasPrefix("  ") else {
                message = String(line)
                continue
            }
            let parts = line.split(separator: ":", maxSplits: 1).map(String.init)
            let words = parts.first?.split(separator: " ").map(String.init) ?? []
            guard parts.count == 2, words.count == 3, let verdict = FieldVerdict(rawValue: words[0]),
                let number = Int(words[1])
            else {
                malformed.append(String(line))
                continue
            }
            let entry = Entry(
                message: message, number: number, name: words[2], verdict: verdict,
                reason: String(parts[1].drop { $0 == " " }))
            exceptions.append(entry)
            byMessage[message, default: [:]][number] = entry
        }
    }

    /// The entries of one message by field number; `nil` when it has none.
    func entries(of message: String) -> [Int: Entry]? { byMessage[message] }

    /// What happens to a field that our definitions do not have.
    func unknown(_ message: String, _ number: Int) -> Entry {
        if let entry = byMessage[message]?[number] { return entry }
        let name = FieldSchema.shared.messages[message]?.field(number)?.name
        return Entry(
            message: message, number: number, name: name ?? "field \(number)", verdict: .ignored,
            reason: name == nil ? "not known to this version" : "not implemented")
    }
}

extension FieldSupport {
    /// Messages that travel in configuration; the others of the table belong to protocols of their own.
    private static func isConfiguration(_ name: String) -> Bool {
        let others = ["envoy.admin.", "envoy.data.", "envoy.service.", "google.", "istio.", "weft."]
        return !others.contains { name.hasPrefix($0) } && !name.hasSuffix("Entry")
    }

    /// The page `docs/xds-fields.md`.
    package var markdown: String {
        var lines = [
            "# xDS fields", "",
            "Made from `FieldSupport` and `FieldTable` (WeftXDS, WeftProto) by `dev/xds-table`; a test compares.", "",
            "- **obeyed**: does what Envoy's API says.",
            "- **accepted**: taken; there is nothing here that it could change for a user.",
            "- **ignored**: taken without effect, with a warning in the log and in the counter `xds.ignored_field.NAME`.",
            "- **refused**: the resource is rejected (NACK), or the bootstrap is.", "",
            "An extension (`typed_config`) that is not on this page is refused, unless its filter is `is_optional`.",
            "",
        ]
        let schema = FieldSchema.shared
        let reached = reachedMessages
        for name in schema.order.sorted() where Self.isConfiguration(name) {
            guard let message = schema.messages[name], !message.fields.isEmpty, reached.contains(name) else { continue }
            lines += ["## \(name)", "", "| field | | why |", "| --- | --- | --- |"]
            lines += message.fields.map { field in
                let entry = verdict(on: field, of: name)
                return "| \(field.name) | \(entry.verdict.rawValue) | \(entry.reason) |"
            }
            lines.append("")
        }
        return lines.joined(separator: "\n")
    }

    /// Messages that some obeyed field holds, or that come as an extension; of the others nothing has an effect.
    private var reachedMessages: Set<String> {
        let roots = [
            "envoy.config.bootstrap.v3.Bootstrap", "envoy.config.cluster.v3.Cluster",
            "envoy.config.endpoint.v3.ClusterLoadAssignment", "envoy.config.listener.v3.Listener",
            "envoy.config.route.v3.RouteConfiguration", "envoy.config.route.v3.FilterConfig",
        ]
        let schema = FieldSchema.shared
        let held = Set(schema.messages.values.flatMap(\.fields).map(\.type))
        var waiting = roots + schema.order.filter { $0.hasPrefix("envoy.extensions.") && !held.contains($0) }
        var reached = Set(waiting)
        while let name = waiting.popLast() {
            for field in schema.messages[name]?.fields ?? [] where verdict(on: field, of: name).verdict == .obeyed {
                if schema.messages[field.type] != nil, reached.insert(field.type).inserted {
                    waiting.append(field.type)
                }
            }
        }
        return reached
    }

    private func verdict(on field: FieldSchema.Field, of message: String) -> Entry {
        if let entry = byMessage[message]?[field.number] { return entry }
        if field.isLeftOut { return unknown(message, field.number) }
        return Entry(message: message, number: field.number, name: field.name, verdict: .obeyed, reason: "")
    }
}
