import WeftConfig
import WeftCore
import WeftIR

/// CUSTOM policies: requests that their rules match are shown to an authorization service, before anything else is checked.
///
/// For each service two filters stand in the chain: shadow rules that find out whether a policy matches, and the call,
/// which is made only then. A service that is not defined refuses whatever its policies match.
struct ExternalAuthorizers {
    let scope: Scope

    /// Names of policies of CUSTOM begin with this; the call is made when the shadow rules tell such a name.
    private static let label = "istio-ext-authz-"
    private static let shadowPrefix = "istio_ext_authz_"

    func filters() -> [HTTPFilter] {
        groups.flatMap { provider, policies -> [HTTPFilter] in
            let label = "\(Self.label)\(provider)-"
            let rules = self.rules(policies, .http, label: label)
            guard !rules.isEmpty else { return [] }
            guard let authorization = authorization(provider, label: label) else {
                return [HTTPFilter(name: "envoy.filters.http.rbac", kind: .rbac(RBAC(action: .deny, policies: rules)))]
            }
            return [
                HTTPFilter(name: "envoy.filters.http.rbac", kind: .rbac(shadow(rules))),
                HTTPFilter(name: "envoy.filters.http.ext_authz", kind: .externalAuthorization(authorization)),
            ]
        }
    }

    /// On TCP ports services that speak gRPC are asked about connections that a rule matches, its conditions on HTTP aside.
    ///
    /// A service that speaks HTTP has no words for a connection. Rules with conditions on HTTP do not hold for connections
    /// then, as in Istio; what others match is refused, as everything is for a service that is not there.
    func connectionFilters() -> [NetworkFilter] {
        groups.flatMap { provider, policies -> [NetworkFilter] in
            let label = "\(Self.label)\(provider)-"
            let authorization = authorization(provider, label: label)
            var isHTTP = false
            if case .http? = authorization?.service { isHTTP = true }
            let rules = self.rules(policies, .tcp, label: label, httpOnTCP: isHTTP ? .dropsRule : .isLeftOut)
            guard !rules.isEmpty else { return [] }
            guard let authorization, case .grpc(let call) = authorization.service else {
                return [.rbac(RBAC(action: .deny, policies: rules))]
            }
            var check = ConnectionAuthorization(statPrefix: "tcp.", service: call)
            check.failureModeAllows = authorization.failureModeAllows
            check.enabledMetadata = enabled(label, by: "envoy.filters.network.rbac")
            return [.rbac(shadow(rules)), .externalAuthorization(check)]
        }
    }

    /// Rules that only find out whether a policy matches.
    private func shadow(_ rules: [RBAC.Policy]) -> RBAC {
        var matching = RBAC(action: .deny, policies: [])
        matching.shadowAction = .deny
        matching.shadowPolicies = rules
        matching.shadowStatPrefix = Self.shadowPrefix
        return matching
    }

    /// True of what a policy of the provider has matched.
    private func enabled(_ label: String, by filter: String) -> DynamicMetadataMatcher {
        DynamicMetadataMatcher(
            filter: filter, path: ["\(Self.shadowPrefix)shadow_effective_policy_id"],
            test: .string(StringMatcher(.prefix("\(label)ns["))))
    }

    /// Where no service can be asked, whatever a rule matches is refused.
    func refusals(_ kind: AuthorizationRules.Traffic) -> [RBAC] {
        let rules = groups.flatMap { provider, policies in
            self.rules(policies, kind, label: "\(Self.label)\(provider)-")
        }
        return rules.isEmpty ? [] : [RBAC(action: .deny, policies: rules.sorted { $0.name < $1.name })]
    }

    var diagnostics: [Diagnostic] {
        groups.flatMap { provider, policies in
            policies.compactMap { policy in
                problem(provider).map {
                    Diagnostic(
                        .error, code: "IST0101", resource: policy.resource, path: "spec.provider.name",
                        message: "\($0); requests that the policy matches are refused",
                        hint: "define the provider under extensionProviders of the mesh configuration")
                }
            }
        }
    }

    // MARK: - Policies

