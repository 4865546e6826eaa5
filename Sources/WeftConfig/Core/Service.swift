/// A service (`v1.Service`).
package struct Service: Sendable, Hashable, Codable {
    package struct Port: Sendable, Hashable, Codable {
        package var name: String?
        package var port: Int
        package var targetPort: IntOrString?
        package var nodePort: Int?
        package var `protocol`: String?
        package var appProtocol: String?
    }
    package struct Spec: Sendable, Hashable, Codable {
        package var type: String?
        package var clusterIP: String?
        package var clusterIPs: [String]?
        package var selector: [String: String]?
        package var ports: [Port]?
        package var externalName: String?
        package var externalIPs: [String]?
        package var publishNotReadyAddresses: Bool?
        package var sessionAffinity: String?
        package var internalTrafficPolicy: String?
    }
    package struct Ingress: Sendable, Hashable, Codable {
        package var ip: String?
        package var hostname: String?
    }
    package struct LoadBalancerStatus: Sendable, Hashable, Codable { package var ingress: [Ingress]? }
    package struct Status: Sendable, Hashable, Codable { package var loadBalancer: LoadBalancerStatus? }

    package var metadata: ObjectMeta
    package var spec: Spec
    package var status: Status?

    package var isHeadless: Bool { spec.clusterIP == "None" }
    /// The virtual address, if the service has one.
    package var virtualIP: String? {
        guard spec.type != "ExternalName", let ip = spec.clusterIP, !ip.isEmpty, ip != "None" else { return nil }
        return ip
    }
}

/// Addresses behind a service (`discovery.k8s.io/v1.EndpointSlice`).
package struct EndpointSlice: Sendable, Hashable, Codable {
    package struct Conditions: Sendable, Hashable, Codable {
        package var ready: Bool?
        package var serving: Bool?
        package var terminating: Bool?
    }
    package struct Target: Sendable, Hashable, Codable {
        package var kind: String?
        package var namespace: String?
        package var name: String?
        package var uid: String?
    }
    package struct Endpoint: Sendable, Hashable, Codable {
        package var addresses: [String]
        package var conditions: Conditions?
        package var hostname: String?
        package var nodeName: String?
        package var zone: String?
        package var targetRef: Target?

        /// An absent condition counts as ready.
        package var isReady: Bool { conditions?.ready ?? true }
    }
    package struct Port: Sendable, Hashable, Codable {
        package var name: String?
        package var port: Int?
        package var `protocol`: String?
        package var appProtocol: String?
    }
    package var metadata: ObjectMeta
    package var addressType: String?
    package var endpoints: [Endpoint]?
    package var ports: [Port]?

    /// The label that ties a slice to its service.
    package static let serviceLabel = "kubernetes.io/service-name"
    package var serviceName: String? { metadata.labels?[Self.serviceLabel] }
}
