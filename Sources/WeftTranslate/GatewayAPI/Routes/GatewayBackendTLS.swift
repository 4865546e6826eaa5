import WeftConfig
import WeftCore
import WeftIR

/// What a BackendTLSPolicy comes to.
struct BackendTLSState: Sendable {
    let config: Config<GatewayAPI.BackendTLSPolicy>
    /// Targets that an older policy has already.
    var taken: [GatewayAPI.BackendTLSPolicy.Target: ResourceReference] = [:]
    /// Why there is nothing to verify backends by.
    var refusal: ReferenceProblem?
    var unresolved: ReferenceProblem?
    var authority: SecretReference?
    /// What the reference names, if it is sent.
    var secret: Secret?
}

extension GatewayAPI.BackendTLSPolicy.Target {
    /// A port by its name; `nil` is every port.
    var section: String? { sectionName.flatMap { $0.isEmpty ? nil : $0 } }

    /// Kinds whose callers can be told to speak TLS: Services, and what a ServiceEntry declares.
    var isSupported: Bool {
        (group, kind) == ("", "Service") || (group, kind) == (ServiceEntry.group, ServiceEntry.kind)
    }

    /// Whether it is about a service that a policy of `namespace` can be for: one of its own.
    func covers(_ service: MeshService, in namespace: String) -> Bool {
        isSupported && kind == service.resource.kind && name == service.resource.name
            && namespace == service.resource.namespace
    }
}

extension GatewayAPIObjects {
    /// Bundles of authorities where Linux distributions put them; the first is Debian's, which images of ours have.
    static let systemAuthorities = "/etc/ssl/certs/ca-certificates.crt"

    /// Says that a policy is for another implementation of the Gateway API (Istio 1.31).
    private static let ignored = "istio.io/ignore-policy-attachment"

    /// Policies with their findings, the oldest first. Of two for one target the older wins.
    func backendTLSStates() -> [BackendTLSState] {
        var owners: [String: ResourceReference] = [:]
        return backendTLSPolicies.filter { $0.annotations[Self.ignored] != "true" }.map { config in
            var state = BackendTLSState(config: config)
            for target in config.spec.targetRefs {
                let key = "\(target.group)/\(target.kind)/\(config.namespace)/\(target.name)/\(target.section ?? "")"
                if let other = owners[key] { state.taken[target] = other } else { owners[key] = config.resource }
            }
            resolveAuthority(&state)
            return state
        }
    }

    private func resolveAuthority(_ state: inout BackendTLSState) {
        let validation = state.config.spec.validation
        let references = validation.caCertificateRefs ?? []
        if references.isEmpty, validation.wellKnownCACertificates == "System" {
            state.authority = SecretReference(
                name: "trusted_ca",
                source: .inline(.validationFrom(trustedCA: .file(Self.systemAuthorities))))
            return
        }
        let (secret, problem) = GatewayListenerReader(objects: self).authority(
            references, from: state.config.resource, kindReason: "InvalidKind")
        state.unresolved = problem
        guard let secret else {
            state.refusal = ReferenceProblem(
                reason: "NoValidCACertificate",
                message: problem?.message
                    ?? "neither caCertificateRefs nor wellKnownCACertificates: System is given")
            return
        }
        state.secret = secret
        state.authority = SecretReference(name: secret.name, source: .ads)
    }
}

extension GatewayAPIModel {
    /// The policy for a port of a service: one for that port comes before one for the whole service.
    func backendTLS(for service: MeshService, port: MeshService.Port) -> BackendTLSState? {
        func policy(section: String?) -> BackendTLSState? {
            backendTLS.first { state in
                state.config.spec.targetRefs.contains {
                    $0.section == section && $0.covers(service, in: state.config.namespace) && state.taken[$0] == nil
                }
            }
        }
        return backendTLS.isEmpty ? nil : policy(section: port.name) ?? policy(section: nil)
    }
}

/// TLS towards a service that a BackendTLSPolicy is for. Holds for gateways and sidecars alike, as in Istio, and where the
/// client's DestinationRule says nothing about TLS: that is nearer to the client.
struct GatewayBackendTLS {
    let scope: Scope

    /// Without a policy nothing changes.
    func apply(
        service: MeshService, port: MeshService.Port, to cluster: inout Cluster,
        _ assignment: inout ClusterLoadAssignment, _ configuration: inout ProxyConfiguration
    ) {
        guard let state = scope.snapshot.gatewayAPI.backendTLS(for: service, port: port) else { return }
        guard let authority = state.authority else {
            // Better no answer than one from a backend that nobody has verified.
            cluster.discovery = .eds(serviceName: "")
            cluster.transportSocketMatches = []
            assignment.localities = []
            assignment.emptyReason = "\(state.config.resource): \(state.refusal?.message ?? "no authority")"
            assignment.provenance = Provenance(state.config.resource)
            return
        }
        let validation = state.config.spec.validation
        cluster.provenance = cluster.provenance ?? Provenance(state.config.resource)
        var tls = UpstreamTLS()
        tls.sni = validation.hostname
        tls.common.validation = authority
        if cluster.httpProtocol == .http2 { tls.common.alpnProtocols = ["h2"] }
        let names = (validation.subjectAltNames ?? []).compactMap { name -> SubjectAltNameMatcher? in
            if name.type == "URI" { return name.uri.map { SubjectAltNameMatcher(.uri, StringMatcher(.exact($0))) } }
            return name.hostname.map(Self.dns)
        }
        tls.common.subjectAltNames = names.isEmpty ? [Self.dns(validation.hostname)] : names
        if let secret = state.secret { configuration.secrets[secret.name] = secret }
        if let client = scope.boundGateways.lazy.compactMap(\.backendCertificate).first {
            configuration.secrets[client.name] = client
            tls.common.certificates = [SecretReference(name: client.name, source: .ads)]
        }
        cluster.tls = tls
        cluster.transportSocketMatches = []
    }

    private static func dns(_ name: String) -> SubjectAltNameMatcher {
        name.hasPrefix("*.")
            ? SubjectAltNameMatcher(.dns, StringMatcher(.suffix(String(name.dropFirst()))))
            : SubjectAltNameMatcher(.dns, StringMatcher(.exact(name)))
    }
}
