package import WeftConfig
import WeftCore

/// Everything an analysis looks at, indexed once.
package struct AnalysisContext: Sendable {
    package let objects: [KubernetesObject]
    /// Namespaces to report on; `nil` is all. Objects elsewhere still count as existing.
    package let namespaces: Set<String>?
    package let clusterDomain: String
    private let byKind: [String: [KubernetesObject]]

    package init(objects: [KubernetesObject], namespaces: Set<String>? = nil, clusterDomain: String = "cluster.local") {
        self.objects = objects
        self.namespaces = namespaces
        self.clusterDomain = clusterDomain
        self.byKind = Dictionary(grouping: objects, by: \.kind)
    }

    /// Objects of a kind, in the order of their names.
    func all(_ kind: String) -> [KubernetesObject] {
        (byKind[kind] ?? []).sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) }
    }

    /// A short host name belongs to the namespace of the object that uses it.
    func resolve(_ host: String, namespace: String) -> String {
        host.contains(".") || host.contains("*") ? host : "\(host).\(namespace).svc.\(clusterDomain)"
    }

    func service(_ host: String, namespace: String) -> KubernetesObject? {
        let full = resolve(host, namespace: namespace)
        return all("Service").first { service in
            let short = "\(service.name).\(service.namespace)"
            return full == "\(short).svc.\(clusterDomain)" || full == short || full == "\(short).svc"
        }
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
        return pods.filter { $0.namespace == service.namespace }.map(\.labels).filter { labels in
            selector.allSatisfy { labels[$0.key] == $0.value }
        }
    }

    private var pods: [(namespace: String, labels: [String: String])] {
        let running = all("Pod").map { ($0.namespace, $0.labels) }
        let templates = ["Deployment", "StatefulSet", "DaemonSet"].flatMap(all).map { object in
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
