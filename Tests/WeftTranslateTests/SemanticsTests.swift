import Testing
import WeftConfig
import WeftCore
import WeftIR
import WeftTranslate

/// A small mesh around one service, with more objects added as YAML.
private func configuration(
    _ yaml: String, proxy: String = "client.dev", labels: [String: String] = [:], mesh: MeshConfig = MeshConfig()
) throws -> ProxyConfiguration {
    let base = """
        {apiVersion: v1, kind: Service, metadata: {name: web, namespace: dev}, spec: {clusterIP: 10.96.0.9, ports: [{name: http, port: 80}]}}
        ---
        {apiVersion: v1, kind: Service, metadata: {name: web, namespace: other}, spec: {clusterIP: 10.96.0.8, ports: [{name: http, port: 80}]}}

        """
    let objects = try ManifestReader.objects(in: base + "---\n" + yaml).map(\.object)
    let namespace = String(proxy.split(separator: ".")[1])
    let identity = ProxyIdentity(
        kind: .sidecar, address: "10.244.0.2", podName: String(proxy.split(separator: ".")[0]), namespace: namespace,
        labels: labels)
    return Translator(MeshSnapshot(objects: objects, meshConfig: mesh)).configuration(for: identity).0
}

private func virtualService(_ name: String, created: String = "", namespace: String = "dev", _ spec: String) -> String {
    """
    {apiVersion: networking.istio.io/v1, kind: VirtualService,
     metadata: {name: \(name), namespace: \(namespace), creationTimestamp: "\(created)"}, spec: \(spec)}
    ---

    """
}

extension ProxyConfiguration {
    fileprivate func host(_ name: String, in table: String = "80") -> VirtualHost? {
        routes[table]?.virtualHosts.first { $0.name == name }
    }
}

extension Route {
    fileprivate var cluster: String? {
        guard case .forward(let action) = action, case .cluster(let name) = action.cluster else { return nil }
        return name
    }
}

@Test func theOldestVirtualServiceOfAHostWins() throws {
    let spec = "{hosts: [web], http: [{name: %, route: [{destination: {host: web}}]}]}"
    let configuration = try configuration(
        virtualService("a-new", created: "2026-02-02T00:00:00Z", spec.replacing("%", with: "new"))
            + virtualService("z-old", created: "2026-01-01T00:00:00Z", spec.replacing("%", with: "old")))
    #expect(configuration.host("web.dev.svc.cluster.local:80")?.routes.map(\.name) == ["old"])
}

@Test func shortNamesBelongToTheNamespaceOfTheRule() throws {
    let rule = virtualService(
        "v", namespace: "other", "{hosts: [web], http: [{name: x, route: [{destination: {host: web}}]}]}")
    let configuration = try configuration(rule)
    #expect(
        configuration.host("web.other.svc.cluster.local:80")?.routes.first?.cluster
            == "outbound|80||web.other.svc.cluster.local")
    #expect(configuration.host("web.dev.svc.cluster.local:80")?.routes.map(\.name) == ["default"])
}

@Test func onlyNeighboursUseTheBareName() throws {
    let domains = try configuration("").host("web.dev.svc.cluster.local:80")?.domains
    #expect(
        domains == [
            "web.dev.svc.cluster.local", "web.dev.svc.cluster.local:80", "web", "web:80", "web.dev.svc",
            "web.dev.svc:80", "web.dev", "web.dev:80",
            "10.96.0.9", "10.96.0.9:80",
        ])
    let all = try configuration("").routes["80"]?.virtualHosts.flatMap(\.domains) ?? []
    #expect(Set(all).count == all.count)
}

@Test func subsetBlocksReplaceTheRulesAndPortSettingsReplaceAll() throws {
    let rule = """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: web, namespace: dev}
        spec:
          host: web
          trafficPolicy:
            loadBalancer: {simple: RANDOM}
            connectionPool: {tcp: {maxConnections: 7}}
            portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: ROUND_ROBIN}}]
          subsets:
          - {name: a}
          - {name: b, trafficPolicy: {connectionPool: {tcp: {maxConnections: 9}}}}
        """
    let clusters = try configuration(rule).clusters
    let a = try #require(clusters["outbound|80|a|web.dev.svc.cluster.local"])
    #expect(a.loadBalancer == .roundRobin)
    #expect(a.circuitBreakers.maxConnections == .max)
    let b = try #require(clusters["outbound|80|b|web.dev.svc.cluster.local"])
    #expect(b.loadBalancer == .roundRobin)
    #expect(b.circuitBreakers.maxConnections == 9)
}

