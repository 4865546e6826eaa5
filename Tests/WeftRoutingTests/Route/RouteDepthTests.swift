import Testing
import WeftCore
import WeftHTTP
import WeftIR

@testable import WeftRouting

private func route(_ name: String, _ path: RouteMatch.Path, edit: (inout RouteMatch) -> Void = { _ in }) -> Route {
    var match = RouteMatch(path: path)
    edit(&match)
    return Route(name: name, match: match, action: .directResponse(DirectResponse(status: 200)))
}

private func table(_ routes: [Route]) -> RouteTable {
    RouteTable(RouteConfiguration(name: "t", virtualHosts: [VirtualHost(name: "v", domains: ["*"], routes: routes)]))
}

private func forwarding(_ path: RouteMatch.Path, _ edit: (inout RouteAction) -> Void) -> RouteDecision? {
    var action = RouteAction(cluster: .cluster("c"))
    edit(&action)
    let made = table([Route(match: RouteMatch(path: path), action: .forward(action))])
    return made.route(RequestHead(.get, "/", authority: "h"), random: 0)
        ?? made.route(
            RequestHead(.get, "/api/v1/users", authority: "h"), random: 0)
}

@Suite struct RouteDepthTests {
    /// The index finds what trying every route in order finds.
    @Test func theIndexKeepsFirstMatchWins() {
        var random = RandomStream(seed: 42)
        let segments = ["a", "b", "ab", "c", "abc", ""]
        func path() -> String {
            "/" + (0..<Int(random.next() % 4)).map { _ in segments[Int(random.next() % 6)] }.joined(separator: "/")
        }
        for _ in 0..<60 {
            let routes = (0..<40).map { index -> Route in
                let kinds: [RouteMatch.Path] = [
                    .exact(path()), .prefix(path()), .pathSeparatedPrefix(path()), .regex(path() + ".*"),
                    .template("/a/{x}"),
                ]
                return route("\(index)", kinds[Int(random.next() % 5)]) {
                    $0.caseSensitive = random.next() % 5 != 0
                    if random.next() % 4 == 0 { $0.headers = [HeaderMatcher(name: "x", test: .present(true))] }
                }
            }
            let whole = table(routes)
            let single = routes.map { table([$0]) }
            for _ in 0..<40 {
                var text = path()
                if random.next() % 3 == 0 { text = text.uppercased() }
                if random.next() % 3 == 0 { text += "?q=1" }
                let headers = random.next() % 2 == 0 ? [("x", "1")] : []
                let head = RequestHead(.get, text, authority: "h", headers: headers)
                let expected = single.firstIndex { $0.route(head, random: 0) != nil }
                #expect(whole.route(head, random: 0)?.index == expected, "\(text)")
            }
        }
    }

    @Test func thousandsOfRoutesAreOneLookUp() {
        let routes = (0..<5_000).map { route("r\($0)", $0 % 2 == 0 ? .exact("/svc/\($0)") : .prefix("/svc/\($0)/")) }
        let made = table(routes)
        for index in stride(from: 0, to: 5_000, by: 97) {
            let path = index % 2 == 0 ? "/svc/\(index)" : "/svc/\(index)/x"
            #expect(made.route(RequestHead(.get, path, authority: "h"), random: 0)?.index == index)
        }
        #expect(made.route(RequestHead(.get, "/svc/1", authority: "h"), random: 0) == nil)
    }

    @Test(arguments: [
        ("a.example.com", "suffix"), ("a.b.example.com", "long"), ("A.B.EXAMPLE.COM", "long"), ("example.com", "none"),
        (".example.com", "none"), ("api.v1", "prefix"), ("api.v1.x", "longer"), ("api.", "none"), ("x-eu.org", "dash"),
        ("exact.example.com", "exact"), ("exact.example.com:8080", "exact"), ("[::1]:80", "six"), ("[::1]", "six"),
    ])
    func domains(authority: String, expected: String) {
        let hosts = [
            ("suffix", "*.example.com"), ("long", "*.b.example.com"), ("prefix", "api.*"), ("longer", "api.v1.*"),
            ("dash", "*-eu.org"), ("exact", "exact.example.com"), ("six", "[::1]"),
        ].map { VirtualHost(name: $0.0, domains: [$0.1], routes: [route("r", .prefix("/"))]) }
        var configuration = RouteConfiguration(name: "t", virtualHosts: hosts)
        configuration.ignorePortInHostMatching = true
        let found = RouteTable(configuration).route(RequestHead(.get, "/", authority: authority), random: 0)
        #expect(found?.virtualHost.name ?? "none" == expected)
    }

