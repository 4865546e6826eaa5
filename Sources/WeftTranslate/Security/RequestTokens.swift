import WeftConfig
import WeftCore
import WeftIR

/// The tokens that a workload understands, from every RequestAuthentication that holds for it.
///
/// A request without a token passes; one with a token that no rule accepts is refused with 401. What a good token says is
/// dynamic metadata (``TokenClaims``), so that access rules and routes may ask for it.
struct RequestTokens {
    let scope: Scope

    private struct Source {
        var rule: RequestAuthentication.JWTRule
        var provenance: Provenance
    }

    /// `nil` when no policy holds.
    func filter() -> HTTPFilter? {
        let sources = self.sources
        guard !sources.isEmpty else { return nil }
        let providers = sources.enumerated().map { provider($1, name: "origins-\($0)") }
        let names = providers.map { JWTAuthentication.Requirement.provider($0.name) }
        // Any good token will do, or none at all; a bad one will not.
        let rule = JWTAuthentication.Rule(
            match: RouteMatch(path: .prefix("/")), need: .requirement(.any(names + [.allowMissing])))
        var filter = JWTAuthentication(providers: providers.sorted { $0.name < $1.name }, rules: [rule])
        filter.bypassesCORSPreflight = true
        return HTTPFilter(name: TokenClaims.filter, kind: .jwt(filter))
    }

    /// Clusters through which keys are fetched, besides those of the mesh's own services.
    func addClusters(to configuration: inout ProxyConfiguration) {
        for source in sources {
            guard let place = KeyPlace(source.rule) else { continue }
            if let (service, port) = meshService(of: place) {
                let name = ClusterName.outbound(port: port.number, host: service.host)
                guard configuration.clusters[name] == nil else { continue }
                OutboundClusters(scope: scope).add(
                    service, port, nil, scope.destinationPolicy(for: service), to: &configuration)
            } else {
                let cluster = place.cluster(connectTimeout: scope.mesh.connectTimeout?.milliseconds ?? 10_000)
                configuration.clusters[cluster.name] = cluster
            }
        }
    }

    private var sources: [Source] {
        let attachment = PolicyAttachment(scope: scope)
        return scope.snapshot.requestAuthentications.filter {
            attachment.holds(namespace: $0.namespace, selector: $0.spec.selector, targets: $0.spec.targets)
        }.flatMap { config in
            (config.spec.jwtRules ?? []).enumerated().map { index, rule in
                Source(rule: rule, provenance: Provenance(config.resource, rule: index))
            }
        }
    }

    // MARK: - One rule

    private func provider(_ source: Source, name: String) -> JWTAuthentication.Provider {
        let rule = source.rule
        var provider = JWTAuthentication.Provider(name: name, keys: keys(rule))
        provider.issuer = rule.issuer ?? ""
        provider.audiences = rule.audiences ?? []
        provider.forwards = rule.forwardOriginalToken ?? false
        provider.fromHeaders = (rule.fromHeaders ?? []).compactMap { header in
            header.name.map { JWTAuthentication.HeaderLocation(name: $0.lowercased(), prefix: header.prefix ?? "") }
        }
        provider.fromParameters = rule.fromParams ?? []
        provider.fromCookies = rule.fromCookies ?? []
        provider.forwardPayloadHeader = (rule.outputPayloadToHeader ?? "").lowercased()
        provider.claimToHeaders = (rule.outputClaimToHeaders ?? []).compactMap { output in
            guard let header = output.header, let claim = output.claim else { return nil }
            return JWTAuthentication.ClaimHeader(header: header.lowercased(), claim: claim)
        }
        provider.payloadInMetadata = TokenClaims.payload
        var lists = ["permission", "scope"]
        for name in rule.spaceDelimitedClaims ?? [] where !lists.contains(name) { lists.append(name) }
        provider.spaceDelimitedClaims = lists
        // Routes of a gateway may ask for claims.
        provider.clearsRouteCache = scope.proxy.kind == .router
        provider.provenance = source.provenance
        return provider
    }

    /// Keys in the policy, or where to fetch them. A rule with neither accepts no token.
    private func keys(_ rule: RequestAuthentication.JWTRule) -> JWTAuthentication.Keys {
        if let document = rule.jwks, !document.isEmpty { return .local(document) }
        guard let place = KeyPlace(rule) else { return .local("{\"keys\":[]}") }
        let cluster =
            meshService(of: place).map { ClusterName.outbound(port: $1.number, host: $0.host) } ?? place.clusterName
        var remote = JWTAuthentication.Remote(uri: place.uri, cluster: cluster)
        remote.timeoutMilliseconds = rule.timeout?.milliseconds ?? 5_000
        remote.cacheMilliseconds = Self.refresh
        return .remote(remote)
    }

    /// Istio's: keys are fetched again every twenty minutes.
    private static let refresh: UInt64 = 1_200_000

    /// A service that this proxy knows serves the keys: the way there is the mesh's.
    private func meshService(of place: KeyPlace) -> (MeshService, MeshService.Port)? {
        guard !place.isSecure, let service = scope.service(host: place.host), let port = service.port(place.port)
        else { return nil }
        return (service, port)
    }

    /// Rules whose keys cannot be had.
    var diagnostics: [Diagnostic] {
        sources.filter { ($0.rule.jwks ?? "").isEmpty && KeyPlace($0.rule) == nil }.map { source in
            Diagnostic(
                .error, code: "IST0106", resource: source.provenance.resource,
                path: "spec.jwtRules[\(source.provenance.rule ?? 0)]",
                message: "the rule has no keys: neither jwks nor a jwksUri of the form http(s)://HOST[:PORT]/PATH",
                hint: "tokens of \(source.rule.issuer ?? "this issuer") are refused until it has")
        }
    }
}

/// Where a rule's keys are fetched from.
///
/// The proxy fetches them itself, with the rights that its workload has on the network: a policy cannot make the control
/// plane call addresses for its author (ADR 0033).
private struct KeyPlace {
    let uri: String
    let isSecure: Bool
    let host: String
    let port: Int

    init?(_ rule: RequestAuthentication.JWTRule) {
        guard let uri = rule.jwksUri, let address = HTTPAddress(uri) else { return nil }
        self.uri = uri
        (isSecure, host, port) = (address.isSecure, address.host, address.port)
    }

    var clusterName: String { "jwks|\(port)||\(host)" }

    func cluster(connectTimeout: UInt64) -> Cluster {
        var cluster = Cluster(name: clusterName, discovery: .strictDNS)
        cluster.connectTimeoutMilliseconds = connectTimeout
        var assignment = ClusterLoadAssignment(clusterName: clusterName)
        assignment.localities = [
            .init(endpoints: [Endpoint(address: .ip(host, port: UInt16(clamping: port)))])
        ]
        cluster.endpoints = assignment
        guard isSecure else { return cluster }
        var tls = UpstreamTLS()
        tls.sni = host
        tls.common.minimumVersion = .v1_2
        tls.common.validation = SecretReference(
            name: "file-root:system",
            source: .inline(.validationFrom(trustedCA: .file("/etc/ssl/certs/ca-certificates.crt"))))
        tls.common.subjectAltNames = [SubjectAltNameMatcher(.dns, StringMatcher(.exact(host)))]
        cluster.tls = tls
        return cluster
    }
}
