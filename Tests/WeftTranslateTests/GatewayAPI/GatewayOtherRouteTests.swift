import Testing
import WeftConfig
import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTranslate

/// GRPCRoutes, TLSRoutes, TCPRoutes and TLS to backends.
@Suite struct GatewayOtherRouteTests {
    private static func grpc(_ path: String, _ headers: [(String, String)] = []) -> Request {
        Request(path, method: "POST", headers: [("content-type", "application/grpc")] + headers)
    }

    // MARK: - gRPC

    @Test(arguments: [
        (grpc("/shop.Cart/Add"), "a.infra"), (grpc("/shop.Cart/Remove"), "b.infra"), (grpc("/shop.Carts/Add"), "404"),
        (grpc("/other.Service/Add", [("tier", "gold")]), "c.infra"), (grpc("/audit.Log/Write"), "c.infra"),
        (grpc("/x.v1.Y/GetAll"), "b.infra"), (Request("/shop.Cart/Add", method: "POST"), "404"),
    ])
    func callsAreRouted(_ request: Request, _ expected: String) throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                kind: "GRPCRoute",
                rules: """
                    [{matches: [{method: {service: shop.Cart}}], backendRefs: [{name: b, port: 8080}]},
                     {name: add, matches: [{method: {service: shop.Cart, method: Add}}], backendRefs: [{name: a, port: 8080}]},
                     {matches: [{method: {method: Write}}, {headers: [{name: tier, value: gold}]}], backendRefs: [{name: c, port: 8080}]},
                     {matches: [{method: {type: RegularExpression, service: "x[.]v[0-9]+[.]Y", method: "Get.*"}}], backendRefs: [{name: b, port: 8080}]}]
                    """))
        #expect(try world.ask(request) == expected)
        #expect(try world.parent("GRPCRoute")[0] == "Accepted=True/Accepted")
    }

    @Test func namesOfRulesAreNamesOfRoutes() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(kind: "GRPCRoute", rules: "[{name: calls, backendRefs: [{name: a, port: 8080}]}]"))
        #expect(try world.decide(Self.grpc("/a.B/C"))?.route.name == "calls")
    }

    /// A gRPC client reads 503 as UNAVAILABLE.
    @Test(arguments: ["[{}]", "[{backendRefs: [{name: nobody, port: 8080}]}]"])
    func callsWithoutABackendAreUnavailable(_ rules: String) throws {
        #expect(try GatewayWorld(GatewayWorld.route(kind: "GRPCRoute", rules: rules)).ask(Self.grpc("/a.B/C")) == "503")
    }

    @Test func headersWeightsAndMirrorsHoldForCalls() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                kind: "GRPCRoute",
                rules: """
                    [{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x, value: "1"}]}},
                                {type: RequestMirror, requestMirror: {backendRef: {name: c, port: 8080}}}],
                      backendRefs: [{name: a, port: 8080, weight: 1}, {name: b, port: 8080, weight: 1}]}]
                    """))
        let answers = try (0..<UInt64(2)).map {
            try world.ask(
                {
                    var r = Self.grpc("/a.B/C")
                    r.random = $0
                    return r
                }($0))
        }
        #expect(answers == ["a.infra", "b.infra"])
        let (action, decision) = try world.forward(Self.grpc("/a.B/C"))
        #expect(decision.route.requestHeaders.append.map(\.name) == ["x"])
        #expect(action.mirrors.map { GatewayWorld.short($0.cluster) } == ["c.infra"])
    }

    // MARK: - TLS and TCP

    private func chains(_ world: GatewayWorld, port: Int) throws -> [FilterChain] {
        try #require(world.gateway().listeners["0.0.0.0_\(port)"]).filterChains
    }

    /// Where a connection with a server name goes; `nil` when no chain takes it.
    private func connect(_ world: GatewayWorld, port: Int, serverName: String) throws -> String? {
        let chains = try chains(world, port: port)
        let view = FilterChainView(
            destinationIP: "10.244.0.9", destinationPort: UInt16(port), sourceIP: "10.0.0.1",
            sourcePort: 1, serverName: serverName, isTLS: true, applicationProtocols: [])
        guard let index = FilterChainMatcher(chains).match(view) else { return nil }
        for case .tcpProxy(let proxy) in chains[index].filters {
            switch proxy.cluster {
            case .cluster(let name): return GatewayWorld.short(name) + (chains[index].tls == nil ? "" : " after TLS")
            case .weighted(let clusters):
                return clusters.map { "\(GatewayWorld.short($0.name))=\($0.weight)" }.joined(separator: " ")
            case .header: return nil
            }
        }
        return nil
    }

    private static let passthrough =
        "[{name: tls, port: 443, protocol: TLS, hostname: \"*.tls.org\", tls: {mode: Passthrough}}]"

    @Test(arguments: [
        ("a.tls.org", "a.infra"), ("b.tls.org", "b.infra=9 c.infra=1"), ("c.tls.org", nil), ("a.other.org", nil),
    ])
    func tlsIsPassedThroughByServerName(_ name: String, _ expected: String?) throws {
        func route(_ name: String, _ hosts: String, _ backends: String) -> String {
            GatewayWorld.route(name, kind: "TLSRoute", hostnames: hosts, rules: "[{backendRefs: \(backends)}]")
        }
        let world = try GatewayWorld(
            route("one", "[a.tls.org, a.elsewhere.org]", "[{name: a, port: 8080}]") + "\n---\n"
                + route("two", "[b.tls.org]", "[{name: b, port: 8080, weight: 9}, {name: c, port: 8080, weight: 1}]"),
            listeners: Self.passthrough)
        #expect(try connect(world, port: 443, serverName: name) == expected)
        #expect(try world.listener("tls")["attachedRoutes"] == 2)
    }

    @Test func tlsEndsAtTheGatewayBesideConnectionsThatPass() throws {
        let world = try GatewayWorld(
            [
                GatewayListenerTests.secret("cert"),
                GatewayWorld.route(
                    "end", kind: "TLSRoute", parent: "{name: gw, sectionName: end}", hostnames: "[end.org]",
                    rules: "[{backendRefs: [{name: a, port: 8080}]}]"),
                GatewayWorld.route(
                    "pass", kind: "TLSRoute", parent: "{name: gw, sectionName: pass}", hostnames: "[pass.org]",
                    rules: "[{backendRefs: [{name: b, port: 8080}]}]"),
            ].joined(separator: "\n---\n"),
            listeners: """
                [{name: end, port: 443, protocol: TLS, hostname: end.org, tls: {mode: Terminate, certificateRefs: [{name: cert}]}},
                 {name: pass, port: 443, protocol: TLS, hostname: pass.org, tls: {mode: Passthrough}}]
                """)
        #expect(try connect(world, port: 443, serverName: "end.org") == "a.infra after TLS")
        #expect(try connect(world, port: 443, serverName: "pass.org") == "b.infra")
    }

    /// Connections belong to the most specific listener of their port, as requests do.
    @Test(arguments: [
        ("a.tls.org", "b.infra after TLS"), ("x.tls.org", "a.infra"), ("empty.tls.org", "BlackHoleCluster"),
    ])
    func aServerNameBelongsToTheMostSpecificListener(_ name: String, _ expected: String) throws {
        let world = try GatewayWorld(
            [
                GatewayListenerTests.secret("cert"),
                GatewayWorld.route(
                    "all", kind: "TLSRoute", hostnames: "[a.tls.org, x.tls.org, empty.tls.org]",
                    rules: "[{backendRefs: [{name: a, port: 8080}]}]"),
                GatewayWorld.route(
                    "exact", kind: "TLSRoute", created: "2026-01-01T00:00:00Z",
                    parent: "{name: gw, sectionName: exact}",
                    hostnames: "[a.tls.org]", rules: "[{backendRefs: [{name: b, port: 8080}]}]"),
            ].joined(separator: "\n---\n").replacing(
                "parentRefs: [{name: gw, namespace: infra}]", with: "parentRefs: [{name: gw, sectionName: wild}]"),
            listeners: """
                [{name: wild, port: 443, protocol: TLS, hostname: "*.tls.org", tls: {mode: Passthrough}},
                 {name: exact, port: 443, protocol: TLS, hostname: a.tls.org, tls: {mode: Terminate, certificateRefs: [{name: cert}]}},
                 {name: empty, port: 443, protocol: TLS, hostname: empty.tls.org, tls: {mode: Passthrough}}]
                """)
        let names = try chains(world, port: 443).flatMap(\.match.serverNames)
        #expect(Set(names).count == names.count, "Envoy refuses a listener with two chains for one name: \(names)")
        #expect(try connect(world, port: 443, serverName: name) == expected)
    }

    /// Beside HTTPS, passing through takes what HTTPS does not name.
    @Test func httpsAndPassthroughShareAPort() throws {
        let listeners = """
            [{name: ends, port: 443, protocol: HTTPS, hostname: "*.mix.org", tls: {certificateRefs: [{name: cert}]}},
             {name: passes, port: 443, protocol: TLS, hostname: a.mix.org, tls: {mode: Passthrough}}]
            """
        let routes = [
            GatewayListenerTests.secret("cert"), GatewayWorld.route(rules: "[{backendRefs: [{name: a, port: 8080}]}]"),
            GatewayWorld.route(
                "pass", kind: "TLSRoute", hostnames: "[a.mix.org]", rules: "[{backendRefs: [{name: b, port: 8080}]}]"),
        ].joined(separator: "\n---\n")
        let world = try GatewayWorld(routes, listeners: listeners)
        #expect(try connect(world, port: 443, serverName: "a.mix.org") == "b.infra")
        let table = "https.443.ends.gw.infra"
        #expect(try world.ask(Request(host: "b.mix.org", table: table, scheme: "https")) == "a.infra")
        // The same host by two protocols is one too many.
        let both = try GatewayWorld(
            routes, listeners: listeners.replacing("hostname: a.mix.org", with: "hostname: \"*.mix.org\""))
        for name in ["ends", "passes"] {
            #expect(GatewayWorld.conditions(try both.listener(name))[3] == "Conflicted=True/ProtocolConflict")
        }
        #expect(both.gateway().listeners.isEmpty)
    }

    @Test func theOlderTLSRouteKeepsAHost() throws {
        func route(_ name: String, _ created: String) -> String {
            GatewayWorld.route(
                name, kind: "TLSRoute", created: created, hostnames: "[a.tls.org]",
                rules: "[{backendRefs: [{name: a, port: 8080}]}]")
        }
        let world = try GatewayWorld(
            route("a-young", "2026-02-01T00:00:00Z") + "\n---\n" + route("z-old", "2026-01-01T00:00:00Z"),
            listeners: Self.passthrough)
        #expect(try world.parent("TLSRoute", "infra", "a-young")[0] == "Accepted=False/Conflicted")
        #expect(try world.parent("TLSRoute", "infra", "z-old")[0] == "Accepted=True/Accepted")
    }

    @Test(arguments: [
        ("[{name: a, port: 8080}]", "a.infra"), ("[{name: nobody, port: 8080}]", "BlackHoleCluster"),
        ("[{name: a, port: 8080, weight: 2}, {name: nobody, port: 8080, weight: 1}]", "a.infra=2 BlackHoleCluster=1"),
    ])
    func connectionsAreRoutedByPort(_ backends: String, _ expected: String) throws {
        let world = try GatewayWorld(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: TCPRoute
            metadata: {name: r, namespace: infra}
            spec: {parentRefs: [{name: gw}], rules: [{backendRefs: \(backends)}]}
            """, listeners: "[{name: tcp, port: 9000, protocol: TCP}]")
        #expect(try connect(world, port: 9000, serverName: "") == expected)
        #expect(try world.listener("tcp")["supportedKinds"]?[0]?["kind"] == "TCPRoute")
    }

    // MARK: - TLS to backends

    private static let route = GatewayWorld.route(rules: "[{backendRefs: [{name: a, port: 8080}]}]")

    private static func policy(
        name: String = "p", created: String = "", target: String = "name: a", _ validation: String
    ) -> String {
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: BackendTLSPolicy
        metadata: {name: \(name), namespace: infra, creationTimestamp: "\(created)"}
        spec: {targetRefs: [{group: "", kind: Service, \(target)}], validation: {hostname: a.internal, \(validation)}}
        """
    }
    private static let ca = "caCertificateRefs: [{group: \"\", kind: ConfigMap, name: ca}]"

    private func ancestor(_ world: GatewayWorld, _ name: String = "p") throws -> [String] {
        let ancestors = try world.status("BackendTLSPolicy", "infra", name)["ancestors"]?.arrayValue ?? []
        #expect(ancestors.first?["ancestorRef"]?["name"] == "gw")
        return GatewayWorld.conditions(try #require(ancestors.first))
    }

    private func upstream(_ world: GatewayWorld, service: String = "a", port: Int = 8080) -> UpstreamTLS? {
        world.gateway().clusters["outbound|\(port)||\(service).infra.svc.cluster.local"]?.tls
    }

    @Test func aBackendIsSpokenToInTLS() throws {
        let world = try GatewayWorld(
            [Self.route, GatewayListenerTests.authority("ca"), Self.policy(Self.ca)].joined(separator: "\n---\n"))
        let tls = try #require(upstream(world))
        #expect(tls.sni == "a.internal")
        #expect(tls.common.validation?.name == "configmap://infra/ca-cacert")
        #expect(tls.common.subjectAltNames == [SubjectAltNameMatcher(.dns, StringMatcher(.exact("a.internal")))])
        #expect(world.gateway().clusters["outbound|8080||b.infra.svc.cluster.local"]?.tls == nil)
        #expect(try ancestor(world) == ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"])
        // It is so for every client of the Service (golden pair backend-tls-mesh).
        let sidecar = world.sidecar().clusters["outbound|8080||a.infra.svc.cluster.local"]
        #expect(sidecar?.tls?.sni == "a.internal" && sidecar?.transportSocketMatches == [])
    }

    @Test func otherNamesMayStandInTheCertificate() throws {
        let world = try GatewayWorld(
            [
                Self.route, GatewayListenerTests.authority("ca"),
                Self.policy(
                    Self.ca
                        + ", subjectAltNames: [{type: URI, uri: \"spiffe://x/y\"}, {type: Hostname, hostname: \"*.b.org\"}]"
                ),
            ].joined(separator: "\n---\n"))
        #expect(
            upstream(world)?.common.subjectAltNames == [
                SubjectAltNameMatcher(.uri, StringMatcher(.exact("spiffe://x/y"))),
                SubjectAltNameMatcher(.dns, StringMatcher(.suffix(".b.org"))),
            ])
    }

    @Test func theSystemsAuthoritiesAreTrusted() throws {
        let world = try GatewayWorld(Self.route + "\n---\n" + Self.policy("wellKnownCACertificates: System"))
        guard case .inline(.validationFrom(let source, _, _))? = upstream(world)?.common.validation?.source else {
            Issue.record("no authority")
            return
        }
        #expect(source == .file("/etc/ssl/certs/ca-certificates.crt"))
    }

    @Test(arguments: [
        ("caCertificateRefs: [{group: \"\", kind: ConfigMap, name: nix}]", "InvalidCACertificateRef"),
        ("caCertificateRefs: [{group: \"\", kind: ConfigMap, name: bad}]", "InvalidCACertificateRef"),
        ("caCertificateRefs: [{group: x.io, kind: Vault, name: ca}]", "InvalidKind"),
    ])
    func aPolicyWithoutAnAuthorityLetsNothingThrough(_ validation: String, _ reason: String) throws {
        let world = try GatewayWorld(
            [Self.route, GatewayListenerTests.authority("bad", text: "nonsense"), Self.policy(validation)].joined(
                separator: "\n---\n"))
        #expect(try ancestor(world) == ["Accepted=False/NoValidCACertificate", "ResolvedRefs=False/\(reason)"])
        let assignment = try #require(world.gateway().endpoints["outbound|8080||a.infra.svc.cluster.local"])
        #expect(assignment.emptyReason?.contains("BackendTLSPolicy infra/p") == true)
    }

    @Test func theOlderPolicyWinsAndOneForAPortComesFirst() throws {
        let world = try GatewayWorld(
            [
                GatewayWorld.route(rules: "[{backendRefs: [{name: protocols, port: 1}, {name: protocols, port: 5}]}]"),
                GatewayListenerTests.authority("ca"),
                Self.policy(name: "young", created: "2026-03-01T00:00:00Z", target: "name: protocols", Self.ca),
                Self.policy(name: "old", created: "2026-01-01T00:00:00Z", target: "name: protocols", Self.ca),
                Self.policy(
                    name: "port", created: "2026-02-01T00:00:00Z", target: "name: protocols, sectionName: h2c",
                    "wellKnownCACertificates: System"),
            ].joined(separator: "\n---\n"))
        #expect(try ancestor(world, "young")[0] == "Accepted=False/Conflicted")
        #expect(try ancestor(world, "old")[0] == "Accepted=True/Accepted")
        #expect(upstream(world, service: "protocols", port: 1)?.common.validation?.name == "trusted_ca")
        #expect(upstream(world, service: "protocols", port: 1)?.common.alpnProtocols == ["h2"])
        #expect(
            upstream(world, service: "protocols", port: 5)?.common.validation?.name == "configmap://infra/ca-cacert")
    }

    /// A policy that an older one leaves some targets holds for those.
    @Test func aPolicyKeepsTheTargetsThatNobodyHas() throws {
        let world = try GatewayWorld(
            [
                GatewayWorld.route(rules: "[{backendRefs: [{name: a, port: 8080}, {name: b, port: 8080}]}]"),
                GatewayListenerTests.authority("ca"),
                Self.policy(name: "old", created: "2026-01-01T00:00:00Z", Self.ca),
                Self.policy(
                    name: "young", created: "2026-03-01T00:00:00Z",
                    target: "name: a}, {group: \"\", kind: Service, name: b", "wellKnownCACertificates: System"),
            ].joined(separator: "\n---\n"))
        #expect(upstream(world)?.common.validation?.name == "configmap://infra/ca-cacert")
        #expect(upstream(world, service: "b")?.common.validation?.name == "trusted_ca")
        #expect(try ancestor(world, "young")[0] == "Accepted=True/Accepted")
        let status = try world.status("BackendTLSPolicy", "infra", "young")
        let message = status["ancestors"]?[0]?["conditions"]?[0]?["message"]?.stringValue ?? ""
        #expect(message.contains("BackendTLSPolicy infra/old, which is older, has Service a already"))
    }

    private static let entry = """
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {name: pay, namespace: infra}
        spec:
          hosts: [api.pay.example, www.pay.example]
          resolution: DNS
          ports: [{number: 443, name: https, protocol: HTTP}, {number: 80, name: http, protocol: HTTP}]
        """

    private static func entryPolicy(_ section: String = "", validation: String = ca) -> String {
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: BackendTLSPolicy
        metadata: {name: p, namespace: infra}
        spec:
          targetRefs: [{group: networking.istio.io, kind: ServiceEntry, name: pay\(section)}]
          validation: {hostname: pay.internal, \(validation)}
        """
    }

    /// Services outside of the cluster are spoken to in TLS as well, at every host of the entry, or at a port.
    @Test(arguments: [("", true), (", sectionName: https", false)])
    func aServiceEntryIsSpokenToInTLS(_ section: String, _ isWhole: Bool) throws {
        let world = try GatewayWorld(
            [
                Self.entry, GatewayListenerTests.authority("ca"), Self.entryPolicy(section),
                GatewayWorld.route(
                    rules:
                        "[{backendRefs: [{group: networking.istio.io, kind: Hostname, name: api.pay.example, port: 443}]}]"
                ),
            ].joined(separator: "\n---\n"))
        for configuration in [world.gateway(), world.sidecar()] {
            for host in ["api.pay.example", "www.pay.example"] {
                let tls = try #require(configuration.clusters["outbound|443||\(host)"]?.tls)
                #expect(tls.sni == "pay.internal")
                #expect(tls.common.validation?.name == "configmap://infra/ca-cacert")
                #expect((configuration.clusters["outbound|80||\(host)"]?.tls != nil) == isWhole)
            }
            #expect(configuration.secrets["configmap://infra/ca-cacert"] != nil)
        }
        #expect(try ancestor(world) == ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"])
    }

    @Test func aServiceEntryWithoutAnAuthorityIsNotAsked() throws {
        let world = try GatewayWorld(Self.entry + "\n---\n" + Self.entryPolicy())
        let cluster = try #require(world.sidecar().clusters["outbound|443||api.pay.example"])
        #expect(cluster.discovery == .eds(serviceName: ""))
        #expect(world.sidecar().endpoints[cluster.name]?.localities.isEmpty == true)
    }

    /// Where no Gateway sends anything to its targets, a policy answers for these.
    @Test(arguments: [
        ("name: a", "Service", "Accepted=True/Accepted"), ("name: nobody", "Service", "Accepted=False/TargetNotFound"),
        ("name: a, sectionName: nix", "Service", "Accepted=False/TargetNotFound"),
        ("name: x}, {group: x.io, kind: Vault, name: y", "Service", "Accepted=False/TargetNotFound"),
        ("name: a}, {group: x.io, kind: Vault, name: y", "Service", "Accepted=True/Accepted"),
    ])
    func aPolicyOfTheMeshAnswersForItsTargets(_ target: String, _ kind: String, _ accepted: String) throws {
        let world = try GatewayWorld(
            GatewayListenerTests.authority("ca") + "\n---\n" + Self.policy(target: target, Self.ca), listeners: nil)
        let ancestors = try world.status("BackendTLSPolicy", "infra", "p")["ancestors"]?.arrayValue ?? []
        let first = try #require(ancestors.first)
        #expect(first["controllerName"] == "istio.io/mesh-controller")
        #expect(first[path: "ancestorRef", "kind"]?.stringValue == kind)
        #expect(first[path: "ancestorRef", "namespace"] == "infra")
        #expect(GatewayWorld.conditions(first) == [accepted, "ResolvedRefs=True/ResolvedRefs"])
    }

    @Test func theGatewayShowsItsCertificate() throws {
        let objects = [
            Self.route, GatewayListenerTests.authority("ca"), Self.policy(Self.ca),
            GatewayListenerTests.secret("client"),
        ].joined(separator: "\n---\n")
        let good = try GatewayWorld(objects, more: "tls: {backend: {clientCertificateRef: {name: client}}}")
        #expect(upstream(good)?.common.certificates.map(\.name) == ["kubernetes-gateway://infra/client"])
        #expect(good.gateway().secrets["kubernetes-gateway://infra/client"] != nil)
        #expect(GatewayWorld.conditions(try good.gatewayStatus())[2] == "ResolvedRefs=True/ResolvedRefs")
        for (reference, reason) in [
            ("{name: nix}", "InvalidClientCertificateRef"), ("{name: x, namespace: apps}", "RefNotPermitted"),
        ] {
            let bad = try GatewayWorld(objects, more: "tls: {backend: {clientCertificateRef: \(reference)}}")
            #expect(GatewayWorld.conditions(try bad.gatewayStatus())[2] == "ResolvedRefs=False/\(reason)")
        }
    }
}
