package import WeftConfig
package import WeftCore

/// An Istio object: its `spec` and who it is.
package struct Config<Spec: IstioSpec>: Sendable, Hashable {
    package var resource: ResourceReference
    package var created: String
    package var annotations: [String: String]
    package var spec: Spec
    /// Every host that the object sends requests to, in full.
    var destinations: Set<String> = []
    /// `metadata.generation`: what a status written for this object has seen.
    package var generation = 0
    /// Why a route of the Gateway API is not taken at all: its status says so, and it answers nothing.
    var refusal: String?
    /// Why a part of the object is not taken, by its place; see ``Refusals``.
    var refusedParts: [Int: String] = [:]
    /// Of these, rules whose matches cannot be read.
    var unmatchableParts: Set<Int> = []

    package var namespace: String { resource.namespace }
    package var name: String { resource.name }
}

/// Everything that translation reads, at one moment: services with their endpoints, workloads and Istio's objects.
///
/// Immutable. Lists of Istio objects are in order of age, the oldest first, because the oldest wins.
package struct MeshSnapshot: Sendable {
    package let meshConfig: MeshConfig
    /// Sorted by host and namespace.
    package private(set) var services: [MeshService]
    package private(set) var workloads: [Workload]
    /// Those with hosts, their delegates' routes merged in.
    package private(set) var virtualServices: [Config<VirtualService>]
    package private(set) var destinationRules: [Config<DestinationRule>] {
        didSet { destinationIndex = Self.index(destinationRules) }
    }
    private var destinationIndex = HostIndex()
    package let gateways: [Config<Gateway>]
    package let sidecars: [Config<Sidecar>]
    package let peerAuthentications: [Config<PeerAuthentication>]
    package private(set) var authorizationPolicies: [Config<AuthorizationPolicy>]
    package let requestAuthentications: [Config<RequestAuthentication>]
    package let envoyFilters: [Config<EnvoyFilter>]
    let telemetries: [Config<Telemetry>]
    /// Secrets by `namespace/name`.
    let secrets: [String: KubernetesObject]
    /// The Kubernetes Gateway API's objects and what they come to.
    package let gatewayAPI: GatewayAPIModel
    /// What could not be read; the objects named here are left out.
    package let diagnostics: [Diagnostic]

    private(set) var places: ServicePlaces
    /// What decides of which class a proxy is.
    package private(set) var classGrounds = ClassGrounds()
    var serviceIndex: ServiceIndex? { classGrounds.services }
    /// Everything but services, workloads and the rules about hosts; see ``MeshGlobals``.
    private(set) var globals = MeshGlobals()
    /// What proxies that see the same have in common.
    private(set) var views: ScopeViews

    package static let clusterDomain = "cluster.local"

    package init(objects: [KubernetesObject], meshConfig: MeshConfig = MeshConfig()) {
        self.init(objects: objects, meshConfig: meshConfig, cache: DecodeCache())
    }

    /// - Parameter cache: what unchanged objects were read into before.
    init(objects: [KubernetesObject], meshConfig: MeshConfig, cache: DecodeCache) {
        let objects = ObjectsByKind(meshConfig.discovered(objects))
        var reader = SnapshotReader(objects: objects, cache: cache)
        self.meshConfig = meshConfig
        let delegated = Delegates.resolve(reader.configs(), mesh: meshConfig)
        views = cache.views()
        virtualServices = delegated.configs
        destinationRules = reader.configs()
        gateways = reader.configs()
        sidecars = reader.configs()
        peerAuthentications = reader.configs()
        authorizationPolicies = reader.configs()
        requestAuthentications = reader.configs()
        envoyFilters = reader.configs()
        telemetries = reader.configs()
        let workloads = cache.workloads(of: objects["Node", "Pod", "WorkloadEntry"], entries: reader.configs())
        self.workloads = workloads.all
        classGrounds.workloads = workloads
        let registry = cache.registry(
            of: objects, workloads: workloads, defaultExportTo: meshConfig.defaultServiceExportTo ?? [])
        let entryReader = ServiceEntryReader(
            objects: objects["ServiceEntry"], workloads: workloads, meshConfig: meshConfig)
        let entries: [Config<ServiceEntry>] = reader.configs()
        let services = cache.services(
            (registry.services + entries.flatMap { entryReader.services(of: $0) }).joiningEntriesToServices())
        self.services = services
        classGrounds.patchMetadataKeys = Set(
            envoyFilters.flatMap { $0.spec.configPatches ?? [] }.flatMap {
                $0.match?.proxy?.metadata?.keys.map(\.self) ?? []
            })
        secrets = Dictionary(
            objects["Secret"].filter { $0.apiVersion == "v1" }.map { ("\($0.namespace)/\($0.name)", $0) },
            uniquingKeysWith: { first, _ in first })
        gatewayAPI = GatewayAPIModel(
            objects: GatewayAPIObjects(
                objects: objects.without(["Pod", "Node", "EndpointSlice"]), services: services, secrets: secrets,
                cache: cache))
        let index = cache.index(of: services)
        places = index.places
        classGrounds.services = index
        var keys = Self.selectorKeys(
            of: objects.without(["Pod", "Node", "EndpointSlice", "Service", "Secret"]),
            rootNamespace: meshConfig.effectiveRootNamespace)
        let priorities =
            (meshConfig.localityLbSetting?.failoverPriority ?? [])
            + (meshConfig.zoneAwareLbSetting?.failoverPriority ?? [])
        keys["", default: []].formUnion(priorities.map { String($0.prefix { $0 != "=" }) })
        let traced = telemetries.filter { !($0.spec.tracing ?? []).isEmpty }.map(\.namespace)
        classGrounds.tracesEverywhere = meshConfig.tracesByDefault || traced.contains(meshConfig.effectiveRootNamespace)
        classGrounds.tracedNamespaces = Set(traced)
        classGrounds.selectorKeys = keys
        classGrounds.tellsNodesApart =
            services.contains { $0.distribution == .sameNode }
            || keys.values.contains { $0.contains("kubernetes.io/hostname") }
        diagnostics = reader.diagnostics + delegated.diagnostics + gatewayAPI.objects.diagnostics
        destinationIndex = Self.index(destinationRules)
        globals = cache.globals(of: self, objects: objects.without(["Pod", "Node", "EndpointSlice"]))
    }

    private static func index(_ rules: [Config<DestinationRule>]) -> HostIndex {
        rules.enumerated().reduce(into: HostIndex()) { index, rule in
            let host = resolve(host: rule.element.spec.host ?? "", namespace: rule.element.namespace)
            index.add(host, position: rule.offset)
        }
    }

    /// The rules whose host is, or covers, the one given; the oldest first.
    func destinationRules(covering host: String) -> [Config<DestinationRule>] {
        destinationIndex.covering(host).map { destinationRules[$0] }
    }

    /// The same for several hosts; each rule once, the oldest first.
    func destinationRules(coveringAnyOf hosts: Set<String>) -> [Config<DestinationRule>] {
        hosts.reduce(into: Set<Int>()) { $0.formUnion(destinationIndex.covering($1)) }.sorted().map {
            destinationRules[$0]
        }
    }

    /// Whether rules have been chosen already (``restricted(to:_:_:)``): what they may route was decided with them.
    private(set) var isRestricted = false

    /// The same with other services and rules, and without workloads: what has no more to go by than its inputs.
    func restricted(
        to services: [MeshService], _ virtualServices: [Config<VirtualService>],
        _ destinationRules: [Config<DestinationRule>], _ authorizationPolicies: [Config<AuthorizationPolicy>] = []
    ) -> MeshSnapshot {
        var copy = self
        copy.isRestricted = true
        copy.views = .unkept
        copy.services = services
        copy.virtualServices = virtualServices
        copy.destinationRules = destinationRules
        copy.authorizationPolicies = authorizationPolicies
        copy.workloads = []
        copy.classGrounds.workloads = nil
        copy.places = ServicePlaces(services)
        copy.classGrounds.services = nil
        return copy
    }

    /// The service of a host that a namespace sees: its own first, then Kubernetes', then the oldest.
    package func service(host: String, from namespace: String) -> MeshService? {
        let visible = (places.hosts[host] ?? []).map { services[$0] }.filter { $0.isVisible(from: namespace) }
        return visible.first { $0.namespace == namespace } ?? visible.first { $0.resource.kind == "Service" }
            ?? visible.min { $0.created < $1.created }
    }

    package func workload(namespace: String, name: String) -> Workload? {
        classGrounds.workload(namespace: namespace, name: name)
    }

    /// A host as a rule writes it, in full: a name without a dot lives in the rule's namespace. Letters are small: names of
    /// hosts that differ in case are one name (RFC 9110 section 4.2.3), and a proxy refuses a table that has both.
    package static func resolve(host: String, namespace: String) -> String {
        let host = host.smallLetters
        if host.isEmpty || host == "*" || host.contains(".") || host.contains(":") { return host }
        return "\(host).\(namespace).svc.\(clusterDomain)"
    }
}

