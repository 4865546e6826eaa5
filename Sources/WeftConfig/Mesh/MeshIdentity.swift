package import WeftCore

/// What a mesh is called, as every proxy of it must know. The defaults are Istio's.
package struct MeshIdentity: Sendable, Hashable {
    /// First part of every SPIFFE identity.
    package var trustDomain = "cluster.local"
    package var meshID = "cluster.local"
    package var clusterID = "Kubernetes"
    /// Suffix of the names of Services.
    package var clusterDomain = "cluster.local"

    package init() {}

    /// Takes over what MeshConfig says; a mesh that has no id of its own goes by its trust domain.
    package mutating func apply(meshConfig: JSONValue) {
        if let domain = meshConfig["trustDomain"]?.stringValue, !domain.isEmpty {
            trustDomain = domain
            meshID = domain
        }
        if let mesh = meshConfig[path: "defaultConfig", "meshId"]?.stringValue { meshID = mesh }
    }
}