    @Test func everyOtherConditionOfAMatch() {
        func matches(
            _ headers: [(String, String)] = [], path: String = "/", method: HTTPMethod = .get, random: UInt64 = 0,
            context: RouteContext = RouteContext(), _ edit: (inout RouteMatch) -> Void
        ) -> Bool {
            let head = RequestHead(method, path, authority: "h", headers: headers)
            return table([route("r", .prefix("/"), edit: edit)]).route(head, context: context, random: random) != nil
        }
        func header(_ test: HeaderMatcher.Test, invert: Bool = false, empty: Bool = false) -> (inout RouteMatch) -> Void
        {
            { $0.headers = [HeaderMatcher(name: "n", test: test, invert: invert, treatMissingAsEmpty: empty)] }
        }
        #expect(matches([("n", "5")], header(.range(start: 5, end: 6))))
        #expect(!matches([("n", "6")], header(.range(start: 5, end: 6))))
        #expect(!matches([("n", "x")], header(.range(start: 5, end: 6))))
        #expect(matches([("n", "-1")], header(.range(start: -1, end: 0))))
        #expect(!matches([], header(.range(start: 5, end: 6), invert: true)))
        #expect(matches([("n", "a"), ("n", "b")], header(.string(.init(.exact("b"))))))
        #expect(!matches([("n", "a"), ("n", "b")], header(.string(.init(.exact("a,b"))))))
        #expect(matches([], header(.string(.init(.exact(""))), empty: true)))
        #expect(!matches([], header(.string(.init(.exact(""))))))
        #expect(matches([], header(.present(false))))
        #expect(!matches([("n", "")], header(.present(false))))
        #expect(matches([("n", "ABC")], header(.string(.init(.contains("b"), ignoreCase: true)))))
        #expect(matches(path: "/?k=v") { $0.queryParameters = [.init(name: "k", test: .present(true))] })
        #expect(!matches(path: "/?kk=v") { $0.queryParameters = [.init(name: "k", test: .present(true))] })
        let grpc: (inout RouteMatch) -> Void = { $0.grpcOnly = true }
        #expect(matches([("content-type", "application/grpc+proto")], grpc))
        #expect(!matches([("content-type", "application/grpcx")], grpc))
        #expect(matches(random: 249_999) { $0.runtimeFraction = .init(percent: 25) })
        #expect(!matches(random: 250_000) { $0.runtimeFraction = .init(percent: 25) })
        var context = RouteContext()
        context.presentedCertificate = true
        #expect(matches(context: context) { $0.tls = .init(presented: true, validated: false) })
        #expect(!matches(context: context) { $0.tls = .init(validated: true) })
        context.metadata = ["f": .object(["role": .string("admin"), "n": .number(3)])]
        func metadata(_ path: [String], _ test: DynamicMetadataMatcher.Test) -> (inout RouteMatch) -> Void {
            { $0.dynamicMetadata = [.init(filter: "f", path: path, test: test)] }
        }
        #expect(matches(context: context, metadata(["role"], .string(.init(.exact("admin"))))))
        #expect(!matches(context: context, metadata(["role"], .string(.init(.exact("user"))))))
        #expect(matches(context: context, metadata(["n"], .number(start: 1, end: 4))))
        #expect(!matches(context: context, metadata(["m"], .present(true))))
        #expect(!matches(path: "", method: .connect) { _ in })
    }

    @Test(arguments: [
        ("/a/*", "/a/b", true), ("/a/*", "/a/b/c", false), ("/a/*", "/a/", false), ("/a/**", "/a/b/c", true),
        ("/a/**", "/a/", true), ("/{x}/b", "/q/b", true), ("/{x=v*}/b", "/v1/b", true), ("/{x=v*}/b", "/w1/b", false),
        ("/img/{n}.png", "/img/12.png", true), ("/img/{n}.png", "/img/12.gif", false), ("/a.c", "/abc", false),
    ])
    func templates(pattern: String, path: String, expected: Bool) throws {
        #expect(try PathTemplate(pattern).matches(path.utf8) == expected)
    }

    @Test(arguments: ["a", "/a/**/b", "/{a", "/a}", "/{}", "/{a}/{a}", "/{a={b}}", "/a?b"])
    func brokenTemplates(pattern: String) {
        #expect(throws: RegexError.self) { try PathTemplate(pattern) }
    }

    @Test func templatesRewrite() throws {
        let template = try PathTemplate("/api/{version}/users/{rest=**}")
        let path = template.rewrite("/api/v2/users/7/photo".utf8, by: "/{rest}/of/{version}")
        #expect(path.map { String(decoding: $0, as: UTF8.self) } == "/7/photo/of/v2")
        #expect(template.problem(rewriting: "/{other}") != nil)
        #expect(template.problem(rewriting: "/{rest}") == nil)
    }

