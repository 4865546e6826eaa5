import WeftCore
import WeftIR
import WeftTranslate
import WeftXDS

/// What a class of senders sends by, in two parts: the services' clusters with their endpoints, and listeners with
/// routes. Each service's clusters, and the second part, are made again only when what they are made from changed.
struct OutboundShare: Sendable {
    /// One service's clusters, encoded. A class, because all of a mesh's are looked through for each change.
    private final class Fragment: Sendable {
        struct Resource: Sendable {
            var type: ResourceType
            var name: String
            var resource: EncodedResource
        }
        let inputs: ServiceInputs
        let resources: [Resource]
        let assignments: [(cluster: String, name: String)]
        let diagnostics: [Diagnostic]
        let patches: PatchReport

        init(_ inputs: ServiceInputs, _ encoded: EncodedConfiguration, _ diagnostics: [Diagnostic]) {
            self.inputs = inputs
            self.diagnostics = diagnostics
            resources = [.cluster, .endpoint, .secret].flatMap { type in
                (encoded.resources[type] ?? [:]).map { Resource(type: type, name: $0.key, resource: $0.value) }
            }
            assignments = encoded.assignmentOfCluster.map { ($0.key, $0.value) }
            patches = encoded.patchReport
        }
    }
    let clusters: ResourceShare
    let traffic: ResourceShare
    private let fragments: [String: Fragment]
    private let clusterFindings: Findings
    private let inputs: OutboundInputs
    private let trafficFindings: Findings
    private let tables: [String: MadeRouteTable]

    /// What translation found, and what became of users' patches.
    private struct Findings: Sendable {
        var diagnostics: Set<Diagnostic> = []
        var patches: [PatchReport] = []

        mutating func add(_ found: [Diagnostic], _ report: PatchReport) {
            if !found.isEmpty { diagnostics.formUnion(found) }
            let patched = report.diagnostics
            if !patched.isEmpty { diagnostics.formUnion(patched) }
            if report != PatchReport() { patches.append(report) }
        }
    }

    /// What translation and patches found, each once.
    var diagnostics: [Diagnostic] { Array(trafficFindings.diagnostics.union(clusterFindings.diagnostics)) }

    /// What became of users' patches in each service's clusters, and in listeners and routes.
    var patches: [PatchReport] { trafficFindings.patches + clusterFindings.patches }

    /// - Parameter withSecrets: Whether the proxies have proved who they are; others get no keys.
    init(
        _ proxies: OutboundClass, in snapshot: MeshSnapshot, target: Target, withSecrets: Bool,
        replacing old: OutboundShare?
    ) throws {
        let inputs = Translator(snapshot).inputs(for: proxies)
        let encoding = Encoding(target: target, withSecrets: withSecrets)
        let (fragments, stale, fresh) = try Self.fragments(inputs, encoding, replacing: old)
        self.fragments = fragments
        if let old, stale.isEmpty, fresh.isEmpty {
            clusters = old.clusters
            clusterFindings = old.clusterFindings
        } else {
            clusters = Self.clusters(replacing: old?.clusters, all: fragments, stale: stale, fresh: fresh)
            clusterFindings = fragments.values.reduce(into: Findings()) { $0.add($1.diagnostics, $1.patches) }
        }
        self.inputs = inputs
        if let old, old.inputs.traffic == inputs.traffic, Self.haveSameNames(old.clusters, clusters) {
            (traffic, trafficFindings, tables) = (old.traffic, old.trafficFindings, old.tables)
        } else {
            (traffic, trafficFindings, tables) = try Self.traffic(
                inputs.traffic, defined: clusters.resources[.cluster]?.keys.map { $0 } ?? [], encoding, replacing: old)
        }
    }

    private struct Encoding {
        var target: Target
        var withSecrets: Bool

        func encode(_ configuration: ProxyConfiguration) throws -> EncodedConfiguration {
            var configuration = configuration
            if !withSecrets { configuration.secrets = [:] }
            return try EncodedConfiguration(configuration, target: target)
        }
    }