extension String {
    /// The same in small letters; most names are in them already.
    var smallLetters: String {
        utf8.contains { UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0 } ? lowercased() : self
    }
}

/// Objects by kind, so that each reader passes over those that it reads.
struct ObjectsByKind {
    private let kinds: [String: [KubernetesObject]]

    init(_ objects: [KubernetesObject]) { kinds = Dictionary(grouping: objects, by: \.kind) }

    /// Those of some kinds; each kind's in the order of the list.
    subscript(names: String...) -> [KubernetesObject] { names.flatMap { kinds[$0] ?? [] } }

    /// All of other kinds.
    func without(_ names: Set<String>) -> [KubernetesObject] {
        kinds.keys.filter { !names.contains($0) }.sorted().flatMap { kinds[$0] ?? [] }
    }
}

/// Picks Istio's objects out of a list, and notes those that are not taken, whole or in part (``Refusals``).
struct SnapshotReader {
    private let objects: ObjectsByKind
    private let cache: DecodeCache
    private(set) var diagnostics: [Diagnostic] = []

    /// What an object was read into; remembered as long as it does not change.
    private struct Reading<Spec: IstioSpec>: Sendable {
        var config: Config<Spec>?
        var diagnostics: [Diagnostic] = []
    }

    init(objects: ObjectsByKind, cache: DecodeCache) {
        self.objects = objects
        self.cache = cache
    }

