import WeftConfig
import WeftCore

/// The Gateway API's objects of a snapshot, and what of the cluster they refer to.
struct GatewayAPIObjects: Sendable {
    let classes: [Config<GatewayAPI.GatewayClass>]
    let gateways: [Config<GatewayAPI.Gateway>]
    let listenerSets: [Config<GatewayAPI.ListenerSet>]
    /// All kinds together, the oldest first.
    let routes: [AnyRoute]
    let grants: [Config<GatewayAPI.ReferenceGrant>]
    let backendTLSPolicies: [Config<GatewayAPI.BackendTLSPolicy>]
    let namespaceLabels: [String: [String: String]]
    let configMaps: [String: KubernetesObject]
    let secrets: [String: KubernetesObject]
    /// Kubernetes Services by host, and Services as objects by `namespace/name`, for their addresses.
    let services: [String: MeshService]
    let serviceObjects: [String: KubernetesObject]
    /// What ServiceEntries declare, by host.
    let entries: [String: MeshService]
    /// The definition of GatewayClasses, which tells of which release the API's kinds are; `nil` if it is not known.
    let definition: KubernetesObject?
    /// What could not be read.
    let diagnostics: [Diagnostic]

    init(
        objects: [KubernetesObject], services: [MeshService], secrets: [String: KubernetesObject],
        cache: DecodeCache
    ) {
        // One pass over all objects: most of a cluster is none of the Gateway API's business.
        var kinds: [String: [KubernetesObject]] = [:]
        var definition: KubernetesObject?
        for object in objects {
            let version = object.apiVersion
            if version == "apiextensions.k8s.io/v1", object.name == GatewayAPI.classDefinition { definition = object }
            guard version == "v1" || version.hasPrefix(GatewayAPI.group) else { continue }
            kinds[version == "v1" ? object.kind : GatewayAPI.group, default: []].append(object)
        }
        self.definition = definition
        var own = SnapshotReader(objects: ObjectsByKind(kinds[GatewayAPI.group] ?? []), cache: cache)
        classes = own.configs()
        gateways = own.configs()
        listenerSets = own.configs()
        grants = own.configs()
        backendTLSPolicies = own.configs()
        let http: [Config<GatewayAPI.HTTPRoute>] = own.configs()
        let grpc: [Config<GatewayAPI.GRPCRoute>] = own.configs()
        let tls: [Config<GatewayAPI.TLSRoute>] = own.configs()
        let tcp: [Config<GatewayAPI.TCPRoute>] = own.configs()
        diagnostics = own.diagnostics
        let all = http.map(AnyRoute.init) + grpc.map(AnyRoute.init) + tls.map(AnyRoute.init) + tcp.map(AnyRoute.init)
        routes = all.sorted { $0.age < $1.age }
        func index(_ kind: String) -> [String: KubernetesObject] {
            Dictionary(
                (kinds[kind] ?? []).map { ("\($0.namespace)/\($0.name)", $0) }, uniquingKeysWith: { first, _ in first })
        }
        namespaceLabels = Dictionary(
            (kinds["Namespace"] ?? []).map { ($0.name, $0.labels) }, uniquingKeysWith: { first, _ in first })
        configMaps = index("ConfigMap")
        serviceObjects = index("Service")
        self.secrets = secrets
        self.services = Dictionary(
            services.filter { $0.resource.kind == "Service" }.map { ($0.host, $0) },
            uniquingKeysWith: { first, _ in first })
        entries = Dictionary(
            services.filter { $0.resource.kind != "Service" }.map { ($0.host, $0) },
            uniquingKeysWith: { first, _ in first })
    }

    /// A namespace's labels, with the one that every namespace has.
    func labels(of namespace: String) -> [String: String] {
        (namespaceLabels[namespace] ?? [:]).merging(["kubernetes.io/metadata.name": namespace]) { own, _ in own }
    }

    func service(_ name: String, in namespace: String) -> MeshService? {
        services["\(name).\(namespace).svc.\(MeshSnapshot.clusterDomain)"]
    }

    /// Whether an object of one namespace may refer to one of another (GEP-709). In its own namespace it may.
    func permits(
        _ kind: String, in namespace: String, to target: (group: String, kind: String, namespace: String, name: String)
    ) -> Bool {
        if namespace == target.namespace { return true }
        return grants.contains { grant in
            grant.namespace == target.namespace
                && grant.spec.from.contains {
                    $0.group == GatewayAPI.group && $0.kind == kind && $0.namespace == namespace
                }
                && grant.spec.to.contains {
                    $0.group == target.group && $0.kind == target.kind
                        && ($0.name.map { $0.isEmpty || $0 == target.name } ?? true)
                }
        }
    }
}

