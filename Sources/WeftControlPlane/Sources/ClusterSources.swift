import Logging
import Synchronization
import WeftConfig
import WeftCore
import WeftIdentity
import WeftKubernetes
import WeftTranslate

/// Everything the control plane knows of the cluster: one informer per kind.
struct ClusterSources: Sendable {
    let services: Informer
    let endpointSlices: Informer
    let pods: Informer
    let nodes: Informer
    let namespaces: Informer
    let secrets: Informer
    let meshConfigMap: Informer
    let injectorConfigMap: Informer
    let istio: [Informer]
    /// The kinds of the Kubernetes Gateway API, and what it refers to and deploys.
    let gatewayAPI: [Informer]
    let configMaps: Informer
    let gatewayDeployments: Informer
    /// The definition of GatewayClasses, which tells of which release the Gateway API's kinds are.
    let gatewayDefinition: Informer
    /// Names that stand for a revision.
    let tags: Informer
    let namespace: String
    let revision: String
    private let meshConfigName: String
    private let injectorName: String
    /// The Secret with the signing key came, changed or went.
    let authorityChanges: ChangeSignal
    private let lastMeshConfig = LastMeshConfig()

    /// Clusters have the definitions of years ago: Istio's before 1.22 have no `v1`, and TCPRoutes, TLSRoutes and
    /// ReferenceGrants came to it late. The fields that we read are the same in all of them.
    private static let olderIstioVersions = ["v1beta1", "v1alpha3", "v1alpha1"]
    private static let olderGatewayVersions = ["v1beta1", "v1alpha3", "v1alpha2"]

    /// Istio's kinds in the version we read them in, where the cluster has it.
    static let istioKinds: [GroupVersionKind] =
        [
            "VirtualService", "DestinationRule", "Gateway", "ServiceEntry", "Sidecar", "WorkloadEntry", "WorkloadGroup",
        ].map { GroupVersionKind(group: "networking.istio.io", version: "v1", kind: $0) }
        + ["AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"].map {
            GroupVersionKind(group: "security.istio.io", version: "v1", kind: $0)
        } + [
            GroupVersionKind(group: "networking.istio.io", version: "v1alpha3", kind: "EnvoyFilter"),
            GroupVersionKind(group: "networking.istio.io", version: "v1beta1", kind: "ProxyConfig"),
            GroupVersionKind(group: "telemetry.istio.io", version: "v1", kind: "Telemetry"),
            GroupVersionKind(group: "extensions.istio.io", version: "v1alpha1", kind: "WasmPlugin"),
            GroupVersionKind(group: "extensions.istio.io", version: "v1alpha1", kind: "TrafficExtension"),
        ]

    /// - Parameters:
    ///   - signal: told of what alters configuration.
    ///   - endpointSignal: told of endpoints that come, change or go.
    init(
        client: KubernetesClient, namespace: String, revision: String = "default", signal: ChangeSignal,
        endpointSignal: ChangeSignal = ChangeSignal()
    ) {
        self.namespace = namespace
        self.revision = revision
        // As `weft install --revision` names them, and Istio's installation.
        let suffix = revision == "default" ? "" : "-\(revision)"
        let (meshConfigName, injectorName) = ("istio" + suffix, "istio-sidecar-injector" + suffix)
        self.meshConfigName = meshConfigName
        self.injectorName = injectorName
        let authorityChanges = ChangeSignal()
        self.authorityChanges = authorityChanges
        func informer(_ resource: APIResource, namespace: String? = nil, name: String? = nil) -> Informer {
            let options = ListOptions(fieldSelector: name.map { "metadata.name=\($0)" })
            return Informer(client: client, resource: resource, namespace: namespace, options: options) { change in
                guard name == nil || name == change.key.name else { return }
                if Self.matters(change) { signal.notify(resource.kind) }
            }
        }
        tags = Informer(
            client: client, resource: .mutatingWebhookConfigurations,
            options: ListOptions(labelSelector: Self.tagLabel)
        ) { change in
            // Roots are written into them now and then, which changes nothing for us.
            if change.old?.labels != change.new?.labels { signal.notify("revision tag") }
        }
        services = informer(.services)
        endpointSlices = Informer(client: client, resource: .endpointSlices) { change in
            if Self.matters(change) { endpointSignal.notify("EndpointSlice") }
        }
        pods = informer(.pods)
        nodes = informer(.nodes)
        namespaces = informer(.namespaces)
        secrets = Informer(client: client, resource: .secrets) { change in
            let isAuthority = [AuthorityLoader.secretName, AuthorityLoader.pluggedSecretName].contains(change.key.name)
            if isAuthority, change.key.namespace == namespace { authorityChanges.notify("signing key") }
            if Self.matters(change) { signal.notify("Secret") }
        }
        meshConfigMap = informer(.configMaps, namespace: namespace, name: meshConfigName)
        injectorConfigMap = informer(.configMaps, namespace: namespace, name: injectorName)
        gatewayAPI = Self.gatewayKinds.map { kind in
            Informer(client: client, kind: kind, olderVersions: Self.olderGatewayVersions) { change in
                if Self.matters(change) { signal.notify(kind.kind) }
            }
        }
        configMaps = Informer(client: client, resource: .configMaps) { change in
            guard [change.old, change.new].contains(where: { $0.map(Self.isForGateways) ?? false }) else { return }
            if Self.matters(change) { signal.notify("ConfigMap") }
        }
        gatewayDeployments = Informer(
            client: client, resource: .deployments, options: ListOptions(labelSelector: GatewayLabels.managed)
        ) { change in
            if Self.matters(change) { signal.notify("Deployment") }
        }
        gatewayDefinition = informer(.customResourceDefinitions, name: GatewayAPI.classDefinition)
        istio = Self.istioKinds.map { kind in
            Informer(client: client, kind: kind, olderVersions: Self.olderIstioVersions) { change in
                if Self.matters(change) { signal.notify(kind.kind) }
            }
        }
    }

