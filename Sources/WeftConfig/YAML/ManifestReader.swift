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
            if let error = notAnObject(document, file) { throw error }
            append(document, to: &objects)
        }
        return objects
    }

    /// The objects of all documents that can be read, and what is wrong with each of the others.
    package static func readable(in text: String, file: String? = nil) -> (
        objects: [ManifestObject], errors: [YAMLParseError]
    ) {
        var (documents, errors) = YAMLReader.readable(in: text, file: file)
        errors += documents.compactMap { notAnObject($0, file) }
        documents.removeAll { notAnObject($0, file) != nil }
        var objects: [ManifestObject] = []
        for document in documents { append(document, to: &objects) }
        return (objects, errors.sorted { $0.location.line < $1.location.line })
    }

    private static func notAnObject(_ document: YAMLDocument, _ file: String?) -> YAMLParseError? {
        guard document.value.objectValue == nil else { return nil }
        return YAMLParseError(
            message: "expected an object with apiVersion and kind, but found \(document.value.typeName)",
            location: document.source.location(of: "") ?? SourceLocation(file: file, line: 1))
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
