import Testing
import WeftADS
import WeftCore
import WeftIR
import WeftIdentity

@testable import WeftProxy

@Suite struct AgentSettingsTests {
    @Test func environmentBecomesTheNode() {
        let settings = AgentSettings(
            role: .sidecar,
            environment: [
                "POD_NAME": "a-1", "POD_NAMESPACE": "dev", "INSTANCE_IP": "10.1.2.3", "SERVICE_ACCOUNT": "web",
                "TRUST_DOMAIN": "mesh.test", "CA_ADDR": "ca.test:1234", "ISTIO_META_WORKLOAD_NAME": "a",
                "PROXY_CONFIG": #"{"concurrency": 9}"#, "WEFT_LISTEN_FDS": "8080=5,x=1,8443=6,9=0",
            ])
        #expect(settings.node.id == "sidecar~10.1.2.3~a-1.dev~dev.svc.cluster.local")
        #expect(settings.node.metadata["WORKLOAD_NAME"] == "a")
        #expect(settings.identity?.uri == "spiffe://mesh.test/ns/dev/sa/web")
        #expect(settings.authority == HostAndPort("ca.test:1234", defaultPort: 1))
        #expect(settings.discovery.description == "istiod.istio-system.svc:15012")
        #expect(settings.inherited == [8080: 5, 8443: 6])
        #expect(settings.concurrency == 2)
    }

    @Test(arguments: [
        (["app": "web"], [:], ["web", "latest", "service.name=web.dev"]),
        ([:], [:], ["unknown", "latest", "service.name=istio-proxy.dev"]),
        (
            ["app": "web", "service.istio.io/canonical-name": "shop", "service.istio.io/canonical-revision": "v2"],
            ["OTEL_RESOURCE_ATTRIBUTES": "team=a"], ["shop", "v2", "team=a,service.name=shop.dev"]
        ),
        (
            ["app": "web"], ["OTEL_RESOURCE_ATTRIBUTES": "service.name=own", "CANONICAL_SERVICE": "mine"],
            ["mine", "latest", "service.name=own"]
        ),
    ])
    func canonicalNamesAreInTheEnvironment(
        _ labels: [String: String], _ environment: [String: String], _ expected: [String]
    ) {
        let description = NodeDescription(
            role: .sidecar, environment: environment, namespace: "dev", account: "web", address: "10.1.2.3",
            proxyConfig: .object([:]), labels: labels, annotations: [:])
        #expect(description.node.metadata["CANONICAL_NAMES"] == "true")
        let names = ["CANONICAL_SERVICE", "CANONICAL_REVISION", "OTEL_RESOURCE_ATTRIBUTES"]
        #expect(names.map { description.canonicalEnvironment[$0] } == expected)
    }

    @Test func oneWorkerUnlessAskedFor() {
        #expect(AgentSettings(role: .router, environment: [:]).concurrency == 1)
    }

    @Test func downwardFilesAreRead() {
        #expect(DownwardAPIFile.parse("app=\"x\"\nnote=\"a\\\"b\"\nbad\n") == ["app": "x", "note": "a\"b"])
    }

    @Test(arguments: [("24h0m0s", 86_400 as Int64?), ("90s", 90), ("1m30s", 90), ("", nil), ("5", nil), ("3d", nil)])
    func durations(_ text: String, _ seconds: Int64?) { #expect(GoDuration.seconds(text) == seconds) }
}

@Suite struct ConfigurationWarmingTests {
    private func configuration(route: String) -> ProxyConfiguration {
        let manager = HTTPConnectionManager(statPrefix: "s", routes: .rds(route), filters: [])
        var listener = Listener(name: "l", address: .ip("0.0.0.0", port: 80))
        listener.filterChains = [FilterChain(name: "c", filters: [.httpConnectionManager(manager)])]
        var result = ProxyConfiguration()
        result.listeners["l"] = listener
        return result
    }

