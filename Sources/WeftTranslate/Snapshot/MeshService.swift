package import WeftCore
package import WeftIR

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
        /// The name that each request asks for, resolved by the proxy (`DYNAMIC_DNS`).
        case dynamicDNS
    }
    /// Which endpoints callers prefer (`trafficDistribution` of the Service, or the annotation
    /// `networking.istio.io/traffic-distribution`).
    package enum Distribution: String, Sendable, Hashable {
        case any = "Any"
        case close = "PreferClose"
        case sameZone = "PreferSameZone"
        case sameNode = "PreferSameNode"
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
    /// Addresses that the control plane has chosen; only for proxies that answer DNS themselves.
    package var allocatedAddresses: [String] = []
    /// The name that an ExternalName Service stands for.
    package var externalName: String?
    package var distribution: Distribution?

    /// A host such as `*.example.com`: no name of its own to resolve.
    package var isWildcard: Bool { host.hasPrefix("*") }
    package func port(_ number: Int) -> Port? { ports.first { $0.number == number } }
    package func isVisible(from other: String) -> Bool { Visibility.allows(exportTo, owner: namespace, viewer: other) }
}

/// One address behind a service.
package struct MeshEndpoint: Sendable, Hashable {
    /// An IP, a DNS name, or the absolute path of a Unix socket (`@NAME` in the abstract namespace).
    package var address: String
    package var isReady: Bool
    /// Service port to the port at this address.
    package var ports: [Int: Int]
    package var labels: [String: String]
    package var workload: Workload?
    package var weight: UInt32 = 1
    package var locality = Locality()
    /// Name of the network; empty is the proxy's own.
    package var network = ""
    package var nodeName = ""
    /// A pod's own name under a headless service (`web-0`).
    package var hostname = ""

    package var isUnixSocket: Bool { address.hasPrefix("/") || address.hasPrefix("@") }
}

/// A pod, or a machine that a WorkloadEntry describes, as far as traffic is concerned.
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
    package var nodeName = ""
    package var locality = Locality()
    package var network = ""
    /// What only a WorkloadEntry says: its share of requests; `nil` for pods.
    package var entry: EntryDetails?

    /// What a WorkloadEntry says beyond what a pod does.
    package struct EntryDetails: Sendable, Hashable {
        package var weight: UInt32
        /// The last probe found it well (status condition `Healthy`), or none has been made.
        package var isHealthy: Bool
    }

    /// True if a proxy that takes mutual TLS stands before the workload. A WorkloadEntry says so by its service account.
    package var acceptsMutualTLS: Bool {
        guard let mode = labels["security.istio.io/tlsMode"] else { return entry != nil && !serviceAccount.isEmpty }
        return mode == "istio"
    }
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
