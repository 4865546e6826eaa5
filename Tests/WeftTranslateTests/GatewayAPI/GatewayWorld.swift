import Testing
import WeftConfig
import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTranslate

/// A cluster with a Gateway `gw`, some Services, and what a test adds as YAML; asked as its proxies would be.
struct GatewayWorld {
    let snapshot: MeshSnapshot

    /// - Parameter gateway: the listeners of `infra/gw`; `nil` leaves the Gateway to the test.
    init(_ yaml: String = "", listeners: String? = "[{name: http, port: 80, protocol: HTTP}]", more: String = "") throws
    {
        var text = Self.base
        if let listeners {
            text += """

                ---
                apiVersion: gateway.networking.k8s.io/v1
                kind: Gateway
                metadata: {name: gw, namespace: infra, generation: 3}
                spec: {gatewayClassName: istio, listeners: \(listeners)\(more.isEmpty ? "" : ", " + more)}
                """
        }
        if !yaml.isEmpty { text += "\n---\n" + yaml }
        snapshot = MeshSnapshot(objects: try ManifestReader.objects(in: text).map(\.object))
        #expect(snapshot.diagnostics.isEmpty, "\(snapshot.diagnostics)")
    }

    private static func service(_ name: String, _ namespace: String, _ address: String, ports: String) -> String {
        """
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: \(name), namespace: \(namespace)}
        spec: {clusterIP: \(address), selector: {app: \(name)}, ports: \(ports)}

        """
    }

    static let base =
        """
        {apiVersion: v1, kind: Namespace, metadata: {name: infra, labels: {team: edge}}}
        ---
        {apiVersion: v1, kind: Namespace, metadata: {name: apps, labels: {team: apps}}}

        """
        + ["a", "b", "c"].enumerated().map {
            service($1, "infra", "10.96.0.\($0 + 1)", ports: "[{name: http, port: 8080}]")
        }.joined()
        + service("web", "apps", "10.96.1.1", ports: "[{name: http, port: 8080}]")
        + service(
            "protocols", "infra", "10.96.1.2",
            ports:
                "[{name: h2c, port: 1, appProtocol: kubernetes.io/h2c}, {name: ws, port: 2, appProtocol: kubernetes.io/ws}, {name: tcp, port: 3, appProtocol: tcp}, {name: udp, port: 4, protocol: UDP}, {name: grpc, port: 5}]"
        )
            + """
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: gw-istio, namespace: infra}
            spec: {type: LoadBalancer, clusterIP: 10.96.2.1, selector: {gateway.networking.k8s.io/gateway-name: gw}, ports: [{name: http-80, port: 80}]}
            status: {loadBalancer: {ingress: [{ip: 203.0.113.7}]}}
            ---
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: gw-istio-a, namespace: infra, labels: {kubernetes.io/service-name: gw-istio}}
            ports: [{name: http-80, port: 80}]
            endpoints: [{addresses: [10.244.0.9], conditions: {ready: true}}]
            """

