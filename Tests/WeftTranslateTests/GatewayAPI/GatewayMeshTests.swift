import Testing
import WeftConfig
import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTranslate

/// Routes whose parent is a Service, as sidecars of the mesh get them.
@Suite struct GatewayMeshTests {
    private static let parent = "{group: \"\", kind: Service, name: a}"
    /// The table of everything on the port, and the one of the service at its own address.
    private static let tables = ["8080", "a.infra.svc.cluster.local:8080"]

    private func ask(_ world: GatewayWorld, _ path: String = "/", namespace: String = "infra", random: UInt64 = 0)
        throws -> [String]
    {
        try Self.tables.map {
            try world.ask(
                Request(path, host: "a.infra:8080", table: $0, random: random), in: world.sidecar(namespace: namespace))
        }
    }

    @Test func aRouteSplitsWhatIsSentToAService() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                parent: Self.parent,
                rules: """
                    [{matches: [{path: {value: /v2}}], backendRefs: [{name: b, port: 8080, weight: 1}, {name: c, port: 8080, weight: 1}]},
                     {backendRefs: [{name: a, port: 8080}]}]
                    """), listeners: nil)
        #expect(try ask(world, "/v1") == ["a.infra", "a.infra"])
        #expect(try ask(world, "/v2") == ["b.infra", "b.infra"])
        #expect(try ask(world, "/v2", random: 1) == ["c.infra", "c.infra"])
        #expect(try ask(world, "/v1", namespace: "apps") == ["a.infra", "a.infra"])
        let status = try world.status("HTTPRoute", "infra", "r")
        #expect(status["parents"]?[0]?["controllerName"] == "istio.io/mesh-controller")
        #expect(try world.parent() == ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"])
    }

    @Test func whatNoRuleTakesIsNotFound() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                parent: Self.parent,
                rules: "[{matches: [{path: {value: /only}}], backendRefs: [{name: a, port: 8080}]}]"),
            listeners: nil)
        #expect(try ask(world, "/other") == ["404", "404"])
    }

    /// MeshClusterIPMatching: at the service's address no Host header leads elsewhere.
    @Test func theAddressDecidesAndNotTheHost() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(parent: Self.parent, rules: "[{backendRefs: [{name: b, port: 8080}]}]"), listeners: nil)
        let configuration = world.sidecar()
        let listener = try #require(configuration.listeners["10.96.0.1_8080"])
        guard case .httpConnectionManager(let manager)? = listener.filterChains.first?.filters.last else {
            Issue.record("no connection manager")
            return
        }
        #expect(manager.routes == .rds("a.infra.svc.cluster.local:8080"))
        for host in ["c.infra:8080", "a.infra", "nowhere.example"] {
            #expect(
                try world.ask(Request(host: host, table: "a.infra.svc.cluster.local:8080"), in: configuration)
                    == "b.infra")
        }
        #expect(try world.ask(Request(host: "c.infra:8080", table: "8080"), in: configuration) == "c.infra")
    }

    @Test func aConsumersRouteHoldsForItsNamespaceAlone() throws {
        let producer = GatewayWorld.route(
            "producer", parent: Self.parent, rules: "[{backendRefs: [{name: b, port: 8080}]}]")
        let consumer = GatewayWorld.route(
            "consumer", namespace: "apps", parent: "{group: \"\", kind: Service, name: a, namespace: infra}",
            rules: "[{backendRefs: [{name: web, port: 8080}]}]")
        let world = try GatewayWorld(consumer + "\n---\n" + producer, listeners: nil)
        #expect(try ask(world) == ["b.infra", "b.infra"])
        #expect(try ask(world, namespace: "apps") == ["web.apps", "web.apps"])
        let alone = try GatewayWorld(consumer, listeners: nil)
        #expect(try alone.ask(Request(host: "a.infra:8080", table: "8080"), in: alone.sidecar()) == "a.infra")
        #expect(try ask(alone, namespace: "apps") == ["web.apps", "web.apps"])
    }

    /// A consumer's route may lead back to the Service that it is about, in the other namespace; a route that is a
    /// gateway's as well needs the grant.
    @Test func noGrantIsAskedForInTheMesh() throws {
        let rules = "[{backendRefs: [{name: b, namespace: infra, port: 8080}]}]"
        let consumer = GatewayWorld.route(
            "consumer", namespace: "apps", parent: "{group: \"\", kind: Service, name: a, namespace: infra}",
            rules: rules)
        let world = try GatewayWorld(consumer, listeners: nil)
        #expect(try ask(world, namespace: "apps") == ["b.infra", "b.infra"])
        let both = GatewayWorld.route(
            "consumer", namespace: "apps",
            parent: "{group: \"\", kind: Service, name: a, namespace: infra}, {name: nowhere}", rules: rules)
        #expect(try ask(try GatewayWorld(both, listeners: nil), namespace: "apps") != ["b.infra", "b.infra"])
    }

    @Test func aParentsPortIsTheServices() throws {
        let parent = "{group: \"\", kind: Service, name: a, port: %}"
        let rules = "[{backendRefs: [{name: b, port: 8080}]}]"
        let good = try GatewayWorld(
            GatewayWorld.route(parent: parent.replacing("%", with: "8080"), rules: rules), listeners: nil)
        #expect(try ask(good) == ["b.infra", "b.infra"])
        let bad = try GatewayWorld(
            GatewayWorld.route(parent: parent.replacing("%", with: "1"), rules: rules), listeners: nil)
        #expect(try bad.parent()[0] == "Accepted=False/NoMatchingParent")
        #expect(try bad.ask(Request(host: "a.infra:8080", table: "8080"), in: bad.sidecar()) == "a.infra")
    }

    @Test func aParentThatIsNotThereIsTold() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(parent: "{group: \"\", kind: Service, name: ghost}", rules: "[{}]"), listeners: nil)
        #expect(try world.parent()[0] == "Accepted=False/NoMatchingParent")
    }

    @Test(arguments: [
        ("{type: RequestRedirect, requestRedirect: {scheme: https}}", "302 https://a.infra/x"),
        ("{type: RequestRedirect, requestRedirect: {port: 8083}}", "302 http://a.infra:8083/x"),
        (
            "{type: RequestRedirect, requestRedirect: {port: 80, path: {type: ReplaceFullPath, replaceFullPath: /y}}}",
            "302 http://a.infra/y"
        ),
    ])
    func redirects(_ filter: String, _ expected: String) throws {
        let world = try GatewayWorld(
            GatewayWorld.route(parent: Self.parent, rules: "[{filters: [\(filter)]}]"), listeners: nil)
        let answer = try world.ask(Request("/x", host: "a.infra", table: "8080"), in: world.sidecar())
        #expect(answer == expected)
    }

    @Test func filtersHoldInTheMesh() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                parent: Self.parent,
                rules: """
                    [{name: blue, matches: [{queryParams: [{name: color, value: blue}]}],
                      filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}},
                                {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-from, value: mesh}]}}],
                      backendRefs: [{name: b, port: 8080, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: y, value: z}]}}]}]},
                     {backendRefs: [{name: a, port: 8080}]}]
                    """), listeners: nil)
        let request = Request("/q?color=blue", host: "a.infra:8080", table: "8080")
        let (action, decision) = try world.forward(request, in: world.sidecar())
        #expect(decision.route.name == "blue")
        #expect(decision.route.responseHeaders.append.map(\.name) == ["x-from"])
        #expect(decision.forward?.rewrittenPath(request.path, matched: decision.route.match) == "/b/q?color=blue")
        guard case .weighted(let clusters) = action.cluster else {
            Issue.record("no headers of the backend's own")
            return
        }
        #expect(clusters[0].requestHeaders.append.map(\.name) == ["y"])
    }

    @Test func callsOfTheMeshAreRouted() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                kind: "GRPCRoute", parent: "{group: \"\", kind: Service, name: protocols, port: 5}",
                rules: "[{matches: [{method: {service: x.Y}}], backendRefs: [{name: b, port: 8080}]}]"), listeners: nil)
        func ask(_ path: String) throws -> String {
            try world.ask(
                Request(
                    path, host: "protocols.infra:5", method: "POST", headers: [("content-type", "application/grpc")],
                    table: "5"),
                in: world.sidecar())
        }
        #expect(try ask("/x.Y/Z") == "b.infra")
        #expect(try ask("/x.Z/Z") == "404")
        #expect(try world.parent("GRPCRoute")[0] == "Accepted=True/Accepted")
    }

    @Test func aServicesRouteComesBeforeAVirtualService() throws {
        let virtualService = """

            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: v, namespace: infra}
            spec: {hosts: [a], http: [{route: [{destination: {host: c, port: {number: 8080}}}]}]}
            """
        let route = GatewayWorld.route(parent: Self.parent, rules: "[{backendRefs: [{name: b, port: 8080}]}]")
        #expect(try ask(GatewayWorld(route + virtualService, listeners: nil)) == ["b.infra", "b.infra"])
    }

    @Test func connectionsOfTheMeshAreRouted() throws {
        let world = try GatewayWorld(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: TCPRoute
            metadata: {name: r, namespace: infra}
            spec: {parentRefs: [{group: "", kind: Service, name: protocols, port: 3}], rules: [{backendRefs: [{name: b, port: 8080}]}]}
            """, listeners: nil)
        let listener = try #require(world.sidecar().listeners["10.96.1.2_3"])
        let targets = listener.filterChains.flatMap(\.filters).compactMap { filter -> ClusterSelector? in
            if case .tcpProxy(let proxy) = filter { proxy.cluster } else { nil }
        }
        #expect(targets == [.cluster("outbound|8080||b.infra.svc.cluster.local")])
    }

    @Test func routesOfAGatewayDoNotTouchTheMesh() throws {
        let world = try GatewayWorld(GatewayWorld.route(rules: "[{backendRefs: [{name: b, port: 8080}]}]"))
        #expect(try world.ask(Request(host: "a.infra:8080", table: "8080"), in: world.sidecar()) == "a.infra")
        #expect(world.sidecar().routes["http.80"] == nil)
    }
}
