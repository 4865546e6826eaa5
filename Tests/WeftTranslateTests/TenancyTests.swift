import Testing
import WeftConfig
import WeftCore
import WeftIR
import WeftTranslate

/// What one namespace may do to another one.
@Suite struct TenancyTests {
    private func configuration(
        _ yaml: String, mesh: String = "{}", proxy: ProxyIdentity
    ) throws -> (ProxyConfiguration, [Diagnostic]) {
        let objects = try ManifestReader.objects(in: yaml).map(\.object)
        let config: MeshConfig = try YAMLReader.value(in: mesh).decode()
        return Translator(MeshSnapshot(objects: objects, meshConfig: config)).configuration(for: proxy)
    }

    private static let service = """
        {apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {clusterIP: 10.96.0.9, ports: [{name: http, port: 80}]}}
        ---

        """

    private func rule(_ namespace: String, _ host: String, gateways: String = "[mesh]") -> String {
        """
        {apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: r, namespace: \(namespace)},
         spec: {hosts: ["\(host)"], gateways: \(gateways), http: [{name: from-\(namespace), route: [{destination: {host: web.shop.svc.cluster.local}}]}]}}
        ---

        """
    }

    private func client(_ namespace: String) -> ProxyIdentity {
        ProxyIdentity(kind: .sidecar, address: "10.244.0.2", podName: "c", namespace: namespace)
    }

    private func routes(_ result: (ProxyConfiguration, [Diagnostic])) -> [String] {
        result.0.routes["80"]?.virtualHosts.first { $0.name.hasPrefix("web.shop") }?.routes.map(\.name) ?? []
    }

    // MARK: - Hosts

    @Test func hostsHaveOwnersWhenTheMeshSaysSo() throws {
        let strict = "{hostOwnership: {mode: STRICT}}"
        let yaml = Self.service + rule("thief", "web.shop.svc.cluster.local")
        // As in Istio, anybody's rule counts.
        #expect(try routes(configuration(yaml, proxy: client("shop"))) == ["from-thief"])
        let result = try configuration(yaml, mesh: strict, proxy: client("shop"))
        #expect(routes(result) == ["default"])
        let finding = try #require(result.1.first { $0.code == "WEFT0002" })
        #expect(finding.path == "spec.hosts[0]")
        #expect(finding.message.contains("namespace thief may not route host web.shop.svc.cluster.local"))
        // Its own requests are its own affair, and the owner's rule counts for everybody.
        #expect(try routes(configuration(yaml, mesh: strict, proxy: client("thief"))) == ["from-thief"])
        let own = Self.service + rule("shop", "web")
        #expect(try routes(configuration(own, mesh: strict, proxy: client("other"))) == ["from-shop"])
        let root = Self.service + rule("istio-system", "web.shop.svc.cluster.local")
        #expect(try routes(configuration(root, mesh: strict, proxy: client("other"))) == ["from-istio-system"])
        let named =
            "{hostOwnership: {mode: STRICT, owners: [{host: '*.shop.svc.cluster.local', namespaces: [thief]}]}}"
        #expect(try routes(configuration(yaml, mesh: named, proxy: client("shop"))) == ["from-thief"])
    }

    @Test(arguments: [
        ("*", "{hostOwnership: {mode: STRICT}}", false), ("shop", "{hostOwnership: {mode: STRICT}}", true),
        ("*", "{}", true),
        (
            "*",
            "{hostOwnership: {mode: STRICT, owners: [{host: '*', namespaces: [a]}, {host: shop.example, namespaces: [shop]}]}}",
            true
        ),
        ("*", "{hostOwnership: {mode: STRICT, owners: [{host: shop.example, namespaces: [other]}]}}", false),
    ]) func publicHostsNeedAnOwner(_ namespace: String, _ mesh: String, _ allowed: Bool) throws {
        let yaml =
            Self.service + rule("shop", "shop.example", gateways: "[istio-system/edge]")
                + """
                {apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: edge, namespace: istio-system},
                 spec: {selector: {istio: gw}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["\(namespace)/shop.example"]}]}}
                """
        let gateway = ProxyIdentity(
            kind: .router, address: "10.244.0.3", podName: "g", namespace: "istio-system", labels: ["istio": "gw"])
        let (configuration, _) = try configuration(yaml, mesh: mesh, proxy: gateway)
        let names = configuration.routes["http.80"]?.virtualHosts.flatMap(\.routes).map(\.name) ?? []
        #expect(names == (allowed ? ["from-shop"] : []))
    }

    // MARK: - Secrets

    /// Who says he is the gateway, and whether he gets its key.
    @Test(
        arguments: [
            ("edge-1", "edge", true), ("edge-1", "web", false), ("no-such-pod", "edge", false), ("edge-1", nil, true),
        ] as [(String, String?, Bool)])
    func onlyTheGatewaysAccountGetsItsSecrets(_ pod: String, _ account: String?, _ gets: Bool) throws {
        let yaml = """
            {apiVersion: v1, kind: Pod, metadata: {name: edge-1, namespace: edge, labels: {istio: gw}}, spec: {serviceAccountName: edge}, status: {phase: Running, podIP: 10.244.0.3}}
            ---
            {apiVersion: v1, kind: Secret, metadata: {name: cert, namespace: edge}, data: {tls.crt: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tIG93bg==, tls.key: LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t}}
            ---
            {apiVersion: v1, kind: Secret, metadata: {name: cert, namespace: other}, data: {tls.crt: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tIGZvcmVpZ24=, tls.key: LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t}}
            ---
            {apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: g, namespace: edge},
             spec: {selector: {istio: gw}, servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: ["*"], tls: {mode: SIMPLE, credentialName: cert}}]}}
            """
        var proxy = ProxyIdentity(
            kind: .router, address: "10.244.0.3", podName: pod, namespace: "edge", labels: ["istio": "gw"],
            serviceAccount: account ?? "edge")
        proxy.provenAccount = account
        let (configuration, findings) = try configuration(yaml, proxy: proxy)
        #expect(configuration.secrets.keys.sorted() == (gets ? ["kubernetes://cert"] : []))
        #expect(findings.contains { $0.message.contains("is not given to") } == !gets)
        // Another namespace's Secret of the same name is out of reach for every gateway here.
        if case .certificate(let chain, _)? = configuration.secrets["kubernetes://cert"]?.content {
            #expect(chain.hasSuffix("own"))
        }
    }
}
