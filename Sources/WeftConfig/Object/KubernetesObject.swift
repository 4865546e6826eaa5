package import WeftCore

/// Group, version and kind of an object: `networking.istio.io`, `v1`, `VirtualService`. The core group is empty.
package struct GroupVersionKind: Sendable, Hashable, Codable, CustomStringConvertible {
    package var group: String
    package var version: String
    package var kind: String

    package init(group: String = "", version: String, kind: String) {
        self.group = group
        self.version = version
        self.kind = kind
    }

    /// - Parameter apiVersion: `v1`, or `group/version`.
    package init(apiVersion: String, kind: String) {
        let parts = apiVersion.split(separator: "/", maxSplits: 1)
        self.init(
            group: parts.count == 2 ? String(parts[0]) : "", version: String(parts.last ?? ""), kind: kind)
    }

    package var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }
    package var description: String { "\(apiVersion), Kind=\(kind)" }
}

/// One Kubernetes object, whatever its kind: the document as it came, with typed access to its metadata.
///
/// Fields that no type of ours knows are kept, so reading and writing an object loses nothing. Copies share the document;
/// what names an object is read from it once, because a mesh's objects are looked through for every change.
package struct KubernetesObject: Sendable, Hashable {
    private final class Storage: Sendable {
        let json: JSONValue
        let apiVersion: String
        let group: String
        let kind: String
        let name: String
        let namespace: String
        let resourceVersion: String

        init(_ json: JSONValue) {
            self.json = json
            let version = json["apiVersion"]?.stringValue ?? ""
            apiVersion = version
            group = version.firstIndex(of: "/").map { String(version[..<$0]) } ?? ""
            kind = json["kind"]?.stringValue ?? ""
            let metadata = json["metadata"]
            name = metadata?["name"]?.stringValue ?? ""
            namespace = metadata?["namespace"]?.stringValue ?? ""
            resourceVersion = metadata?["resourceVersion"]?.stringValue ?? ""
        }
    }
    private var storage: Storage

    package init(_ json: JSONValue) { storage = Storage(json) }

    package var json: JSONValue {
        get { storage.json }
        set { storage = Storage(newValue) }
    }

    /// Whether both are copies of one; they are equal then. Says nothing where not.
    package func isIdentical(to other: KubernetesObject) -> Bool { storage === other.storage }

    /// The same for all copies, and no other object's as long as one of them is there.
    package var identity: ObjectIdentifier { ObjectIdentifier(storage) }

    package static func == (left: KubernetesObject, right: KubernetesObject) -> Bool {
        left.storage === right.storage || left.json == right.json
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(json) }

    package var apiVersion: String { storage.apiVersion }
    /// The part of ``apiVersion`` before the slash; empty for the core group.
    package var group: String { storage.group }
    package var kind: String { storage.kind }
    package var groupVersionKind: GroupVersionKind { GroupVersionKind(apiVersion: apiVersion, kind: kind) }

    package var name: String { storage.name }
    /// Empty for cluster-scoped objects.
    package var namespace: String { storage.namespace }
    package var uid: String { metadata("uid") }
    package var resourceVersion: String { storage.resourceVersion }
    package var generation: Int { json[path: "metadata", "generation"]?.intValue ?? 0 }
    /// RFC 3339, whole seconds, UTC; empty before the object was stored.
    package var creationTimestamp: String { metadata("creationTimestamp") }
    package var deletionTimestamp: String? { json[path: "metadata", "deletionTimestamp"]?.stringValue }
    package var labels: [String: String] { strings("labels") }
    package var annotations: [String: String] { strings("annotations") }
    package var reference: ResourceReference { ResourceReference(kind: kind, namespace: namespace, name: name) }

    package var ownerReferences: [OwnerReference] {
        json[path: "metadata", "ownerReferences"]?.arrayValue?.compactMap { try? $0.decode(OwnerReference.self) } ?? []
    }

    /// Decodes the whole object, or a part of it, into a typed view.
    package func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T { try json.decode(type) }

    private func metadata(_ key: String) -> String { json["metadata"]?[key]?.stringValue ?? "" }

    private func strings(_ key: String) -> [String: String] {
        json["metadata"]?[key]?.objectValue?.compactMapValues(\.stringValue) ?? [:]
    }
}

package struct OwnerReference: Sendable, Hashable, Codable {
    package var apiVersion: String
    package var kind: String
    package var name: String
    package var uid: String
    package var controller: Bool?
    package var blockOwnerDeletion: Bool?

    package init(
        apiVersion: String, kind: String, name: String, uid: String, controller: Bool? = nil,
        blockOwnerDeletion: Bool? = nil
    ) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.name = name
        self.uid = uid
        self.controller = controller
        self.blockOwnerDeletion = blockOwnerDeletion
    }
}

/// A label selector (`meta.v1.LabelSelector`). An empty selector matches everything.
package struct LabelSelector: Sendable, Hashable, Codable {
    package struct Requirement: Sendable, Hashable, Codable {
        package enum Operator: String, Sendable, Hashable, Codable {
            case isIn = "In"
            case notIn = "NotIn"
            case exists = "Exists"
            case doesNotExist = "DoesNotExist"
        }
        package var key: String
        package var `operator`: Operator
        package var values: [String]?

        package init(key: String, operator: Operator, values: [String]? = nil) {
            self.key = key
            self.operator = `operator`
            self.values = values
        }
    }
    package var matchLabels: [String: String]?
    package var matchExpressions: [Requirement]?

    package init(matchLabels: [String: String]? = nil, matchExpressions: [Requirement]? = nil) {
        self.matchLabels = matchLabels
        self.matchExpressions = matchExpressions
    }

    package func matches(_ labels: [String: String]) -> Bool {
        let equal = (matchLabels ?? [:]).allSatisfy { labels[$0.key] == $0.value }
        return equal && (matchExpressions ?? []).allSatisfy { $0.matches(labels) }
    }
}

extension LabelSelector.Requirement {
    package func matches(_ labels: [String: String]) -> Bool {
        switch `operator` {
        case .isIn: labels[key].map { (values ?? []).contains($0) } ?? false
        case .notIn: labels[key].map { !(values ?? []).contains($0) } ?? true
        case .exists: labels[key] != nil
        case .doesNotExist: labels[key] == nil
        }
    }
}