/// A route of any kind: what attaching it needs, and the whole of it.
struct AnyRoute: Sendable {
    enum Body: Sendable {
        case http(GatewayAPI.HTTPRoute)
        case grpc(GatewayAPI.GRPCRoute)
        case tls(GatewayAPI.TLSRoute)
        case tcp(GatewayAPI.TCPRoute)
    }
    let resource: ResourceReference
    let created: String
    let generation: Int
    let body: Body
    let parentRefs: [GatewayAPI.ParentReference]
    /// Lower case; empty stands for every host.
    let hostnames: [String]
    /// What admission would refuse of it: all, or rules; see ``Refusals``.
    let refusal: String?
    let refusedRules: [Int: String]
    /// Rules that no request can be compared with.
    let unmatchableRules: Set<Int>

    var kind: String { resource.kind }
    var namespace: String { resource.namespace }
    /// Whether it steers what workloads send to Services, and nothing that comes through a gateway.
    var isForMeshAlone: Bool { !parentRefs.isEmpty && parentRefs.allSatisfy(\.isService) }
    /// The oldest first, then by name: who wins where only one can.
    var age: (String, String, String, String) { (created, resource.namespace, resource.name, resource.kind) }

    init(_ config: Config<GatewayAPI.HTTPRoute>) {
        self.init(config, .http(config.spec), config.spec.parentRefs, config.spec.hostnames)
    }
    init(_ config: Config<GatewayAPI.GRPCRoute>) {
        self.init(config, .grpc(config.spec), config.spec.parentRefs, config.spec.hostnames)
    }
    init(_ config: Config<GatewayAPI.TLSRoute>) {
        self.init(config, .tls(config.spec), config.spec.parentRefs, config.spec.hostnames)
    }
    init(_ config: Config<GatewayAPI.TCPRoute>) {
        self.init(config, .tcp(config.spec), config.spec.parentRefs, nil)
    }

    private init<Spec>(
        _ config: Config<Spec>, _ body: Body, _ parents: [GatewayAPI.ParentReference]?, _ hostnames: [String]?
    ) {
        resource = config.resource
        created = config.created
        generation = config.generation
        self.body = body
        parentRefs = parents ?? []
        self.hostnames = (hostnames ?? []).map { $0.lowercased() }
        refusal = config.refusal
        refusedRules = config.refusedParts
        unmatchableRules = config.unmatchableParts
    }

    /// Backends of each rule.
    var backends: [[GatewayAPI.HTTPBackend]] {
        switch body {
        case .http(let route): (route.rules ?? []).map { $0.backendRefs ?? [] }
        case .grpc(let route): (route.rules ?? []).map { $0.backendRefs ?? [] }
        case .tls(let route): (route.rules ?? []).map { $0.backendRefs ?? [] }
        case .tcp(let route): (route.rules ?? []).map { $0.backendRefs ?? [] }
        }
    }

    /// Filters of each rule, those of its backends apart; none for streams.
    var filters: [(rule: [GatewayAPI.HTTPFilter], backends: [GatewayAPI.HTTPFilter])] {
        switch body {
        case .http(let route):
            (route.rules ?? []).map { ($0.filters ?? [], ($0.backendRefs ?? []).flatMap { $0.filters ?? [] }) }
        case .grpc(let route):
            (route.rules ?? []).map { ($0.filters ?? [], ($0.backendRefs ?? []).flatMap { $0.filters ?? [] }) }
        case .tls, .tcp: []
        }
    }
}

/// Host names of listeners and routes: exact, or a suffix after `*.`; `nil` or `*` is every host.
enum GatewayHostname {
    /// Whether every host under `inner` is one of `outer`. A wildcard takes any number of labels, but at least one.
    static func covers(_ outer: String, _ inner: String) -> Bool {
        if outer == "*" || outer == inner { return true }
        guard outer.hasPrefix("*.") else { return false }
        let suffix = outer.dropFirst()
        let name = inner.hasPrefix("*.") ? inner.dropFirst() : Substring(inner)
        return name.hasSuffix(suffix) && (name.count > suffix.count || inner.hasPrefix("*."))
    }

    static func intersection(_ left: String, _ right: String) -> String? {
        if covers(left, right) { return right }
        return covers(right, left) ? left : nil
    }

    /// The hosts at which a route answers under a listener; empty if they have none in common.
    static func intersection(listener: String?, route: [String]) -> [String] {
        let own = listener ?? "*"
        guard !route.isEmpty else { return [own] }
        var result: [String] = []
        for name in route {
            if let common = intersection(own, name), !result.contains(common) { result.append(common) }
        }
        return result
    }

    /// Higher is more specific: exact before wildcards, longer wildcards before shorter ones.
    static func specificity(_ name: String) -> Int {
        if name == "*" { return 0 }
        return name.hasPrefix("*.") ? name.utf8.count : 10_000 + name.utf8.count
    }
}
