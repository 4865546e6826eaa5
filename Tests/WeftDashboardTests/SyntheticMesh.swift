import WeftConfig
import WeftCore
import WeftTelemetry

/// A mesh that is not there: workloads, who calls whom how often, configuration and traces. Always the same.
struct SyntheticMesh: Sendable {
    struct Workload: Sendable, Hashable {
        var namespace: String
        var app: String
        var version = "v1"
        var isMeshed = true
        var name: String { "\(app)-\(version)" }
    }

    struct Edge: Sendable, Hashable {
        var from: Workload
        var to: Workload
        /// Requests in a second.
        var rate: Int
        var code = "200"
        var isSecured = true
        /// The service as the callee names it, where that is not its app's name.
        var calleesName: String?
        /// Every request takes from 10 to 50 ms; otherwise half of them are faster.
        var speed = Speed.mixed
        /// The caller answered by itself: nobody else knows of it.
        var isLost = false

        enum Speed: Sendable { case fast, mixed, slow }
    }

    var workloads: [Workload] = []
    var edges: [Edge] = []
    var configuration: [KubernetesObject] = []
    /// Names in traces: service and operation.
    var spanNames: [(service: String, operation: String)] = []
    /// What the services of apps are called; like the app if it is not here.
    var serviceNames: [String: String] = [:]
    /// Milliseconds between two scrapes.
    var step: Int64 = 15_000

    static let empty = SyntheticMesh()

    /// Five workloads in two namespaces, one split, one failing share, one edge without mutual TLS.
    static let shop: SyntheticMesh = {
        let gate = Workload(namespace: "edge", app: "gate")
        let front = Workload(namespace: "shop", app: "front")
        let cart = Workload(namespace: "shop", app: "cart")
        let newCart = Workload(namespace: "shop", app: "cart", version: "v2")
        let stock = Workload(namespace: "shop", app: "stock", isMeshed: false)
        var mesh = SyntheticMesh(workloads: [gate, front, cart, newCart, stock])
        mesh.edges = [
            Edge(from: gate, to: front, rate: 40), Edge(from: front, to: cart, rate: 36),
            Edge(from: front, to: newCart, rate: 3), Edge(from: front, to: newCart, rate: 1, code: "503"),
            Edge(from: cart, to: stock, rate: 12, isSecured: false),
        ]
        mesh.configuration = [
            object(
                "networking.istio.io/v1", "VirtualService", "shop", "cart",
                [
                    "hosts": ["cart"],
                    "http": [
                        [
                            "timeout": "2s",
                            "route": [
                                ["destination": ["host": "cart", "subset": "v1"], "weight": 90],
                                ["destination": ["host": "cart", "subset": "v2"], "weight": 10],
                            ],
                        ]
                    ],
                ]),
            object(
                "networking.istio.io/v1", "DestinationRule", "shop", "cart",
                ["host": "cart", "subsets": [["name": "v1", "labels": ["version": "v1"]]]]),
            object(
                "gateway.networking.k8s.io/v1", "GatewayClass", "", "everywhere", ["controllerName": "weft.io/test"]),
        ]
        mesh.spanNames = [("front.shop", "GET /"), ("cart.shop", "GET /cart"), ("stock.shop", "GET /stock")]
        return mesh
    }()

    /// The shop, with a workload that calls nobody and an edge over which nothing flows.
    static let quiet: SyntheticMesh = {
        var mesh = shop
        mesh.workloads.append(Workload(namespace: "shop", app: "spare"))
        mesh.edges.append(Edge(from: mesh.workloads[4], to: mesh.workloads[1], rate: 0))
        return mesh
    }()

    /// The shop, with policies about mutual TLS.
    static let secured: SyntheticMesh = {
        var mesh = shop
        let kind = "PeerAuthentication"
        let version = "security.istio.io/v1"
        mesh.configuration += [
            object(version, kind, "shop", "default", ["mtls": ["mode": "STRICT"]]),
            object(
                version, kind, "shop", "cart",
                ["selector": ["matchLabels": ["app": "cart"]], "mtls": ["mode": "DISABLE"]]),
        ]
        return mesh
    }()

