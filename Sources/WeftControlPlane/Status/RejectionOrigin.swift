import WeftCore
import WeftIR
import WeftXDS

/// Finds what a refusal is about: the resources, and the objects that these were made from. Pure.
enum RejectionOrigin {
    /// A place in a proxy's words where a resource's name begins what is said about it.
    private struct Label {
        var name: String
        var start: String.Index
        var end: String.Index
    }

    /// What a proxy's words say of each resource that they name, of those that it was sent.
    ///
    /// Known forms: `NAME: FIELD: REASON; NAME: …` (weft-proxy), `Error adding/updating listener(s) NAME: REASON` with a
    /// line for each (Envoy's listeners), the same with commas (its clusters), `resource index 0: NAME: REASON` (gRPC).
    /// Words of another form name a resource where its name stands by itself.
    /// - Returns: empty if none is named.
    static func refusals(in message: String, among sent: [String]) -> [String: String] {
        if sent.count == 1 { return [sent[0]: message] }
        let labels = sent.compactMap { label($0, in: message) }.sorted { $0.start < $1.start }
        var found: [String: String] = [:]
        for (index, label) in labels.enumerated() {
            let end = index + 1 < labels.count ? labels[index + 1].start : message.endIndex
            found[label.name] = trimmed(message[label.start..<end])
        }
        guard found.isEmpty else { return found }
        for name in sent where isNamed(name, in: message) { found[name] = message }
        return found
    }

    // MARK: - Labels

    private static let openings = ["(s) ", "\n", "; ", ", ", "["]

    /// The first place where a part of the text begins with the name and a colon.
    private static func label(_ name: String, in text: String) -> Label? {
        guard !name.isEmpty else { return nil }
        var rest = text[...]
        while let range = rest.firstRange(of: name + ":") {
            let before = text[..<range.lowerBound]
            if before.isEmpty || openings.contains(where: before.hasSuffix) || isNumbered(before) {
                return Label(name: name, start: range.lowerBound, end: range.upperBound)
            }
            rest = rest[range.upperBound...]
        }
        return nil
    }

    /// `resource index 12: `
    private static func isNumbered(_ text: Substring) -> Bool {
        guard text.hasSuffix(": ") else { return false }
        let digits = text.dropLast(2).reversed().prefix { $0.isNumber }
        return !digits.isEmpty && text.dropLast(2 + digits.count).hasSuffix("index ")
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while let last = text.last, ";,\n [".contains(last) { text = text.dropLast() }
        return String(text)
    }

    // MARK: - Words

    /// Whether a name stands in a text by itself, not as a part of a longer name. A number may be anything: it is a name
    /// only in quotes or after what it is the name of.
    private static func isNamed(_ name: String, in text: String) -> Bool {
        guard !name.isEmpty else { return false }
        let isNumber = name.allSatisfy(\.isNumber)
        var rest = text[...]
        while let found = rest.firstRange(of: name) {
            let before = found.lowerBound > text.startIndex ? text[text.index(before: found.lowerBound)] : " "
            let after = found.upperBound < text.endIndex ? text[found.upperBound] : " "
            let isWord = !isNamePart(before) && (!isNamePart(after) || endsSentence(text, found.upperBound))
            if isWord, !isNumber || isIntroduced(text[..<found.lowerBound]) { return true }
            rest = rest[found.upperBound...]
        }
        return false
    }

    private static func isIntroduced(_ text: Substring) -> Bool {
        ["'", "\"", "`", "route ", "route table ", "route configuration ", "RouteConfiguration "].contains {
            text.hasSuffix($0)
        }
    }

    private static func isNamePart(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || "_-|.".contains(character)
    }

    /// A full stop that ends a sentence is no part of the name before it.
    private static func endsSentence(_ text: String, _ index: String.Index) -> Bool {
        guard text[index] == "." else { return false }
        let next = text.index(after: index)
        return next == text.endIndex || text[next].isWhitespace
    }

    // MARK: - Objects

    /// The objects that the resources of these names were made from, patches on them included.
    static func objects(of names: some Sequence<String>, _ type: ResourceType, in configuration: ProxyConfiguration)
        -> [ResourceReference]
    {
        var found: Set<ResourceReference> = []
        for name in names {
            if type == .secret {
                users(ofSecret: name, in: configuration, into: &found)
                continue
            }
            var alone = ProxyConfiguration()
            alone.patches = configuration.patches
            switch type {
            case .cluster: alone.clusters[name] = configuration.clusters[name]
            case .listener: alone.listeners[name] = configuration.listeners[name]
            case .endpoint: alone.endpoints[name] = configuration.endpoints[name]
            case .scope: alone.scopes[name] = configuration.scopes[name]
            case .route: alone.routes[name] = configuration.routes[name]
            case .secret, .names: break
            }
            patches(on: name, type, in: alone, into: &found)
            alone.patches = []
            if let json = try? JSONValue(encoding: alone) { collect(json, into: &found) }
        }
        return found.sorted { $0.description < $1.description }
    }

    /// EnvoyFilters that change the resource, or bring it.
    private static func patches(
        on name: String, _ type: ResourceType, in alone: ProxyConfiguration, into found: inout Set<ResourceReference>
    ) {
        let own = alone.patches.filter { patch in
            guard patch.operation == .add, patch.target == .cluster || patch.target == .listener else { return true }
            return patch.value?["name"]?.stringValue == name
                && (patch.target == .cluster) == (type == .cluster)
        }
        guard !own.isEmpty else { return }
        var alone = alone
        alone.patches = own
        let report = try? EncodedConfiguration(alone, target: .weft).patchReport
        for provenance in report?.matched ?? [] { found.insert(provenance.resource) }
    }

    /// A secret is made from a Secret, which has no status: what is told are the objects that want it.
    private static func users(
        ofSecret name: String, in configuration: ProxyConfiguration, into found: inout Set<ResourceReference>
    ) {
        let holders =
            configuration.listeners.values.map { try? JSONValue(encoding: $0) }
            + configuration.clusters.values.map { try? JSONValue(encoding: $0) }
        for case let holder? in holders where mentions(holder, name) { collect(holder, into: &found) }
    }

    private static func mentions(_ value: JSONValue, _ name: String) -> Bool {
        switch value {
        case .string(let text): text == name
        case .array(let elements): elements.contains { mentions($0, name) }
        case .object(let members): members.values.contains { mentions($0, name) }
        default: false
        }
    }

    private static func collect(_ value: JSONValue, into found: inout Set<ResourceReference>) {
        switch value {
        case .array(let elements):
            for element in elements { collect(element, into: &found) }
        case .object(let members):
            if let origin = try? members["provenance"]?["resource"]?.decode(ResourceReference.self) {
                found.insert(origin)
            }
            for member in members.values { collect(member, into: &found) }
        default: break
        }
    }
}
