package import WeftHTTP

/// One change of headers that a remote service asks for.
package struct HeaderChange: Sendable, Hashable {
    package enum Action: Sendable, Hashable {
        /// Replaces all values.
        case set
        /// One more field.
        case add
        /// To the value that is there, after a comma; nothing when there is none.
        case appendToExisting
        case addIfAbsent
        case setIfPresent
    }
    /// In lower case.
    package var name: String
    package var value: String
    package var action: Action

    package init(_ name: String, _ value: String, _ action: Action) {
        self.name = name.lowercased()
        self.value = value
        self.action = action
    }

    /// Whether it could stand in a message at all.
    package var isValid: Bool {
        let bare = name.hasPrefix(":") ? String(name.dropFirst()) : name
        return HeaderBlock.isField(bare, value)
    }
}

extension HeaderBlock {
    /// - Parameter change: Of a field, not of a pseudo header.
    package mutating func apply(_ change: HeaderChange) {
        let name = HeaderName(change.name)
        switch change.action {
        case .set: set(name, change.value)
        case .add: append(name: change.name, value: change.value)
        case .addIfAbsent: if !contains(name) { append(name: change.name, value: change.value) }
        case .setIfPresent: if contains(name) { set(name, change.value) }
        case .appendToExisting:
            guard let before = joined(name) else { return }
            set(name, "\(String(decoding: before, as: UTF8.self)),\(change.value)")
        }
    }

    /// Puts fields in the place of those that have their names; fields of one name all stay.
    package mutating func replace(with other: HeaderBlock) {
        let fields = other.fields
        for field in fields { remove(HeaderName(field.name)) }
        for field in fields { append(name: field.name, value: field.value) }
    }
}