    /// The shop, with routes of the Gateway API: one of a Service that mirrors, one of a Service with a timeout, one of a
    /// gateway that tries again; and a VirtualService of a gateway for every host.
    static let routed: SyntheticMesh = {
        var mesh = shop
        let version = "gateway.networking.k8s.io/v1"
        mesh.configuration = [
            object(
                version, "HTTPRoute", "shop", "front",
                [
                    "parentRefs": [["group": "", "kind": "Service", "name": "front"]],
                    "rules": [
                        ["filters": [["type": "RequestMirror", "requestMirror": ["backendRef": ["name": "stock"]]]]]
                    ],
                ]),
            object(
                version, "GRPCRoute", "shop", "calls",
                [
                    "parentRefs": [["group": "", "kind": "Service", "name": "cart"]],
                    "rules": [["timeouts": ["request": "1s"]]],
                ]
            ),
            object(
                version, "HTTPRoute", "edge", "outside",
                [
                    "parentRefs": [["name": "gate"]],
                    "rules": [["retry": ["attempts": 2], "backendRefs": [["name": "stock", "namespace": "shop"]]]],
                ]),
            object(
                "networking.istio.io/v1", "VirtualService", "shop", "everything",
                ["hosts": ["*"], "gateways": ["edge/gate"], "http": [["route": [["destination": ["host": "stock"]]]]]]),
        ]
        return mesh
    }()

    /// A caller and a callee that give a service two names, a fast and a slow version, and a fault that the caller injects;
    /// the service's name is not its app's.
    static let market: SyntheticMesh = {
        let gate = Workload(namespace: "market", app: "gate")
        let quick = Workload(namespace: "market", app: "stall")
        let slow = Workload(namespace: "market", app: "stall", version: "v2")
        var mesh = SyntheticMesh(workloads: [gate, quick, slow])
        mesh.edges = [
            Edge(from: gate, to: quick, rate: 18, calleesName: "stand", speed: .fast),
            Edge(from: gate, to: slow, rate: 2, calleesName: "stand", speed: .slow),
            Edge(from: gate, to: quick, rate: 5, code: "503", speed: .fast, isLost: true),
        ]
        mesh.serviceNames = ["stall": "booth"]
        mesh.configuration = [
            object(
                "networking.istio.io/v1", "VirtualService", "market", "booth",
                ["hosts": ["booth"], "http": [["route": [["destination": ["host": "booth"]]]]]])
        ]
        return mesh
    }()

    /// Bookinfo behind its gateway, with a split of reviews and a fault that callers of ratings inject.
    static let bookinfo: SyntheticMesh = {
        let gateway = Workload(namespace: "istio-system", app: "istio-ingressgateway", version: "latest")
        let one = { (app: String, version: String) in Workload(namespace: "bookinfo", app: app, version: version) }
        let (page, details, ratings) = (one("productpage", "v1"), one("details", "v1"), one("ratings", "v1"))
        let reviews = ["v1", "v2", "v3"].map { one("reviews", $0) }
        var mesh = SyntheticMesh(workloads: [gateway, page, details, ratings] + reviews)
        mesh.edges = [Edge(from: gateway, to: page, rate: 31), Edge(from: page, to: details, rate: 31)]
        for (version, rate) in zip(reviews, [18, 9, 4]) { mesh.edges.append(Edge(from: page, to: version, rate: rate)) }
        for (version, rate) in zip(reviews.dropFirst(), [8, 3]) {
            mesh.edges.append(Edge(from: version, to: ratings, rate: rate))
            mesh.edges.append(Edge(from: version, to: ratings, rate: 1, code: "503", isLost: true))
        }
        return mesh
    }()