    var all: [Informer] {
        [
            services, endpointSlices, pods, nodes, namespaces, secrets, meshConfigMap, injectorConfigMap, configMaps,
            gatewayDeployments, gatewayDefinition, tags,
        ] + istio + gatewayAPI
    }

    /// Keeps every store up to date until the task is cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            for informer in all { group.addTask { await informer.run() } }
        }
    }

    func waitForSync() async {
        for informer in all { await informer.store.waitForSync() }
    }

    var notSynced: [String] { all.filter { !$0.store.isSynced }.map(\.kind.kind) }

    /// Every object that translation reads.
    var objects: [KubernetesObject] { registry + configuration }

    /// What Kubernetes knows: services, who stands behind them, and certificates.
    var registry: [KubernetesObject] {
        let certificates = secrets.store.unordered.filter { Self.isCertificate($0) }
        return [services, endpointSlices, pods, nodes, namespaces].flatMap(\.store.unordered) + certificates
            + configMaps.store.unordered.filter(Self.isForGateways)
            + gatewayDefinition.store.unordered.map(Self.withoutSchema)
    }

    /// A definition's name and annotations: nothing else of it is read.
    private static func withoutSchema(_ definition: KubernetesObject) -> KubernetesObject {
        KubernetesObject([
            "apiVersion": .string(definition.apiVersion), "kind": .string(definition.kind),
            "metadata": [
                "name": .string(definition.name),
                "annotations": definition.json[path: "metadata", "annotations"] ?? [:],
            ],
        ])
    }

    /// What users configure: Istio's objects and the Gateway API's that are for every revision or for this one.
    var configuration: [KubernetesObject] {
        let names = names
        return (istio + gatewayAPI).flatMap(\.store.unordered).filter { object in
            // Objects that carry a revision's label are for that revision alone.
            let label = object.json[path: "metadata", "labels", Ownership.label]?.stringValue
            return label.map(names.contains) ?? true
        }
    }

    static let tagLabel = "istio.io/tag"

    /// What labels call this revision: its name, and the tags that stand for it.
    var names: Set<String> {
        let own = tags.store.unordered.filter { ($0.labels[Ownership.label] ?? "default") == revision }
        return Set([revision] + own.compactMap { $0.labels[Self.tagLabel] })
    }

    /// The Gateway API's kinds in the version we read them in, where the cluster has it.
    static let gatewayKinds: [GroupVersionKind] = [
        "GatewayClass", "Gateway", "ListenerSet", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "ReferenceGrant",
        "BackendTLSPolicy",
    ].map { GroupVersionKind(group: GatewayAPI.group, version: "v1", kind: $0) }

    /// A ConfigMap that holds authorities, or parameters of a gateway.
    private static func isForGateways(_ map: KubernetesObject) -> Bool {
        let keys = Set(["ca.crt"] + GatewayDeployment.parameterKeys)
        return !(map.json["data"]?.objectValue ?? [:]).keys.allSatisfy { !keys.contains($0) }
    }

    /// Whether the cluster sends calls of one of the control plane's own Services to a pod.
    func hasReadyEndpoint(of service: String) -> Bool {
        endpointSlices.store.unordered.contains { slice in
            slice.namespace == namespace && slice.labels["kubernetes.io/service-name"] == service
                && (slice.json["endpoints"]?.arrayValue ?? []).contains {
                    $0[path: "conditions", "ready"]?.boolValue ?? true
                }
        }
    }

    /// What the installation says about injection: key `values` of its ConfigMap; `{}` when it cannot be read.
    var injectionValues: JSONValue {
        let text = injectorConfigMap.store[namespace, injectorName]?.json[path: "data", "values"]?.stringValue
        return text.flatMap { try? JSONValue(parsing: $0) } ?? [:]
    }

    var serviceEntries: [KubernetesObject] { istio.first { $0.kind.kind == ServiceEntry.kind }?.store.all ?? [] }

    /// Machines, as WorkloadEntries describe them.
    var workloadEntries: [KubernetesObject] {
        istio.first { $0.kind.kind == WorkloadEntry.kind }?.store.unordered ?? []
    }

    /// The names of the control plane's pods that have not ended, of every revision.
    var instances: Set<String> {
        let own = pods.store.unordered.filter { pod in
            let phase = pod.json[path: "status", "phase"]?.stringValue
            return pod.namespace == namespace && pod.labels["app"] == "istiod" && phase != "Succeeded"
                && phase != "Failed"
        }
        return Set(own.map(\.name))
    }

    /// What the mesh configuration says that has no effect.
    func meshFindings(logger: Logger) -> [Diagnostic] {
        MeshConfigChecks.findings(
            meshConfig(logger: logger).json,
            configMap: ResourceReference(kind: "ConfigMap", namespace: namespace, name: meshConfigName))
    }

    /// What the injector reads besides ConfigMaps.
    var proxyConfigs: [KubernetesObject] { istio.first { $0.kind.kind == "ProxyConfig" }?.store.all ?? [] }

    /// The document under key `mesh` of the revision's ConfigMap (`istio`, `istio-canary`); the last good one when the present one cannot be read.
    func meshConfig(logger: Logger) -> (typed: MeshConfig, json: JSONValue) {
        let text = meshConfigMap.store[namespace, meshConfigName]?.json[path: "data", "mesh"]?.stringValue ?? ""
        return lastMeshConfig.read(text, logger: logger)
    }

    /// Whether the mesh configuration says that nobody is to trust an identity any more.
    func isRevoked(_ identity: SPIFFEIdentity) -> Bool {
        RevokedIdentities(meshConfig(logger: Logger(label: "ca")).typed).uris.contains(identity.uri)
    }

    /// A Secret that a gateway can serve or trust.
    private static func isCertificate(_ secret: KubernetesObject) -> Bool {
        guard secret.name != AuthorityLoader.secretName, let data = secret.json["data"]?.objectValue else {
            return false
        }
        return !Set(["tls.crt", "cert", "ca.crt", "cacert"]).isDisjoint(with: data.keys)
            && secret.json["type"]?.stringValue != "kubernetes.io/service-account-token"
    }

    /// Whether a change can alter what proxies do: status that we wrote ourselves and heartbeats cannot.
    static func matters(_ change: StoreChange) -> Bool {
        guard let old = change.old, let new = change.new else { return true }
        if new.kind == "Pod" { return podView(old) != podView(new) }
        if new.kind == "Node" { return old.labels != new.labels }
        return withoutStatus(old) != withoutStatus(new)
    }

    private static func withoutStatus(_ object: KubernetesObject) -> JSONValue {
        var json = object.json
        switch object.kind {
        case "Service": break
        case "ServiceEntry": json["status"] = object.json[path: "status", "addresses"]
        case "WorkloadEntry":
            let conditions = object.json[path: "status", "conditions"]?.arrayValue ?? []
            json["status"] = conditions.first { $0["type"]?.stringValue == "Healthy" }?["status"]
        default: json["status"] = nil
        }
        for field in ["resourceVersion", "managedFields", "generation"] { json[path: "metadata", field] = nil }
        return json
    }

    private static func podView(_ pod: KubernetesObject) -> JSONValue {
        var view: JSONValue = ["metadata": pod.json["metadata"] ?? .null, "spec": pod.json["spec"] ?? .null]
        for field in ["resourceVersion", "managedFields", "generation"] { view[path: "metadata", field] = nil }
        for field in ["podIP", "podIPs", "phase"] { view[path: "status", field] = pod.json[path: "status", field] }
        return view
    }
}

/// Remembers the last mesh configuration that could be read.
private final class LastMeshConfig: Sendable {
    private let state = Mutex<(text: String, typed: MeshConfig, json: JSONValue)>(("", MeshConfig(), [:]))

    func read(_ text: String, logger: Logger) -> (typed: MeshConfig, json: JSONValue) {
        state.withLock { state in
            guard state.text != text else { return (state.typed, state.json) }
            state.text = text
            do {
                let json = try YAMLReader.value(in: text, file: "ConfigMap istio")
                let typed = json.isNull ? MeshConfig() : try json.decode(MeshConfig.self)
                (state.typed, state.json) = (typed, json.isNull ? [:] : json)
                logger.info("mesh configuration read")
            } catch {
                logger.error("mesh configuration in ConfigMap istio cannot be read; keeping the last one: \(error)")
            }
            return (state.typed, state.json)
        }
    }
}
