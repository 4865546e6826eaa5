import Testing
import WeftHTTP
import WeftIR
import WeftRouting

private func view(
    _ path: String = "/", method: HTTPMethod = .get, principal: String? = nil, ip: String = "10.0.0.1",
    headers: [(String, String)] = []
) -> RBACView {
    var view = RBACView()
    view.head = RequestHead(method, path, authority: "h", headers: headers)
    view.principals = principal.map { [$0] } ?? []
    view.isAuthenticated = principal != nil
    view.directRemoteIP = ip
    view.remoteIP = ip
    view.destinationIP = "10.0.0.9"
    view.destinationPort = 8080
    return view
}

private func engine(_ action: RBAC.Action, _ permission: Permission = .any, _ principal: Principal = .any) -> RBACEngine
{
    RBACEngine(RBAC(action: action, policies: [.init(name: "p", permissions: [permission], principals: [principal])]))
}

private func header(_ name: String, _ value: String, invert: Bool = false) -> HeaderMatcher {
    HeaderMatcher(name: name, test: .string(StringMatcher(.exact(value))), invert: invert)
}

@Suite struct RBACTests {
    @Test func noPolicies() {
        #expect(!RBACEngine(RBAC(action: .allow, policies: [])).evaluate(view()).allowed)
        #expect(RBACEngine(RBAC(action: .deny, policies: [])).evaluate(view()).allowed)
    }

