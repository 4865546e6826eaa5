import WeftCore
// Whoever reads manifests reads their YAML and its places too.
@_exported public import WeftYAML

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