    @Test(arguments: [
        ("^/api/(v[0-9]+)/(.*)$", "/\\2/\\1", "/api/v1/users", "/users/v1"), ("o", "0", "/foo/boo", "/f00/b00"),
        ("x*", "-", "abc", "-a-b-c-"), ("a|ab", "<\\0>", "ab", "<a>b"), ("(a+?)(a*)", "[\\1|\\2]", "aaa", "[a|aa]"),
        ("nothing", "x", "/same", "/same"), ("(a)|(b)", "\\1-\\2", "ab", "a--b"), ("/", "\\\\", "/a", "\\a"),
    ])
    func substitutions(pattern: String, substitution: String, text: String, expected: String) throws {
        let rewrite = try RegexReplacement(pattern, substitution: substitution)
        #expect(String(decoding: rewrite.apply(to: Array(text.utf8)), as: UTF8.self) == expected)
    }

    @Test(arguments: ["\\2", "\\", "\\x"]) func brokenSubstitutions(text: String) {
        #expect(throws: RegexError.self) { try RegexReplacement("(a)", substitution: text) }
    }

    @Test func pathsAndHostsAreRewritten() {
        let regex = forwarding(.prefix("/")) {
            $0.pathRewrite = .regex(pattern: "^/api/v([0-9]+)", substitution: "/\\1")
            $0.hostRewrite = .pathRegex(pattern: "^/api/(v[0-9]+)/.*$", substitution: "\\1.internal")
        }
        let match = RouteMatch(path: .prefix("/"))
        #expect(regex?.forward?.rewrittenPath("/api/v1/users?api/v2", matched: match) == "/1/users?api/v2")
        #expect(regex?.forward?.hostFromPath("/api/v1/users?x") == "v1.internal")
        let prefix = forwarding(.prefix("/API/")) { _ in }
        #expect(prefix == nil)
        #expect(
            PathRewriter.replacePrefix(of: "/API/x?y", matched: RouteMatch(path: .prefix("/api/")), by: "/") == "/x?y")
        let broken = table([
            Route(
                match: match,
                action: .forward(
                    {
                        var action = RouteAction(cluster: .cluster("c"))
                        action.pathRewrite = .regex(pattern: "(", substitution: "")
                        return action
                    }()))
        ])
        #expect(broken.problems.count == 1)
    }

    @Test(arguments: [
        ("full", "https://h:8080/new?q=1"), ("full-query", "https://h:8080/new?own"), ("strip", "https://h:8080/old"),
        ("prefix", "https://h:8080/fresh/x?q=1"), ("regex", "https://h:8080/dlo?q=1"),
        ("port", "https://h:9443/old/x?q=1"),
        ("host", "https://other/old/x?q=1"), ("scheme", "ftp://h:8080/old/x?q=1"),
    ])
    func redirects(kind: String, expected: String) {
        var redirect = Redirect()
        redirect.httpsRedirect = true
        var path = "/old/x?q=1"
        switch kind {
        case "full": redirect.path = .full("/new")
        case "full-query": redirect.path = .full("/new?own")
        case "strip": (redirect.stripQuery, path) = (true, "/old?q=1")
        case "prefix": redirect.path = .prefix("/fresh")
        case "regex": redirect.path = .regex(pattern: "/o(l)d/x", substitution: "/d\\1o")
        case "port": redirect.port = 9_443
        case "host": redirect.host = "other"
        default: (redirect.httpsRedirect, redirect.scheme) = (false, "ftp")
        }
        let made = table([Route(match: RouteMatch(path: .prefix("/old")), action: .redirect(redirect))])
        let head = RequestHead(.get, path, authority: "h:8080")
        let decision = made.route(head, random: 0)
        let target = RedirectTarget(scheme: "http", authority: "h:8080", path: path)
        #expect(decision.map { target.location(redirect, decision: $0) } == expected)
    }

    @Test func weightsAndSubsets() {
        let decision = forwarding(.prefix("/")) {
            var first = WeightedCluster(name: "a", weight: 1)
            first.metadataMatch = ["version": .string("v2")]
            $0.cluster = .weighted([first, WeightedCluster(name: "b", weight: 3)])
            $0.metadataMatch = ["version": .string("v1"), "stage": .string("prod")]
        }
        let forward = decision?.forward
        #expect((0..<8).map { forward?.weightedChoice($0) } == [0, 1, 1, 1, 0, 1, 1, 1])
        #expect(forward?.subset(weighted: 0) == SubsetKey(["version": .string("v2"), "stage": .string("prod")]))
        #expect(forward?.subset(weighted: 1) == SubsetKey(["version": .string("v1"), "stage": .string("prod")]))
    }

    @Test func hashesOfRequests() {
        let client = RequestHash.Client(ip: "1.2.3.4", address: "1.2.3.4:5", localAddress: "6.7.8.9:10")
        func hash(_ policies: [HashPolicy], _ path: String = "/?q=v", _ headers: [(String, String)] = []) -> RequestHash
        {
            let head = RequestHead(.get, path, authority: "h", headers: headers)
            return RequestHash(policies.map(CompiledHashPolicy.init), head: head, client: client)
        }
        let header = HashPolicy.header("x", terminal: true)
        #expect(hash([header]).value == nil)
        #expect(hash([header], "/", [("x", "alice")]).value == XXHash64.hash("alice"))
        #expect(
            hash([header], "/", [("x", "b"), ("x", "a")]).value == XXHash64.hash("b", seed: XXHash64.hash("a")))
        #expect(hash([.sourceIP(terminal: false)]).value == XXHash64.hash("1.2.3.4"))
        #expect(hash([.queryParameter("q", terminal: false)]).value == XXHash64.hash("v"))
        let both = hash([.header("x", terminal: false), .sourceIP(terminal: false)], "/", [("x", "alice")]).value
        let first = XXHash64.hash("alice")
        #expect(both == (first << 1 | first >> 63) ^ XXHash64.hash("1.2.3.4"))
        #expect(hash([header, .sourceIP(terminal: false)], "/", [("x", "alice")]).value == first)
        let rewritten = HashPolicy.rewrittenHeader("x", pattern: "^(..).*", substitution: "\\1", terminal: false)
        #expect(hash([rewritten], "/", [("x", "alice")]).value == XXHash64.hash("al"))
        let cookie = HashPolicy.cookie(name: "c", ttlMilliseconds: 60_000, path: "/p", terminal: false)
        #expect(hash([cookie], "/", [("cookie", "a=1; c=\"alice\"")]).value == first)
        let made = hash([cookie])
        #expect(made.cookies.count == 1)
        #expect(made.cookies.first?.hasSuffix("\"; Max-Age=60; Path=/p; HttpOnly") == true)
        let value = made.cookies.first?.dropFirst(3).prefix(16)
        #expect(made.value == value.map { XXHash64.hash(String($0)) })
        let strict = HashPolicy.cookie(
            name: "c", ttlMilliseconds: 0, path: "", terminal: false,
            attributes: [.init(name: "SameSite", value: "Strict"), .init(name: "Secure", value: "")])
        #expect(hash([strict]).cookies.first?.hasSuffix("\"; SameSite=Strict; Secure; HttpOnly") == true)
        #expect(hash([.cookie(name: "c", ttlMilliseconds: nil, path: "", terminal: false)]).value == nil)
    }

    @Test func accessPoliciesOfRoutesAreCompiledOnce() {
        var host = VirtualHost(name: "v", domains: ["*"])
        let open = RBAC(action: .allow, policies: [.init(name: "all", permissions: [.any], principals: [.any])])
        var own = route("own", .prefix("/own"))
        own.perFilter = ["rbac": .rbac(nil)]
        host.perFilter = ["rbac": .rbac(open)]
        host.routes = [own, route("rest", .prefix("/"))]
        let made = RouteTable(RouteConfiguration(name: "t", virtualHosts: [host]))
        let first = made.route(RequestHead(.get, "/own", authority: "h"), random: 0)
        #expect(first?.accessPolicies["rbac"].map { $0 == nil } == true)
        let second = made.route(RequestHead(.get, "/", authority: "h"), random: 0)
        #expect(second?.accessPolicies["rbac"]??.evaluate(RBACView()).allowed == true)
        #expect(second === made.route(RequestHead(.get, "/", authority: "h"), random: 0))
    }

    @Test func shadowRulesAreEvaluatedAndRefuseNobody() {
        var rules = RBAC(action: .allow, policies: [.init(name: "all", permissions: [.any], principals: [.any])])
        rules.shadowAction = .deny
        rules.shadowPolicies = [.init(name: "later", permissions: [.any], principals: [.any])]
        rules.statPrefix = "try"
        let engine = RBACEngine(rules)
        #expect(engine.evaluate(RBACView()).allowed)
        #expect(engine.evaluateShadow(RBACView()) == RBACShadow(allowed: false, policy: "later", statPrefix: "try"))
        #expect(RBACEngine(RBAC(action: .allow, policies: [])).evaluateShadow(RBACView()) == nil)
    }
}
