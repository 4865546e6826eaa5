import Testing
import WeftHTTP
import WeftIR
import WeftRouting

private func route(_ name: String, _ path: RouteMatch.Path, edit: (inout RouteMatch) -> Void = { _ in }) -> Route {
    var match = RouteMatch(path: path)
    edit(&match)
    return Route(name: name, match: match, action: .directResponse(DirectResponse(status: 200)))
}

private func decide(_ table: RouteTable, _ path: String, _ authority: String = "h", _ headers: [(String, String)] = [])
    -> String
{
    let decision = table.route(RequestHead(.get, path, authority: authority, headers: headers), random: 0)
    return decision.map { "\($0.virtualHost.name)/\($0.route.name)" } ?? "none"
}

@Suite struct RouteTableTests {
    @Test(arguments: [
        ("shop.example.com", "exact"), ("SHOP.example.com", "exact"), ("a.example.com", "suffix"),
        ("a.b.example.com", "long"),
        ("example.com", "any"), ("shop.internal", "prefix"), ("shop.example.com:80", "prefix"), ("other", "any"),
    ])
    func theMostSpecificHostWins(authority: String, expected: String) {
        let hosts = [
            ("any", "*"), ("prefix", "shop.*"), ("suffix", "*.example.com"), ("long", "*.b.example.com"),
            ("exact", "shop.example.com"),
        ].map { VirtualHost(name: $0.0, domains: [$0.1], routes: [route("r", .prefix("/"))]) }
        #expect(
            decide(RouteTable(RouteConfiguration(name: "t", virtualHosts: hosts)), "/", authority) == expected + "/r")
    }

    @Test(arguments: [
        ("/exact", "e"), ("/exact?x=1", "e"), ("/exact/", "any"), ("/api", "s"), ("/api/v1", "s"), ("/apix", "any"),
        ("/api?x", "s"),
        ("/img/12.png", "r"), ("/img/12.png.exe", "any"), ("/UPPER/x", "u"), ("/upper/x", "u"), ("/q?debug=1", "q"),
        ("/q?debug=", "any"),
        ("/q?xdebug=1", "any"),
    ])
    func firstMatchWins(path: String, expected: String) {
        let routes = [
            route("e", .exact("/exact")), route("s", .pathSeparatedPrefix("/api")),
            route("r", .regex("/img/[0-9]+\\.png")),
            route("u", .prefix("/Upper")) { $0.caseSensitive = false },
            route("q", .exact("/q")) { $0.queryParameters = [.init(name: "debug", test: .string(.init(.exact("1"))))] },
            route("any", .prefix("/")),
        ]
        let table = RouteTable(
            RouteConfiguration(name: "t", virtualHosts: [VirtualHost(name: "v", domains: ["*"], routes: routes)]))
        #expect(decide(table, path) == "v/" + expected)
        #expect(table.problems.isEmpty)
    }

    @Test func headersSelectARoute() {
        let jason = HeaderMatcher(name: "end-user", test: .string(.init(.exact("jason"))))
        let routes = [route("jason", .prefix("/")) { $0.headers = [jason] }, route("rest", .prefix("/"))]
        let table = RouteTable(
            RouteConfiguration(name: "t", virtualHosts: [VirtualHost(name: "v", domains: ["*"], routes: routes)]))
        #expect(decide(table, "/", "h", [("End-User", "jason")]) == "v/jason")
        #expect(decide(table, "/", "h", [("end-user", "jasonx")]) == "v/rest")
        #expect(decide(table, "/", "h", [("end-user", "jason"), ("end-user", "bob")]) == "v/jason")
        #expect(decide(table, "/") == "v/rest")
    }

    /// A broken pattern is told, and its route matches nothing: an inverted header must not make it match all.
    @Test func brokenPatternsAreReportedAndMatchNothing() {
        let inverted = HeaderMatcher(name: "x", test: .string(.init(.regex("("))), invert: true)
        let routes = [
            route("path", .regex("/(")), route("header", .prefix("/")) { $0.headers = [inverted] },
            route("rest", .prefix("/")),
        ]
        let table = RouteTable(
            RouteConfiguration(name: "t", virtualHosts: [VirtualHost(name: "v", domains: ["*"], routes: routes)]))
        #expect(decide(table, "/(") == "v/rest")
        #expect(decide(table, "/", "h", [("x", "1")]) == "v/rest")
        #expect(table.problems.count == 2)
        #expect(table.problems.first?.contains("path") == true)
    }

    @Test func hostsThatWantTLSRedirectWhateverTheirRoutes() {
        var host = VirtualHost(name: "v", domains: ["*"], routes: [])
        host.requireTLS = .all
        let table = RouteTable(RouteConfiguration(name: "t", virtualHosts: [host]))
        #expect(decide(table, "/") == "v/")
        #expect(decide(table, "/", "h", [("x-forwarded-proto", "http")]) == "v/")
        #expect(decide(table, "/", "h", [("x-forwarded-proto", "https")]) == "none")
    }

    /// A substitution that names a group which is not there takes its route out.
    @Test func brokenSubstitutionsAreReported() {
        var action = RouteAction(cluster: .cluster("c"))
        action.pathRewrite = .regex(pattern: "/(a)", substitution: #"/\2"#)
        let broken = Route(name: "broken", match: RouteMatch(path: .prefix("/")), action: .forward(action))
        let table = RouteTable(
            RouteConfiguration(
                name: "t",
                virtualHosts: [
                    VirtualHost(name: "v", domains: ["*"], routes: [broken, route("rest", .prefix("/"))])
                ]))
        #expect(decide(table, "/a") == "v/rest")
        #expect(table.problems.count == 1)
    }
}
