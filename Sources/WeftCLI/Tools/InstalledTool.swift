import WeftConfig
import WeftCore

/// A tool of observability that somebody has installed in the cluster, and the pod that serves it.
struct InstalledTool: Sendable, Hashable {
    var namespace: String
    var service: String
    var pod: String
    /// Of the pod.
    var port: Int
    /// The tool's own, which people know it under.
    var usualPort: Int

    /// How a tool is found: by the Service's name, else by what its labels call it.
    private struct Kind {
        var name: String
        var services: [String]
        var port: Int
    }

    private static let kinds = [
        Kind(name: "kiali", services: ["kiali"], port: 20001),
        Kind(
            name: "grafana", services: ["grafana", "kube-prometheus-stack-grafana", "prometheus-grafana"], port: 3000),
        Kind(
            name: "prometheus",
            services: [
                "prometheus", "prometheus-server", "prometheus-k8s", "prometheus-operated",
                "kube-prometheus-stack-prometheus", "prometheus-kube-prometheus-prometheus",
            ], port: 9090),
        Kind(
            name: "jaeger",
            services: ["tracing", "jaeger-query", "jaeger", "simplest-query", "jaeger-all-in-one-query"],
            port: 16686),
        Kind(name: "zipkin", services: ["zipkin"], port: 9411),
        Kind(name: "skywalking", services: ["skywalking-ui"], port: 8080),
    ]

    /// Whether a page has the name of a tool that may be installed.
    static func isTool(_ page: String) -> Bool { kinds.contains { $0.name == page } }

    /// Where a tool may be, by its Services.
    static func namespaces(_ page: String, services: [KubernetesObject]) -> Set<String> {
        guard let kind = kinds.first(where: { $0.name == page }) else { return [] }
        return Set(services.filter { fit($0, kind) != nil }.map(\.namespace))
    }

    /// The tool that is installed, ready, and no part of Weft itself; of several the one in the namespace that comes
    /// first.
    /// - Parameters:
    ///   - namespaces: Where people look first; all others come after them by name.
    static func find(
        _ page: String, services: [KubernetesObject], pods: [KubernetesObject], first namespaces: [String]
    ) -> InstalledTool? {
        guard let kind = kinds.first(where: { $0.name == page }) else { return nil }
        let candidates = services.compactMap { service -> (rank: (Int, String, Int), service: KubernetesObject)? in
            guard let fit = fit(service, kind) else { return nil }
            let place = namespaces.firstIndex(of: service.namespace) ?? namespaces.count
            return ((place, service.namespace, fit), service)
        }
        for (_, service) in candidates.sorted(by: { $0.rank < $1.rank }) {
            if let found = tool(service, kind, pods) { return found }
        }
        return nil
    }

    /// How well a Service fits; lower is better.
    private static func fit(_ service: KubernetesObject, _ kind: Kind) -> Int? {
        if let place = kind.services.firstIndex(of: service.name) { return place }
        let labels = service.labels
        return [labels["app.kubernetes.io/name"], labels["app"]].contains(kind.name) ? kind.services.count : nil
    }

    private static func tool(_ service: KubernetesObject, _ kind: Kind, _ pods: [KubernetesObject]) -> InstalledTool? {
        let selector = (service.json[path: "spec", "selector"]?.objectValue ?? [:]).compactMapValues(\.stringValue)
        guard !selector.isEmpty else { return nil }
        let pod = pods.filter { pod in
            pod.namespace == service.namespace && pod.deletionTimestamp == nil
                && selector.allSatisfy { pod.labels[$0.key] == $0.value }
                // Our control plane serves these tools' APIs under their names; it is none of them.
                && pod.labels["app"] != "istiod" && isReady(pod)
        }.min { $0.name < $1.name }
        guard let pod, let port = port(service, kind, pod) else { return nil }
        return InstalledTool(
            namespace: service.namespace, service: service.name, pod: pod.name, port: port, usualPort: kind.port)
    }

    private static func isReady(_ pod: KubernetesObject) -> Bool {
        (pod.json[path: "status", "conditions"]?.arrayValue ?? []).contains {
            $0["type"]?.stringValue == "Ready" && $0["status"]?.stringValue == "True"
        }
    }

    /// The pod's port behind the Service's: the one that the tool is known for, else one for HTTP, else the first.
    private static func port(_ service: KubernetesObject, _ kind: Kind, _ pod: KubernetesObject) -> Int? {
        let ports = service.json[path: "spec", "ports"]?.arrayValue ?? []
        let targets = ports.compactMap { port -> (isUsual: Bool, isHTTP: Bool, number: Int)? in
            guard port["protocol"]?.stringValue ?? "TCP" == "TCP" else { return nil }
            let own = port["port"]?.intValue
            let named = port["targetPort"]?.stringValue.flatMap { containerPort($0, of: pod) }
            guard let number = port["targetPort"]?.intValue ?? named ?? own else { return nil }
            let name = port["name"]?.stringValue ?? ""
            return (number == kind.port || own == kind.port, name.hasPrefix("http"), number)
        }
        return (targets.first { $0.isUsual } ?? targets.first { $0.isHTTP } ?? targets.first)?.number
    }

    private static func containerPort(_ name: String, of pod: KubernetesObject) -> Int? {
        if let number = Int(name) { return number }
        for container in pod.json[path: "spec", "containers"]?.arrayValue ?? [] {
            for port in container["ports"]?.arrayValue ?? [] where port["name"]?.stringValue == name {
                return port["containerPort"]?.intValue
            }
        }
        return nil
    }
}
