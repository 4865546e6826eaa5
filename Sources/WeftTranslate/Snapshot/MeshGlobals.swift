import WeftConfig
import WeftCore

/// The part of a snapshot that everything made from it may depend on: the mesh's settings, policies, scopes, secrets.
///
/// Without services, workloads and the rules about hosts, which what is made names as inputs of its own. A change here
/// makes everything anew; these objects are few and change seldom.
final class MeshGlobals: Sendable, Hashable {
    private let meshConfig: MeshConfig
    private let objects: [KubernetesObject]
    /// The snapshot with nothing but the globals; `nil` in a snapshot's own globals while it is being made.
    let snapshot: MeshSnapshot?
    /// Hosts that policies may have a proxy ask: extension providers and the places of token keys.
    let askedHosts: Set<String>

    init() {
        meshConfig = MeshConfig()
        objects = []
        snapshot = nil
        askedHosts = []
    }

    init(_ snapshot: MeshSnapshot, objects: [KubernetesObject]) {
        meshConfig = snapshot.meshConfig
        // Routes whose parent is a Service are worked out from the Services of the snapshot that they are in.
        let named =
            snapshot.gatewayAPI.meshDestinations.isEmpty
            ? Self.named : Self.named.subtracting(["Service", "ServiceEntry"])
        self.objects = objects.filter { !named.contains($0.kind) }.sorted {
            ($0.kind, $0.namespace, $0.name) < ($1.kind, $1.namespace, $1.name)
        }
        self.snapshot = snapshot.restricted(to: [], [], [])
        askedHosts = Self.askedHosts(snapshot)
    }

    private static func askedHosts(_ snapshot: MeshSnapshot) -> Set<String> {
        var hosts: Set<String> = []
        let mesh = snapshot.meshConfig
        for provider in (mesh.extensionProviders ?? []) + TelemetryProviders.builtIn(in: mesh) {
            collectServices((try? JSONValue(encoding: provider)) ?? .null, into: &hosts)
        }
        if let collector = TelemetryProviders.defaultCollector(of: mesh) { hosts.insert(collector.host) }
        for rule in snapshot.requestAuthentications.flatMap({ $0.spec.jwtRules ?? [] }) {
            if let address = rule.jwksUri.flatMap(HTTPAddress.init) { hosts.insert(address.host) }
        }
        return hosts
    }

    /// Every `service: HOST` or `service: NAMESPACE/HOST`.
    private static func collectServices(_ value: JSONValue, into found: inout Set<String>) {
        switch value {
        case .array(let items):
            for item in items { collectServices(item, into: &found) }
        case .object(let members):
            if let name = members["service"]?.stringValue {
                found.insert(name.split(separator: "/", maxSplits: 1).last.map(String.init) ?? name)
            }
            for member in members.values { collectServices(member, into: &found) }
        default: break
        }
    }

    /// Kinds that are inputs by themselves (services, rules), are read into services, or say nothing about what
    /// proxies send.
    private static let named: Set<String> = [
        "Service", "ServiceEntry", "EndpointSlice", "Pod", "Node", "VirtualService", "DestinationRule",
        "AuthorizationPolicy",
    ]

    static func == (left: MeshGlobals, right: MeshGlobals) -> Bool {
        left === right
            || (left.snapshot == nil) == (right.snapshot == nil) && left.meshConfig == right.meshConfig
                && left.objects.elementsEqual(right.objects, by: saysTheSame)
    }

    /// Whether two objects are the same to translation: the status that controllers write all the time is not read here.
    private static func saysTheSame(_ left: KubernetesObject, _ right: KubernetesObject) -> Bool {
        left.json == right.json || content(of: left) == content(of: right)
    }

    private static func content(of object: KubernetesObject) -> JSONValue {
        var json = object.json
        // Services and entries have addresses there.
        if !["Service", "ServiceEntry"].contains(object.kind) { json["status"] = nil }
        for field in ["resourceVersion", "managedFields"] { json[path: "metadata", field] = nil }
        return json
    }

    func hash(into hasher: inout Hasher) { hasher.combine(meshConfig) }

    /// Every host that a rule names as a destination, in full.
    static func destinations(of object: KubernetesObject) -> Set<String> {
        guard object.kind == "VirtualService" else { return [] }
        var found: Set<String> = []
        collect(object.json["spec"] ?? .null, namespace: object.namespace, into: &found)
        return found
    }

    private static func collect(_ value: JSONValue, namespace: String, into found: inout Set<String>) {
        switch value {
        case .array(let items):
            for item in items { collect(item, namespace: namespace, into: &found) }
        case .object(let members):
            if let host = members["host"]?.stringValue {
                found.insert(MeshSnapshot.resolve(host: host, namespace: namespace))
            }
            for member in members.values { collect(member, namespace: namespace, into: &found) }
        default: break
        }
    }
}