    /// By provider, in the order of the provider's name.
    private var groups: [(provider: String, policies: [Config<AuthorizationPolicy>])] {
        let policies = AuthorizationFilters(scope: scope).applicable(.custom)
        let byName = Dictionary(grouping: policies) { $0.spec.provider?.name ?? "" }
        return byName.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private func rules(
        _ policies: [Config<AuthorizationPolicy>], _ kind: AuthorizationRules.Traffic, label: String,
        httpOnTCP: AuthorizationRules.Unchecked? = nil
    ) -> [RBAC.Policy] {
        let filters = AuthorizationFilters(scope: scope)
        return policies.flatMap { filters.rules(of: $0, kind, label: label, httpOnTCP: httpOnTCP) }
            .sorted { $0.name < $1.name }
    }

    // MARK: - Services

    private func provider(_ name: String) -> ExtensionProvider? {
        (scope.mesh.extensionProviders ?? []).first { $0.name == name }
    }

    /// Why a provider cannot be asked.
    private func problem(_ name: String) -> String? {
        guard let provider = provider(name) else { return "extension provider \"\(name)\" is not defined" }
        guard let target = target(of: provider) else {
            return "extension provider \"\(name)\" is no authorization service (envoyExtAuthzHttp or envoyExtAuthzGrpc)"
        }
        guard let service = service(target.service) else {
            return "extension provider \"\(name)\": no service \(target.service) is known to this proxy"
        }
        return service.port(target.port) == nil
            ? "extension provider \"\(name)\": \(service.host) has no port \(target.port)" : nil
    }

    private func target(of provider: ExtensionProvider) -> (service: String, port: Int)? {
        if let http = provider.envoyExtAuthzHttp { return (http.service ?? "", http.port ?? 0) }
        return provider.envoyExtAuthzGrpc.map { ($0.service ?? "", $0.port ?? 0) }
    }

    /// `HOST` or `NAMESPACE/HOST`.
    private func service(_ name: String) -> MeshService? {
        let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
        let host = parts.count == 2 ? parts[1] : name
        // Only what the proxy has a cluster for can be asked.
        return scope.services.first { $0.host == host && (parts.count == 1 || $0.namespace == parts[0]) }
    }

    private func authorization(_ name: String, label: String) -> ExternalAuthorization? {
        guard problem(name) == nil, let provider = provider(name), let target = target(of: provider),
            let service = service(target.service)
        else { return nil }
        let cluster = ClusterName.outbound(port: target.port, host: service.host)
        var result: ExternalAuthorization
        if let http = provider.envoyExtAuthzHttp {
            result = ExternalAuthorization(service: .http(call(http, service, target.port, cluster)))
            let shown = (http.includeRequestHeadersInCheck ?? []) + (http.includeHeadersInCheck ?? [])
            result.headers.allowed = shown.map(headerName)
            result.failureModeAllows = http.failOpen ?? false
            result.clearsRouteCache = http.clearRouteCache ?? false
            result.statusOnError = http.statusOnError.flatMap(UInt16.init) ?? 403
            result.body = body(http.includeRequestBodyInCheck)
        } else {
            let grpc = provider.envoyExtAuthzGrpc
            var call = GRPCServiceTarget(cluster: cluster)
            call.authority = service.host
            call.timeoutMilliseconds = grpc?.timeout?.milliseconds ?? Self.timeout
            result = ExternalAuthorization(service: .grpc(call))
            result.failureModeAllows = grpc?.failOpen ?? false
            result.clearsRouteCache = grpc?.clearRouteCache ?? false
            result.statusOnError = grpc?.statusOnError.flatMap(UInt16.init) ?? 403
            result.body = body(grpc?.includeRequestBodyInCheck)
        }
        result.enabledMetadata = enabled(label, by: "envoy.filters.http.rbac")
        result.provenance = AuthorizationFilters(scope: scope).applicable(.custom).first {
            $0.spec.provider?.name == name
        }.map { Provenance($0.resource) }
        return result
    }

    /// Istio's default: ten minutes.
    private static let timeout: UInt64 = 600_000

    private func call(
        _ http: ExtensionProvider.AuthorizationByHTTP, _ service: MeshService, _ port: Int, _ cluster: String
    ) -> ExternalAuthorization.HTTPService {
        var call = ExternalAuthorization.HTTPService(uri: "http://\(service.host):\(port)", cluster: cluster)
        call.timeoutMilliseconds = http.timeout?.milliseconds ?? Self.timeout
        call.pathPrefix = http.pathPrefix ?? ""
        call.headersToAdd = (http.includeAdditionalHeadersInCheck ?? [:]).sorted { $0.key < $1.key }
            .map { HeaderField($0.key, $0.value) }
        call.upstreamHeaders = (http.headersToUpstreamOnAllow ?? []).map(headerName)
        call.clientHeaders = (http.headersToDownstreamOnDeny ?? []).map(headerName)
        call.clientHeadersOnSuccess = (http.headersToDownstreamOnAllow ?? []).map(headerName)
        return call
    }

    /// The name of a header: exact, `abc*`, `*abc`; case makes no difference.
    private func headerName(_ text: String) -> StringMatcher {
        text == "*" ? StringMatcher(.prefix("")) : PolicyValues.string(text.lowercased(), ignoreCase: true)
    }

    private func body(_ settings: ExtensionProvider.RequestBody?) -> ExternalAuthorization.Body? {
        guard let settings else { return nil }
        var body = ExternalAuthorization.Body(maxRequestBytes: settings.maxRequestBytes ?? 0)
        body.allowsPartial = settings.allowPartialMessage ?? false
        body.packsAsBytes = settings.packAsBytes ?? false
        return body
    }
}
