import WeftADS
import WeftCore
import WeftIR

/// Makes the node (id and metadata) that the proxy shows the control plane, with Istio's names.
struct NodeDescription {
    static let istioVersion = "1.31.0"
    /// A machine's labels as a JSON object: it has no downward API to read them from.
    static let labelsVariable = "ISTIO_METAJSON_LABELS"
    var role: ProxyRole
    var environment: [String: String]
    var namespace: String
    var account: String
    var address: String
    var domain: String?
    var proxyConfig: JSONValue
    var labels: [String: String]
    var annotations: [String: String]

    var node: ADSNode {
        let pod = environment["POD_NAME"] ?? "weft-proxy"
        let suffix = domain.flatMap { $0.isEmpty || $0.contains("$(") ? nil : $0 } ?? "\(namespace).svc.cluster.local"
        let id = "\(role.rawValue)~\(address)~\(pod).\(namespace)~\(suffix)"
        let app = labels["app"] ?? labels["app.kubernetes.io/name"] ?? environment["ISTIO_META_WORKLOAD_NAME"] ?? pod
        return ADSNode(id: id, cluster: "\(app).\(namespace)", metadata: .object(metadata(pod)))
    }

    /// What ``CanonicalName/marker`` promises of the environment; what is there already stays.
    var canonicalEnvironment: [String: String] {
        let names = CanonicalName(labels: labels)
        var attributes = environment["OTEL_RESOURCE_ATTRIBUTES"] ?? ""
        if !attributes.split(separator: ",").contains(where: { $0.hasPrefix("service.name=") }) {
            attributes += "\(attributes.isEmpty ? "" : ",")service.name=\(names.tracingService(in: namespace))"
        }
        let (service, revision) = (CanonicalName.serviceVariable, CanonicalName.revisionVariable)
        return [
            service: environment[service] ?? names.service ?? CanonicalName.unknownService,
            revision: environment[revision] ?? names.revision, "OTEL_RESOURCE_ATTRIBUTES": attributes,
        ]
    }

    /// Of the pod's labels: `istio-locality` (`region.zone.subzone`), else those of the topology, which newer clusters
    /// copy from the node.
    var locality: Locality {
        if let own = labels["istio-locality"] ?? labels["topology.istio.io/locality"], !own.isEmpty {
            let parts = own.split(separator: own.contains("/") ? "/" : ".", omittingEmptySubsequences: false)
            func part(_ index: Int) -> String { index < parts.count ? String(parts[index]) : "" }
            return Locality(region: part(0), zone: part(1), subZone: part(2))
        }
        return Locality(
            region: labels["topology.kubernetes.io/region"] ?? "", zone: labels["topology.kubernetes.io/zone"] ?? "",
            subZone: labels["topology.istio.io/subzone"] ?? "")
    }

    private func metadata(_ pod: String) -> [String: JSONValue] {
        var result: [String: JSONValue] = [
            "NAME": .string(pod), "NAMESPACE": .string(namespace), "SERVICE_ACCOUNT": .string(account),
            "ISTIO_VERSION": .string(Self.istioVersion), "INSTANCE_IPS": .string(address), "CLUSTER_ID": "Kubernetes",
            "MESH_ID": "cluster.local", "LABELS": .object(labels.mapValues { .string($0) }),
            "ANNOTATIONS": .object(annotations.mapValues { .string($0) }), "PROXY_CONFIG": proxyConfig,
            CanonicalName.marker: "true",
        ]
        for (name, value) in environment {
            if name == Self.labelsVariable {
                continue
            } else if name.hasPrefix("ISTIO_METAJSON_") {
                guard case .object(let members)? = try? JSONValue(parsing: value) else { continue }
                result.merge(members) { $1 }
            } else if name.hasPrefix("ISTIO_META_") {
                result[String(name.dropFirst("ISTIO_META_".count))] = .string(value)
            }
        }
        if case .string(let ports)? = result["POD_PORTS"], let list = try? JSONValue(parsing: ports) {
            result["POD_PORTS"] = .string(list.text())
        }
        result["WORKLOAD_NAME"] = result["WORKLOAD_NAME"] ?? .string(pod)
        return result
    }
}

/// The files of a downward API volume: one `key="value"` on each line.
enum DownwardAPIFile {
    static func parse(_ text: String) -> [String: String] {
        var result: [String: String] = [:]
        for line in text.split(separator: "\n") {
            guard let mark = line.firstIndex(of: "=") else { continue }
            let raw = String(line[line.index(after: mark)...])
            // The value is quoted as Go does, which JSON reads but for a few escapes.
            let value = (try? JSONValue(parsing: raw))?.stringValue ?? raw.filter { $0 != "\"" }
            result[String(line[..<mark])] = value
        }
        return result
    }
}
