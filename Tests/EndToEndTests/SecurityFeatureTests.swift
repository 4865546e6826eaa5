import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Security features that no other suite shows on the wire: tokens with claims, CUSTOM with a service of its own,
    /// AUDIT and trial policies, claim routing at the gateway; and ProxyConfig in an injected pod.
    @Suite(.serialized) struct SecurityFeatureTests {
        private struct Cast {
            var caller: Caller
            var tokens: TokenIssuer
        }

        private static let cast = Task {
            let mesh = try await LocalMesh.shared()
            let tokens = try await TokenIssuer("issuer.example", folder: mesh.home + "/guarded")
            func sample(_ name: String, _ command: String) -> String {
                Manifests.sample(
                    name: name, app: name, version: "v1", namespace: "guarded", arguments: [command, "--port", "9080"])
            }
            // Before any pod, because injection reads it.
            try await mesh.apply(
                """
                apiVersion: v1
                kind: Namespace
                metadata: {name: guarded, labels: {istio-injection: enabled}}
                ---
                \(proxyConfig)
                """)
            let manifests = [
                sample("echo", "echo"), Manifests.service(name: "echo", port: 9080, namespace: "guarded"),
                sample("authorizer", "httpbin"),
                Manifests.service(name: "authorizer", port: 9080, namespace: "guarded"),
                Manifests.client(namespace: "guarded"), policies.replacingOccurrences(of: "$KEYS", with: tokens.keySet),
            ]
            try await mesh.start(namespace: "guarded", manifests)
            return Cast(caller: Caller(mesh: mesh, namespace: "guarded"), tokens: tokens)
        }

        private static let proxyConfig = """
            apiVersion: networking.istio.io/v1beta1
            kind: ProxyConfig
            metadata: {name: settings, namespace: guarded}
            spec: {concurrency: 1, environmentVariables: {WEFT_FEATURE: from-proxy-config}}
            """

        private static let policies = #"""
            apiVersion: security.istio.io/v1
            kind: RequestAuthentication
            metadata: {name: tokens, namespace: guarded}
            spec:
              selector: {matchLabels: {app: echo}}
              jwtRules:
              - issuer: issuer.example
                audiences: [shop]
                jwks: '$KEYS'
                fromHeaders: [{name: x-token, prefix: "Token "}]
                fromParams: [token]
                fromCookies: [session]
                outputPayloadToHeader: x-payload
                outputClaimToHeaders: [{header: x-role, claim: role}]
            ---
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: deny, namespace: guarded}
            spec:
              selector: {matchLabels: {app: echo}}
              action: DENY
              rules:
              - from: [{source: {notRequestPrincipals: [issuer.example/*]}}]
                to: [{operation: {paths: [/token*]}}]
              - to: [{operation: {paths: [/token/admin]}}]
                when: [{key: "request.auth.claims[role]", notValues: [admin]}]
            ---
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: audit, namespace: guarded}
            spec:
              selector: {matchLabels: {app: echo}}
              action: AUDIT
              rules: [{to: [{operation: {paths: [/watched]}}]}]
            ---
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: trial, namespace: guarded, annotations: {istio.io/dry-run: "true"}}
            spec:
              selector: {matchLabels: {app: echo}}
              action: DENY
              rules: [{to: [{operation: {paths: [/trial]}}]}]
            """#

        private func token(_ claims: [String: String] = [:], lifetime: Double = 3_600) async throws -> String {
            try await Self.cast.value.tokens.token(["aud": "shop"].merging(claims) { $1 }, lifetime: lifetime)
        }

        @Test func tokensAreCheckedWhereverTheyStand() async throws {
            let caller = try await Self.cast.value.caller
            try await eventually("the policies are live") {
                try await caller.codes(["http://echo:9080/token"]) == ["403"] ? true : nil
            }
            let good = try await token(["role": "user"])
            let late = try await token(lifetime: -600)
            let foreign = try await token(["aud": "bank"])
            let codes = try await caller.codes([
                "http://echo:9080/token -H 'x-token: Token \(good)'", "'http://echo:9080/token?token=\(good)'",
                "http://echo:9080/token -H 'cookie: a=b; session=\(good)'",
                "http://echo:9080/ -H 'x-token: Token \(late)'", "http://echo:9080/ -H 'x-token: Token \(foreign)'",
                "http://echo:9080/ -H 'x-token: Token a.b.c'", "http://echo:9080/",
            ])
            #expect(codes == ["200", "200", "200", "401", "403", "401", "200"])
        }

        @Test func claimsDecideAndAreToldToTheWorkload() async throws {
            let caller = try await Self.cast.value.caller
            let (user, admin) = (try await token(["role": "user"]), try await token(["role": "admin"]))
            try await eventually("claims decide") {
                let codes = try await caller.codes(
                    [user, admin].map { "http://echo:9080/token/admin -H 'x-token: Token \($0)'" })
                return codes == ["403", "200"] ? true : nil
            }
            let answer = try await caller.get("-H", "x-token: Token \(admin)", "http://echo:9080/token/admin")
            #expect(answer.echoed("headers", "x-role") == "admin", "\(answer)")
            #expect(answer.echoed("headers", "x-payload")?.isEmpty == false, "\(answer)")
            #expect(answer.echoed("headers", "x-token") == nil, "a token is not sent on unless the policy says so")
        }

        @Test func auditAndTrialsRefuseNobody() async throws {
            let caller = try await Self.cast.value.caller
            try await eventually("the trial is counted") {
                #expect(
                    try await caller.codes(["http://echo:9080/watched", "http://echo:9080/trial"]) == ["200", "200"])
                let stats = try await caller.mesh.exec(
                    "deploy/echo", namespace: "guarded", container: "istio-proxy", "curl", "-s",
                    "http://127.0.0.1:15000/stats?filter=shadow_denied"
                ).out
                let name = ".rbac.istio_dry_run_deny_.shadow_denied: "
                let isCounted = stats.split(separator: "\n").contains { $0.contains(name) && !$0.hasSuffix(" 0") }
                return isCounted ? true : nil
            }
        }

        @Test func aCustomPolicyAsksItsService() async throws {
            let caller = try await Self.cast.value.caller
            let provider = """
                extensionProviders:
                - name: shop-authorizer
                  envoyExtAuthzHttp:
                    service: authorizer.guarded.svc.cluster.local
                    port: 9080
                    pathPrefix: /status
                """
            let policy = """
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: custom, namespace: guarded}
                spec:
                  selector: {matchLabels: {app: echo}}
                  action: CUSTOM
                  provider: {name: shop-authorizer}
                  rules: [{to: [{operation: {paths: [/200/*, /403/*, /401/*]}}]}]
                """
            let requests = ["/200/x", "/403/x", "/401/x", "/open"].map { "http://echo:9080\($0)" }
            try await caller.mesh.apply(policy)
            try await eventually("without its provider the policy refuses what it matches") {
                try await caller.codes(requests) == ["403", "403", "403", "200"] ? true : nil
            }
            try await caller.mesh.withMeshConfig(provider) {
                _ = try await eventually("the service decides") {
                    try await caller.codes(requests) == ["200", "403", "401", "200"] ? true : nil
                }
            }
            try await caller.mesh.kubectl("delete", "authorizationpolicy", "-n", "guarded", "custom").checked()
            try await eventually("nobody is asked any more") {
                try await caller.codes(requests) == ["200", "200", "200", "200"] ? true : nil
            }
        }

        @Test func aGatewayRoutesByClaims() async throws {
            let cast = try await Self.cast.value
            let mesh = cast.caller.mesh
            let routes = Self.claimRoutes.replacingOccurrences(of: "$KEYS", with: cast.tokens.keySet)
            try await eventually("the objects are taken") {
                try await mesh.apply(routes)
                return true
            }
            func code(_ token: String?) async throws -> String {
                let header = token.map { ["-H", "authorization: Bearer \($0)"] } ?? []
                return try await command(
                    [
                        "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "10", "-H",
                        "Host: claims.example",
                    ]
                        + header + ["http://127.0.0.1:\(mesh.httpPort)/"]
                ).out
            }
            let (user, admin) = (try await token(["role": "user"]), try await token(["role": "admin"]))
            try await eventually("claims choose the route") {
                let codes = [try await code(admin), try await code(user), try await code(nil), try await code("a.b.c")]
                return codes == ["202", "203", "203", "401"] ? true : nil
            }
            for (kind, namespace) in [
                ("requestauthentications.security", "istio-system"), ("gateways.networking", "guarded"),
                ("virtualservices.networking", "guarded"),
            ] {
                try await mesh.kubectl("delete", "\(kind).istio.io", "-n", namespace, "claims").checked()
            }
        }

        private static let claimRoutes = #"""
            apiVersion: security.istio.io/v1
            kind: RequestAuthentication
            metadata: {name: claims, namespace: istio-system}
            spec:
              selector: {matchLabels: {istio: ingressgateway}}
              jwtRules: [{issuer: issuer.example, jwks: '$KEYS'}]
            ---
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {name: claims, namespace: guarded}
            spec:
              selector: {istio: ingressgateway}
              servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [claims.example]}]
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: claims, namespace: guarded}
            spec:
              hosts: [claims.example]
              gateways: [claims]
              http:
              - match: [{headers: {"@request.auth.claims.role": {exact: admin}}}]
                directResponse: {status: 202}
              - directResponse: {status: 203}
            """#

        /// The index of the endpoints tells which there are, so that a new one is asked as well.
        @Test func everyDebugEndpointAsksWhoCalls() async throws {
            let caller = try await Self.cast.value.caller
            func token(_ account: String, _ namespace: String) async throws -> String {
                try await caller.mesh.kubectl(
                    "create", "token", account, "-n", namespace, "--audience", "istio-ca"
                ).checked().out.trimmingCharacters(in: .whitespacesAndNewlines)
            }
            let (own, foreign) = (try await token("istiod", "istio-system"), try await token("default", "guarded"))
            let base = "http://istiod.istio-system:15014"
            let index = try await eventually("the control plane answers") {
                let answer = try await caller.get("-H", "authorization: Bearer \(own)", base + "/debug")
                return answer.status == 200 ? answer : nil
            }
            let paths = ["/debug"] + index.body.split(separator: "\n").map { String($0.prefix { $0 != "?" }) }
            #expect(paths.count >= 7, "\(index)")
            for path in paths {
                let requests = [
                    base + path, "\(base)\(path) -H 'authorization: Bearer \(foreign)'",
                    "\(base)\(path) -H 'authorization: Bearer \(own)'",
                ]
                // 400 where a proxy or an object has to be named.
                try await eventually("\(path) is for those alone who may read it") {
                    let codes = try await caller.codes(requests)
                    return codes == ["401", "403", "200"] || codes == ["401", "403", "400"] ? true : nil
                }
            }
            try await eventually("the log level is not for everybody") {
                try await caller.codes(["-X POST '\(base)/logging?level=debug'"]) == ["401"] ? true : nil
            }
        }

        /// As in Istio anybody may route any host; on request only its owner.
        @Test func hostsHaveOwnersOnRequest() async throws {
            let caller = try await Self.cast.value.caller
            let mesh = caller.mesh
            try await mesh.apply(
                """
                apiVersion: v1
                kind: Namespace
                metadata: {name: thief}
                ---
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: stolen, namespace: thief}
                spec:
                  hosts: [authorizer.guarded.svc.cluster.local]
                  http: [{directResponse: {status: 418}}]
                """)
            func code() async throws -> [String] { try await caller.codes(["http://authorizer:9080/get"]) }
            try await eventually("another namespace routes the host") { try await code() == ["418"] ? true : nil }
            try await mesh.withMeshConfig("hostOwnership: {mode: STRICT}") {
                _ = try await eventually("the owner alone routes the host") { try await code() == ["200"] ? true : nil }
            }
            try await mesh.deleteNamespaces("thief")
            try await eventually("the host is its own again") { try await code() == ["200"] ? true : nil }
        }

        @Test func proxyConfigReachesItsPods() async throws {
            let mesh = try await Self.cast.value.caller.mesh
            let settings = try await mesh.exec(
                "deploy/echo", namespace: "guarded", container: "istio-proxy", "env"
            ).checked().out
            #expect(settings.contains("WEFT_FEATURE=from-proxy-config"), "\(settings)")
            let info = try await mesh.exec(
                "deploy/echo", namespace: "guarded", container: "istio-proxy", "curl", "-s",
                "http://127.0.0.1:15000/server_info"
            ).checked().out
            #expect(info.contains(#""concurrency":1"#) || info.contains(#""concurrency": 1"#), "\(info)")
        }
    }
}
