package import WeftCore

/// What `/config_dump` is asked for: `resource`, `mask` and `name_regex`.
///
/// - `resource` is the name of a list, such as `static_clusters`: its elements are shown, and nothing else.
/// - `mask` is a list of paths of fields, separated by commas (`google.protobuf.FieldMask`): of each section, or of each
///   element when a resource is named, only these are shown. A section that has no such field is left out. Paths lead
///   through messages, not through lists.
/// - `name_regex` leaves out elements whose names do not match.
package struct ConfigDumpQuery: Sendable {
    /// Why a question cannot be answered.
    package struct Problem: Error, Sendable {
        package var text: String
        /// What was asked for is not there, rather than asked for wrongly.
        package var isMissing = false
    }

    private let resource: String?
    private let mask: [[String]]
    private let name: Regex?
    private let maskText: String

    /// - Throws: ``Problem`` for a pattern that does not compile.
    package init(resource: String?, mask: String?, nameRegex: String?) throws(Problem) {
        func filled(_ text: String?) -> String? { text.flatMap { $0.isEmpty ? nil : $0 } }
        self.resource = filled(resource)
        maskText = mask ?? ""
        self.mask = maskText.split(separator: ",").map { $0.split(separator: ".").map(String.init) }
        do throws(RegexError) {
            name = try filled(nameRegex).map { pattern throws(RegexError) in try Regex(pattern) }
        } catch {
            throw Problem(
                text: "INVALID_ARGUMENT: Error while parsing name_regex from \(nameRegex ?? ""): \(error.message)")
        }
    }

    /// - Parameter page: What ``ConfigDump`` made.
    package func apply(to page: JSONValue) throws(Problem) -> JSONValue {
        var sections = page["configs"]?.arrayValue ?? []
        if name != nil { sections = sections.map(named) }
        let shown = if let resource { try elements(resource, sections) } else { try masked(sections) }
        return shown.isEmpty ? .object([:]) : .object(["configs": .array(shown)])
    }

    private func masked(_ sections: [JSONValue]) throws(Problem) -> [JSONValue] {
        guard !mask.isEmpty else { return sections }
        let meant = sections.filter { section in
            mask.allSatisfy { reaches($0[...], in: section, of: type(section)) }
        }
        guard !meant.isEmpty else {
            throw Problem(text: "FieldMask \(maskText) could not be successfully applied to any configs.")
        }
        return meant.map { trimmed($0, to: mask.map { $0[...] }) }
    }

    private func elements(_ resource: String, _ sections: [JSONValue]) throws(Problem) -> [JSONValue] {
        for section in sections {
            guard let field = FieldSchema.shared.messages[type(section)]?.field(resource) else { continue }
            guard field.isRepeated else {
                throw Problem(
                    text: "\(resource) is not a repeated field. Use ?mask=\(resource) to get only this field")
            }
            var shown: [JSONValue] = []
            for element in section[resource]?.arrayValue ?? [] {
                guard var members = element.objectValue else { continue }
                members["@type"] = .string("type.googleapis.com/" + field.type)
                let whole = JSONValue.object(members)
                guard mask.allSatisfy({ reaches($0[...], in: whole, of: field.type) }) else {
                    throw Problem(text: "FieldMask \(maskText) could not be successfully used.")
                }
                shown.append(mask.isEmpty ? whole : trimmed(whole, to: mask.map { $0[...] }))
            }
            return shown
        }
        throw Problem(text: "\(resource) not found in config dump", isMissing: true)
    }

    private func type(_ value: JSONValue) -> String {
        let name = value["@type"]?.stringValue ?? ""
        return name.split(separator: "/").last.map(String.init) ?? ""
    }

    /// Whether a path leads through messages that have its fields.
    private func reaches(_ path: ArraySlice<String>, in value: JSONValue, of message: String) -> Bool {
        guard let first = path.first else { return true }
        let named = message == "google.protobuf.Any" ? type(value) : message
        guard let field = FieldSchema.shared.messages[named]?.field(first) else { return false }
        if path.count == 1 { return true }
        guard !field.isRepeated, !field.isMap, field.kind == .message else { return false }
        // What is not set has nothing to show.
        return value[first].map { reaches(path.dropFirst(), in: $0, of: field.type) } ?? true
    }

    private func trimmed(_ value: JSONValue, to paths: [ArraySlice<String>]) -> JSONValue {
        guard let members = value.objectValue, !paths.contains(where: \.isEmpty) else { return value }
        var kept: [String: JSONValue] = [:]
        kept["@type"] = members["@type"]
        for (name, path) in Dictionary(grouping: paths, by: { $0.first ?? "" }) {
            guard let member = members[name] else { continue }
            kept[name] = trimmed(member, to: path.map { $0.dropFirst() })
        }
        return .object(kept)
    }

    // MARK: names

    /// A section without the elements of other names.
    private func named(_ section: JSONValue) -> JSONValue {
        guard let members = section.objectValue else { return section }
        return .object(
            members.mapValues { member in
                guard let list = member.arrayValue else { return member }
                return .array(list.filter(isNamed))
            })
    }

    private func isNamed(_ element: JSONValue) -> Bool {
        guard let name, let members = element.objectValue else { return true }
        let inner = members.values.compactMap { $0["name"]?.stringValue ?? $0["cluster_name"]?.stringValue }
        let state = ["active_state", "warming_state", "draining_state"].compactMap {
            members[$0]?["listener"]?["name"]?.stringValue
        }
        guard let own = members["name"]?.stringValue ?? state.first ?? inner.first else { return true }
        return name.matches(own.utf8)
    }
}
