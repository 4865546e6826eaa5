package import WeftConfig
import WeftCore

/// Everything an analysis looks at, indexed once.
package struct AnalysisContext: Sendable {
    package let objects: [KubernetesObject]
    /// Namespaces to report on; `nil` is all. Objects elsewhere still count as existing.
    package let namespaces: Set<String>?
    package let clusterDomain: String
    /// In the order of namespace and name.
    private let byKind: [String: [KubernetesObject]]
    /// Services by `NAME.NAMESPACE`.
    private let services: [String: KubernetesObject]
    /// Label sets of pods, or of what makes them, by namespace.
    private let podLabels: [String: [[String: String]]]

    package init(objects: [KubernetesObject], namespaces: Set<String>? = nil, clusterDomain: String = "cluster.local") {
        self.objects = objects
        self.namespaces = namespaces
        self.clusterDomain = clusterDomain
        let byKind = Dictionary(grouping: objects, by: \.kind).mapValues { objects in
            objects.map { (key: ($0.namespace, $0.name), object: $0) }.sorted { $0.key < $1.key }.map(\.object)
        }
        self.byKind = byKind
        services = Dictionary(
            (byKind["Service"] ?? []).map { ("\($0.name).\($0.namespace)", $0) },
            uniquingKeysWith: { first, _ in first })
        podLabels = Dictionary(grouping: Self.pods(byKind), by: \.namespace).mapValues { $0.map(\.labels) }
    }

    /// Objects of a kind, in the order of their names.
    func all(_ kind: String) -> [KubernetesObject] { byKind[kind] ?? [] }

    /// A short host name belongs to the namespace of the object that uses it.
    func resolve(_ host: String, namespace: String) -> String {
        host.contains(".") || host.contains("*") ? host : "\(host).\(namespace).svc.\(clusterDomain)"
    }

    func service(_ host: String, namespace: String) -> KubernetesObject? {
        let full = resolve(host, namespace: namespace)
        for suffix in [".svc.\(clusterDomain)", ".svc", ""] where full.hasSuffix(suffix) {
            if let found = services[String(full.dropLast(suffix.count))] { return found }
        }
        return nil
    }

    /// A Service or a ServiceEntry answers to this name.
    func hostExists(_ host: String, namespace: String) -> Bool {
        if service(host, namespace: namespace) != nil { return true }
        let full = resolve(host, namespace: namespace)
        return all("ServiceEntry").contains { entry in
            entry.strings("spec", "hosts").contains { pattern in
                pattern == full || pattern == host || pattern.hasPrefix("*.") && full.hasSuffix(pattern.dropFirst())
            }
        }
    }

    /// The port numbers of the Service, or of the ServiceEntry, that answers to this name; sorted.
    func ports(of host: String, namespace: String) -> [Int] {
        let full = resolve(host, namespace: namespace)
        let entry = all("ServiceEntry").first {
            let hosts = $0.strings("spec", "hosts")
            return hosts.contains(full) || hosts.contains(host)
        }
        let owner = service(host, namespace: namespace) ?? entry
        return Set((owner?.array("spec", "ports") ?? []).compactMap { ($0["port"] ?? $0["number"])?.intValue }).sorted()
    }

    /// Label sets of the workloads that a service selects: its pods, and the templates of what makes pods.
    func workloadLabels(selectedBy service: KubernetesObject) -> [[String: String]] {
        guard let selector = service.json[path: "spec", "selector"]?.objectValue?.compactMapValues(\.stringValue),
            !selector.isEmpty
        else { return [] }
        return (podLabels[service.namespace] ?? []).filter { labels in
            selector.allSatisfy { labels[$0.key] == $0.value }
        }
    }

    /// Label sets of the pods that a selector meets, or of what makes them; `nil` looks in every namespace.
    func pods(in namespace: String?, selectedBy selector: [String: String]) -> [[String: String]] {
        let all = namespace.map { podLabels[$0] ?? [] } ?? podLabels.sorted { $0.key < $1.key }.flatMap(\.value)
        return all.filter { labels in selector.allSatisfy { labels[$0.key] == $0.value } }
    }

    /// Whether there is anything that a selector could meet.
    var knowsPods: Bool { !podLabels.isEmpty }

    private static func pods(_ byKind: [String: [KubernetesObject]]) -> [(namespace: String, labels: [String: String])]
    {
        let running = (byKind["Pod"] ?? []).map { ($0.namespace, $0.labels) }
        let templates = ["Deployment", "StatefulSet", "DaemonSet"].flatMap { byKind[$0] ?? [] }.map { object in
            let labels = object.json[path: "spec", "template", "metadata", "labels"]?.objectValue ?? [:]
            return (object.namespace, labels.compactMapValues(\.stringValue))
        }
        // Running pods are the truth; templates stand in for them when only files are analysed.
        return running.isEmpty ? templates : running
    }
}

extension KubernetesObject {
    func array(_ first: String, _ second: String) -> [JSONValue] { json[path: first, second]?.arrayValue ?? [] }

    func strings(_ first: String, _ second: String) -> [String] { array(first, second).compactMap(\.stringValue) }
}
