import WeftCore

/// The workload that a pod belongs to, seen through its owner: the Deployment behind a ReplicaSet, the CronJob behind a Job.
struct WorkloadOwner: Hashable {
    var kind: String
    var apiVersion: String
    var name: String
    var namespace: String

    init(pod: JSONValue, namespace: String) {
        self.namespace = namespace
        let metadata = pod["metadata"] ?? .object([:])
        let owners = metadata["ownerReferences"]?.arrayValue ?? []
        guard let owner = owners.first(where: { $0["controller"]?.boolValue == true }) ?? owners.first,
            let kind = owner["kind"]?.stringValue, let name = owner["name"]?.stringValue
        else {
            self.kind = "Pod"
            self.apiVersion = "v1"
            self.name = metadata["name"]?.stringValue ?? Self.trimmed(metadata["generateName"]?.stringValue ?? "")
            return
        }
        self.kind = kind
        self.apiVersion = owner["apiVersion"]?.stringValue ?? "apps/v1"
        self.name = name
        if kind == "ReplicaSet", let hash = metadata[path: "labels", "pod-template-hash"]?.stringValue,
            name.hasSuffix("-\(hash)")
        {
            self.kind = "Deployment"
            self.apiVersion = "apps/v1"
            self.name = String(name.dropLast(hash.count + 1))
        } else if kind == "Job", let dash = name.lastIndex(of: "-"), Self.isSchedule(name[name.index(after: dash)...]) {
            self.kind = "CronJob"
            self.name = String(name[..<dash])
        }
    }

    /// `ISTIO_META_OWNER`.
    var uri: String { "kubernetes://apis/\(apiVersion)/namespaces/\(namespace)/\(plural)/\(name)" }

    private var plural: String {
        let lower = kind.lowercased()
        return lower.hasSuffix("s") ? lower + "es" : lower + "s"
    }

    private static func isSchedule(_ text: Substring) -> Bool { text.count >= 8 && text.allSatisfy(\.isNumber) }

    private static func trimmed(_ text: String) -> String {
        var text = text
        while text.hasSuffix("-") { text.removeLast() }
        return text
    }
}
