import Testing
import WeftCore
import WeftIR
import WeftRouting
import WeftTranslate

/// Istio's semantics at the edges, for gateways.
struct GatewayEdgeTests {
    private static let plain = istio(
        "Gateway", "g",
        "{selector: {istio: gw}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}")

    private func gateway(_ yaml: String, _ base: String = plain) throws -> TrafficMesh {
        try TrafficMesh(base + yaml, gateway: true)
    }

    @Test func rulesForOneHostAreJoinedByAgeWithCatchAllsLast() throws {
        let mesh = try gateway(
            istio(
                "VirtualService", "new", created: "2026-02-02T00:00:00Z",
                "{hosts: [shop], gateways: [g], http: [{match: [{uri: {prefix: /a}}], directResponse: {status: 202}}, {match: [{uri: {prefix: /b}}], directResponse: {status: 203}}]}"
            )
                + istio(
                    "VirtualService", "old", created: "2026-01-01T00:00:00Z",
                    "{hosts: [shop], gateways: [g], http: [{match: [{uri: {prefix: /a}}], directResponse: {status: 201}}, {directResponse: {status: 209}}]}"
                ))
        let host = "shop.dev.svc.cluster.local"
        #expect(mesh.request(host, "/a", table: "http.80") == "status 201")
        #expect(mesh.request(host, "/b", table: "http.80") == "status 203")
        #expect(mesh.request(host, "/c", table: "http.80") == "status 209")
        #expect(mesh.request("other", "/c", table: "http.80") == "status 404")
    }

