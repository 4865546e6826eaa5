/// The `spec` of a ServiceEntry: a service that Kubernetes does not know.
package struct ServiceEntry: IstioSpec {
    package static let group = "networking.istio.io"
    package static let kind = "ServiceEntry"
    package enum Location: String, Sendable, Hashable, Codable, CaseIterable {
        case meshExternal = "MESH_EXTERNAL"
        case meshInternal = "MESH_INTERNAL"
    }
    package enum Resolution: String, Sendable, Hashable, Codable, CaseIterable {
        case none = "NONE"
        case `static` = "STATIC"
        case dns = "DNS"
        case dnsRoundRobin = "DNS_ROUND_ROBIN"
        case dynamicDNS = "DYNAMIC_DNS"
    }
    package struct Port: Sendable, Hashable, Codable {
        package var number: Int?
        package var `protocol`: String?
        package var name: String?
        package var targetPort: Int?
    }
    package var hosts: [String]?
    package var addresses: [String]?
    package var ports: [Port]?
    package var location: Location?
    package var resolution: Resolution?
    package var endpoints: [WorkloadEntry]?
    package var workloadSelector: EntrySelector?
    package var exportTo: [String]?
    package var subjectAltNames: [String]?
}

/// `workloadSelector.labels`, as ServiceEntry and Sidecar write it.
package struct EntrySelector: Sendable, Hashable, Codable {
    package var labels: [String: String]?
    package func matches(_ other: [String: String]) -> Bool { (labels ?? [:]).allSatisfy { other[$0.key] == $0.value } }
}

/// The `spec` of a WorkloadEntry, also used for the endpoints inside a ServiceEntry.
package struct WorkloadEntry: IstioSpec {
    package static let group = "networking.istio.io"
    package static let kind = "WorkloadEntry"
    package var address: String?
    package var ports: [String: Int]?
    package var labels: [String: String]?
    package var network: String?
    package var locality: String?
    package var weight: Int?
    package var serviceAccount: String?
}

/// The `spec` of a Sidecar: what one workload's proxy sees of the mesh.
package struct Sidecar: IstioSpec {
    package static let group = "networking.istio.io"
    package static let kind = "Sidecar"
    package enum OutboundMode: String, Sendable, Hashable, Codable, CaseIterable {
        case registryOnly = "REGISTRY_ONLY"
        case allowAny = "ALLOW_ANY"
        /// As ALLOW_ANY, and the proxy resolves the hosts of HTTP requests itself.
        case allowAnyDynamicDNS = "ALLOW_ANY_DYNAMIC_DNS"
    }
    package struct Egress: Sendable, Hashable, Codable {
        package var port: Gateway.Port?
        package var bind: String?
        package var captureMode: String?
        package var hosts: [String]?
    }
    package struct Ingress: Sendable, Hashable, Codable {
        package var port: Gateway.Port?
        package var bind: String?
        package var captureMode: String?
        package var defaultEndpoint: String?
        package var tls: Gateway.ServerTLS?
        package var connectionPool: DestinationRule.ConnectionPool?
    }
    package struct OutboundTrafficPolicy: Sendable, Hashable, Codable {
        package var mode: OutboundMode?
        package var egressProxy: Destination?
    }
    package var workloadSelector: EntrySelector?
    package var ingress: [Ingress]?
    package var egress: [Egress]?
    package var inboundConnectionPool: DestinationRule.ConnectionPool?
    package var outboundTrafficPolicy: OutboundTrafficPolicy?
}
