import WeftConfig
import WeftCore

/// `/api/services` of the dashboard: Kubernetes Services with their ports and what answers for them. Pure.
enum ServiceDocument {
    static func make(services: [KubernetesObject], workloads: JSONValue) -> JSONValue {
        var behind: [String: [JSONValue]] = [:]
        for workload in workloads.arrayValue ?? [] {
            let namespace = workload["namespace"]?.stringValue ?? ""
            for service in workload["services"]?.arrayValue ?? [] {
                behind["\(namespace)/\(service.stringValue ?? "")", default: []].append(workload["name"] ?? "")
            }
        }
        let sorted = services.sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) }
        return .array(
            sorted.map { service in
                let ports = service.json[path: "spec", "ports"]?.arrayValue ?? []
                return [
                    "namespace": .string(service.namespace), "name": .string(service.name),
                    "type": service.json[path: "spec", "type"] ?? "ClusterIP",
                    "ports": .array(ports.map { ["name": $0["name"] ?? "", "port": $0["port"] ?? 0] }),
                    "workloads": .array(behind["\(service.namespace)/\(service.name)"] ?? []),
                ]
            })
    }
}
