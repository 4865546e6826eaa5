import WeftConfig
import WeftCore
import WeftKubernetes

/// Which objects this process writes to, where several replicas and several revisions of the control plane run.
///
/// An object with the label `istio.io/rev` is that revision's alone, whether the label has the revision's name or one of
/// its tags, and one replica of it writes. One without is every
/// revision's to obey, but one's to answer for: that of the mesh's leader, which the default revision is wherever it
/// runs. Safe to use from anywhere.
struct Ownership: Sendable {
    static let label = "istio.io/rev"
    let revision: String
    /// What labels may call the revision: its name and its tags; asked each time, as tags move.
    let names: @Sendable () -> Set<String>
    /// Of this revision's replicas.
    let ofRevision: Leadership
    /// Of all revisions' replicas.
    let ofMesh: Leadership

    /// - Parameter names: `nil` for a revision without tags.
    init(
        revision: String, names: (@Sendable () -> Set<String>)? = nil, ofRevision: Leadership = Leadership(),
        ofMesh: Leadership = Leadership()
    ) {
        self.revision = revision
        self.names = names ?? { [revision] }
        self.ofRevision = ofRevision
        self.ofMesh = ofMesh
    }

    /// Whether this process writes anything at present.
    var writes: Bool { ofRevision.isLeader || ofMesh.isLeader }

    /// Whether this process writes what an object with these labels says of itself, and what is made for it.
    func mayWrite(_ object: KubernetesObject) -> Bool {
        guard let label = object.json[path: "metadata", "labels", Self.label]?.stringValue else {
            return ofMesh.isLeader
        }
        return ofRevision.isLeader && names().contains(label)
    }

    /// Takes part in both elections until the task is cancelled.
    /// - Parameters:
    ///   - identity: the replica's name.
    ///   - begin: called whenever this replica has become a leader of either.
    func run(client: KubernetesClient, namespace: String, identity: String, begin: @escaping @Sendable () -> Void)
        async throws
    {
        let name = revision == "default" ? "istio-leader" : "istio-leader-\(revision)"
        let suffix = ".default"
        let (isDefault, holder) = (revision == "default", "\(identity).\(revision)")
        let own = LeaderElection(client: client, namespace: namespace, name: name, identity: identity)
        let mesh = LeaderElection(
            client: client, namespace: namespace, name: "istio-mesh-leader", identity: holder,
            goesBefore: { isDefault && !$0.hasSuffix(suffix) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await ofRevision.run(own, begin: begin) }
            group.addTask { try await ofMesh.run(mesh, begin: begin) }
            try await group.waitForAll()
        }
    }
}
