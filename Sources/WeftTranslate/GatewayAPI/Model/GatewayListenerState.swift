import WeftConfig
import WeftCore
import WeftIR

/// One listener of a Gateway or of a ListenerSet attached to it: what is wrong with it, and which routes it has.
struct GatewayListenerState: Sendable {
    /// The Gateway or the ListenerSet that declares it.
    let owner: ResourceReference
    let spec: GatewayAPI.Listener
    /// Kinds of routes that it takes.
    let supportedKinds: [String]
    /// Why it is not accepted: unsupported protocol, port that is taken, no valid authority.
    var refusal: ReferenceProblem?
    var conflict: ReferenceProblem?
    /// Names of other HTTPS listeners of the port that serve some of the same hosts.
    var overlaps: [String] = []
    /// References that cannot be followed, and kinds of routes that cannot be taken.
    var unresolved: ReferenceProblem?
    var certificates: [Secret] = []
    /// Who signs the certificates of clients; `nil` asks clients for none.
    var clientAuthority: Secret?
    var clientMode = GatewayAPI.FrontendValidation.Mode.allowValidOnly
    /// Options that are known to nobody here, for the message.
    var unknownOptions: [String] = []
    /// Routes by their index in ``GatewayAPIObjects/routes``, with the hosts they have in common.
    var routes: [(route: Int, hostnames: [String])] = []

    init(owner: ResourceReference, spec: GatewayAPI.Listener, supportedKinds: [String]) {
        self.owner = owner
        self.spec = spec
        self.supportedKinds = supportedKinds
    }

    var `protocol`: String { spec.protocol }
    var isPassthrough: Bool { spec.protocol == "TLS" && spec.tls?.mode == .passthrough }
    var needsCertificate: Bool { spec.protocol == "HTTPS" || (spec.protocol == "TLS" && !isPassthrough) }
    var isAccepted: Bool { refusal == nil && conflict == nil }
    /// Whether the proxy gets it.
    var isServed: Bool { isAccepted && (!needsCertificate || !certificates.isEmpty || usesMeshCertificate) }
    var hostname: String { spec.effectiveHostname ?? "*" }

    /// Whether a host is this listener's and not the other's: the more specific one of a port has it alone.
    func takes(_ host: String, before other: GatewayListenerState) -> Bool {
        GatewayHostname.specificity(hostname) > GatewayHostname.specificity(other.hostname)
            && GatewayHostname.covers(hostname, host)
    }

    static let terminateModeOption = "gateway.istio.io/tls-terminate-mode"
    /// TLS with the workload's own certificate, for gateways inside the mesh.
    var usesMeshCertificate: Bool { spec.tls?.options?[Self.terminateModeOption] == "ISTIO_MUTUAL" }
}

/// A Gateway of one of our classes with all its listeners: its own first, then those of ListenerSets by age.
struct BoundGateway: Sendable {
    let config: Config<GatewayAPI.Gateway>
    let controller: String
    var listeners: [GatewayListenerState]
    /// ListenerSets that may attach, by name.
    var listenerSets: [ResourceReference]
    /// Why the Gateway as a whole is not accepted.
    var refusal: ReferenceProblem?
    /// The certificate that the gateway shows to backends.
    var backendCertificate: Secret?
    var backendCertificateProblem: ReferenceProblem?

    var namespace: String { config.namespace }
    var name: String { config.name }
    var isManaged: Bool { GatewayAPI.Controller.managed.contains(controller) && !hasManualAddress }
    /// Addresses that are host names say where the gateway runs already (`spec.addresses` of type Hostname).
    var hasManualAddress: Bool {
        (config.spec.addresses ?? []).contains { $0.effectiveType == "Hostname" && !($0.value ?? "").isEmpty }
    }
    /// Name of the Deployment and the Service of a managed gateway.
    var deploymentName: String {
        config.annotations["gateway.istio.io/name-override"]
            ?? String("\(name)-\(config.spec.gatewayClassName)".prefix(63))
    }
    var isAccepted: Bool { refusal == nil && listeners.contains(where: \.isAccepted) }
}
