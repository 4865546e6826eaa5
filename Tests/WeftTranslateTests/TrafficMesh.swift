import Testing
import WeftConfig
import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTranslate

/// A small mesh, and what a proxy in it does with a request or a connection: the translated configuration goes through the
/// proxy's own matchers, so that tests are about behaviour.
struct TrafficMesh {
    let configuration: ProxyConfiguration
    let diagnostics: [Diagnostic]

    /// `web` in `dev` and in `other` (HTTP, port 80), `two` in `dev` (HTTP, ports 80 and 8080), `db` in `dev` (TCP 5432, TLS
    /// 5433), and the gateway's own Service.
    private static let base = """
        {apiVersion: v1, kind: Service, metadata: {name: web, namespace: dev}, spec: {clusterIP: 10.96.0.9, ports: [{name: http, port: 80}]}}
        ---
        {apiVersion: v1, kind: Service, metadata: {name: web, namespace: other}, spec: {clusterIP: 10.96.0.8, ports: [{name: http, port: 80}]}}
        ---
        {apiVersion: v1, kind: Service, metadata: {name: two, namespace: dev}, spec: {clusterIP: 10.96.0.7, ports: [{name: http, port: 80}, {name: http-b, port: 8080}]}}
        ---
        {apiVersion: v1, kind: Service, metadata: {name: db, namespace: dev}, spec: {clusterIP: 10.96.0.6, ports: [{name: tcp, port: 5432}, {name: tls, port: 5433}]}}
        ---
        {apiVersion: v1, kind: Service, metadata: {name: gw, namespace: infra}, spec: {clusterIP: 10.96.0.5, selector: {istio: gw}, ports: [{name: http, port: 80}, {name: https, port: 443}]}}

        """

    /// A sidecar `client.dev` unless `gateway` says that the proxy is the gateway `gw.infra` (label `istio: gw`).
    init(
        _ yaml: String, namespace: String = "dev", labels: [String: String] = [:], gateway: Bool = false,
        mesh: MeshConfig = MeshConfig()
    ) throws {
        let objects = try ManifestReader.objects(in: Self.base + "---\n" + yaml).map(\.object)
        let proxy = ProxyIdentity(
            kind: gateway ? .router : .sidecar, address: "10.244.0.2", podName: gateway ? "gw" : "client",
            namespace: gateway ? "infra" : namespace, labels: gateway ? ["istio": "gw"] : labels)
        (configuration, diagnostics) = Translator(MeshSnapshot(objects: objects, meshConfig: mesh)).configuration(
            for: proxy)
    }

    /// Where a request goes: `cluster`, `status 404`, `redirect URL-parts`. `random` picks among weights, 0 to 99 of 100.
    func request(
        _ host: String, _ path: String = "/", _ headers: [(String, String)] = [], method: HTTPMethod = .get,
        table: String = "80", random: UInt64 = 0
    ) -> String {
        guard let decision = decide(host, path, headers, method: method, table: table) else { return "status 404" }
        switch decision.route.action {
        case .directResponse(let response): return "status \(response.status)"
        case .redirect(let redirect):
            let port = redirect.port.map { ":\($0)" } ?? ""
            return "redirect \(redirect.scheme ?? "")//\(redirect.host ?? "")\(port) \(redirect.status)"
        case .forward(let action):
            switch action.cluster {
            case .cluster(let name): return name
            case .weighted(let clusters):
                return decision.forward?.weightedChoice(random).map { clusters[$0].name } ?? ""
            case .header: return "header"
            }
        }
    }

    func decide(
        _ host: String, _ path: String = "/", _ headers: [(String, String)] = [], method: HTTPMethod = .get,
        table: String = "80"
    ) -> RouteDecision? {
        guard let routes = configuration.routes[table] else { return nil }
        let head = RequestHead(method, path, authority: host, headers: headers)
        return RouteTable(routes).route(head, random: 0)
    }

    /// The cluster of a plain connection to `listener` (`10.96.0.6_5432`).
    func connection(
        _ listener: String, to ip: String = "10.96.0.6", serverName: String = "", from: String = "10.244.0.2"
    )
        -> ClusterSelector?
    {
        guard let listener = configuration.listeners[listener] else { return nil }
        let view = FilterChainView(
            destinationIP: ip, destinationPort: 5432, sourceIP: from, sourcePort: 4, serverName: serverName,
            isTLS: !serverName.isEmpty, applicationProtocols: [])
        let chosen = FilterChainMatcher(listener.filterChains).match(view).map { listener.filterChains[$0] }
        for case .tcpProxy(let proxy) in (chosen ?? listener.defaultFilterChain)?.filters ?? [] { return proxy.cluster }
        return nil
    }

    /// Why a cluster has no endpoints.
    func reason(_ cluster: String) -> String? { configuration.endpoints[cluster]?.emptyReason }
}

/// An object of `networking.istio.io` as one YAML document.
func istio(
    _ kind: String, _ name: String, namespace: String = "dev", created: String = "", _ spec: String
) -> String {
    """
    {apiVersion: networking.istio.io/v1, kind: \(kind),
     metadata: {name: \(name), namespace: \(namespace), creationTimestamp: "\(created)"}, spec: \(spec)}
    ---

    """
}
