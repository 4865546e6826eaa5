import Testing
import WeftConfig
import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTranslate

/// What a gateway believes of those before it (`gatewayTopology`).
@Suite struct GatewayTopologyTests {
    private static let yaml = """
        {apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: g, namespace: edge},
         spec: {selector: {istio: gw}, servers: [
           {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]},
           {port: {number: 443, name: https, protocol: HTTPS}, hosts: [a.b], tls: {mode: SIMPLE, credentialName: cert}}]}}
        ---
        {apiVersion: v1, kind: Secret, metadata: {name: cert, namespace: edge}, data: {tls.crt: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tIG93bg==, tls.key: LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t}}
        ---
        {apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: istio}, spec: {controllerName: istio.io/gateway-controller}}
        ---
        {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: api, namespace: edge},
         spec: {gatewayClassName: istio, listeners: [{name: http, port: 8888, protocol: HTTP}]}}
        """

    private func configuration(
        _ metadata: String, mesh: String = "{}", kind: ProxyIdentity.Kind = .router, labels: [String: String]
    ) throws -> ProxyConfiguration {
        let config: MeshConfig = try YAMLReader.value(in: mesh).decode()
        let proxy = ProxyIdentity(
            kind: kind, address: "10.244.0.3", podName: "g", namespace: "edge", labels: labels,
            metadata: try YAMLReader.value(in: metadata))
        let objects = try ManifestReader.objects(in: Self.yaml).map(\.object)
        return Translator(MeshSnapshot(objects: objects, meshConfig: config)).configuration(for: proxy).0
    }

    private static let gateways = [["istio": "gw"], ["gateway.networking.k8s.io/gateway-name": "api"]]

    private func managers(
        _ metadata: String, mesh: String = "{}", kind: ProxyIdentity.Kind = .router
    ) throws -> [HTTPConnectionManager] {
        let made = try Self.gateways.flatMap {
            try configuration(metadata, mesh: mesh, kind: kind, labels: $0).listeners.values.flatMap(\.managers)
        }
        #expect(made.count >= 2)
        return made
    }

    private static func config(_ topology: String) -> String { "{PROXY_CONFIG: {gatewayTopology: \(topology)}}" }

    @Test func trustedProxiesComeFromThePodTheProxyAndTheMesh() throws {
        let mesh = "{defaultConfig: {gatewayTopology: {numTrustedProxies: 1}}}"
        let annotated =
            "{PROXY_CONFIG: {gatewayTopology: {numTrustedProxies: 2}}, ANNOTATIONS: {proxy.istio.io/config: '{gatewayTopology: {numTrustedProxies: 3}}'}}"
        for (metadata, mesh, hops) in [
            ("{}", "{}", 0), ("{}", mesh, 1), (Self.config("{numTrustedProxies: 2}"), mesh, 2), (annotated, mesh, 3),
            (Self.config("{numTrustedProxies: -1}"), "{}", 0), (Self.config("x"), "{}", 0),
            ("{ANNOTATIONS: {proxy.istio.io/config: '{'}}", mesh, 1),
        ] as [(String, String, UInt32)] {
            #expect(try managers(metadata, mesh: mesh).allSatisfy { $0.xffNumTrustedHops == hops }, "\(metadata)")
        }
        // A sidecar believes what the gateway has written.
        #expect(try managers("{}", mesh: mesh, kind: .sidecar).allSatisfy { $0.xffNumTrustedHops == 0 })
    }

    /// What `remoteIpBlocks` compare: the address that the outermost trusted proxy has seen.
    @Test func theClientIsTheOneBehindTheTrustedProxies() throws {
        for (hops, client) in [(0, nil), (1, "8.8.8.8"), (2, "9.9.9.9")] as [(Int, String?)] {
            let manager = try #require(try managers(Self.config("{numTrustedProxies: \(hops)}")).first)
            var head = RequestHead(
                .get, "/", authority: "a", headers: [("x-forwarded-for", "7.7.7.7, 9.9.9.9, 8.8.8.8")])
            let peer = CallerTrust.Peer(ip: "10.1.1.1", isTLS: false, localPort: 80, ownIP: "10.244.0.3")
            #expect(CallerTrust(manager).apply(to: &head, from: peer, internalOnly: []).client == client)
        }
    }

    @Test func certificatesOfCallersGoOnAsAsked() throws {
        for (mode, expected) in [
            ("SANITIZE", .sanitize), ("FORWARD_ONLY", .forwardOnly), ("APPEND_FORWARD", .appendForward),
            ("SANITIZE_SET", .sanitizeSet), ("ALWAYS_FORWARD_ONLY", .alwaysForwardOnly), ("UNDEFINED", .sanitizeSet),
        ] as [(String, HTTPConnectionManager.ForwardClientCert)] {
            let made = try managers(Self.config("{forwardClientCertDetails: \(mode)}"))
            #expect(made.allSatisfy { $0.forwardClientCert == expected }, "\(mode)")
        }
    }

    @Test func connectionsBeginWithAHeader() throws {
        for (topology, hasHeader) in [("{proxyProtocol: {}}", true), ("{numTrustedProxies: 1}", false)] {
            for labels in Self.gateways {
                let listeners = try configuration(Self.config(topology), labels: labels).listeners
                #expect(!listeners.isEmpty)
                for listener in listeners.values {
                    let isTLS = listener.filterChains.contains { $0.tls != nil }
                    let expected: [ListenerFilter] =
                        (hasHeader ? [.proxyProtocol(ProxyProtocolFilter())] : []) + (isTLS ? [.tlsInspector] : [])
                    #expect(listener.listenerFilters == expected, "\(listener.name)")
                }
            }
        }
    }
}
