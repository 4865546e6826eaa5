import WeftCore
import WeftIR
import WeftTranslate
import WeftXDS

/// What a class of senders sends by, in two parts: the services' clusters with their endpoints, and listeners with
/// routes. Each service's clusters, and the second part, are made again only when what they are made from changed.
struct OutboundShare: Sendable {
    /// One service's clusters, encoded.
    private struct Fragment: Sendable {
        var inputs: ServiceInputs
        var resources: [ResourceType: [String: EncodedResource]]
        var assignments: [String: String]
        var diagnostics: [Diagnostic]
        var patches: PatchReport
    }
    let clusters: ResourceShare
    let traffic: ResourceShare
    private let fragments: [String: Fragment]
    private let trafficInputs: TrafficInputs
    private let trafficDiagnostics: [Diagnostic]
    private let trafficPatches: PatchReport

    /// What translation and patches found, each once.
    var diagnostics: [Diagnostic] {
        Array(
            fragments.values.reduce(into: Set(trafficDiagnostics).union(trafficPatches.diagnostics)) {
                $0.formUnion($1.diagnostics)
                $0.formUnion($1.patches.diagnostics)
            })
    }

    /// What became of users' patches in each service's clusters, and in listeners and routes.
    var patches: [PatchReport] { [trafficPatches] + fragments.values.map(\.patches) }

    /// - Parameter withSecrets: Whether the proxies have proved who they are; others get no keys.
    init(
        _ proxies: OutboundClass, in snapshot: MeshSnapshot, target: Target, withSecrets: Bool,
        replacing old: OutboundShare?
    ) throws {
        let translator = Translator(snapshot)
        var patches: [ResourcePatch]?
        var fragments: [String: Fragment] = [:]
        var stale: [Fragment] = []
        var fresh: [Fragment] = []
        for inputs in translator.serviceInputs(for: proxies) {
            let former = old?.fragments[inputs.host]
            if let former, former.inputs == inputs {
                fragments[inputs.host] = former
                continue
            }
            if let former { stale.append(former) }
            // The patches are the same for every service of a class.
            let known = patches ?? inputs.patches
            patches = known
            let fragment = try Self.fragment(inputs, target, known, withSecrets: withSecrets)
            fresh.append(fragment)
            fragments[inputs.host] = fragment
        }
        for (host, fragment) in old?.fragments ?? [:] where fragments[host] == nil { stale.append(fragment) }
        self.fragments = fragments
        clusters = Self.clusters(replacing: old?.clusters, all: fragments, stale: stale, fresh: fresh)
        trafficInputs = translator.trafficInputs(for: proxies)
        if let old, old.trafficInputs == trafficInputs, Self.haveSameNames(old.clusters, clusters) {
            traffic = old.traffic
            trafficDiagnostics = old.trafficDiagnostics
            trafficPatches = old.trafficPatches
        } else {
            let names = clusters.resources[.cluster]?.keys.map { $0 } ?? []
            var (configuration, found) = trafficInputs.configuration(defined: names)
            if !withSecrets { configuration.secrets = [:] }
            let made = try ResourceShare(configuration, target: target, replacing: old?.traffic)
            traffic = made.isNew ? made : old?.traffic ?? made
            trafficDiagnostics = found
            trafficPatches = made.patchReport
        }
    }

    private static func haveSameNames(_ left: ResourceShare, _ right: ResourceShare) -> Bool {
        left === right || left.resources[.cluster]?.keys == right.resources[.cluster]?.keys
    }

    private static func fragment(
        _ inputs: ServiceInputs, _ target: Target, _ patches: [ResourcePatch], withSecrets: Bool
    ) throws -> Fragment {
        var (configuration, diagnostics) = inputs.clusters()
        if !withSecrets { configuration.secrets = [:] }
        configuration.patches = patches
        let encoded = try EncodedConfiguration(configuration, target: target)
        return Fragment(
            inputs: inputs, resources: encoded.resources.filter { [.cluster, .endpoint, .secret].contains($0.key) },
            assignments: encoded.assignmentOfCluster, diagnostics: diagnostics, patches: encoded.patchReport)
    }

    /// The old share with some services' resources taken out and others put in.
    private static func clusters(
        replacing old: ResourceShare?, all: [String: Fragment], stale: [Fragment], fresh: [Fragment]
    ) -> ResourceShare {
        if let old, stale.isEmpty, fresh.isEmpty { return old }
        var resources = old?.resources ?? [:]
        var assignments = old?.assignmentOfCluster ?? [:]
        for fragment in stale {
            for (type, named) in fragment.resources {
                for name in named.keys { resources[type]?[name] = nil }
            }
            for name in fragment.assignments.keys { assignments[name] = nil }
        }
        for fragment in fresh {
            for (type, named) in fragment.resources { resources[type, default: [:]].merge(named) { _, new in new } }
            assignments.merge(fragment.assignments) { _, new in new }
        }
        // Services may have secrets in common; one that goes does not take the other's with it.
        resources[.secret] = all.values.reduce(into: [:]) { secrets, fragment in
            if let own = fragment.resources[.secret], !own.isEmpty { secrets.merge(own) { _, new in new } }
        }
        let made = ResourceShare(resources: resources, assignmentOfCluster: assignments, replacing: old)
        return made.isNew ? made : old ?? made
    }
}