    /// Twenty workloads that call fourteen others each, themselves too.
    static let crowd: SyntheticMesh = {
        var mesh = SyntheticMesh()
        mesh.workloads = (0..<20).map { Workload(namespace: "team-\($0 / 10)", app: "w\($0)") }
        for from in 0..<20 {
            for step in 0..<14 {
                mesh.edges.append(
                    Edge(from: mesh.workloads[from], to: mesh.workloads[(from + step) % 20], rate: 1 + step * 9))
            }
        }
        return mesh
    }()

    /// Names that are markup, for every place that a stranger fills.
    static let hostileText = "\"'><img src=x onerror=\"window.pwned=1\"><script>window.pwned=1</script>"

    static let hostile: SyntheticMesh = {
        let evil = Workload(namespace: hostileText, app: hostileText, version: hostileText)
        let victim = Workload(namespace: "shop", app: "front")
        var mesh = SyntheticMesh(workloads: [evil, victim])
        mesh.edges = [Edge(from: evil, to: victim, rate: 2, code: hostileText), Edge(from: victim, to: evil, rate: 2)]
        mesh.configuration = [
            object(
                "networking.istio.io/v1", "VirtualService", hostileText, hostileText,
                ["hosts": .array([.string(hostileText)]), "http": [["name": .string(hostileText)]]])
        ]
        mesh.spanNames = [(hostileText, hostileText), ("javascript:window.pwned=1", hostileText)]
        return mesh
    }()

    /// 500 workloads in ten namespaces, 5,000 edges.
    static let large: SyntheticMesh = {
        var mesh = SyntheticMesh()
        mesh.workloads = (0..<500).map { Workload(namespace: "team-\($0 / 50)", app: "w\($0)") }
        for index in 0..<5_000 {
            // Ten callees for each, the distances all different: no edge twice.
            let from = index / 10
            let to = (from + 1 + (index % 10) * 17) % 500
            mesh.edges.append(
                Edge(from: mesh.workloads[from], to: mesh.workloads[to], rate: 1 + index % 20))
        }
        mesh.step = 60_000
        return mesh
    }()

    private static func object(
        _ version: String, _ kind: String, _ namespace: String, _ name: String, _ spec: JSONValue
    ) -> KubernetesObject {
        KubernetesObject([
            "apiVersion": .string(version), "kind": .string(kind),
            "metadata": [
                "namespace": .string(namespace), "name": .string(name), "creationTimestamp": "2026-01-01T00:00:00Z",
            ], "spec": spec,
        ])
    }
}

// MARK: - Kubernetes

extension SyntheticMesh {
    var pods: [KubernetesObject] {
        workloads.enumerated().map { index, workload in
            let containers: JSONValue =
                workload.isMeshed ? [["name": "app"], ["name": "istio-proxy"]] : [["name": "app"]]
            return KubernetesObject([
                "apiVersion": "v1", "kind": "Pod",
                "metadata": [
                    "namespace": .string(workload.namespace), "name": .string("\(workload.name)-abc-1"),
                    "labels": [
                        "app": .string(workload.app), "version": .string(workload.version), "pod-template-hash": "abc",
                    ],
                    "ownerReferences": [
                        [
                            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": .string("\(workload.name)-abc"),
                            "uid": "u", "controller": true,
                        ]
                    ],
                ], "spec": ["containers": containers],
                "status": [
                    "phase": "Running", "podIP": .string("10.244.\(index / 250).\(index % 250)"),
                    "conditions": [["type": "Ready", "status": "True"]],
                ],
            ])
        }
    }

    var services: [KubernetesObject] {
        var seen: Set<String> = []
        return workloads.filter { seen.insert("\($0.namespace)/\($0.app)").inserted }.map { workload in
            KubernetesObject([
                "apiVersion": "v1", "kind": "Service",
                "metadata": [
                    "namespace": .string(workload.namespace),
                    "name": .string(serviceNames[workload.app] ?? workload.app),
                ],
                "spec": ["selector": ["app": .string(workload.app)], "ports": [["name": "http", "port": 80]]],
            ])
        }
    }
}