@Test func theClientsDestinationRuleComesBeforeTheServices() throws {
    func rule(_ namespace: String, _ balancer: String) -> String {
        "{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: r, namespace: \(namespace)}, spec: {host: web.other.svc.cluster.local, trafficPolicy: {loadBalancer: {simple: \(balancer)}}}}\n---\n"
    }
    let name = "outbound|80||web.other.svc.cluster.local"
    #expect(try configuration(rule("other", "RANDOM")).clusters[name]?.loadBalancer == .random)
    #expect(
        try configuration(rule("other", "RANDOM") + rule("dev", "ROUND_ROBIN")).clusters[name]?.loadBalancer
            == .roundRobin)
}

@Test func unknownDestinationsAnswerWithAReason() throws {
    let rule = virtualService(
        "v",
        "{hosts: [web], http: [{route: [{destination: {host: nowhere}, weight: 1}, {destination: {host: web, subset: v9}, weight: 1}, {destination: {host: web, port: {number: 81}}, weight: 1}]}]}"
    )
    let endpoints = try configuration(rule).endpoints
    #expect(
        endpoints["outbound|80||nowhere.dev.svc.cluster.local"]?.emptyReason?.contains("not a known service") == true)
    #expect(endpoints["outbound|80|v9|web.dev.svc.cluster.local"]?.emptyReason?.contains("no DestinationRule") == true)
    #expect(endpoints["outbound|81||web.dev.svc.cluster.local"]?.emptyReason?.contains("has no port 81") == true)
}

@Test func routesThatOnlyOthersMayUseAreLeftOut() throws {
    let rule = virtualService(
        "v",
        "{hosts: [web], http: [{name: mine, match: [{sourceLabels: {app: me}}], route: [{destination: {host: web}}]}, {name: rest, route: [{destination: {host: web}}]}]}"
    )
    #expect(try configuration(rule).host("web.dev.svc.cluster.local:80")?.routes.map(\.name) == ["rest"])
    #expect(
        try configuration(rule, labels: ["app": "me"]).host("web.dev.svc.cluster.local:80")?.routes.map(\.name) == [
            "mine"
        ])
}

@Test func virtualServicesOfGatewaysDoNotTouchTheMesh() throws {
    let rule = virtualService(
        "v", "{hosts: [web], gateways: [g], http: [{name: x, route: [{destination: {host: web}}]}]}")
    #expect(try configuration(rule).host("web.dev.svc.cluster.local:80")?.routes.map(\.name) == ["default"])
}

@Test func exportToHidesServicesAndRules() throws {
    let rule = virtualService(
        "v", namespace: "other",
        "{hosts: [web.dev.svc.cluster.local], exportTo: ['.'], http: [{name: x, route: [{destination: {host: web}}]}]}")
    #expect(try configuration(rule).host("web.dev.svc.cluster.local:80")?.routes.map(\.name) == ["default"])
}

@Test(
    arguments: [
        ("http", nil, 1, PortProtocol.http), ("http-web", nil, 1, .http), ("grpc-web-x", nil, 1, .grpcWeb),
        ("tcp-db", nil, 1, .tcp), ("web", nil, 1, .sniffed),
        (nil, nil, 80, .sniffed), (nil, nil, 3306, .tcp), ("http", "tcp", 1, .tcp),
        (nil, "kubernetes.io/h2c", 1, .http2), ("https", nil, 443, .https),
    ] as [(String?, String?, Int, PortProtocol)])
func tellsProtocolsByDeclaration(_ name: String?, _ appProtocol: String?, _ port: Int, _ expected: PortProtocol) {
    #expect(PortProtocol.declared(name: name, appProtocol: appProtocol, transport: "TCP", port: port) == expected)
}

@Test func aBrokenObjectIsLeftOutAndReported() throws {
    let objects = try ManifestReader.objects(in: virtualService("bad", "{hosts: web}")).map(\.object)
    let snapshot = MeshSnapshot(objects: objects)
    #expect(snapshot.virtualServices.isEmpty)
    #expect(snapshot.diagnostics.first?.path == "spec.hosts")
}

