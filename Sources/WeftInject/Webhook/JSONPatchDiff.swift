import WeftCore

/// The JSON Patch (RFC 6902) from one document to another. Members are compared one by one, arrays as a whole.
enum JSONPatchDiff {
    static func operations(from old: JSONValue, to new: JSONValue, path: String = "") -> [JSONValue] {
        if old == new { return [] }
        guard let before = old.objectValue, let after = new.objectValue else {
            return [["op": "replace", "path": .string(path), "value": new]]
        }
        var operations: [JSONValue] = []
        for key in Set(before.keys).union(after.keys).sorted() {
            let pointer = path + "/" + escaped(key)
            switch (before[key], after[key]) {
            case (.some, nil): operations.append(["op": "remove", "path": .string(pointer)])
            case (nil, .some(let value)): operations.append(["op": "add", "path": .string(pointer), "value": value])
            case (.some(let from), .some(let to)): operations += Self.operations(from: from, to: to, path: pointer)
            case (nil, nil): break
            }
        }
        return operations
    }

    /// JSON Pointer (RFC 6901): `~` and `/` inside a name.
    private static func escaped(_ key: String) -> String {
        var result = ""
        for character in key {
            switch character {
            case "~": result += "~0"
            case "/": result += "~1"
            default: result.append(character)
            }
        }
        return result
    }
}
