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

/// A Kubernetes object read from a file, and where its fields are.
package struct ManifestObject: Sendable, Hashable {
    package var object: KubernetesObject
    package var source: SourceMap

    package init(object: KubernetesObject, source: SourceMap) {
        self.object = object
        self.source = source
    }
}

/// Reads manifests: YAML or JSON, several documents, `List` objects taken apart.
package enum ManifestReader {
    package static func objects(in text: String, file: String? = nil) throws(YAMLParseError) -> [ManifestObject] {
        var objects: [ManifestObject] = []
        for document in try YAMLReader.documents(in: text, file: file) {
            guard case .object = document.value else {
                throw YAMLParseError(
                    message: "expected an object with apiVersion and kind, but found \(document.value.typeName)",
                    location: document.source.location(of: "") ?? SourceLocation(file: file, line: 1))
            }
            append(document, to: &objects)
        }
        return objects
    }

    private static func append(_ document: YAMLDocument, to objects: inout [ManifestObject]) {
        let kind = document.value["kind"]?.stringValue ?? ""
        guard kind.hasSuffix("List"), let items = document.value["items"]?.arrayValue else {
            objects.append(ManifestObject(object: KubernetesObject(document.value), source: document.source))
            return
        }
        for (index, item) in items.enumerated() {
            append(YAMLDocument(value: item, source: document.source.rebased(at: "items[\(index)]")), to: &objects)
        }
    }
}
