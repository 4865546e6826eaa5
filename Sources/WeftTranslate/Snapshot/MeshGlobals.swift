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

    init() {
        meshConfig = MeshConfig()
        objects = []
        snapshot = nil
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
    }

    /// Kinds that are inputs by themselves (services, rules), are read into services, or say nothing about what
    /// proxies send.
    private static let named: Set<String> = [
        "Service", "ServiceEntry", "EndpointSlice", "Pod", "VirtualService", "DestinationRule", "AuthorizationPolicy",
    ]

    static func == (left: MeshGlobals, right: MeshGlobals) -> Bool {
        left === right
            || (left.snapshot == nil) == (right.snapshot == nil) && left.meshConfig == right.meshConfig
                && left.objects == right.objects
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
