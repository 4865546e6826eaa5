import WeftConfig
import WeftCore
import WeftInject

/// What a machine's proxy is started with, as Istio's `workload entry configure` writes it. Pure.
struct MachineConfiguration {
    /// The WorkloadGroup.
    var group: KubernetesObject
    /// MeshConfig and values of the installation.
    var settings: InjectionSettings
    var clusterID: String?
    var registers = false
    var capturesDNS = true
    var internalIP: String?
    var externalIP: String?

    private var template: JSONValue { group.json[path: "spec", "template"] ?? [:] }

    var serviceAccount: String {
        let account = template["serviceAccount"]?.stringValue ?? ""
        return account.isEmpty ? "default" : account
    }

    /// The control plane's name and port, as the machine is to dial it.
    var discoveryHost: String {
        settings.revision == "default"
            ? "istiod.\(settings.controlPlaneNamespace).svc"
            : "istiod-\(settings.revision).\(settings.controlPlaneNamespace).svc"
    }

    /// Labels of the group's metadata, under those of the template.
    var labels: [String: String] {
        func strings(_ json: JSONValue?) -> [String: String] {
            json?.objectValue?.compactMapValues(\.stringValue) ?? [:]
        }
        return strings(group.json[path: "spec", "metadata", "labels"]).merging(strings(template["labels"])) { $1 }
    }

    /// What is wrong with the group for a machine, if anything.
    var problem: String? {
        if group.kind != WorkloadGroup.kind { return "\(group.reference) is no WorkloadGroup" }
        if group.name.isEmpty || group.namespace.isEmpty { return "the WorkloadGroup has no name, or no namespace" }
        if let address = template["address"]?.stringValue, !address.isEmpty {
            return "the template of \(group.reference) has the address \(address); each machine brings its own"
        }
        return nil
    }

    // MARK: - Files

    /// `mesh.yaml`: the mesh's `defaultConfig`, the group's probe as `readinessProbe`, and who the machine is in
    /// `proxyMetadata`.
    var mesh: JSONValue { ["defaultConfig": proxyConfig] }

    private var proxyConfig: JSONValue {
        var config = settings.proxyConfig
        // As with a pod: the group's own annotation, then the one that its machines get.
        let sources = [
            group.json[path: "metadata", "annotations"], group.json[path: "spec", "metadata", "annotations"],
        ]
        for annotations in sources {
            guard let text = annotations?[InjectionName.proxyConfig]?.stringValue else { continue }
            config = EffectiveProxyConfig.merge(config, (try? YAMLReader.value(in: text)) ?? [:])
        }
        if config["discoveryAddress"] == nil { config["discoveryAddress"] = .string("\(discoveryHost):15012") }
        if config["meshId"] == nil { config["meshId"] = .string(settings.mesh.meshID) }
        if let probe = group.json[path: "spec", "probe"] { config["readinessProbe"] = probe }
        let own = metadata.mapValues { JSONValue.string($0) }
        config["proxyMetadata"] = .object((config["proxyMetadata"]?.objectValue ?? [:]).merging(own) { $1 })
        return config
    }

    private var metadata: [String: String] {
        var labels = labels
        let names = CanonicalName(labels: labels)
        let service = names.service ?? group.name
        labels["service.istio.io/canonical-name"] = service
        labels["service.istio.io/canonical-revision"] = names.revision
        var result = [
            CanonicalName.serviceVariable: service, CanonicalName.revisionVariable: names.revision,
            "POD_NAMESPACE": group.namespace, "SERVICE_ACCOUNT": serviceAccount,
            "TRUST_DOMAIN": settings.mesh.trustDomain,
            "ISTIO_META_CLUSTER_ID": clusterID ?? settings.mesh.clusterID,
            "ISTIO_META_MESH_ID": settings.mesh.meshID,
            "ISTIO_META_NETWORK": template["network"]?.stringValue ?? "",
            "ISTIO_META_WORKLOAD_NAME": group.name,
            "ISTIO_METAJSON_LABELS": JSONValue.object(labels.mapValues { .string($0) }).text(),
        ]
        if !ports.isEmpty {
            let list = ports.map { port -> JSONValue in
                ["name": .string(port.key), "containerPort": .int(Int64(port.value))]
            }
            result["ISTIO_META_POD_PORTS"] = JSONValue.array(list).text()
        }
        if registers { result["ISTIO_META_\(MachineRegistration.groupKey)"] = group.name }
        if capturesDNS { result["ISTIO_META_DNS_CAPTURE"] = "true" }
        return result
    }

    /// In the order of their names.
    private var ports: [(key: String, value: Int)] {
        (template["ports"]?.objectValue ?? [:]).compactMapValues(\.intValue).sorted { $0.key < $1.key }
    }

    /// `cluster.env`: `proxyMetadata` and what redirect rules are made from, a line for each variable.
    var environment: String {
        let included = ports.map { String($0.value) }.joined(separator: ",")
        let status = settings.proxyConfig["statusPort"]?.intValue ?? 15_020
        var variables = proxyConfig["proxyMetadata"]?.objectValue?.compactMapValues(\.stringValue) ?? [:]
        variables["ISTIO_INBOUND_PORTS"] = included.isEmpty ? "*" : included
        // 22 is how people get at the machine when something is wrong.
        variables["ISTIO_LOCAL_EXCLUDE_PORTS"] =
            "22,15090,15021" + ([15_090, 15_021].contains(status) ? "" : ",\(status)")
        variables["ISTIO_NAMESPACE"] = group.namespace
        variables["ISTIO_SERVICE"] = "\(group.name).\(group.namespace)"
        variables["ISTIO_SERVICE_CIDR"] = "*"
        variables["SERVICE_ACCOUNT"] = serviceAccount
        if settings.revision != "default" { variables["CA_ADDR"] = "\(discoveryHost):15012" }
        if let internalIP {
            variables["ISTIO_SVC_IP"] = internalIP
        } else if let externalIP {
            variables["ISTIO_SVC_IP"] = externalIP
            variables["REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION"] = "true"
        }
        return variables.sorted { $0.key < $1.key }.map { "\($0.key)=\(Self.quoted($0.value))\n" }.joined()
    }

    /// As a shell reads it back, whatever stands in it.
    private static func quoted(_ value: String) -> String { "'\(value.replacing("'", with: "'\\''"))'" }

    /// A line for the machine's `/etc/hosts`.
    func hosts(address: String) -> String { "\(address) \(discoveryHost)\n" }
}
