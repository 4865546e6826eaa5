import WeftConfig
package import WeftCore
package import WeftIR

/// Everything that translation is told of a proxy, and so the whole key of what is made for it.
///
/// No id, no pod name, no address: proxies of one class cannot get different configurations, because nothing that
/// makes them has anything but the class and the snapshot to go by (ADR 0033). Equal for all pods of a Deployment.
package struct ProxyClass: Sendable, Hashable {
    package var kind: ProxyIdentity.Kind
    package var namespace: String
    package var labels: [String: String]
    package var serviceAccount: String
    /// Of the node's metadata, the keys in ``metadataKeys``, and those that patches compare; for a gateway also what stands
    /// before it (``GatewayTopology``).
    package var metadata: JSONValue
    /// Named container ports of the proxy's pod.
    package var namedPorts: [String: Int]
    /// For services that have this proxy as an endpoint: service port to the port at the proxy, by host.
    package var endpointPorts: [String: [Int: Int]]
    /// Where the proxy runs, as its pod and node say.
    package var locality: Locality
    package var network: String
    /// Empty unless some rule asks for endpoints on the caller's own node.
    package var nodeName: String
    /// Whether the proxy may have Secrets: whoever runs in a namespace can claim a gateway's name and labels; only a pod
    /// that is known, with the service account that the proxy's credential proves, has them.
    package var mayHaveSecrets: Bool

    /// The node metadata that translation may look at.
    package static let metadataKeys: Set<String> = [
        CanonicalName.marker, "CERTIFICATE_PROVIDERS", "CLUSTER_ID", "DNS_AUTO_ALLOCATE", "DNS_CAPTURE",
        "ENABLE_SELF_DISCOVERY", "GENERATOR", "INTERCEPTION_MODE", "ISTIO_PROXY_VERSION", "ISTIO_VERSION", "MESH_ID",
        "NETWORK", "SELF_DISCOVERY_GROUPING_LABEL_NAMES",
    ]

    /// The class of a proxy in a snapshot. What the cluster knows of the pod overrides what the proxy says.
    package init(_ proxy: ProxyIdentity, in snapshot: MeshSnapshot) { self.init(proxy, on: snapshot.classGrounds) }

    private init(_ proxy: ProxyIdentity, on grounds: ClassGrounds) {
        let workload = grounds.workload(of: proxy)
        kind = proxy.kind
        namespace = proxy.namespace
        labels = workload?.labels ?? proxy.labels
        // A WorkloadEntry may leave it out.
        serviceAccount = workload.map(\.serviceAccount).flatMap { $0.isEmpty ? nil : $0 } ?? proxy.serviceAccount
        let keys = Self.metadataKeys.union(grounds.patchMetadataKeys)
        metadata = .object((proxy.metadata.objectValue ?? [:]).filter { keys.contains($0.key) })
        if kind == .router, let topology = GatewayTopology.own(of: proxy.metadata) {
            metadata[GatewayTopology.key] = topology
        }
        mayHaveSecrets = proxy.provenAccount.map { $0 == workload?.serviceAccount } ?? true
        namedPorts = workload?.namedPorts ?? [:]
        endpointPorts = grounds.endpointPorts(at: proxy.address, in: proxy.namespace)
        locality = workload?.locality ?? proxy.locality
        network = workload?.network ?? proxy.network
        nodeName = grounds.tellsNodesApart ? workload?.nodeName ?? proxy.nodeName : ""
    }

    private init(outbound proxy: ProxyClass, labels kept: Set<String>) {
        self = proxy
        labels = proxy.labels.filter { kept.contains($0.key) }
        serviceAccount = ""
        namedPorts = [:]
        endpointPorts = [:]
    }

    /// The class with only what can matter to traffic that a sidecar sends: workloads of one namespace mostly share it.
    fileprivate func outbound(on grounds: ClassGrounds) -> ProxyClass {
        let keys = grounds.outboundLabelKeys(in: namespace)
        let isNamed = grounds.traces(in: namespace) && !knowsItsName
        return ProxyClass(outbound: self, labels: isNamed ? keys.union(CanonicalName.labels) : keys)
    }

    /// Whether the proxy has its canonical name in its environment.
    var knowsItsName: Bool { metadata[CanonicalName.marker]?.stringValue == "true" }
}

/// The key of what sidecars that send alike have in common.
package struct OutboundClass: Sendable, Hashable {
    let proxy: ProxyClass

    package init(_ proxy: ProxyClass, in snapshot: MeshSnapshot) {
        self.proxy = proxy.outbound(on: snapshot.classGrounds)
    }
}

extension MeshSnapshot {
    /// Label keys that selectors for senders use, by the namespace in which they are in force; `""` is everywhere.
    static func selectorKeys(of objects: [KubernetesObject], rootNamespace: String) -> [String: Set<String>] {
        let selecting: Set<String> = [
            "DestinationRule", "EnvoyFilter", "ProxyConfig", "Sidecar", "Telemetry", "TrafficExtension", "WasmPlugin",
        ]
        var keys: [String: Set<String>] = [:]
        for object in objects {
            if object.kind == "DestinationRule" { keys["", default: []].formUnion(priorityKeys(object.json["spec"])) }
            if object.kind == "VirtualService" {
                keys["", default: []].formUnion(sourceLabelKeys(object.json["spec"]))
            } else if selecting.contains(object.kind) {
                let selectors = [
                    object.json[path: "spec", "workloadSelector", "labels"],
                    object.json[path: "spec", "workloadSelector", "matchLabels"],
                    object.json[path: "spec", "selector", "matchLabels"],
                ]
                for selector in selectors.compactMap({ $0?.objectValue }) {
                    keys[object.namespace == rootNamespace ? "" : object.namespace, default: []]
                        .formUnion(selector.keys)
                }
            }
        }
        return keys
    }

    /// Label keys that `failoverPriority` compares between caller and endpoint: `KEY` or `KEY=VALUE`.
    private static func priorityKeys(_ json: JSONValue?) -> Set<String> {
        switch json {
        case .array(let items): items.reduce(into: []) { $0.formUnion(priorityKeys($1)) }
        case .object(let members):
            members.reduce(into: []) { keys, member in
                guard member.key == "failoverPriority" else { return keys.formUnion(priorityKeys(member.value)) }
                let entries = member.value.arrayValue?.compactMap(\.stringValue) ?? []
                keys.formUnion(entries.map { String($0.prefix { $0 != "=" }) })
            }
        default: []
        }
    }

    private static func sourceLabelKeys(_ json: JSONValue?) -> Set<String> {
        switch json {
        case .array(let items): items.reduce(into: []) { $0.formUnion(sourceLabelKeys($1)) }
        case .object(let members):
            members.reduce(into: []) { keys, member in
                if member.key == "sourceLabels" { keys.formUnion(member.value.objectValue?.keys.map { $0 } ?? []) }
                keys.formUnion(sourceLabelKeys(member.value))
            }
        default: []
        }
    }
}