    static func route(
        _ name: String = "r", kind: String = "HTTPRoute", namespace: String = "infra", created: String = "",
        parent: String = "{name: gw, namespace: infra}", hostnames: String = "[]", rules: String
    ) -> String {
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: \(kind)
        metadata: {name: \(name), namespace: \(namespace), creationTimestamp: "\(created)", generation: 2}
        spec: {parentRefs: [\(parent)], hostnames: \(hostnames), rules: \(rules)}
        """
    }

    // MARK: - Asking

    /// The configuration of a proxy of the Gateway.
    func gateway(_ name: String = "gw", namespace: String = "infra") -> ProxyConfiguration {
        let identity = ProxyIdentity(
            kind: .router, address: "10.244.0.9", podName: "\(name)-pod", namespace: namespace,
            labels: ["gateway.networking.k8s.io/gateway-name": name])
        return Translator(snapshot).configuration(for: identity).0
    }

    func sidecar(namespace: String = "infra") -> ProxyConfiguration {
        let identity = ProxyIdentity(
            kind: .sidecar, address: "10.244.0.8", podName: "client", namespace: namespace, labels: [:])
        return Translator(snapshot).configuration(for: identity).0
    }

    func decide(_ request: Request, in configuration: ProxyConfiguration? = nil) throws -> RouteDecision? {
        let configuration = configuration ?? gateway()
        let table = try #require(configuration.routes[request.table], "there is no table \(request.table)")
        let compiled = RouteTable(table)
        #expect(compiled.problems.isEmpty, "\(compiled.problems)")
        return compiled.route(request.head, random: request.random)
    }

    /// What happens to a request: the service it goes to (`b.infra`), a status, or a redirect's target.
    func ask(_ request: Request, in configuration: ProxyConfiguration? = nil) throws -> String {
        guard let decision = try decide(request, in: configuration) else { return "404" }
        switch decision.route.action {
        case .directResponse(let response): return String(response.status)
        case .redirect(let redirect):
            let target = RedirectTarget(scheme: request.scheme, authority: request.host, path: request.path)
            return "\(redirect.status) \(target.location(redirect, decision: decision))"
        case .forward(let action):
            switch action.cluster {
            case .cluster(let name): return Self.short(name)
            case .weighted(let clusters):
                let choice = try #require(decision.forward?.weightedChoice(request.random))
                let name = clusters[choice].name
                return name == "InvalidBackend" ? String(action.clusterNotFoundStatus) : Self.short(name)
            case .header: return "header"
            }
        }
    }

    static func short(_ cluster: String) -> String {
        let host = cluster.split(separator: "|", omittingEmptySubsequences: false).last.map(String.init) ?? cluster
        return host.replacing(".svc.cluster.local", with: "")
    }

    /// The action of the route that takes a request, which must forward.
    func forward(_ request: Request, in configuration: ProxyConfiguration? = nil) throws -> (RouteAction, RouteDecision)
    {
        let decision = try #require(try decide(request, in: configuration))
        guard case .forward(let action) = decision.route.action else {
            throw Unexpected(description: "\(decision.route.action)")
        }
        return (action, decision)
    }

    struct Unexpected: Error, CustomStringConvertible { var description: String }

    // MARK: - Status

    func status(_ kind: String, _ namespace: String, _ name: String) throws -> JSONValue {
        try #require(
            snapshot.gatewayAPI.statuses.first {
                $0.resource == ResourceReference(kind: kind, namespace: namespace, name: name)
            }, "no status for \(kind) \(namespace)/\(name)"
        ).status
    }

    func gatewayStatus() throws -> JSONValue { try status("Gateway", "infra", "gw") }

    func listener(_ name: String) throws -> JSONValue {
        try #require(try gatewayStatus()["listeners"]?.arrayValue?.first { $0["name"]?.stringValue == name })
    }

    /// Conditions of the first parent, as `Type=Status/Reason`.
    func parent(_ kind: String = "HTTPRoute", _ namespace: String = "infra", _ name: String = "r", index: Int = 0)
        throws
        -> [String]
    {
        let parents = try status(kind, namespace, name)["parents"]?.arrayValue ?? []
        try #require(parents.count > index, "no parent answers")
        return Self.conditions(parents[index])
    }

    static func conditions(_ value: JSONValue) -> [String] {
        (value["conditions"]?.arrayValue ?? []).map {
            "\($0["type"]?.stringValue ?? "")=\($0["status"]?.stringValue ?? "")/\($0["reason"]?.stringValue ?? "")"
        }
    }
}

/// One HTTP request to a proxy.
struct Request: Sendable, CustomTestStringConvertible {
    var path: String
    var host = "example.com"
    var method = "GET"
    var headers: [(String, String)] = []
    var table = "http.80"
    var scheme = "http"
    var random: UInt64 = 0

    init(
        _ path: String = "/", host: String = "example.com", method: String = "GET", headers: [(String, String)] = [],
        table: String = "http.80", scheme: String = "http", random: UInt64 = 0
    ) {
        self.path = path
        self.host = host
        self.method = method
        self.headers = headers
        self.table = table
        self.scheme = scheme
        self.random = random
    }

    var testDescription: String { "\(method) \(host)\(path) \(headers)" }
    var head: RequestHead {
        RequestHead(HTTPMethod(name: method), path, authority: host, headers: headers)
    }
}