@Test func peerAuthenticationOfTheWorkloadBeatsNamespaceAndMesh() throws {
    func policy(_ namespace: String, _ spec: String) -> String {
        "{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: p\(spec.count), namespace: \(namespace)}, spec: \(spec)}\n---\n"
    }
    func plaintext(_ yaml: String) throws -> Bool {
        let chains = try configuration(yaml, labels: ["app": "me"]).listeners["virtualInbound"]?.filterChains ?? []
        return chains.contains { $0.tls == nil && $0.name.hasPrefix("virtualInbound-catchall") }
    }
    #expect(try plaintext(""))
    #expect(try !plaintext(policy("istio-system", "{mtls: {mode: STRICT}}")))
    #expect(
        try plaintext(policy("istio-system", "{mtls: {mode: STRICT}}") + policy("dev", "{mtls: {mode: PERMISSIVE}}")))
    #expect(
        try !plaintext(
            policy("dev", "{mtls: {mode: PERMISSIVE}}")
                + policy("dev", "{selector: {matchLabels: {app: me}}, mtls: {mode: STRICT}}")))
}

@Test func tcpPortsDropAllowRulesOnHTTP() throws {
    let policy = """
        {apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: a, namespace: dev},
         spec: {rules: [{to: [{operation: {methods: [GET]}}]}, {to: [{operation: {ports: ["6379"]}}]}]}}
        """
    let chains = try configuration(policy).listeners["virtualInbound"]?.filterChains ?? []
    let tcp = try #require(chains.last { $0.name == "virtualInbound" })
    guard case .rbac(let rules)? = tcp.filters.first else {
        Issue.record("no access rules on TCP")
        return
    }
    #expect(rules.policies.map(\.name) == ["ns[dev]-policy[a]-rule[1]"])
}

@Test func readsNodeIdentities() {
    let proxy = ProxyIdentity(
        nodeID: "sidecar~10.0.0.1~web-1.dev~dev.svc.cluster.local",
        metadata: ["LABELS": ["a": "b"], "SERVICE_ACCOUNT": "web"])
    #expect(proxy?.podName == "web-1")
    #expect(proxy?.namespace == "dev")
    #expect(proxy?.labels == ["a": "b"])
    #expect(ProxyIdentity(nodeID: "nonsense") == nil)
}

/// The proxy looks for the transport first and does not come back: a chain without conditions would never be tried.
@Test func everyTransportHasALastResortUnlessStrict() throws {
    let service = """
        {apiVersion: v1, kind: Service, metadata: {name: me, namespace: dev}, spec: {selector: {app: me}, ports: [
          {name: http, port: 1}, {name: tcp, port: 2}, {name: x, port: 3, targetPort: 33}]}}
        """
    let chains = try configuration(service, labels: ["app": "me"]).listeners["virtualInbound"]?.filterChains ?? []
    for port in [1, 2, 33, nil] as [UInt16?] {
        for transport in ["tls", "raw_buffer"] {
            #expect(
                chains.contains {
                    $0.match.destinationPort == port && $0.match.transportProtocol == transport
                        && $0.match.applicationProtocols.isEmpty && $0.tls == nil
                }, "port \(port ?? 0), \(transport)")
        }
    }
    #expect(Set(chains.map(\.match)).count == chains.count)
}

@Test func portModesCountForPortsOfNoService() throws {
    let policy = """
        {apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: p, namespace: dev},
         spec: {selector: {matchLabels: {app: me}}, mtls: {mode: STRICT}, portLevelMtls: {"9999": {mode: DISABLE}}}}
        """
    let chains = try configuration(policy, labels: ["app": "me"]).listeners["virtualInbound"]?.filterChains ?? []
    let open = chains.filter { $0.match.destinationPort == 9999 }
    #expect(!open.isEmpty)
    #expect(open.allSatisfy { $0.tls == nil })
    #expect(chains.filter { $0.match.destinationPort == nil }.allSatisfy { $0.tls != nil })
}

@Test func aSidecarHidesServicesButNotTheDestinationsOfRules() throws {
    let sidecar = """
        {apiVersion: networking.istio.io/v1, kind: Sidecar, metadata: {name: s, namespace: dev}, spec: {egress: [{hosts: ["./*"]}]}}
        ---

        """
    let foreign = "outbound|80||web.other.svc.cluster.local"
    #expect(try configuration("").clusters[foreign] != nil)
    #expect(try configuration(sidecar).clusters[foreign] == nil)
    let rule = virtualService(
        "v", "{hosts: [web], http: [{route: [{destination: {host: web.other.svc.cluster.local}}]}]}")
    let both = try configuration(sidecar + rule)
    #expect(both.clusters[foreign]?.services.first?.namespace == "other")
    #expect(both.host("web.other.svc.cluster.local:80") == nil)
}
