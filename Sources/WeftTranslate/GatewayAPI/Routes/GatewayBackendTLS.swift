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

    /// Policies with their findings, the oldest first. Of two for one target the older wins.
    func backendTLSStates() -> [BackendTLSState] {
        var taken: [String: ResourceReference] = [:]
        return backendTLSPolicies.map { config in
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
                name: "file-root:system",
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

/// TLS of a gateway towards backends that a BackendTLSPolicy is for.
struct GatewayBackendTLS {
    let scope: Scope

    /// Changes the clusters that are there; comes after all of them are.
    func apply(to configuration: inout ProxyConfiguration) {
        let model = scope.snapshot.gatewayAPI
        guard !model.backendTLS.isEmpty else { return }
        let client = scope.boundGateways.lazy.compactMap(\.backendCertificate).first
        for name in configuration.clusters.keys.sorted() {
            let parts = name.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 4, let service = model.objects.services[parts[3]],
                let port = service.ports.first(where: { String($0.number) == parts[1] }),
                let state = model.backendTLS(for: service, port: port)
            else { continue }
            apply(state, client, to: name, &configuration)
        }
    }

    private func apply(
        _ state: BackendTLSState, _ client: Secret?, to name: String, _ configuration: inout ProxyConfiguration
    ) {
        guard let authority = state.authority else {
            // Better no answer than one from a backend that nobody has verified.
            var assignment = ClusterLoadAssignment(clusterName: name)
            assignment.emptyReason = "\(state.config.resource): \(state.refusal?.message ?? "no authority")"
            assignment.provenance = Provenance(state.config.resource)
            configuration.endpoints[name] = assignment
            return
        }
        let validation = state.config.spec.validation
        var tls = UpstreamTLS()
        tls.sni = validation.hostname
        tls.common.validation = authority
        if configuration.clusters[name]?.httpProtocol == .http2 { tls.common.alpnProtocols = ["h2"] }
        let names = (validation.subjectAltNames ?? []).compactMap { name -> SubjectAltNameMatcher? in
            if name.type == "URI" { return name.uri.map { SubjectAltNameMatcher(.uri, StringMatcher(.exact($0))) } }
            return name.hostname.map(Self.dns)
        }
        tls.common.subjectAltNames = names.isEmpty ? [Self.dns(validation.hostname)] : names
        if let secret = state.secret { configuration.secrets[secret.name] = secret }
        if let client {
            configuration.secrets[client.name] = client
            tls.common.certificates = [SecretReference(name: client.name, source: .ads)]
        }
        configuration.clusters[name]?.tls = tls
        configuration.clusters[name]?.transportSocketMatches = []
    }

    private static func dns(_ name: String) -> SubjectAltNameMatcher {
        name.hasPrefix("*.")
            ? SubjectAltNameMatcher(.dns, StringMatcher(.suffix(String(name.dropFirst()))))
            : SubjectAltNameMatcher(.dns, StringMatcher(.exact(name)))
    }
}
