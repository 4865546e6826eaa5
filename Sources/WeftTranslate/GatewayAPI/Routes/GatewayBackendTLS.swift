import WeftConfig
import WeftCore
import WeftIR

/// What a BackendTLSPolicy comes to.
struct BackendTLSState: Sendable {
    let config: Config<GatewayAPI.BackendTLSPolicy>
    /// Why it is not accepted.
    var refusal: ReferenceProblem?
    var unresolved: ReferenceProblem?
    var authority: SecretReference?
    /// What the reference names, if it is sent.
    var secret: Secret?
}

extension GatewayAPIObjects {
    /// Bundles of authorities where Linux distributions put them; the first is Debian's, which images of ours have.
    static let systemAuthorities = "/etc/ssl/certs/ca-certificates.crt"

    /// Says that a policy is for another implementation of the Gateway API (Istio 1.31).
    private static let ignored = "istio.io/ignore-policy-attachment"

    /// Policies with their findings, the oldest first. Of two for one target the older wins.
    func backendTLSStates() -> [BackendTLSState] {
        var taken: [String: ResourceReference] = [:]
        return backendTLSPolicies.filter { $0.annotations[Self.ignored] != "true" }.map { config in
            var state = BackendTLSState(config: config)
            for target in config.spec.targetRefs {
                let key = "\(config.namespace)/\(target.name)/\(target.sectionName ?? "")"
                if let other = taken[key] {
                    state.refusal = ReferenceProblem(
                        reason: "Conflicted", message: "\(other), which is older, has Service \(target.name) already")
                } else {
                    taken[key] = config.resource
                }
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
            state.refusal =
                state.refusal
                ?? ReferenceProblem(
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
        guard !backendTLS.isEmpty, service.resource.kind == "Service" else { return nil }
        let candidates = backendTLS.filter { state in
            state.config.namespace == service.namespace && state.refusal?.reason != "Conflicted"
        }
        func targets(_ state: BackendTLSState, section: String?) -> Bool {
            state.config.spec.targetRefs.contains {
                $0.group.isEmpty && $0.kind == "Service" && $0.name == service.name
                    && ($0.sectionName.flatMap { $0.isEmpty ? nil : $0 }) == section
            }
        }
        return candidates.first { targets($0, section: port.name) } ?? candidates.first { targets($0, section: nil) }
    }
}

/// TLS towards a Service that a BackendTLSPolicy is for. Holds for gateways and sidecars alike, as in Istio, and where the
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
