import Testing
import WeftHTTP
import WeftIR
import WeftJWT
import WeftRouting

private let now: Int64 = 1_700_000_000

private func provider(_ name: String, _ edit: (inout JWTAuthentication.Provider) -> Void = { _ in }) throws
    -> JWTAuthentication.Provider
{
    var provider = JWTAuthentication.Provider(name: name, keys: .local(try Tokens.jwks()))
    provider.issuer = name
    edit(&provider)
    return provider
}

private func authenticator(
    _ providers: [JWTAuthentication.Provider], _ requirement: JWTAuthentication.Requirement
) -> JWTAuthenticator {
    let rule = JWTAuthentication.Rule(match: RouteMatch(path: .prefix("/")), need: .requirement(requirement))
    return JWTAuthenticator(JWTAuthentication(providers: providers, rules: [rule]))
}

private func bearer(_ token: String, _ path: String = "/", _ more: [(String, String)] = []) -> RequestHead {
    RequestHead(.get, path, authority: "h", headers: [("authorization", "Bearer \(token)")] + more)
}

private func token(_ issuer: String = "a", _ claims: String = "") throws -> String {
    try Tokens.es256(#"{"iss":"\#(issuer)"\#(claims)}"#)
}

/// `allow`, the failure, or the providers whose keys are wanted.
private func decide(
    _ authenticator: JWTAuthenticator, _ head: RequestHead, route: JWTAuthentication.PerRoute? = nil,
    keys: JWTAuthenticator.RemoteKeys = .unknown
) -> String {
    var head = head
    switch authenticator.authenticate(&head, route: route, now: now, keys: { _ in keys }) {
    case .allow: return "allow"
    case .deny(let failure): return "\(failure)"
    case .needsKeys(let indices): return "needs \(indices)"
    }
}

private let bare = RequestHead(.get, "/", authority: "h")

@Suite struct JWTAuthenticatorTests {
    @Test func checksClaims() throws {
        let strict = authenticator(
            [
                try provider("a") {
                    $0.audiences = ["https://shop/", "other"]
                    $0.subject = StringMatcher(.prefix("user-"))
                    $0.maxLifetimeSeconds = 3_600
                }
            ], .provider("a"))
        let good = #","aud":"shop","sub":"user-1","exp":\#(now + 100),"iat":\#(now - 100)"#
        let cases: [(String, String, String)] = [
            ("a", good, "allow"), ("b", good, "unknownIssuer"),
            ("a", good.replacing("shop", with: "shopx"), "audienceNotAllowed"),
            ("a", good.replacing(#""shop""#, with: #"["x","other"]"#), "allow"),
            ("a", good.replacing("user-1", with: "admin"), "subjectNotAllowed"),
            ("a", good.replacing(#""sub":"user-1","#, with: ""), "subjectNotAllowed"),
            ("a", good.replacing("\(now + 100)", with: "\(now - 59)"), "allow"),
            ("a", good.replacing("\(now + 100)", with: "\(now - 61)"), "expired"),
            ("a", good.replacing("\(now + 100)", with: "\(now + 7_200)"), "lifetimeExceeded"),
            ("a", good.replacing(#""exp":\#(now + 100),"#, with: ""), "expirationMissing"),
            ("a", good + #","nbf":\#(now + 59)"#, "allow"), ("a", good + #","nbf":\#(now + 61)"#, "notYetValid"),
            ("a", good.replacing("\(now + 100)", with: "1e400"), "payloadBadJSON"),
        ]
        for (issuer, claims, expected) in cases {
            let verdict = decide(strict, bearer(try token(issuer, claims)))
            // A number that no double holds is refused by whoever sees it first.
            let accepted = expected == "payloadBadJSON" ? [expected, #"payloadBadClaim("exp")"#] : [expected]
            #expect(accepted.contains(verdict), "\(issuer) \(claims): \(verdict)")
        }
        #expect(decide(strict, bare) == "missing")
    }

    @Test func findsTokensWhereTheyMayStand() throws {
        let good = try token()
        let custom = authenticator(
            [
                try provider("a") {
                    $0.fromHeaders = [.init(name: "X-Token", prefix: "T ")]
                    $0.fromParameters = ["jwt"]
                    $0.fromCookies = ["session"]
                }
            ], .provider("a"))
        func head(_ path: String, _ headers: [(String, String)]) -> RequestHead {
            RequestHead(.get, path, authority: "h", headers: headers)
        }
        #expect(decide(custom, head("/", [("x-token", "T \(good)")])) == "allow")
        #expect(decide(custom, head("/", [("x-token", good)])) == "missing")
        #expect(decide(custom, head("/?a=1&jwt=\(good)", [])) == "allow")
        #expect(decide(custom, head("/?a=1&xjwt=\(good)", [])) == "missing")
        #expect(decide(custom, head("/", [("cookie", "a=b; session=\(good)")])) == "allow")
        #expect(decide(custom, bearer(good)) == "missing")
        // Every token found must be good, wherever a good one stands.
        #expect(decide(custom, head("/?jwt=bad", [("x-token", "T \(good)")])) == "badFormat")
        #expect(decide(custom, head("/", [("x-token", "T \(good)"), ("x-token", "T bad")])) == "badFormat")
        let standard = authenticator([try provider("a")], .provider("a"))
        #expect(decide(standard, bearer(good)) == "allow")
        #expect(decide(standard, head("/p?access_token=\(good)", [])) == "allow")
        #expect(decide(standard, head("/", [("authorization", "Basic \(good)")])) == "missing")
        #expect(decide(standard, head("/", [("authorization", "Bearer ")])) == "missing")
        #expect(decide(standard, head("/", [("authorization", "Bearer \(good), Bearer x")])) == "allow")
    }

    @Test func requirementsCombine() throws {
        let providers = [try provider("a"), try provider("b")]
        let (a, b) = (JWTAuthentication.Requirement.provider("a"), JWTAuthentication.Requirement.provider("b"))
        let (tokenA, tokenC) = (bearer(try token("a")), bearer(try token("c")))
        let cases: [(JWTAuthentication.Requirement, RequestHead, String)] = [
            (.none, bare, "allow"), (.any([a, b]), tokenA, "allow"), (.any([b, a]), tokenA, "allow"),
            (.any([a, b]), tokenC, "unknownIssuer"), (.any([a, b]), bare, "missing"),
            (.any([a, b]), bearer("bad"), "badFormat"), (.all([a, b]), tokenA, "unknownIssuer"),
            (.all([a, a]), tokenA, "allow"), (.all([]), bare, "allow"), (.any([]), tokenA, "missing"),
            (.any([a, .allowMissing]), bare, "allow"), (.any([a, .allowMissing]), tokenA, "allow"),
            (.any([a, .allowMissing]), bearer("bad"), "badFormat"),
            // A token of an issuer that nobody knows is not a missing one.
            (.any([a, .allowMissing]), tokenC, "unknownIssuer"), (.allowMissing, tokenC, "unknownIssuer"),
            (.allowMissing, bare, "allow"), (.allowMissing, tokenA, "allow"),
            (.allowMissingOrFailed, bearer("bad"), "allow"), (.any([a, .allowMissingOrFailed]), tokenC, "allow"),
            (.provider("nobody"), tokenA, "noValidKeys"),
            (.providerWithAudiences("a", ["x"]), tokenA, "audienceNotAllowed"),
        ]
        for (requirement, head, expected) in cases {
            #expect(decide(authenticator(providers, requirement), head) == expected, "\(requirement)")
        }
    }

    @Test func rulesPickTheRequirement() throws {
        var configuration = JWTAuthentication(
            providers: [try provider("a")],
            rules: [
                .init(match: RouteMatch(path: .exact("/open")), need: .requirement(.none)),
                .init(match: RouteMatch(path: .exact("/named")), need: .named("strict")),
                .init(match: RouteMatch(path: .exact("/typo")), need: .named("nobody")),
                .init(match: RouteMatch(path: .prefix("/api/")), need: .requirement(.provider("a"))),
            ])
        configuration.requirements = ["strict": .provider("a")]
        let rules = JWTAuthenticator(configuration)
        func at(_ path: String, _ route: JWTAuthentication.PerRoute? = nil) -> String {
            decide(rules, RequestHead(.get, path, authority: "h"), route: route)
        }
        #expect(at("/open") == "allow" && at("/other") == "allow")
        // A query or fragment does not take a request out of its rule.
        for path in ["/named", "/named?x=/open", "/named#/open", "/api/x"] { #expect(at(path) == "missing", "\(path)") }
        #expect(at("/typo") == "noValidKeys")
        #expect(at("/api/x", .disabled) == "allow")
        #expect(at("/open", .requirement("strict")) == "missing")
        #expect(at("/open", .requirement("nobody")) == "noValidKeys")
        #expect(rules.problems.count == 1)
    }

    /// A rule that cannot be understood protects everything it might have meant.
    @Test func brokenRulesRefuse() throws {
        let rule = JWTAuthentication.Rule(match: RouteMatch(path: .regex("/(")), need: .requirement(.provider("a")))
        let broken = JWTAuthenticator(JWTAuthentication(providers: [try provider("a")], rules: [rule]))
        #expect(decide(broken, bare) == "noValidKeys")
        #expect(broken.problems.count == 1)
    }

    @Test func preflightsMayPass() throws {
        var configuration = authenticator([try provider("a")], .provider("a")).configuration
        let asking = RequestHead(
            .options, "/", authority: "h", headers: [("origin", "o"), ("access-control-request-method", "PUT")])
        #expect(decide(JWTAuthenticator(configuration), asking) == "missing")
        configuration.bypassesCORSPreflight = true
        #expect(decide(JWTAuthenticator(configuration), asking) == "allow")
        #expect(decide(JWTAuthenticator(configuration), RequestHead(.options, "/", authority: "h")) == "missing")
    }

    @Test func tellsTheUpstream() throws {
        let teller = authenticator(
            [
                try provider("a") {
                    $0.forwardPayloadHeader = "x-payload"
                    $0.payloadInMetadata = "who"
                    $0.claimToHeaders = [
                        .init(header: "x-name", claim: "user.name"), .init(header: "x-age", claim: "user.age"),
                        .init(header: "x-dotted", claim: "https://x.example/role"),
                        .init(header: "x-bad", claim: "bad"), .init(header: "x-absent", claim: "absent"),
                    ]
                }
            ], .provider("a"))
        let claims = #","user":{"name":"ann","age":7},"https://x.example/role":"r","bad":"a\r\nx: y""#
        var head = bearer(try token("a", claims), "/", [("x-absent", "forged"), ("X-Payload", "forged")])
        guard case .allow(let metadata) = teller.authenticate(&head, route: nil, now: now, keys: { _ in .unknown })
        else {
            Issue.record("refused")
            return
        }
        #expect(head.headers.first("x-name") == "ann" && head.headers.first("x-age") == "7")
        #expect(head.headers.first("x-dotted") == "r")
        #expect(head.headers.first("x-bad") == nil && head.headers.first("x-absent") == nil)
        #expect(head.headers.first("authorization") == nil)
        let payload = Base64URL.decode((head.headers.first("x-payload") ?? "").utf8) ?? []
        #expect(String(decoding: payload, as: UTF8.self).hasPrefix(#"{"iss":"a""#))
        guard case .object(let who)? = metadata["who"] else {
            Issue.record("no metadata")
            return
        }
        #expect(who["iss"] == .string("a"))
    }

    @Test func tokensInQueriesAreTakenOut() throws {
        let taker = authenticator([try provider("a")], .provider("a"))
        var head = RequestHead(.get, "/p?x=1&access_token=\(try token())&y=2", authority: "h")
        _ = taker.authenticate(&head, route: nil, now: now, keys: { _ in .unknown })
        #expect(head.pathString == "/p?x=1&y=2")
    }

    @Test func remoteKeysAreAskedForAndFailClosed() throws {
        let remote = JWTAuthentication.Provider(
            name: "r", keys: .remote(.init(uri: "http://keys/jwks", cluster: "keys")))
        let asking = authenticator([remote], .provider("r"))
        let head = bearer(try token())
        #expect(decide(asking, head) == "needs [0]")
        #expect(decide(asking, head, keys: .failed(.keysFetchFailed)) == "keysFetchFailed")
        #expect(decide(asking, head, keys: .known(try KeySet(jwks: Tokens.jwks()))) == "allow")
        // No token, or one that is bad by itself: nobody needs to be asked.
        #expect(decide(asking, bare) == "missing")
        #expect(decide(asking, bearer("bad")) == "badFormat")
        #expect(decide(asking, bearer(try token("a", #","exp":1"#))) == "expired")
    }

    @Test func refusalsReadAsEnvoys() {
        #expect(JWTFailure.missing.details == "jwt_authn_access_denied{Jwt_is_missing}")
        #expect(JWTFailure.missing.challenge(realm: "http://h/p") == #"Bearer realm="http://h/p""#)
        #expect(
            JWTFailure.expired.challenge(realm: #"http://h/"x"#) == #"Bearer realm="http://h/x", error="invalid_token""#
        )
        #expect(JWTFailure.audienceNotAllowed.status == 403 && JWTFailure.expired.status == 401)
    }
}
