package import WeftCore

/// A service as the mesh sees it, whether Kubernetes or a ServiceEntry declares it.
package struct MeshService: Sendable, Hashable {
    /// Where the addresses behind the service come from.
    package enum Resolution: String, Sendable, Hashable {
        /// A virtual address in front of known endpoints.
        case endpoints
        /// The caller picks the endpoint's own address.
        case headless
        /// By DNS; one address or all of them.
        case dns, dnsRoundRobin
        /// Wherever the connection was going.
        case passthrough
    }
    package struct Port: Sendable, Hashable {
        package var number: Int
        package var name: String
        package var `protocol`: PortProtocol
        package var targetPort: Int?
        package var targetPortName: String?
    }
    package var host: String
    package var name: String
    package var namespace: String
    package var addresses: [String]
    package var ports: [Port]
    package var resolution: Resolution
    package var isExternal = false
    /// `nil` for a service without a selector.
    package var selector: [String: String]?
    package var exportTo: [String] = []
    package var created = ""
    package var resource: ResourceReference
    package var endpoints: [MeshEndpoint] = []
    package var subjectAltNames: [String] = []

    package func port(_ number: Int) -> Port? { ports.first { $0.number == number } }
    package func isVisible(from other: String) -> Bool { Visibility.allows(exportTo, owner: namespace, viewer: other) }
}

/// One address behind a service.
package struct MeshEndpoint: Sendable, Hashable {
    package var address: String
    package var isReady: Bool
    /// Service port to the port at this address.
    package var ports: [Int: Int]
    package var labels: [String: String]
    package var workload: Workload?
    package var weight: UInt32 = 1
}

/// A pod, as far as traffic is concerned.
package struct Workload: Sendable, Hashable {
    package var name: String
    package var namespace: String
    package var address: String
    package var labels: [String: String]
    package var serviceAccount: String
    /// The Deployment (or other controller) behind the pod.
    package var workloadName: String
    /// Named container ports.
    package var namedPorts: [String: Int]

    /// True if the pod has a sidecar that takes mutual TLS.
    package var acceptsMutualTLS: Bool { labels["security.istio.io/tlsMode"] == "istio" }
    package var canonicalName: String {
        labels["service.istio.io/canonical-name"] ?? labels["app.kubernetes.io/name"] ?? labels["app"] ?? workloadName
    }
    package var canonicalRevision: String {
        labels["service.istio.io/canonical-revision"] ?? labels["app.kubernetes.io/version"] ?? labels["version"]
            ?? "latest"
    }
}

/// `exportTo`: who may see an object.
enum Visibility {
    static func allows(_ exportTo: [String], owner: String, viewer: String) -> Bool {
        if exportTo.isEmpty || exportTo.contains("*") { return true }
        return exportTo.contains(viewer) || (exportTo.contains(".") && owner == viewer)
    }
}