    @Test func aRuleMayNameAGatewayOfAnotherNamespace() throws {
        func rule(_ name: String) -> String {
            istio(
                "VirtualService", "v", namespace: "other",
                "{hosts: ['*'], gateways: ['\(name)'], http: [{directResponse: {status: 201}}]}")
        }
        #expect(try gateway(rule("dev/g")).request("x", table: "http.80") == "status 201")
        #expect(try gateway(rule("g")).request("x", table: "http.80") == "status 404")
        #expect(try gateway(rule("./g")).request("x", table: "http.80") == "status 404")
        #expect(
            try TrafficMesh(rule("dev/g"), gateway: false).request("web") == "outbound|80||web.dev.svc.cluster.local")
    }

    @Test(arguments: [
        ("*", "other", "status 201"), ("other/*", "other", "status 201"), ("./*", "other", "status 404"),
        ("./*", "dev", "status 201"), ("dev/*", "other", "status 404"), ("*/a.example.com", "other", "status 201"),
        ("*/b.example.com", "other", "status 404"), ("*/*.example.com", "other", "status 201"),
    ])
    func aServersHostSaysWhichNamespacesMayBind(host: String, namespace: String, expected: String) throws {
        let server = istio(
            "Gateway", "g",
            "{selector: {istio: gw}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['\(host)']}]}")
        let rule = istio(
            "VirtualService", "v", namespace: namespace,
            "{hosts: [a.example.com], gateways: [dev/g], http: [{directResponse: {status: 201}}]}")
        #expect(try gateway(rule, server).request("a.example.com", table: "http.80") == expected)
    }

    @Test func aRuleForTheMeshAloneIsNotAtTheGateway() throws {
        let mesh = try gateway(istio("VirtualService", "v", "{hosts: [web], http: [{directResponse: {status: 201}}]}"))
        #expect(mesh.request("web.dev.svc.cluster.local", table: "http.80") == "status 404")
    }

    @Test func anUnselectedProxyServesNothing() throws {
        let other = Self.plain.replacing("istio: gw", with: "istio: another")
        #expect(try gateway("", other).configuration.listeners.isEmpty)
    }

    @Test func plainRequestsAreSentToHTTPS() throws {
        let server = istio(
            "Gateway", "g",
            "{selector: {istio: gw}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [a.example.com], tls: {httpsRedirect: true}}]}"
        )
        let mesh = try gateway("", server)
        #expect(mesh.configuration.routes["http.80"]?.virtualHosts.first?.requireTLS == .all)
        let rule = istio(
            "VirtualService", "v", "{hosts: ['*'], gateways: [g], http: [{directResponse: {status: 201}}]}")
        let both = try gateway(rule, server).configuration.routes["http.80"]?.virtualHosts ?? []
        #expect(both.map(\.requireTLS) == [.all])
        #expect(both.map(\.domains) == [["a.example.com"]])
    }

    @Test(
        arguments: [
            ("http", nil as Int?, nil as String?), ("http", 80, nil), ("https", 443, nil), ("https", 8443, ":8443"),
            (nil, 80, ":80"), (nil, 443, nil),
        ] as [(String?, Int?, String?)])
    func aRedirectOnHTTPSNamesItsPortUnlessItIsImplied(scheme: String?, port: Int?, expected: String?) throws {
        let fields = [scheme.map { "scheme: \($0)" }, port.map { "port: \($0)" }, "authority: a"].compactMap { $0 }
        let mesh = try gateway(
            istio(
                "VirtualService", "v",
                "{hosts: ['*'], gateways: [g], http: [{redirect: {\(fields.joined(separator: ", "))}}]}"),
            istio(
                "Gateway", "g",
                "{selector: {istio: gw}, servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: ['*'], tls: {mode: ISTIO_MUTUAL}}]}"
            ))
        #expect(
            mesh.request("x", table: "https.443.https.g.dev") == "redirect \(scheme ?? "")//a\(expected ?? "") 301")
    }

    @Test(
        arguments: [("a.example.com", "web"), ("b.example.com", "two"), ("c.example.com", nil)] as [(String, String?)])
    func passthroughGoesByServerName(name: String, host: String?) throws {
        let mesh = try gateway(
            istio(
                "VirtualService", "v",
                "{hosts: [a.example.com, b.example.com], gateways: [g], tls: [{match: [{sniHosts: [a.example.com]}], route: [{destination: {host: web, port: {number: 80}}}]}, {match: [{sniHosts: [b.example.com]}], route: [{destination: {host: two, port: {number: 80}}}]}]}"
            ),
            istio(
                "Gateway", "g",
                "{selector: {istio: gw}, servers: [{port: {number: 443, name: tls, protocol: TLS}, hosts: ['*'], tls: {mode: PASSTHROUGH}}]}"
            ))
        #expect(
            mesh.connection("0.0.0.0_443", serverName: name)
                == host.map { .cluster("outbound|80||\($0).dev.svc.cluster.local") })
    }

    @Test func autoPassthroughGoesByTheMeshsServerNames() throws {
        let mesh = try gateway(
            "",
            istio(
                "Gateway", "g",
                "{selector: {istio: gw}, servers: [{port: {number: 443, name: tls, protocol: TLS}, hosts: ['*.dev.svc.cluster.local'], tls: {mode: AUTO_PASSTHROUGH}}]}"
            ))
        let name = "outbound_.80_._.web.dev.svc.cluster.local"
        let chain = mesh.configuration.listeners["0.0.0.0_443"]?.filterChains.first { $0.match.serverNames == [name] }
        #expect(chain != nil)
        #expect(mesh.configuration.clusters[name]?.tls == nil)
        #expect(mesh.configuration.clusters[name]?.transportSocketMatches.isEmpty == true)
        let foreign = "outbound_.80_._.web.other.svc.cluster.local"
        #expect(mesh.configuration.clusters[foreign] == nil)
    }

    @Test func serversThatCannotShareAPortAreReportedAndTheOldestStays() throws {
        let mesh = try gateway(
            istio(
                "Gateway", "h", created: "2026-01-01T00:00:00Z",
                "{selector: {istio: gw}, servers: [{port: {number: 80, name: tcp, protocol: TCP}, hosts: ['*']}]}"))
        #expect(mesh.diagnostics.map(\.code) == ["IST0145"])
        #expect(mesh.diagnostics.first?.resource?.name == "h")
        #expect(mesh.configuration.listeners["0.0.0.0_80"]?.filterChains.map(\.name) == ["http.80"])
    }

    @Test func aServerWithoutItsSecretIsLeftOutAndReported() throws {
        let mesh = try gateway(
            "",
            istio(
                "Gateway", "g",
                "{selector: {istio: gw}, servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: gone}}]}"
            ))
        #expect(mesh.configuration.listeners.isEmpty)
        #expect(mesh.diagnostics.first?.hint?.contains("infra/gone") == true)
    }

    /// A Secret of the Gateway object's namespace is not the proxy's.
    @Test func secretsOfOtherNamespacesAreNotGiven() throws {
        let secret = """
            {apiVersion: v1, kind: Secret, metadata: {name: gone, namespace: dev}, data: {tls.crt: QQ==, tls.key: QQ==}}
            ---

            """
        let server = istio(
            "Gateway", "g",
            "{selector: {istio: gw}, servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: gone}}]}"
        )
        let mesh = try gateway(server, secret)
        #expect(mesh.configuration.secrets.isEmpty)
        #expect(mesh.configuration.listeners.isEmpty)
    }
}
