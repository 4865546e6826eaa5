package import WeftCore

/// Where each field of a document was written: path (`spec.http[0].route[1].weight`) to line and column.
package struct SourceMap: Sendable, Hashable {
    package var file: String?
    package var locations: [String: SourceLocation] = [:]

    package init() {}

    /// The place of a field, or of the closest field above it that was written.
    package func location(of path: String) -> SourceLocation? {
        var path = Substring(path)
        while true {
            if let location = locations[String(path)] { return location }
            // Members of a map are told in brackets, and were perhaps written with a dot.
            if path.hasSuffix("]"), let open = path.lastIndex(of: "["),
                let location = locations["\(path[..<open]).\(path[path.index(after: open)...].dropLast())"]
            {
                return location
            }
            guard let end = path.lastIndex(where: { $0 == "." || $0 == "[" }) else { return locations[""] }
            path = path[..<end]
        }
    }

    /// The same document seen from one of its fields.
    package func rebased(at prefix: String) -> SourceMap {
        var map = SourceMap()
        map.file = file
        for (path, location) in locations where path.hasPrefix(prefix) {
            let rest = path.dropFirst(prefix.count)
            if rest.isEmpty {
                map.locations[""] = location
            } else if rest.first == "." {
                map.locations[String(rest.dropFirst())] = location
            }
        }
        return map
    }

    /// The path of a member; names that hold dots (labels, annotations) are written in brackets.
    package static func child(of path: String, _ name: String) -> String {
        name.contains(".") || name.contains("/") ? "\(path)[\(name)]" : "\(path).\(name)"
    }
}