// MARK: - Telemetry

extension SyntheticMesh {
    /// What both ends of every edge count, scraped from two minutes before `now` until five minutes after it, so that a
    /// test may take its time.
    func fill(_ store: TimeSeriesStore, now: Int64) {
        let session = ScrapeSession(store: store, labels: ["job": "kubernetes-pods"])
        let start = now - 120_000
        let templates = edges.flatMap { edge in
            ["source", "destination"].filter { $0 == "source" || edges.count < 1_000 && !edge.isLost }
                .map { (edge, labels(edge, $0)) }
        }
        for time in stride(from: start, through: now + 300_000, by: Int(step)) {
            var text = ""
            for (edge, labels) in templates { append(edge, labels, Int(time - start) / 1000, to: &text) }
            _ = session.ingest(Array(text.utf8), openMetrics: false, at: time, seconds: 0.01)
        }
    }

    private func labels(_ edge: Edge, _ reporter: String) -> String {
        let security = reporter == "source" ? "unknown" : edge.isSecured ? "mutual_tls" : "none"
        let (from, to) = (edge.from, edge.to)
        let own = serviceNames[to.app] ?? to.app
        let service = reporter == "destination" ? edge.calleesName ?? own : own
        return [
            ("reporter", reporter), ("source_workload", from.name), ("source_workload_namespace", from.namespace),
            ("source_canonical_service", from.app), ("source_canonical_revision", from.version),
            ("destination_service", "\(service).\(to.namespace).svc.cluster.local"),
            ("destination_service_name", service), ("destination_service_namespace", to.namespace),
            ("destination_workload", edge.isLost ? "unknown" : to.name),
            ("destination_workload_namespace", edge.isLost ? "unknown" : to.namespace),
            ("destination_canonical_service", edge.isLost ? "unknown" : to.app),
            ("destination_canonical_revision", edge.isLost ? "unknown" : to.version),
            ("request_protocol", "http"), ("response_code", edge.code), ("response_flags", "-"),
            ("connection_security_policy", security),
        ].map { "\($0.0)=\(JSONValue.string($0.1).text())" }.joined(separator: ",")
    }

    /// Of mixed requests half take at most 10 ms, the rest at most 50 ms.
    private func append(_ edge: Edge, _ labels: String, _ seconds: Int, to text: inout String) {
        let count = edge.rate * seconds
        text += "istio_requests_total{\(labels)} \(count)\n"
        let quick = [.fast: count, .mixed: count / 2, .slow: 0][edge.speed] ?? 0
        for (bound, below) in [("10", quick), ("50", count), ("+Inf", count)] {
            text += "istio_request_duration_milliseconds_bucket{\(labels),le=\"\(bound)\"} \(below)\n"
        }
        text += "istio_response_bytes_sum{\(labels)} \(count * 1000)\n"
    }

    /// Ten traces, each a chain of all named spans; the last span of every fifth failed.
    /// - Parameter now: Microseconds since 1970.
    func spans(now: Int64) -> [Span] {
        (0..<10).flatMap { number in
            spanNames.enumerated().map { depth, name in
                let start = now - 30_000_000 + Int64(number) * 1_000_000
                return Span(
                    traceID: "00000000000000aa00000000000000" + (number < 10 ? "0\(number)" : "\(number)"),
                    spanID: "000000000000000\(depth + 1)", parentID: depth == 0 ? nil : "000000000000000\(depth)",
                    service: name.service, operation: name.operation, kind: "server",
                    start: start + Int64(depth) * 2_000,
                    duration: 40_000 - Int64(depth) * 10_000 + Int64(number) * 1_000,
                    tags: [SpanTag("http.url", .string(name.operation)), SpanTag(name.operation, .string("tag"))],
                    events: [SpanEvent(time: start, tags: [SpanTag("message", .string(name.operation))])],
                    resource: [SpanTag("host", .string(name.service))],
                    isError: number % 5 == 0 && depth == spanNames.count - 1)
            }
        }
    }
}
