package import WeftConfig

/// Makes snapshots one after the other. What objects that did not change were read into is kept from one to the next.
///
/// Not thread-safe by itself: one snapshot is made at a time (the push loop's turns).
package final class SnapshotBuilder: Sendable {
    private let cache = DecodeCache()

    package init() {}

    package func snapshot(objects: [KubernetesObject], meshConfig: MeshConfig) -> MeshSnapshot {
        defer { cache.forgetUnused() }
        return MeshSnapshot(objects: objects, meshConfig: meshConfig, cache: cache)
    }
}
