import Testing
import WeftConfig
import WeftIR
import WeftTranslate

/// Trust that is withdrawn from a workload: servers refuse it, clients do not take it for a server.
@Suite struct RevokedIdentitiesTests {
    private static let client = "spiffe://cluster.local/ns/dev/sa/client"

    private func mesh(_ identities: String...) -> MeshConfig {
        var mesh = MeshConfig()
        mesh.revokedIdentities = identities
        mesh.trustDomainAliases = ["old.example"]
        return mesh
    }

    @Test func serversRefuseTheRevokedAndNobodyElse() throws {
        // An ALLOW policy does not bring it back.
        let allow = SecurityMesh.authorization("{action: ALLOW, rules: [{from: [{source: {principals: ['*']}}]}]}")
        let web = try SecurityMesh(allow, mesh: mesh(Self.client))
        let refused = web.ask(Call(principal: Self.client))
        #expect(refused.status == 403 && refused.policy == "revoked-identities")
        #expect(web.ask(Call(principal: "spiffe://old.example/ns/dev/sa/client")).status == 403)
        #expect(!web.connects(principal: Self.client))
        for other in ["spiffe://cluster.local/ns/dev/sa/client2", "spiffe://cluster.local/ns/other/sa/client"] {
            #expect(web.ask(Call(principal: other)).status == 200, "\(other)")
            #expect(web.connects(principal: other), "\(other)")
        }
        #expect(try SecurityMesh(allow).ask(Call(principal: Self.client)).status == 200)
    }

    /// The names that a client of `web` accepts.
    private func names(_ mesh: MeshConfig) throws -> [String] {
        let objects = try ManifestReader.objects(
            in: """
                {apiVersion: v1, kind: Service, metadata: {name: web, namespace: dev}, spec: {clusterIP: 10.96.0.9, selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}}
                ---
                {apiVersion: v1, kind: Pod, metadata: {name: web-1, namespace: dev, labels: {app: web, security.istio.io/tlsMode: istio}}, spec: {serviceAccountName: web}, status: {phase: Running, podIP: 10.244.0.2}}
                ---
                {apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web-a, namespace: dev, labels: {kubernetes.io/service-name: web}}, ports: [{name: http, port: 8080}], endpoints: [{addresses: [10.244.0.2], conditions: {ready: true}, targetRef: {kind: Pod, name: web-1}}]}
                """
        ).map(\.object)
        let proxy = ProxyIdentity(kind: .sidecar, address: "10.244.0.3", podName: "client-1", namespace: "dev")
        let (configuration, _) = Translator(MeshSnapshot(objects: objects, meshConfig: mesh)).configuration(for: proxy)
        let cluster = try #require(configuration.clusters["outbound|80||web.dev.svc.cluster.local"])
        return try #require(cluster.transportSocketMatches.first?.tls).common.subjectAltNames.map { "\($0.matcher)" }
    }

    @Test func clientsDoNotTakeTheRevokedForTheirServer() throws {
        let before = try names(mesh())
        #expect(before.count == 2 && before.allSatisfy { $0.contains("/ns/dev/sa/web") }, "\(before)")
        let after = try names(mesh("spiffe://cluster.local/ns/dev/sa/web"))
        #expect(after.count == 1 && after[0].contains("spiffe://revoked.invalid/"), "\(after)")
        #expect(try names(mesh(Self.client)) == before)
    }

    @Test(arguments: [
        "ns/dev/sa/client", "spiffe://cluster.local/ns/dev/sa/*", "spiffe://cluster.local/ns/dev",
        "spiffe:///ns/a/sa/b", "",
    ])
    func whatNamesNobodyRevokesNobody(_ entry: String) throws {
        let revoked = RevokedIdentities(mesh(entry, Self.client))
        #expect(revoked.malformed == [0: entry])
        #expect(revoked.uris == [Self.client, "spiffe://old.example/ns/dev/sa/client"])
    }
}
