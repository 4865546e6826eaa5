import Testing
import WeftCore
import WeftIR
import WeftTranslate

/// Istio's semantics at the edges, for DestinationRules.
struct DestinationRuleEdgeTests {
    private static let web = "outbound|80||web.dev.svc.cluster.local"
    private static let foreign = "outbound|80||web.other.svc.cluster.local"

    private func rule(
        _ name: String, namespace: String = "dev", created: String = "", host: String, _ balancer: String,
        _ more: String = ""
    ) -> String {
        istio(
            "DestinationRule", name, namespace: namespace, created: created,
            "{host: '\(host)', trafficPolicy: {loadBalancer: {simple: \(balancer)}}\(more)}")
    }

    @Test func ofTwoRulesForAHostTheOldestPolicyWinsAndSubsetsUnite() throws {
        let mesh = try TrafficMesh(
            rule("a", created: "2026-02-02T00:00:00Z", host: "web", "RANDOM", ", subsets: [{name: new}]")
                + rule(
                    "z", created: "2026-01-01T00:00:00Z", host: "web.dev.svc.cluster.local", "ROUND_ROBIN",
                    ", subsets: [{name: old}]"))
        let clusters = mesh.configuration.clusters
        #expect(clusters[Self.web]?.loadBalancer == .roundRobin)
        #expect(clusters["outbound|80|old|web.dev.svc.cluster.local"]?.loadBalancer == .roundRobin)
        #expect(clusters["outbound|80|new|web.dev.svc.cluster.local"]?.loadBalancer == .roundRobin)
    }

    @Test func theClientsRuleThenTheServicesThenTheRoots() throws {
        let host = "web.other.svc.cluster.local"
        let (client, service, root) = (
            rule("r", host: host, "RANDOM"), rule("r", namespace: "other", host: host, "ROUND_ROBIN"),
            rule("r", namespace: "istio-system", host: host, "LEAST_REQUEST", ", subsets: [{name: root}]")
        )
        func balancer(_ yaml: String) throws -> Cluster.LoadBalancer? {
            try TrafficMesh(yaml).configuration.clusters[Self.foreign]?.loadBalancer
        }
        #expect(try balancer(client + service + root) == .random)
        #expect(try balancer(service + root) == .roundRobin)
        let only = try TrafficMesh(root).configuration.clusters
        #expect(only["outbound|80|root|web.other.svc.cluster.local"] != nil)
    }

    @Test func aRuleThatIsNotExportedIsForItsOwnNamespace() throws {
        let host = "web.other.svc.cluster.local"
        func balancer(_ exportTo: String) throws -> Cluster.LoadBalancer? {
            try TrafficMesh(rule("r", namespace: "other", host: host, "RANDOM", ", exportTo: ['\(exportTo)']"))
                .configuration.clusters[Self.foreign]?.loadBalancer
        }
        #expect(try balancer("*") == .random)
        #expect(try balancer("dev") == .random)
        #expect(try balancer(".") == .leastRequest(choiceCount: 2))
        #expect(try balancer("elsewhere") == .leastRequest(choiceCount: 2))
    }

    @Test func theLongestWildcardWinsAndNothingIsMixed() throws {
        let mesh = try TrafficMesh(
            rule("a", host: "*.svc.cluster.local", "RANDOM") + rule("b", host: "*.dev.svc.cluster.local", "ROUND_ROBIN")
                + istio(
                    "DestinationRule", "c", "{host: two, trafficPolicy: {connectionPool: {tcp: {maxConnections: 3}}}}"))
        let clusters = mesh.configuration.clusters
        #expect(clusters[Self.web]?.loadBalancer == .roundRobin)
        #expect(clusters[Self.foreign]?.loadBalancer == .random)
        let two = clusters["outbound|80||two.dev.svc.cluster.local"]
        #expect(two?.loadBalancer == .leastRequest(choiceCount: 2))
        #expect(two?.circuitBreakers.maxConnections == 3)
    }