    @Test func aListenerWaitsForItsRoutesAndKeepsTheOldOnes() {
        var warming = ConfigurationWarming()
        var first = configuration(route: "r1")
        #expect(warming.serve(first, isPatient: true).configuration.listeners.isEmpty)
        #expect(!warming.hasServed)
        first.routes["r1"] = RouteConfiguration(name: "r1", virtualHosts: [])
        #expect(!warming.serve(first, isPatient: true).isWaiting)
        let next = configuration(route: "r2")
        let held = warming.serve(next, isPatient: true)
        #expect(held.isWaiting)
        #expect(held.configuration.listeners == first.listeners)
        #expect(held.configuration.routes["r1"] != nil)
        #expect(warming.serve(next, isPatient: false).configuration.listeners == next.listeners)
    }

    /// A route to a new subset is not served before the subset's endpoints, and what went before is served whole.
    @Test func routesWaitForTheEndpointsOfNewClusters() {
        func cluster(_ name: String) -> Cluster { Cluster(name: name, discovery: .eds(serviceName: "")) }
        var warming = ConfigurationWarming()
        var old = configuration(route: "r")
        old.routes["r"] = RouteConfiguration(name: "r", virtualHosts: [])
        old.clusters["v1"] = cluster("v1")
        old.endpoints["v1"] = ClusterLoadAssignment(clusterName: "v1")
        #expect(!warming.serve(old, isPatient: true).isWaiting)
        var new = configuration(route: "r")
        new.routes["r"] = RouteConfiguration(
            name: "r", virtualHosts: [VirtualHost(name: "h", domains: ["*"], routes: [])])
        new.clusters["v2"] = cluster("v2")
        for _ in 0..<2 {
            let held = warming.serve(new, isPatient: true)
            #expect(held.isWaiting)
            #expect(held.configuration.routes == old.routes)
            #expect(held.configuration.clusters["v1"] != nil && held.configuration.endpoints["v1"] != nil)
            #expect(held.configuration.clusters["v2"] == nil)
        }
        new.endpoints["v2"] = ClusterLoadAssignment(clusterName: "v2")
        let whole = warming.serve(new, isPatient: true)
        #expect(!whole.isWaiting && whole.configuration == new)
    }

    /// A scope is not served before the route table that it names; those that were there are served meanwhile.
    @Test func scopesWaitForTheirRoutes() {
        var warming = ConfigurationWarming()
        var wanted = configuration(route: "unused")
        let scoped = ScopedRoutes(name: "s", key: [.init(header: "x-scope")])
        let manager = HTTPConnectionManager(statPrefix: "s", routes: .scoped(scoped), filters: [])
        wanted.listeners["l"]?.filterChains[0].filters = [.httpConnectionManager(manager)]
        #expect(warming.serve(wanted, isPatient: true).isWaiting)
        wanted.scopes["a"] = RouteScope(name: "a", key: ["a"], table: .rds("ra"))
        #expect(warming.serve(wanted, isPatient: true).isWaiting)
        wanted.routes["ra"] = RouteConfiguration(name: "ra", virtualHosts: [])
        #expect(warming.serve(wanted, isPatient: true).configuration == wanted)
        var next = wanted
        next.scopes["a"]?.table = .rds("rb")
        next.routes = [:]
        let held = warming.serve(next, isPatient: true)
        #expect(held.isWaiting && held.configuration.scopes == wanted.scopes)
        #expect(held.configuration.routes["ra"] != nil)
        next.routes["rb"] = RouteConfiguration(name: "rb", virtualHosts: [])
        #expect(warming.serve(next, isPatient: true).configuration == next)
    }

    @Test func theFirstListenersWaitForEndpoints() {
        var warming = ConfigurationWarming()
        var all = ProxyConfiguration()
        all.clusters["c"] = Cluster(name: "c", discovery: .eds(serviceName: ""))
        all.listeners["l"] = Listener(name: "l", address: .ip("0.0.0.0", port: 80))
        #expect(warming.serve(all, isPatient: true).configuration.listeners.isEmpty)
        all.endpoints["c"] = ClusterLoadAssignment(clusterName: "c")
        #expect(warming.serve(all, isPatient: true).configuration.listeners.count == 1)
    }
}
