import Crypto
import FoundationEssentials
import NIOCore
import WeftConfig
import WeftHTTP
import WeftIR
import WeftJWT
import WeftRouting
import WeftTranslate

/// A request at the workload `web.dev`, as a test describes it.
struct Call {
    var path = "/"
    var method = HTTPMethod.get
    var host = "web.dev"
    var headers: [(String, String)] = []
    /// `nil`: the caller speaks plain text.
    var principal: String? = "spiffe://cluster.local/ns/dev/sa/client"
    var ip = "10.244.0.9"
    var remoteIP: String?
    var serverName = ""
}

/// What became of it.
struct Verdict: Equatable {
    var status = 200
    var policy: String?
    /// Policies in trial that would have refused it, and those that only tell.
    var shadows: [String] = []
    /// Whether an authorization service was asked.
    var asked = false
}

/// A mesh with the workload `web` (labels `app: web`, HTTP at 8080, TCP at 9000), with policies added as YAML.
///
/// Translated policies are run by the engines of the proxy itself.
struct SecurityMesh {
    let configuration: ProxyConfiguration

    init(_ yaml: String, mesh: MeshConfig = MeshConfig(), kind: ProxyIdentity.Kind = .sidecar) throws {
        let base = """
            {apiVersion: v1, kind: Service, metadata: {name: web, namespace: dev}, spec: {clusterIP: 10.96.0.9, selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}, {name: tcp, port: 90, targetPort: 9000}]}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: web-1, namespace: dev, labels: {app: web, security.istio.io/tlsMode: istio}}, spec: {serviceAccountName: web}, status: {phase: Running, podIP: 10.244.0.2}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: asker, namespace: dev}, spec: {clusterIP: 10.96.0.10, ports: [{name: http, port: 8000}]}}
            ---

            """
        let objects = try ManifestReader.objects(in: base + yaml).map(\.object)
        let proxy = ProxyIdentity(
            kind: kind, address: "10.244.0.2", podName: "web-1", namespace: "dev", labels: ["app": "web"],
            serviceAccount: "web")
        configuration = Translator(MeshSnapshot(objects: objects, meshConfig: mesh)).configuration(for: proxy).0
    }

    /// A policy of a security kind in namespace `dev`.
    static func policy(
        _ kind: String, _ name: String, namespace: String = "dev", annotations: String = "{}", _ spec: String
    ) -> String {
        """
        {apiVersion: security.istio.io/v1, kind: \(kind), metadata: {name: \(name), namespace: \(namespace), annotations: \(annotations)},
         spec: \(spec)}
        ---

        """
    }

    static func policy(_ kind: String, namespace: String = "dev", _ spec: String) -> String {
        policy(kind, "p", namespace: namespace, spec)
    }

    static func authorization(_ spec: String) -> String { policy("AuthorizationPolicy", spec) }

    func chains(port: UInt16) -> [FilterChain] {
        (configuration.listeners["virtualInbound"]?.filterChains ?? []).filter { $0.match.destinationPort == port }
    }

    var manager: HTTPConnectionManager? {
        for chain in chains(port: 8080) {
            for case .httpConnectionManager(let manager) in chain.filters { return manager }
        }
        return nil
    }

    /// What the chain for HTTP does with a request, up to the router.
    func ask(_ call: Call, now: Int64 = 1_800_000_000) -> Verdict {
        guard let manager else { return Verdict(status: 0) }
        var view = RBACView()
        view.principals = call.principal.map { [$0] } ?? []
        view.isAuthenticated = call.principal != nil
        (view.directRemoteIP, view.remoteIP) = (call.ip, call.remoteIP ?? call.ip)
        (view.destinationIP, view.destinationPort, view.serverName) = ("10.244.0.2", 8080, call.serverName)
        var head = RequestHead(call.method, call.path, authority: call.host, headers: call.headers)
        var normalizer = PathNormalizer(normalize: manager.normalizePath, mergeSlashes: manager.mergeSlashes)
        normalizer.escapedSlashes = manager.escapedSlashes == .unescapeAndForward ? .unescape : .keep
        if case .changed(let path) = normalizer.apply(head.path) { head.path = path }
        var verdict = Verdict()
        for filter in manager.filters {
            view.head = head
            switch filter.kind {
            case .jwt(let settings):
                switch JWTAuthenticator(settings).authenticate(&head, route: nil, now: now, keys: { _ in .unknown }) {
                case .allow(let payloads): view.metadata[filter.name] = .object(payloads)
                case .deny(let failure): return Verdict(status: Int(failure.status), policy: failure.text)
                case .needsKeys: return Verdict(status: 401, policy: "keys")
                }
            case .rbac(let rules):
                let engine = RBACEngine(rules)
                let decision = engine.evaluate(view)
                if rules.action == .log, let policy = decision.policy { verdict.shadows.append("audit " + policy) }
                if let shadow = engine.evaluateShadow(view) {
                    view.metadata["envoy.filters.http.rbac"] = .object(shadow.metadata(prefix: rules.shadowStatPrefix))
                    if !shadow.allowed { verdict.shadows.append(shadow.policy ?? "none") }
                }
                guard decision.allowed else {
                    return Verdict(status: 403, policy: decision.policy ?? "none", shadows: verdict.shadows)
                }
            case .externalAuthorization(let settings):
                if ExternalAuthorizer(settings).enabledMetadata?.matches(view.metadata) ?? true { verdict.asked = true }
            default: break
            }
        }
        return verdict
    }

    /// Whether a TCP connection to port 9000 may stand.
    func connects(principal: String? = "spiffe://cluster.local/ns/dev/sa/client", ip: String = "10.244.0.9") -> Bool {
        var view = RBACView()
        view.principals = principal.map { [$0] } ?? []
        view.isAuthenticated = principal != nil
        (view.directRemoteIP, view.remoteIP, view.destinationIP) = (ip, ip, "10.244.0.2")
        view.destinationPort = 9000
        let rules = (chains(port: 9000).first?.filters ?? []).compactMap { filter -> RBAC? in
            if case .rbac(let rules) = filter { rules } else { nil }
        }
        return rules.allSatisfy { RBACEngine($0).evaluate(view).allowed }
    }
}

/// Tokens signed with a key that the tests' policies know.
enum TestTokens {
    private static let secret = Array("a secret of the tests, 32 bytes!".utf8)

    static let jwks =
        #"{\"keys\":[{\"kty\":\"oct\",\"kid\":\"k\",\"alg\":\"HS256\",\"k\":\"\#(Base64URL.encode(secret))\"}]}"#

    static func make(
        _ claims: String, header: String = #"{"alg":"HS256","kid":"k"}"#, key: [UInt8]? = nil
    ) -> String {
        let text = Base64URL.encode(header.utf8) + "." + Base64URL.encode(claims.utf8)
        let code = HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: SymmetricKey(data: key ?? secret))
        return text + "." + Base64URL.encode(Array(code))
    }
}
