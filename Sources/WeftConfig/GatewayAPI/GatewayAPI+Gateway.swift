extension GatewayAPI {
    /// Whose gateways a controller runs (`GatewayClass`, cluster-scoped).
    package struct GatewayClass: IstioSpec {
        package static let group = GatewayAPI.group
        package static let kind = "GatewayClass"
        package var controllerName: String
        package var description: String?
        package var parametersRef: ObjectReference?
    }

    /// One deployment of listeners (`Gateway`).
    package struct Gateway: IstioSpec {
        package static let group = GatewayAPI.group
        package static let kind = "Gateway"
        package var gatewayClassName: String
        package var listeners: [Listener]?
        package var addresses: [Address]?
        package var infrastructure: Infrastructure?
        package var allowedListeners: AllowedListeners?
        package var tls: GatewayTLS?
    }

    /// More listeners for a Gateway, owned by others (`ListenerSet`).
    package struct ListenerSet: IstioSpec {
        package static let group = GatewayAPI.group
        package static let kind = "ListenerSet"
        package var parentRef: ObjectReference
        package var listeners: [Listener]?
    }

    /// A port, a protocol and a host name (`Listener`, `ListenerEntry`).
    package struct Listener: Sendable, Hashable, Codable {
        package var name: String
        package var hostname: String?
        package var port: Int
        package var `protocol`: String
        package var tls: ListenerTLS?
        package var allowedRoutes: AllowedRoutes?

        /// `nil` stands for every host.
        package var effectiveHostname: String? { hostname.flatMap { $0.isEmpty ? nil : $0.lowercased() } }
    }

    package struct ListenerTLS: Sendable, Hashable, Codable {
        package enum Mode: String, Sendable, Hashable, Codable {
            case terminate = "Terminate"
            case passthrough = "Passthrough"
        }
        package var mode: Mode?
        package var certificateRefs: [ObjectReference]?
        package var options: [String: String]?
    }

    package struct AllowedRoutes: Sendable, Hashable, Codable {
        package var namespaces: AllowedNamespaces?
        package var kinds: [RouteGroupKind]?
    }

    package struct AllowedListeners: Sendable, Hashable, Codable {
        package var namespaces: AllowedNamespaces?
    }

    /// An address that is asked for, or one that was given.
    package struct Address: Sendable, Hashable, Codable {
        package var type: String?
        package var value: String?

        package init(type: String, value: String) {
            self.type = type
            self.value = value
        }
        package var effectiveType: String { type ?? "IPAddress" }
    }

    /// What the objects of a deployed gateway carry (`GatewayInfrastructure`).
    package struct Infrastructure: Sendable, Hashable, Codable {
        package var labels: [String: String]?
        package var annotations: [String: String]?
        package var parametersRef: ObjectReference?
    }

    package struct GatewayTLS: Sendable, Hashable, Codable {
        package struct Backend: Sendable, Hashable, Codable {
            package var clientCertificateRef: ObjectReference?
        }
        package struct Frontend: Sendable, Hashable, Codable {
            package var `default`: FrontendConfig?
            package var perPort: [PortConfig]?
        }
        package struct FrontendConfig: Sendable, Hashable, Codable { package var validation: FrontendValidation? }
        package struct PortConfig: Sendable, Hashable, Codable {
            package var port: Int
            package var tls: FrontendConfig
        }
        package var backend: Backend?
        package var frontend: Frontend?

        /// How clients of HTTPS listeners on a port are verified: the port's own setting stands in for the default.
        package func validation(port: Int) -> FrontendValidation? {
            if let own = frontend?.perPort?.first(where: { $0.port == port }) { return own.tls.validation }
            return frontend?.default?.validation
        }
    }

    package struct FrontendValidation: Sendable, Hashable, Codable {
        package enum Mode: String, Sendable, Hashable, Codable {
            case allowValidOnly = "AllowValidOnly"
            case allowInsecureFallback = "AllowInsecureFallback"
        }
        package var caCertificateRefs: [ObjectReference]
        package var mode: Mode?
    }
}
