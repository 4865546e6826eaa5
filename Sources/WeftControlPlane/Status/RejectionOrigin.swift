import WeftCore
import WeftIR
import WeftXDS

/// Finds what a refusal is about: the resources, and the objects that these were made from. Pure.
enum RejectionOrigin {
    /// The resources that a proxy's words name, of those that it was sent.
    static func names(in message: String, among sent: [String]) -> [String] {
        if sent.count == 1 { return sent }
        return sent.filter { isNamed($0, in: message) }
    }

    /// Whether a name stands in a text by itself, not as a part of a longer name.
    private static func isNamed(_ name: String, in text: String) -> Bool {
        guard !name.isEmpty else { return false }
        var rest = text[...]
        while let found = rest.firstRange(of: name) {
            let before = found.lowerBound > text.startIndex ? text[text.index(before: found.lowerBound)] : " "
            let after = found.upperBound < text.endIndex ? text[found.upperBound] : " "
            if !isNamePart(before), !isNamePart(after) || endsSentence(text, found.upperBound) { return true }
            rest = rest[found.upperBound...]
        }
        return false
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

    /// The objects that the resources of these names were made from.
    static func objects(of names: some Sequence<String>, _ type: ResourceType, in configuration: ProxyConfiguration)
        -> [ResourceReference]
    {
        var found: Set<ResourceReference> = []
        for name in names {
            let json: JSONValue? =
                switch type {
                case .cluster: configuration.clusters[name].flatMap { try? JSONValue(encoding: $0) }
                case .listener: configuration.listeners[name].flatMap { try? JSONValue(encoding: $0) }
                case .endpoint: configuration.endpoints[name].flatMap { try? JSONValue(encoding: $0) }
                case .scope: configuration.scopes[name].flatMap { try? JSONValue(encoding: $0) }
                case .route: configuration.routes[name].flatMap { try? JSONValue(encoding: $0) }
                case .secret, .names: nil
                }
            if let json { collect(json, into: &found) }
        }
        return found.sorted { $0.description < $1.description }
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
