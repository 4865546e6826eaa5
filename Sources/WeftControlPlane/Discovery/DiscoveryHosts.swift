import Logging
import WeftADS
import WeftCA
import WeftIdentity
import WeftKubernetes

/// The two gRPC ports: discovery in plain text, and discovery with certificates over TLS.
///
/// Over TLS a proxy proves itself with its service-account token; in plain text nobody does, and no secrets are sent.
struct DiscoveryHosts {
    private let plain: GRPCHost
    private let secure: GRPCHost

    init(
        settings: ControlPlaneSettings, client: KubernetesClient, authority: CurrentAuthority,
        serving: ServingCertificate, coordinator: PushCoordinator, machines: MachineRegistry,
        isRevoked: @escaping @Sendable (SPIFFEIdentity) -> Bool, tap: TapHub, clients: ClientDirectory
    ) throws {
        let logger = Logger(label: "ads")
        let authenticator = TokenAuthenticator(
            client: client, trustDomain: authority.value.trustDomain, isRevoked: isRevoked)
        let delegate = DiscoveryDelegate(coordinator: coordinator, machines: machines)
        plain = try GRPCHost(
            host: settings.bind, port: settings.plainDiscoveryPort, certificate: nil,
            services: [ADSServer(authentication: .none, delegate: delegate, logger: logger)])
        secure = try GRPCHost(
            host: settings.bind, port: settings.secureDiscoveryPort, certificate: { serving.current },
            services: [
                ADSServer(
                    authentication: .token { try await authenticator.identity(of: $0) }, delegate: delegate,
                    logger: logger),
                CertificateService(
                    authority: { authority.value }, admission: RequestAdmission(limits: settings.requestLimits),
                    logger: Logger(label: "ca")
                ) {
                    try await authenticator.identity(of: $0)
                },
                TapService(
                    hub: tap, logger: Logger(label: "tap"), resolve: { clients.workload(at: $0) }
                ) { try await authenticator.identity(of: $0) },
            ])
    }

    /// Serves both until the task is cancelled; ends with an error when a port cannot be had.
    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await plain.run() }
            group.addTask { try await secure.run() }
            try await group.waitForAll()
        }
    }
}
