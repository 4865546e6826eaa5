import Testing
import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTranslate

/// HTTPRoutes at a gateway: matches, precedence, filters, backends, as a request meets them.
@Suite struct GatewayHTTPRouteTests {
    // MARK: - Matches and precedence

    @Test(arguments: [
        (Request("/"), "a.infra"), (Request("/shop"), "b.infra"), (Request("/shop/cart"), "b.infra"),
        (Request("/shopping"), "a.infra"), (Request("/shop/deal"), "c.infra"), (Request("/shop/deal/"), "b.infra"),
        (Request("/v12"), "c.infra"),
    ])
    func theMostSpecificPathWins(_ request: Request, _ expected: String) throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                rules: """
                    [{backendRefs: [{name: a, port: 8080}]},
                     {matches: [{path: {value: /shop/}}], backendRefs: [{name: b, port: 8080}]},
                     {matches: [{path: {type: Exact, value: /shop/deal}}, {path: {type: RegularExpression, value: "/v[0-9]+"}}],
                      backendRefs: [{name: c, port: 8080}]}]
                    """))
        #expect(try world.ask(request) == expected)
        #expect(try world.parent() == ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"])
    }

    @Test(arguments: [
        (Request(), "a.infra"), (Request(method: "POST"), "b.infra"),
        (Request(headers: [("version", "two")]), "b.infra"),
        (Request(headers: [("version", "two"), ("Color", "red")]), "c.infra"),
        (Request(headers: [("version", "TWO")]), "a.infra"), (Request(headers: [("year", "2026")]), "c.infra"),
    ])
    func methodAndHeadersDecideAfterThePath(_ request: Request, _ expected: String) throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                rules: """
                    [{backendRefs: [{name: a, port: 8080}]},
                     {matches: [{method: POST}, {headers: [{name: Version, value: two}]}], backendRefs: [{name: b, port: 8080}]},
                     {matches: [{headers: [{name: version, value: two}, {name: color, value: red}]},
                                {headers: [{name: year, type: RegularExpression, value: "20[0-9]{2}"}]}],
                      backendRefs: [{name: c, port: 8080}]}]
                    """))
        #expect(try world.ask(request) == expected)
    }

    @Test(arguments: [
        (Request("/?animal=whale"), "a.infra"), (Request("/?animal=dolphin"), "b.infra"),
        (Request("/?animal=dolphin&color=blue"), "c.infra"), (Request("/?ANIMAL=whale"), "404"), (Request(), "404"),
    ])
    func queryParametersSelect(_ request: Request, _ expected: String) throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                rules: """
                    [{matches: [{queryParams: [{name: animal, value: whale}]}], backendRefs: [{name: a, port: 8080}]},
                     {matches: [{queryParams: [{name: animal, type: RegularExpression, value: "dol.*"}]}], backendRefs: [{name: b, port: 8080}]},
                     {matches: [{queryParams: [{name: animal, value: dolphin}, {name: color, value: blue}]}], backendRefs: [{name: c, port: 8080}]}]
                    """))
        #expect(try world.ask(request) == expected)
    }

    @Test func ofEqualRoutesTheOldestWinsAndThenTheName() throws {
        func rules(_ name: String) -> String { "[{backendRefs: [{name: \(name), port: 8080}]}]" }
        let young = GatewayWorld.route("a-young", created: "2026-02-01T00:00:00Z", rules: rules("a"))
        let old = GatewayWorld.route("z-old", created: "2026-01-01T00:00:00Z", rules: rules("b"))
        #expect(try GatewayWorld(young + "\n---\n" + old).ask(Request()) == "b.infra")
        let twin = GatewayWorld.route("a-twin", created: "2026-01-01T00:00:00Z", rules: rules("c"))
        #expect(try GatewayWorld(young + "\n---\n" + old + "\n---\n" + twin).ask(Request()) == "c.infra")
    }

    @Test func matchesAreRankedAcrossRoutes() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                "one", created: "2026-01-01T00:00:00Z", rules: "[{backendRefs: [{name: a, port: 8080}]}]")
                + "\n---\n"
                + GatewayWorld.route(
                    "two", created: "2026-02-01T00:00:00Z",
                    rules: "[{matches: [{path: {value: /v2}}], backendRefs: [{name: b, port: 8080}]}]"))
        #expect(try world.ask(Request("/v2/x")) == "b.infra")
        #expect(try world.ask(Request("/v1")) == "a.infra")
    }

    // MARK: - Redirects

    @Test(arguments: [
        ("{hostname: other.org}", "302 http://other.org/old/page?x=1"),
        ("{scheme: https}", "302 https://example.com/old/page?x=1"),
        ("{port: 8083}", "302 http://example.com:8083/old/page?x=1"),
        ("{scheme: https, port: 443}", "302 https://example.com/old/page?x=1"),
        ("{scheme: https, port: 8443}", "302 https://example.com:8443/old/page?x=1"),
        ("{scheme: http, port: 80, hostname: o.org}", "302 http://o.org/old/page?x=1"),
        ("{statusCode: 301}", "301 http://example.com/old/page?x=1"),
        ("{statusCode: 303}", "303 http://example.com/old/page?x=1"),
        ("{statusCode: 307}", "307 http://example.com/old/page?x=1"),
        ("{statusCode: 308}", "308 http://example.com/old/page?x=1"),
        ("{path: {type: ReplaceFullPath, replaceFullPath: /new}}", "302 http://example.com/new?x=1"),
        ("{path: {type: ReplacePrefixMatch, replacePrefixMatch: /new/}}", "302 http://example.com/new/page?x=1"),
        ("{path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}", "302 http://example.com/page?x=1"),
    ])
    func redirects(_ filter: String, _ expected: String) throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                rules:
                    "[{matches: [{path: {value: /old}}], filters: [{type: RequestRedirect, requestRedirect: \(filter)}]}]"
            ))
        #expect(try world.ask(Request("/old/page?x=1")) == expected)
    }

    @Test func aRedirectNamesTheListenersPort() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                rules: "[{filters: [{type: RequestRedirect, requestRedirect: {hostname: other.org}}]}]"),
            listeners: "[{name: http, port: 8080, protocol: HTTP}]")
        #expect(try world.ask(Request("/x", table: "http.8080")) == "302 http://other.org:8080/x")
    }

    // MARK: - Rewrites and headers

    @Test(arguments: [
        ("/strip", "{type: ReplacePrefixMatch, replacePrefixMatch: /}", "/strip/a?q=1", "/a?q=1"),
        ("/strip", "{type: ReplacePrefixMatch, replacePrefixMatch: \"\"}", "/strip", "/"),
        ("/one", "{type: ReplacePrefixMatch, replacePrefixMatch: /two}", "/one/three", "/two/three"),
        ("/one/", "{type: ReplacePrefixMatch, replacePrefixMatch: /two/}", "/one/three", "/two/three"),
        ("/", "{type: ReplacePrefixMatch, replacePrefixMatch: /two}", "/three", "/two/three"),
        ("/full", "{type: ReplaceFullPath, replaceFullPath: /whole}", "/full/path?q=1", "/whole?q=1"),
    ])
    func pathsAreRewritten(_ match: String, _ path: String, _ asked: String, _ expected: String) throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                rules:
                    "[{matches: [{path: {value: \(match)}}], filters: [{type: URLRewrite, urlRewrite: {path: \(path)}}], backendRefs: [{name: a, port: 8080}]}]"
            ))
        let (_, decision) = try world.forward(Request(asked))
        #expect(decision.forward?.rewrittenPath(asked, matched: decision.route.match) == expected)
    }

    @Test func theHostIsRewritten() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                rules:
                    "[{filters: [{type: URLRewrite, urlRewrite: {hostname: one.org}}], backendRefs: [{name: a, port: 8080}]}]"
            ))
        #expect(try world.forward(Request()).0.hostRewrite == .literal("one.org"))
    }

    @Test func headersOfRequestAndResponseChange() throws {
        let change = "{set: [{name: X-Set, value: 50%}], add: [{name: X-Add, value: b}], remove: [X-Remove]}"
        let world = try GatewayWorld(
            GatewayWorld.route(
                rules: """
                    [{filters: [{type: RequestHeaderModifier, requestHeaderModifier: \(change)},
                                {type: ResponseHeaderModifier, responseHeaderModifier: \(change)}],
                      backendRefs: [{name: a, port: 8080}]}]
                    """))
        let route = try #require(try world.decide(Request())).route
        for changes in [route.requestHeaders, route.responseHeaders] {
            #expect(changes.append.map(\.name) == ["x-set", "x-add"])
            // A percent sign is no operator here.
            #expect(changes.append[0].value == "50%%")
            #expect(changes.append.map(\.action) == [.overwriteIfExistsOrAdd, .appendIfExistsOrAdd])
            #expect(changes.remove == ["x-remove"])
        }
    }

    @Test func backendsHaveHeadersOfTheirOwn() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                rules: """
                    [{backendRefs: [{name: a, port: 8080, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: who, value: a}]}}]},
                                    {name: b, port: 8080, weight: 3}]}]
                    """))
        guard case .weighted(let clusters) = try world.forward(Request()).0.cluster else {
            Issue.record("not weighted")
            return
        }
        #expect(clusters.map(\.weight) == [1, 3])
        #expect(clusters[0].requestHeaders.append.map(\.value) == ["a"])
        #expect(clusters[1].requestHeaders.isEmpty)
    }

    // MARK: - Backends

    @Test func weightsShareAndZeroGetsNothing() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                rules:
                    "[{backendRefs: [{name: a, port: 8080, weight: 7}, {name: b, port: 8080, weight: 3}, {name: c, port: 8080, weight: 0}]}]"
            ))
        var counts: [String: Int] = [:]
        for random in 0..<UInt64(100) { counts[try world.ask(Request(random: random)), default: 0] += 1 }
        #expect(counts == ["a.infra": 70, "b.infra": 30])
    }

    @Test(arguments: [
        ("[{backendRefs: [{name: nobody, port: 8080}]}]", "BackendNotFound"),
        ("[{backendRefs: [{name: a, port: 1}]}]", "BackendNotFound"),
        ("[{backendRefs: [{name: a}]}]", "BackendNotFound"),
        ("[{backendRefs: [{name: web, namespace: apps, port: 8080}]}]", "RefNotPermitted"),
        ("[{backendRefs: [{group: example.io, kind: Bucket, name: a, port: 8080}]}]", "InvalidKind"),
        ("[{backendRefs: [{name: protocols, port: 4}]}]", "UnsupportedProtocol"),
    ])
    func aBackendThatCannotBeFollowedAnswers500(_ rules: String, _ reason: String) throws {
        let world = try GatewayWorld(GatewayWorld.route(rules: rules))
        #expect(try world.ask(Request()) == "500")
        #expect(try world.parent() == ["Accepted=True/Accepted", "ResolvedRefs=False/\(reason)"])
    }

    @Test func onlyTheShareOfABadBackendFails() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                rules: "[{backendRefs: [{name: a, port: 8080, weight: 3}, {name: nobody, port: 8080, weight: 1}]}]"))
        let answers = try (0..<UInt64(4)).map { try world.ask(Request(random: $0)) }
        #expect(answers == ["a.infra", "a.infra", "a.infra", "500"])
        // Nothing defines the cluster of the bad share, so that the route's status answers and not an empty cluster.
        #expect(world.gateway().clusters["InvalidBackend"] == nil)
    }

    @Test func aRuleWithoutBackendsAnswers500() throws {
        #expect(try GatewayWorld(GatewayWorld.route(rules: "[{}]")).ask(Request()) == "500")
    }

    @Test func aReferenceGrantOpensANamespace() throws {
        func grant(_ kind: String, name: String = "") -> String {
            """

            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: ReferenceGrant
            metadata: {name: g, namespace: apps}
            spec:
              from: [{group: gateway.networking.k8s.io, kind: \(kind), namespace: infra}]
              to: [{group: "", kind: Service\(name)}]
            """
        }
        let route = GatewayWorld.route(rules: "[{backendRefs: [{name: web, namespace: apps, port: 8080}]}]")
        #expect(try GatewayWorld(route + grant("HTTPRoute")).ask(Request()) == "web.apps")
        #expect(try GatewayWorld(route + grant("HTTPRoute", name: ", name: web")).ask(Request()) == "web.apps")
        #expect(try GatewayWorld(route + grant("HTTPRoute", name: ", name: other")).ask(Request()) == "500")
        #expect(try GatewayWorld(route + grant("GRPCRoute")).ask(Request()) == "500")
    }

    @Test func backendProtocolsComeFromAppProtocol() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                rules: """
                    [{matches: [{path: {value: /h2c}}], backendRefs: [{name: protocols, port: 1}]},
                     {matches: [{path: {value: /ws}}], backendRefs: [{name: protocols, port: 2}]}]
                    """))
        let configuration = world.gateway()
        func cluster(_ path: String) throws -> Cluster {
            guard case .cluster(let name) = try world.forward(Request(path)).0.cluster else {
                throw GatewayWorld.Unexpected(description: "weighted")
            }
            return try #require(configuration.clusters[name])
        }
        #expect(try cluster("/h2c").httpProtocol == .http2)
        #expect(try cluster("/ws").httpProtocol == .http1)
        let chain = try #require(configuration.listeners["0.0.0.0_80"]?.filterChains.first)
        guard case .httpConnectionManager(let manager)? = chain.filters.last else {
            Issue.record("no connection manager")
            return
        }
        #expect(manager.upgradeTypes.contains("websocket"))
    }

    // MARK: - Mirrors, time limits, retries, CORS, names

    @Test func requestsAreMirrored() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                rules: """
                    [{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: b, port: 8080}}},
                                {type: RequestMirror, requestMirror: {backendRef: {name: c, port: 8080}, percent: 20}},
                                {type: RequestMirror, requestMirror: {backendRef: {name: b, port: 8080}, fraction: {numerator: 1, denominator: 8}}},
                                {type: RequestMirror, requestMirror: {backendRef: {name: c, port: 8080}, percent: 0}}],
                      backendRefs: [{name: a, port: 8080}]}]
                    """))
        let mirrors = try world.forward(Request()).0.mirrors
        #expect(mirrors.map { GatewayWorld.short($0.cluster) } == ["b.infra", "c.infra", "b.infra"])
        #expect(mirrors.map(\.fraction.partsPerMillion) == [1_000_000, 200_000, 125_000])
    }

    @Test func aMirrorThatCannotBeFollowedIsTold() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                rules:
                    "[{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: nobody, port: 8080}}}], backendRefs: [{name: a, port: 8080}]}]"
            ))
        #expect(try world.ask(Request()) == "a.infra")
        #expect(try world.parent() == ["Accepted=True/Accepted", "ResolvedRefs=False/BackendNotFound"])
    }

    @Test func timeLimitsHoldForRequestAndTry() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                rules: """
                    [{matches: [{path: {value: /both}}], timeouts: {request: 1s, backendRequest: 500ms}, backendRefs: [{name: a, port: 8080}]},
                     {matches: [{path: {value: /none}}], timeouts: {request: 0s}, backendRefs: [{name: a, port: 8080}]}]
                    """))
        let both = try world.forward(Request("/both")).0
        #expect(both.timeoutMilliseconds == 1000)
        #expect(both.retryPolicy?.perTryTimeoutMilliseconds == 500)
        let none = try world.forward(Request("/none")).0
        #expect(none.timeoutMilliseconds == 0)
        #expect(none.retryPolicy?.perTryTimeoutMilliseconds == nil)
    }

    @Test func retriesFollowTheRule() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                rules:
                    "[{retry: {codes: [500, 503], attempts: 3, backoff: 50ms}, timeouts: {backendRequest: 200ms}, backendRefs: [{name: a, port: 8080}]}]"
            ))
        let policy = try #require(try world.forward(Request()).0.retryPolicy)
        #expect(policy.numRetries == 3)
        #expect(policy.retriableStatusCodes == [500, 503])
        #expect(policy.backOffBaseMilliseconds == 50)
        #expect(policy.perTryTimeoutMilliseconds == 200)
        // Connections that fail, and tries that take too long.
        #expect(Set(policy.retryOn).isSuperset(of: ["connect-failure", "reset", "retriable-status-codes"]))
    }

    @Test(arguments: [
        ("https://www.example.com", true), ("https://www.other.com", false), ("https://a.sub.org", true),
        ("https://sub.org", false), ("http://a.sub.org", false),
    ])
    func originsAreChecked(_ origin: String, _ isAllowed: Bool) throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                rules: """
                    [{filters: [{type: CORS, cors: {allowOrigins: ["https://www.example.com", "https://*.sub.org"], allowMethods: [GET, PUT],
                       allowHeaders: [x-a], exposeHeaders: [x-b], allowCredentials: true, maxAge: 60}}], backendRefs: [{name: a, port: 8080}]}]
                    """))
        let request = Request(
            method: "OPTIONS", headers: [("origin", origin), ("access-control-request-method", "PUT")])
        let decision = try #require(try world.decide(request))
        guard case .cors(let policy)? = decision.route.perFilter["envoy.filters.http.cors"] else {
            Issue.record("no policy")
            return
        }
        guard case .preflight(let headers) = CORSEngine(policy).decide(request.head, draw: { 0 }) else {
            Issue.record("no preflight")
            return
        }
        #expect(headers.string("access-control-allow-origin") == (isAllowed ? origin : nil))
        #expect(headers.string("access-control-allow-methods") == (isAllowed ? "GET,PUT" : nil))
        #expect(headers.string("access-control-allow-headers") == (isAllowed ? "x-a" : nil))
        #expect(headers.string("access-control-allow-credentials") == (isAllowed ? "true" : nil))
        #expect(headers.string("access-control-max-age") == (isAllowed ? "60" : nil))
    }

    @Test func namesOfRulesAreNamesOfRoutes() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                rules:
                    "[{name: buy, matches: [{path: {value: /buy}}], backendRefs: [{name: a, port: 8080}]}, {backendRefs: [{name: a, port: 8080}]}]"
            ))
        #expect(try world.decide(Request("/buy"))?.route.name == "buy")
        #expect(try world.decide(Request("/buy"))?.route.provenance?.ruleName == "buy")
        #expect(try world.decide(Request())?.route.name == "infra.r.1")
    }

    // MARK: - What cannot be obeyed

    @Test func aRuleThatCannotBeObeyedAnswers500AndIsTold() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                rules: """
                    [{matches: [{path: {value: /bad}}], filters: [{type: ExtensionRef, extensionRef: {group: x.io, kind: Spice, name: s}}],
                      backendRefs: [{name: a, port: 8080}]},
                     {backendRefs: [{name: b, port: 8080}]}]
                    """))
        #expect(try world.ask(Request("/bad")) == "500")
        #expect(try world.ask(Request("/good")) == "b.infra")
        #expect(
            try world.parent() == [
                "Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs", "PartiallyInvalid=True/UnsupportedValue",
            ])
    }

    @Test(arguments: [
        ("{type: ExtensionRef, extensionRef: {group: x.io, kind: Spice, name: s}}", "UnsupportedValue"),
        (
            "{type: URLRewrite, urlRewrite: {hostname: x}}, {type: RequestRedirect, requestRedirect: {hostname: y}}",
            "IncompatibleFilters"
        ),
    ])
    func aRouteWithoutAGoodRuleIsRefused(_ filters: String, _ reason: String) throws {
        let world = try GatewayWorld(
            GatewayWorld.route(rules: "[{filters: [\(filters)], backendRefs: [{name: a, port: 8080}]}]"))
        #expect(try world.parent()[0] == "Accepted=False/\(reason)")
        #expect(try world.ask(Request()) == "404")
        #expect(try world.listener("http")["attachedRoutes"] == 0)
    }
}