    mutating func configs<Spec: IstioSpec>() -> [Config<Spec>] {
        var configs: [Config<Spec>] = []
        for object in objects[Spec.kind] where object.isKind(Spec.self) {
            let reading: Reading<Spec> = cache.value(of: object) { Self.read(object) }
            diagnostics += reading.diagnostics
            if let config = reading.config { configs.append(config) }
        }
        return cache.kept(
            configs.sorted { ($0.created, $0.name, $0.namespace) < ($1.created, $1.name, $1.namespace) })
    }

    private static func read<Spec: IstioSpec>(_ object: KubernetesObject) -> Reading<Spec> {
        let refusals = Refusals(object)
        if !refusals.diagnostics.isEmpty,
            let closed = Faults.closedSpec(of: object, Spec.self, refusals.diagnostics)
        {
            let note = Diagnostic(
                .warning, code: "WEFT0005", resource: object.reference, path: "spec",
                message: "the object stays in force as far as it can be read: \(closed.inForce)",
                hint: "correct the fields that are refused")
            return Reading(
                config: config(object, closed.spec, refusals), diagnostics: refusals.diagnostics + [note])
        }
        do {
            let spec = try object.spec(Spec.self)
            if refusals.whole != nil, Spec.group != GatewayAPI.group {
                return Reading(config: nil, diagnostics: refusals.diagnostics)
            }
            return Reading(config: config(object, spec, refusals), diagnostics: refusals.diagnostics)
        } catch {
            // A kind that is not checked beyond its form.
            let own = refusals.diagnostics.isEmpty ? Self.malformed(object, error) : refusals.diagnostics
            return Reading(config: nil, diagnostics: own)
        }
    }

    private static func config<Spec: IstioSpec>(
        _ object: KubernetesObject, _ spec: Spec, _ refusals: Refusals
    ) -> Config<Spec> {
        var config = Config(
            resource: object.reference, created: object.creationTimestamp, annotations: object.annotations,
            spec: spec, destinations: MeshGlobals.destinations(of: object), generation: object.generation)
        config.refusedParts = refusals.parts
        config.unmatchableParts = refusals.unmatchable
        config.refusal = refusals.whole
        return config
    }

    private static func malformed(_ object: KubernetesObject, _ error: any Error) -> [Diagnostic] {
        let error = error as? DecodingError
        let finding = Diagnostic(
            .error, code: "IST0106", resource: object.reference, path: error?.fieldPath,
            message: error?.reason ?? "the spec cannot be read",
            hint: "the object is ignored until the field is corrected")
        return [finding.asSchemaFinding]
    }
}
