import Testing
import WeftConfig
import WeftIR
import WeftRouting
import WeftTranslate

private typealias Mesh = SecurityMesh

/// What RequestAuthentications mean, with tokens checked by the proxy's own code.
@Suite struct RequestTokenTests {
    private static let rule = "{issuer: me, audiences: [web], jwks: \"\(TestTokens.jwks)\"}"

    private static func tokens(_ rules: String...) -> String {
        Mesh.policy("RequestAuthentication", "{jwtRules: [\(rules.joined(separator: ", "))]}")
    }

    private static func bearer(_ token: String) -> Call { Call(headers: [("authorization", "Bearer \(token)")]) }

    private static let good = TestTokens.make(
        #"{"iss":"me","sub":"alice","aud":"web","exp":1900000000,"azp":"app","scope":"read write","groups":["a","b"],"nested":{"role":"admin"}}"#
    )

    @Test func refusesBadTokensAndTakesNone() throws {
        let mesh = try Mesh(Self.tokens(Self.rule))
        #expect(mesh.ask(Call()).status == 200)
        #expect(mesh.ask(Self.bearer(Self.good)).status == 200)
        let claims = #"{"iss":"me","sub":"a","aud":"web","exp":1900000000}"#
        for (name, token) in [
            ("expired", TestTokens.make(#"{"iss":"me","sub":"a","aud":"web","exp":1700000000}"#)),
            ("wrong issuer", TestTokens.make(#"{"iss":"you","sub":"a","aud":"web","exp":1900000000}"#)),
            ("no issuer", TestTokens.make(#"{"sub":"a","aud":"web","exp":1900000000}"#)),
            ("alg none", TestTokens.make(claims, header: #"{"alg":"none"}"#)),
            ("no signature", TestTokens.make(claims).split(separator: ".").prefix(2).joined(separator: ".") + "."),
            ("unknown key", TestTokens.make(claims, header: #"{"alg":"HS256","kid":"other"}"#)),
            ("another key", TestTokens.make(claims, key: Array(repeating: 7, count: 32))),
            ("another algorithm", TestTokens.make(claims, header: #"{"alg":"RS256","kid":"k"}"#)),
            ("nonsense", "abc"),
        ] {
            #expect(mesh.ask(Self.bearer(token)).status == 401, "\(name)")
        }
        let audience = TestTokens.make(#"{"iss":"me","sub":"a","aud":"other","exp":1900000000}"#)
        #expect(mesh.ask(Self.bearer(audience)).status == 403)
        #expect(mesh.ask(Call(path: "/?access_token=\(Self.good)")).status == 200)
        #expect(mesh.ask(Call(path: "/?access_token=x")).status == 401)
    }

    @Test func missingTokensAreRefusedByAnAccessRule() throws {
        let mesh = try Mesh(
            Self.tokens(Self.rule)
                + Mesh.authorization("{action: DENY, rules: [{from: [{source: {notRequestPrincipals: ['*']}}]}]}"))
        #expect(mesh.ask(Call()).status == 403)
        #expect(mesh.ask(Self.bearer(Self.good)).status == 200)
    }

    /// Several policies, and several rules in one: any good token will do.
    @Test func rulesOfAllPoliciesHoldTogether() throws {
        let other =
            "{issuer: you, jwks: \"\(TestTokens.jwks)\", fromHeaders: [{name: X-Token, prefix: 'T '}], fromParams: [tok], fromCookies: [ck]}"
        let mesh = try Mesh(
            Self.tokens(Self.rule)
                + Mesh.policy("RequestAuthentication", "root", namespace: "istio-system", "{jwtRules: [\(other)]}"))
        let yours = TestTokens.make(#"{"iss":"you","sub":"bob"}"#)
        #expect(mesh.ask(Self.bearer(Self.good)).status == 200)
        for call in [
            Call(headers: [("x-token", "T \(yours)")]), Call(path: "/?tok=\(yours)"),
            Call(headers: [("cookie", "a=b; ck=\(yours)")]),
        ] { #expect(mesh.ask(call).status == 200) }
        for call in [Call(headers: [("x-token", "T x")]), Call(path: "/?tok=x"), Call(headers: [("cookie", "ck=x")])] {
            #expect(mesh.ask(call).status == 401)
        }
        // A place that the rule does not name.
        #expect(mesh.ask(Self.bearer(yours)).status == 401)
    }

    /// A condition on the token, and whether the good token meets it.
    static let conditions: [(String, Bool)] = [
        ("from: [{source: {requestPrincipals: [me/alice]}}]", true),
        ("from: [{source: {requestPrincipals: [me/bob]}}]", false),
        ("from: [{source: {requestPrincipals: ['me/*']}}]", true),
        ("from: [{source: {requestPrincipals: ['*/alice']}}]", true),
        ("from: [{source: {requestPrincipals: ['*ice']}}]", true),
        ("from: [{source: {requestPrincipals: ['m*']}}]", true),
        ("from: [{source: {requestPrincipals: ['*']}}]", true),
        ("from: [{source: {requestPrincipals: [alice]}}]", false),
        ("from: [{source: {notRequestPrincipals: [me/alice]}}]", false),
        ("when: [{key: request.auth.principal, values: [me/alice]}]", true),
        ("when: [{key: request.auth.audiences, values: [web]}]", true),
        ("when: [{key: request.auth.audiences, values: [db]}]", false),
        ("when: [{key: request.auth.presenter, values: ['ap*']}]", true),
        ("when: [{key: 'request.auth.claims[groups]', values: [b]}]", true),
        ("when: [{key: 'request.auth.claims[groups]', notValues: [b]}]", false),
        ("when: [{key: 'request.auth.claims[scope]', values: [write]}]", true),
        ("when: [{key: 'request.auth.claims[scope]', values: [wri]}]", false),
        ("when: [{key: 'request.auth.claims[nested][role]', values: [admin]}]", true),
        ("when: [{key: 'request.auth.claims[nested][role]', values: ['*']}]", true),
        ("when: [{key: 'request.auth.claims[nothing]', values: ['*']}]", false),
    ]

    @Test(arguments: conditions.indices) func claimsInAccessRules(_ index: Int) throws {
        let (clause, matches) = Self.conditions[index]
        let mesh = try Mesh(Self.tokens(Self.rule) + Mesh.authorization("{rules: [{\(clause)}]}"))
        #expect(mesh.ask(Self.bearer(Self.good)).status == (matches ? 200 : 403), "\(clause)")
        // Nobody may say such things of himself.
        if !clause.contains("not") { #expect(mesh.ask(Call()).status == 403, "\(clause)") }
    }

    @Test func keysAreFetchedThroughTheMeshOrAClusterOfTheirOwn() throws {
        let rules = ["http://asker.dev.svc.cluster.local:8000/keys", "https://issuer.example:8443/keys"].map {
            "{issuer: me, jwksUri: '\($0)', timeout: 3s}"
        }
        let mesh = try Mesh(Self.tokens(rules[0], rules[1]))
        var remotes: [JWTAuthentication.Remote] = []
        for filter in mesh.manager?.filters ?? [] {
            guard case .jwt(let settings) = filter.kind else { continue }
            for provider in settings.providers {
                if case .remote(let remote) = provider.keys { remotes.append(remote) }
            }
        }
        #expect(remotes.map(\.cluster) == ["outbound|8000||asker.dev.svc.cluster.local", "jwks|8443||issuer.example"])
        #expect(remotes.allSatisfy { $0.timeoutMilliseconds == 3_000 && $0.cacheMilliseconds == 1_200_000 })
        let cluster = try #require(mesh.configuration.clusters["jwks|8443||issuer.example"])
        #expect(cluster.discovery == .strictDNS)
        #expect(cluster.tls?.sni == "issuer.example")
        #expect(cluster.tls?.common.subjectAltNames.map(\.matcher.pattern) == [.exact("issuer.example")])
        #expect(mesh.configuration.clusters["outbound|8000||asker.dev.svc.cluster.local"] != nil)
    }

    @Test func aRuleWithoutKeysAcceptsNoToken() throws {
        #expect(try Mesh(Self.tokens("{issuer: me}")).ask(Self.bearer(Self.good)).status == 401)
    }
}