    @Test func aRuleForSomeClientsComesFirstAndOnlyForThem() throws {
        let yaml =
            rule("all", created: "2020-01-01T00:00:00Z", host: "web", "RANDOM")
            + rule("some", host: "web", "ROUND_ROBIN", ", workloadSelector: {matchLabels: {app: me}}")
        #expect(try TrafficMesh(yaml).configuration.clusters[Self.web]?.loadBalancer == .random)
        #expect(
            try TrafficMesh(yaml, labels: ["app": "me"]).configuration.clusters[Self.web]?.loadBalancer == .roundRobin)
    }

    @Test func aPortsEntryReplacesEverythingAndOtherPortsKeepTheRule() throws {
        let mesh = try TrafficMesh(
            istio(
                "DestinationRule", "d",
                "{host: two, trafficPolicy: {loadBalancer: {simple: RANDOM}, connectionPool: {tcp: {maxConnections: 5}}, portLevelSettings: [{port: {number: 8080}, connectionPool: {http: {maxRetries: 2}}}]}}"
            ))
        let clusters = mesh.configuration.clusters
        let plain = clusters["outbound|80||two.dev.svc.cluster.local"]
        let own = clusters["outbound|8080||two.dev.svc.cluster.local"]
        #expect(plain?.loadBalancer == .random)
        #expect(plain?.circuitBreakers.maxConnections == 5)
        #expect(own?.loadBalancer == .leastRequest(choiceCount: 2))
        #expect(own?.circuitBreakers.maxConnections == .max)
        #expect(own?.circuitBreakers.maxRetries == 2)
    }

    @Test func aMissingSecretLeavesNoWayInPlainText() throws {
        let mesh = try TrafficMesh(
            istio(
                "DestinationRule", "d",
                "{host: web, workloadSelector: {matchLabels: {app: me}}, trafficPolicy: {tls: {mode: MUTUAL, credentialName: gone}}}"
            ), labels: ["app": "me"])
        #expect(mesh.configuration.endpoints[Self.web]?.localities == [])
        #expect(mesh.reason(Self.web)?.contains("gone") == true)
        #expect(mesh.diagnostics.map(\.code) == ["IST0101"])
    }

    @Test func originatedTLSVerifiesTheServer() throws {
        let mesh = try TrafficMesh(
            istio("DestinationRule", "d", "{host: web, trafficPolicy: {tls: {mode: SIMPLE}}}")
                + istio(
                    "DestinationRule", "e",
                    "{host: two, trafficPolicy: {tls: {mode: SIMPLE, insecureSkipVerify: true}}}"))
        let tls = mesh.configuration.clusters[Self.web]?.tls
        #expect(tls?.common.validation != nil)
        #expect(tls?.common.subjectAltNames == [SubjectAltNameMatcher(exact: "web.dev.svc.cluster.local")])
        let blind = mesh.configuration.clusters["outbound|80||two.dev.svc.cluster.local"]?.tls
        #expect(blind?.common.validation == nil)
        #expect(blind?.common.subjectAltNames.isEmpty == true)
    }

    /// Each destination says what is hashed; a client's address also chooses among endpoints of plain connections.
    @Test func whatIsHashedReachesRoutesAndConnections() throws {
        let mesh = try TrafficMesh(
            istio(
                "DestinationRule", "d",
                "{host: web, trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: X-User}}}}")
                + istio(
                    "DestinationRule", "e",
                    "{host: db, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true}}}}"))
        guard
            case .forward(let action)? = mesh.configuration.routes["80"]?.virtualHosts.first(where: {
                $0.name.hasPrefix("web.dev")
            })?.routes.first?.action
        else {
            Issue.record("web.dev has no route")
            return
        }
        #expect(action.hashPolicies == [.header("x-user", terminal: false)])
        #expect(action.retryPolicy?.avoidPreviousHosts == false)
        let chain = mesh.configuration.listeners["10.96.0.6_5432"]?.filterChains.first
        guard case .tcpProxy(let proxy)? = chain?.filters.last else {
            Issue.record("db has no chain")
            return
        }
        #expect(proxy.hashesSource)
    }

    @Test(arguments: [
        ("", "db.example.com", "db.example.com:99", false), ("protocol: POST, ", "fd00::1", "[fd00::1]:99", true),
    ])
    func plainConnectionsGoThroughATunnel(kind: String, host: String, name: String, post: Bool) throws {
        let mesh = try TrafficMesh(
            istio(
                "DestinationRule", "d",
                "{host: db, trafficPolicy: {tunnel: {\(kind)targetHost: '\(host)', targetPort: 99}}}"))
        let chain = mesh.configuration.listeners["10.96.0.6_5432"]?.filterChains.first
        guard case .tcpProxy(let proxy)? = chain?.filters.last else {
            Issue.record("db has no chain")
            return
        }
        #expect(proxy.tunnel?.hostname == name)
        #expect(proxy.tunnel?.usesPost == post)
    }
}