    @Test func allowAndDenyAreOpposites() {
        let permission = Permission.and([
            .header(header(":method", "GET")), .urlPath(StringMatcher(.prefix("/static/"))),
        ])
        for (request, matches) in [
            (view("/static/a?x"), true), (view("/other"), false), (view("/static/a", method: .post), false),
        ] {
            #expect(engine(.allow, permission).evaluate(request).allowed == matches)
            #expect(engine(.deny, permission).evaluate(request).allowed != matches)
            #expect(engine(.log, permission).evaluate(request).allowed)
        }
        #expect(engine(.deny).evaluate(view()).details == "rbac_access_denied_matched_policy[p]")
        #expect(
            engine(.allow, permission).evaluate(view("/other")).details == "rbac_access_denied_matched_policy[none]")
    }

    @Test func rangesOfPorts() {
        for (first, end, matches) in [
            (8_080, 8_081, true), (0, 65_536, true), (8_081, 9_000, false), (1, 8_080, false),
        ]
            as [(UInt32, UInt32, Bool)]
        {
            #expect(engine(.allow, .destinationPorts(from: first, to: end)).evaluate(view()).allowed == matches)
        }
    }

    @Test func pathTemplates() {
        let template = engine(.allow, .pathTemplate("/users/{id=*}/**"))
        for (path, matches) in [("/users/1/a/b?q", true), ("/users/1", false), ("/other/1/a", false)] {
            #expect(template.evaluate(view(path)).allowed == matches, "\(path)")
        }
        var connection = view("/users/1/a")
        connection.head = nil
        #expect(!template.evaluate(connection).allowed)
        // What cannot be compiled fails closed.
        let broken = engine(.deny, .pathTemplate("/{"))
        #expect(!broken.problems.isEmpty)
        #expect(!broken.evaluate(view("/")).allowed)
        #expect(!engine(.allow, .pathTemplate("/{")).evaluate(view("/")).allowed)
    }

    @Test func principals() {
        let sa = "spiffe://cluster.local/ns/a/sa/b"
        let exact = Principal.authenticated(StringMatcher(.exact(sa)))
        #expect(engine(.allow, .any, exact).evaluate(view(principal: sa)).allowed)
        #expect(!engine(.allow, .any, exact).evaluate(view(principal: sa + "x")).allowed)
        #expect(!engine(.allow, .any, exact).evaluate(view()).allowed)
        #expect(!engine(.allow, .any, .authenticated(nil)).evaluate(view()).allowed)
        #expect(engine(.allow, .any, .not(exact)).evaluate(view()).allowed)
        #expect(!engine(.allow, .any, .not(exact)).evaluate(view(principal: sa)).allowed)
        let namespace = Principal.authenticated(StringMatcher(.regex(".*/ns/a/.*")))
        #expect(engine(.deny, .any, namespace).evaluate(view(principal: sa)).allowed == false)
        var unverified = view(principal: sa)
        unverified.isAuthenticated = false
        #expect(!engine(.allow, .any, exact).evaluate(unverified).allowed)
    }

    @Test func missingHeaders() {
        #expect(!engine(.allow, .header(header("x-token", "1"))).evaluate(view()).allowed)
        #expect(!engine(.allow, .header(header("x-token", "1", invert: true))).evaluate(view()).allowed)
        #expect(engine(.allow, .not(.header(header("x-token", "1")))).evaluate(view()).allowed)
        let repeated = view(headers: [("x-token", "1"), ("x-token", "2")])
        #expect(engine(.allow, .header(header("x-token", "1"))).evaluate(repeated).allowed, "each value by itself")
        #expect(!engine(.deny, .header(header("x-token", "2"))).evaluate(repeated).allowed, "no value hides another")
        #expect(!engine(.allow, .header(.init(name: "x", test: .present(true)))).evaluate(view()).allowed)
        #expect(engine(.allow, .header(.init(name: "x", test: .present(false)))).evaluate(view()).allowed)
        var tcp = view(headers: [("x-token", "1")])
        tcp.head = nil
        #expect(!engine(.allow, .header(header("x-token", "1"))).evaluate(tcp).allowed)
    }

    @Test(
        arguments: [
            ("10.0.0.0", 24, "10.0.0.200", true), ("10.0.0.0", 24, "10.0.1.1", false), ("0.0.0.0", 0, "1.2.3.4", true),
            ("10.0.0.1", 32, "10.0.0.2", false), ("10.0.0.4", 30, "10.0.0.7", true),
            ("10.0.0.4", 30, "10.0.0.8", false),
            ("fd00::", 8, "fd12::1", true), ("fd00::", 8, "fe12::1", false), ("::", 0, "10.0.0.1", false),
            ("::1", 128, "::1", true),
        ] as [(String, UInt8, String, Bool)])
    func addressRanges(address: String, length: UInt8, ip: String, expected: Bool) {
        let range = CIDR(address, prefixLength: length)
        #expect(engine(.allow, .any, .directRemoteIP(range)).evaluate(view(ip: ip)).allowed == expected)
    }

    /// Whatever stands around it, a rule that cannot be read refuses: DENY matches all, ALLOW nothing.
    @Test func brokenMatchersFailClosed() {
        let bad = StringMatcher(.regex("("))
        let permissions: [Permission] = [
            .urlPath(bad), .not(.urlPath(bad)),
            .and([.any, .not(.header(.init(name: "x", test: .string(bad), invert: true)))]),
            .or([.any, .destinationIP(CIDR("nonsense", prefixLength: 8))]),
            .not(.destinationIP(CIDR("10.0.0.0", prefixLength: 64))),
        ]
        for permission in permissions {
            let (allow, deny) = (engine(.allow, permission), engine(.deny, permission))
            #expect(!allow.evaluate(view()).allowed, "\(permission)")
            #expect(!deny.evaluate(view()).allowed, "\(permission)")
            #expect(allow.problems.count == 1 && deny.problems.count == 1, "\(permission)")
        }
        #expect(engine(.allow, .any, .not(.authenticated(bad))).evaluate(view()).allowed == false)
        #expect(engine(.allow).problems.isEmpty)
    }

    @Test func aBrokenPolicyLeavesOthersAlone() {
        let good = RBAC.Policy(name: "good", permissions: [.urlPath(StringMatcher(.exact("/a")))], principals: [.any])
        let bad = RBAC.Policy(name: "bad", permissions: [.urlPath(StringMatcher(.regex("(")))], principals: [.any])
        let both = RBACEngine(RBAC(action: .allow, policies: [bad, good]))
        #expect(both.evaluate(view("/a")).policy == "good")
        #expect(!both.evaluate(view("/b")).allowed)
    }
}
