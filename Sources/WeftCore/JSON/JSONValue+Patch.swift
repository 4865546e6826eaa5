/// Why a JSON patch does not apply.
package struct JSONPatchError: Error, Hashable, Sendable, CustomStringConvertible {
    package var message: String
    package init(_ message: String) { self.message = message }
    package var description: String { message }
}

extension JSONValue {
    /// Applies a JSON Merge Patch (RFC 7396): `null` removes, objects merge, everything else replaces.
    package func merging(patch: JSONValue) -> JSONValue {
        guard case .object(let changes) = patch else { return patch }
        var members = objectValue ?? [:]
        for (key, change) in changes {
            if change.isNull {
                members[key] = nil
            } else {
                members[key] = (members[key] ?? .null).merging(patch: change)
            }
        }
        return .object(members)
    }

    /// Applies a JSON Patch (RFC 6902): all operations, or none when one fails.
    package func applying(jsonPatch: JSONValue) throws(JSONPatchError) -> JSONValue {
        guard let operations = jsonPatch.arrayValue else {
            throw JSONPatchError("a JSON patch is an array of operations")
        }
        var result = self
        for operation in operations { result = try result.applying(operation: operation) }
        return result
    }

    private func applying(operation: JSONValue) throws(JSONPatchError) -> JSONValue {
        guard let name = operation["op"]?.stringValue, let path = operation["path"]?.stringValue else {
            throw JSONPatchError("a patch operation needs \"op\" and \"path\"")
        }
        let pointer = try JSONPointer(path)
        var result = self
        switch name {
        case "add": try result.edit(pointer.tokens[...], pointer: path, .add(try Self.value(of: operation)))
        case "replace": try result.edit(pointer.tokens[...], pointer: path, .replace(try Self.value(of: operation)))
        case "remove": try result.edit(pointer.tokens[...], pointer: path, .remove)
        case "test":
            guard try value(at: pointer, path) == Self.value(of: operation) else {
                throw JSONPatchError("testing value \(path) failed")
            }
        case "move", "copy":
            guard let from = operation["from"]?.stringValue else { throw JSONPatchError("\(name) needs \"from\"") }
            guard name == "copy" || !path.hasPrefix(from + "/") else {
                throw JSONPatchError("cannot move \(from) into itself")
            }
            let source = try JSONPointer(from)
            let moved = try value(at: source, from)
            if name == "move" { try result.edit(source.tokens[...], pointer: from, .remove) }
            try result.edit(pointer.tokens[...], pointer: path, .add(moved))
        default: throw JSONPatchError("unexpected kind of operation: \(name)")
        }
        return result
    }

    private static func value(of operation: JSONValue) throws(JSONPatchError) -> JSONValue {
        guard let value = operation["value"] else { throw JSONPatchError("the operation has no \"value\"") }
        return value
    }

    private func value(at pointer: JSONPointer, _ text: String) throws(JSONPatchError) -> JSONValue {
        var current = self
        for token in pointer.tokens {
            let next: JSONValue? =
                switch current {
                case .object(let members): members[token]
                case .array: current[try Self.index(token, count: current.arrayValue?.count ?? 0, text)]
                default: nil
                }
            guard let next else { throw JSONPatchError("the path \(text) does not exist") }
            current = next
        }
        return current
    }

    private enum Edit {
        case add(JSONValue), replace(JSONValue), remove
    }

    private mutating func edit(_ tokens: ArraySlice<String>, pointer: String, _ edit: Edit) throws(JSONPatchError) {
        guard let token = tokens.first else {
            switch edit {
            case .add(let value), .replace(let value): self = value
            case .remove: self = .null
            }
            return
        }
        switch self {
        case .object(var members):
            try Self.edit(&members, token, tokens.dropFirst(), pointer, edit)
            self = .object(members)
        case .array(var elements):
            try Self.edit(&elements, token, tokens.dropFirst(), pointer, edit)
            self = .array(elements)
        default: throw JSONPatchError("the path \(pointer) does not exist")
        }
    }

    private static func edit(
        _ members: inout [String: JSONValue], _ token: String, _ rest: ArraySlice<String>, _ pointer: String,
        _ edit: Edit
    ) throws(JSONPatchError) {
        if !rest.isEmpty {
            guard var child = members[token] else { throw JSONPatchError("the path \(pointer) does not exist") }
            try child.edit(rest, pointer: pointer, edit)
            members[token] = child
            return
        }
        switch edit {
        case .add(let value): members[token] = value
        case .replace(let value):
            guard members.updateValue(value, forKey: token) != nil else {
                throw JSONPatchError("replace: the path \(pointer) does not exist")
            }
        case .remove:
            guard members.removeValue(forKey: token) != nil else {
                throw JSONPatchError("remove: the path \(pointer) does not exist")
            }
        }
    }

    private static func edit(
        _ elements: inout [JSONValue], _ token: String, _ rest: ArraySlice<String>, _ pointer: String, _ edit: Edit
    ) throws(JSONPatchError) {
        if rest.isEmpty, case .add(let value) = edit {
            let position = token == "-" ? elements.count : try index(token, count: elements.count + 1, pointer)
            elements.insert(value, at: position)
            return
        }
        let position = try index(token, count: elements.count, pointer)
        if !rest.isEmpty {
            try elements[position].edit(rest, pointer: pointer, edit)
        } else if case .replace(let value) = edit {
            elements[position] = value
        } else {
            elements.remove(at: position)
        }
    }

    private static func index(_ token: String, count: Int, _ pointer: String) throws(JSONPatchError) -> Int {
        guard let index = Int(token), token == String(index), (0..<count).contains(index) else {
            throw JSONPatchError("invalid array index \"\(token)\" in \(pointer)")
        }
        return index
    }
}

/// A JSON pointer (RFC 6901).
package struct JSONPointer: Hashable, Sendable {
    package var tokens: [String]

    package init(_ text: String) throws(JSONPatchError) {
        if text.isEmpty {
            tokens = []
            return
        }
        guard text.hasPrefix("/") else { throw JSONPatchError("the path \"\(text)\" does not start with a slash") }
        tokens = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map {
            String($0).replacing("~1", with: "/").replacing("~0", with: "~")
        }
    }
}
