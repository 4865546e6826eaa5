package import WeftCore
import WeftIR
import WeftIdentity

/// What metrics say about one side of an exchange. Empty fields are unknown.
package struct WorkloadLabels: Sendable, Hashable {
    package var workload = ""
    package var namespace = ""
    package var canonicalService = ""
    package var canonicalRevision = ""
    package var app = ""
    package var version = ""
    package var cluster = ""

    package init() {}

    /// - Parameter metadata: Node metadata as Istio's agent writes it (`WORKLOAD_NAME`, `NAMESPACE`, `LABELS`, …).
    package init(metadata: JSONValue) {
        func text(_ name: String) -> String { metadata[name]?.stringValue ?? "" }
        func label(_ name: String) -> String { metadata["LABELS"]?[name]?.stringValue ?? "" }
        workload = text("WORKLOAD_NAME")
        namespace = text("NAMESPACE")
        cluster = text("CLUSTER_ID")
        app = label("app")
        version = label("version")
        let named = [label("service.istio.io/canonical-name"), label("app.kubernetes.io/name"), app, workload]
        canonicalService = named.first { !$0.isEmpty } ?? ""
        let revised = [label("service.istio.io/canonical-revision"), label("app.kubernetes.io/version"), version]
        canonicalRevision = revised.first { !$0.isEmpty } ?? "latest"
    }

    /// What the control plane says about an endpoint.
    init(_ endpoint: WorkloadMetadata) {
        workload = endpoint.name
        namespace = endpoint.namespace
        canonicalService = endpoint.canonicalName
        canonicalRevision = endpoint.canonicalRevision
        app = endpoint.canonicalName
        version = endpoint.canonicalRevision
        cluster = endpoint.cluster
    }

    /// What a certificate alone proves.
    init(principal: String) { namespace = (try? SPIFFEIdentity(uri: principal))?.namespace ?? "" }
}

/// This proxy, as its own metrics and its peers' metrics name it.
package struct MetricsNode: Sendable, Hashable {
    /// `sidecar~10.0.0.1~pod.namespace~namespace.svc.cluster.local`.
    package var id = ""
    package var labels = WorkloadLabels()
    /// `spiffe://…` of the workload certificate.
    package var principal: String?
    /// Value of `x-envoy-peer-metadata`; empty sends none.
    private(set) var header = ""
    /// What goes out first on plain connections to peers; empty sends none.
    private(set) var introduction: [UInt8] = []

    package init() {}

    /// - Parameter metadata: The node metadata that also goes to the control plane.
    package init(id: String, metadata: JSONValue, principal: String?) {
        self.id = id
        self.principal = principal
        labels = WorkloadLabels(metadata: metadata)
        header = PeerMetadata.encode(metadata)
        introduction = PeerMetadata.introduction(id: id, metadata: metadata)
    }
}