    /// Every service's clusters, those that are no more, and those that are new.
    private static func fragments(
        _ inputs: OutboundInputs, _ encoding: Encoding, replacing old: OutboundShare?
    ) throws -> ([String: Fragment], stale: [Fragment], fresh: [Fragment]) {
        if let old, inputs.hasServices(of: old.inputs) { return (old.fragments, [], []) }
        let wanted = inputs.services
        var patches: [ResourcePatch]?
        var fragments = old?.fragments ?? [:]
        var stale: [Fragment] = []
        var fresh: [Fragment] = []
        for inputs in wanted {
            let former = fragments[inputs.host]
            if let former, former.inputs == inputs { continue }
            if let former { stale.append(former) }
            // The patches are the same for every service of a class.
            let known = patches ?? inputs.patches
            patches = known
            var (configuration, diagnostics) = inputs.clusters()
            configuration.patches = known
            let fragment = Fragment(inputs, try encoding.encode(configuration), diagnostics)
            fresh.append(fragment)
            fragments[inputs.host] = fragment
        }
        if fragments.count > wanted.count {
            let hosts = Set(wanted.map(\.host))
            stale += fragments.values.filter { !hosts.contains($0.inputs.host) }
            fragments = fragments.filter { hosts.contains($0.key) }
        }
        return (fragments, stale, fresh)
    }

    /// Listeners and routes. Of route tables only the virtual hosts whose inputs changed are made.
    private static func traffic(
        _ inputs: TrafficInputs, defined names: [String], _ encoding: Encoding, replacing old: OutboundShare?
    ) throws -> (ResourceShare, Findings, [String: MadeRouteTable]) {
        var draft = inputs.draft()
        if draft.patchesRoutes { draft.makeHosts() }
        var tables: [String: MadeRouteTable] = [:]
        var named = NamedClusters()
        for (name, hosts) in draft.hosts {
            guard let table = draft.configuration.routes[name] else { continue }
            let made = try MadeRouteTable(table, hosts, target: encoding.target, replacing: old?.tables[name])
            tables[name] = made
            named.formUnion(made.named)
        }
        var (configuration, diagnostics) = draft.finished(defined: names, naming: named)
        for name in tables.keys { configuration.routes[name] = nil }
        let encoded = try encoding.encode(configuration)
        var resources = encoded.resources
        for (name, table) in tables { resources[.route, default: [:]][name] = table.encoded.resource }
        let made = ResourceShare(
            resources: resources, assignmentOfCluster: encoded.assignmentOfCluster, patchReport: encoded.patchReport,
            replacing: old?.traffic)
        var findings = Findings()
        findings.add(diagnostics, made.patchReport)
        return (made.isNew ? made : old?.traffic ?? made, findings, tables)
    }

    private static func haveSameNames(_ left: ResourceShare, _ right: ResourceShare) -> Bool {
        left === right || left.resources[.cluster]?.keys == right.resources[.cluster]?.keys
    }

    /// The old share with some services' resources taken out and others put in.
    private static func clusters(
        replacing old: ResourceShare?, all: [String: Fragment], stale: [Fragment], fresh: [Fragment]
    ) -> ResourceShare {
        var resources = old?.resources ?? [:]
        var assignments = old?.assignmentOfCluster ?? [:]
        for fragment in stale {
            for old in fragment.resources { resources[old.type]?[old.name] = nil }
            for (cluster, _) in fragment.assignments { assignments[cluster] = nil }
        }
        for fragment in fresh {
            for new in fragment.resources { resources[new.type, default: [:]][new.name] = new.resource }
            for (cluster, name) in fragment.assignments { assignments[cluster] = name }
        }
        // Services may have secrets in common; one that goes does not take the other's with it.
        resources[.secret] = all.values.reduce(into: [:]) { secrets, fragment in
            for own in fragment.resources where own.type == .secret { secrets[own.name] = own.resource }
        }
        let made = ResourceShare(resources: resources, assignmentOfCluster: assignments, replacing: old)
        return made.isNew ? made : old ?? made
    }
}
