extension GatewayAPI {
    /// Routes of gRPC calls (`GRPCRoute`).
    package struct GRPCRoute: IstioSpec {
        package static let group = GatewayAPI.group
        package static let kind = "GRPCRoute"
        package var parentRefs: [ParentReference]?
        package var hostnames: [String]?
        package var rules: [GRPCRule]?
    }

    package struct GRPCRule: Sendable, Hashable, Codable {
        package var name: String?
        package var matches: [GRPCMatch]?
        package var filters: [HTTPFilter]?
        package var backendRefs: [HTTPBackend]?

        package init() {}
    }

    package struct GRPCMatch: Sendable, Hashable, Codable {
        package struct Method: Sendable, Hashable, Codable {
            package var type: String?
            package var service: String?
            package var method: String?
        }
        package var method: Method?
        package var headers: [ValueMatch]?
    }

    /// Connections by server name (`TLSRoute`).
    package struct TLSRoute: IstioSpec {
        package static let group = GatewayAPI.group
        package static let kind = "TLSRoute"
        package var parentRefs: [ParentReference]?
        package var hostnames: [String]?
        package var rules: [StreamRule]?
    }

    /// Connections by port (`TCPRoute`).
    package struct TCPRoute: IstioSpec {
        package static let group = GatewayAPI.group
        package static let kind = "TCPRoute"
        package var parentRefs: [ParentReference]?
        package var rules: [StreamRule]?
    }

    package struct StreamRule: Sendable, Hashable, Codable {
        package var name: String?
        package var backendRefs: [HTTPBackend]?
    }

    /// Lets objects of other namespaces refer to objects of its own (`ReferenceGrant`).
    package struct ReferenceGrant: IstioSpec {
        package static let group = GatewayAPI.group
        package static let kind = "ReferenceGrant"
        package struct From: Sendable, Hashable, Codable {
            package var group: String
            package var kind: String
            package var namespace: String
        }
        package struct To: Sendable, Hashable, Codable {
            package var group: String
            package var kind: String
            package var name: String?
        }
        package var from: [From]
        package var to: [To]
    }

    /// TLS from a gateway to a Service (`BackendTLSPolicy`).
    package struct BackendTLSPolicy: IstioSpec {
        package static let group = GatewayAPI.group
        package static let kind = "BackendTLSPolicy"
        package struct Target: Sendable, Hashable, Codable {
            package var group: String
            package var kind: String
            package var name: String
            /// The name of a port of the Service.
            package var sectionName: String?
        }
        package struct SubjectAltName: Sendable, Hashable, Codable {
            package var type: String
            package var hostname: String?
            package var uri: String?
        }
        package struct Validation: Sendable, Hashable, Codable {
            package var caCertificateRefs: [ObjectReference]?
            package var wellKnownCACertificates: String?
            package var hostname: String
            package var subjectAltNames: [SubjectAltName]?
        }
        package var targetRefs: [Target]
        package var validation: Validation
        package var options: [String: String]?
    }
}
