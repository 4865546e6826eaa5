import Testing
import WeftConfig
import WeftCore
import WeftIR
import WeftTranslate

/// A snapshot that keeps of the one before what did not change is the snapshot that would be made anew: for objects that
/// come, change and go, several at once, and in whatever order the API server and the stores have them.
@Suite struct SnapshotReuseTests {
    private static let apps = ["a", "b", "c", "d"]
    private static let namespaces = ["dev", "ops"]

    /// A cluster's objects, as informers hold them: one that is not written stays the very same.
    private struct Cluster {
        var random: Dice
        var objects: [String: KubernetesObject] = [:]
        /// In which order the objects are listed; another one after a store was filled anew.
        var order: [String] = []
        private var version = 0

        init(seed: UInt64) { random = Dice(state: seed) }

        private mutating func pick<Element>(_ elements: [Element]) -> Element {
            elements[roll(elements.count)]
        }

        /// 0 and up, below `sides`.
        mutating func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &random) }

        private mutating func write(
            _ apiVersion: String, _ kind: String, _ namespace: String, _ name: String, labels: JSONValue = [:],
            annotations: JSONValue = [:], _ rest: [String: JSONValue]
        ) {
            version += 1
            var json: JSONValue = [
                "apiVersion": .string(apiVersion), "kind": .string(kind),
                "metadata": [
                    "name": .string(name), "namespace": .string(namespace), "labels": labels,
                    "annotations": annotations,
                    "resourceVersion": .string(String(version)), "creationTimestamp": "2026-01-01T00:00:00Z",
                ],
            ]
            for (key, value) in rest { json[key] = value }
            objects["\(kind)/\(namespace)/\(name)"] = KubernetesObject(json)
        }

        /// What the rules of a mesh are about, besides hosts.
        private mutating func changePolicy(_ namespace: String, _ app: String) {
            let selector: JSONValue = ["matchLabels": ["app": .string(app)]]
            switch roll(8) {
            case 0:
                write(
                    "security.istio.io/v1", "PeerAuthentication", namespace, app,
                    ["spec": ["selector": selector, "mtls": ["mode": .string(pick(["STRICT", "DISABLE"]))]]])
            case 1:
                write(
                    "security.istio.io/v1", "AuthorizationPolicy", namespace, app,
                    ["spec": ["selector": selector, "action": .string(pick(["ALLOW", "DENY"])), "rules": [[:]]]])
            case 2:
                let hosts: JSONValue = [.string(pick(["./*", "*/*", "dev/a.dev.svc.cluster.local"]))]
                write(
                    "networking.istio.io/v1", "Sidecar", namespace, "default", ["spec": ["egress": [["hosts": hosts]]]])
            case 3:
                write(
                    "networking.istio.io/v1", "WorkloadEntry", namespace, app,
                    [
                        "spec": [
                            "address": .string(address()), "labels": ["app": .string(app)], "serviceAccount": "one",
                        ]
                    ])
            case 4:
                write(
                    "v1", "Node", "", "node-\(roll(2))",
                    labels: ["topology.kubernetes.io/zone": .string(pick(["x", "y"]))], [:])
            case 5:
                write(
                    "v1", "Namespace", "", namespace,
                    annotations: roll(2) == 0 ? [:] : ["networking.istio.io/traffic-distribution": "PreferClose"], [:])
            case 6:
                write(
                    "telemetry.istio.io/v1", "Telemetry", namespace, "default",
                    ["spec": ["tracing": [["randomSamplingPercentage": .int(Int64(roll(3)))]]]])
            default:
                write(
                    "gateway.networking.k8s.io/v1", "HTTPRoute", namespace, app,
                    [
                        "spec": [
                            "parentRefs": [["kind": "Service", "group": "", "name": .string(app)]],
                            "rules": [["backendRefs": [["name": .string(pick(SnapshotReuseTests.apps)), "port": 80]]]],
                        ]
                    ])
            }
        }

        private mutating func address() -> String { "10.0.0.\(roll(6) + 1)" }

        /// One write as people and controllers make it.
        mutating func change() {
            let (namespace, app) = (pick(SnapshotReuseTests.namespaces), pick(SnapshotReuseTests.apps))
            switch roll(12) {
            case 0, 1:
                let addresses = (0..<roll(3)).map { _ in address() }
                write(
                    "discovery.k8s.io/v1", "EndpointSlice", namespace, "\(app)-\(roll(2))",
                    labels: ["kubernetes.io/service-name": .string(pick([app, "a"]))],
                    [
                        "ports": [["name": "http", "port": 8080]],
                        "endpoints": .array(addresses.map { ["addresses": [.string($0)]] }),
                    ])
            case 2:
                write(
                    "v1", "Pod", namespace, "\(app)-\(roll(2))",
                    labels: ["app": .string(app), "security.istio.io/tlsMode": .string(pick(["istio", "disabled"]))],
                    [
                        "spec": [
                            "serviceAccountName": .string(pick(["one", "two"])), "nodeName": .string("node-\(roll(2))"),
                        ],
                        "status": ["podIP": .string(address()), "phase": "Running"],
                    ])
            case 3:
                write(
                    "v1", "Service", namespace, app,
                    [
                        "spec": [
                            "clusterIP": .string(pick(["10.96.0.\(app.utf8.first ?? 1)", "None"])),
                            "selector": ["app": .string(app)],
                            "ports": [["name": .string(pick(["http", "tcp"])), "port": 80, "targetPort": 8080]],
                        ]
                    ])
            case 4:
                write(
                    "networking.istio.io/v1", "VirtualService", namespace, app,
                    [
                        "spec": [
                            "hosts": [.string(app)], "exportTo": [.string(pick(["*", "."]))],
                            "http": [["route": [["destination": ["host": .string(pick(SnapshotReuseTests.apps))]]]]],
                        ]
                    ])
            case 5:
                write(
                    "networking.istio.io/v1", "DestinationRule", namespace, app,
                    [
                        "spec": [
                            "host": .string(app),
                            "subsets": [["name": "v", "labels": ["app": .string(pick(SnapshotReuseTests.apps))]]],
                        ]
                    ])
            case 6:
                write(
                    "networking.istio.io/v1", "ServiceEntry", namespace, app,
                    [
                        "spec": [
                            "hosts": [.string("\(app).example")], "resolution": "STATIC",
                            "ports": [["number": 80, "name": "http", "protocol": "HTTP"]],
                            "workloadSelector": ["labels": ["app": .string(app)]],
                        ]
                    ])
            case 7, 8: changePolicy(namespace, app)
            default:
                if let gone = objects.keys.sorted().randomElement(using: &random) { objects[gone] = nil }
            }
        }

        /// What a store lists.
        mutating func list() -> [KubernetesObject] {
            order = order.filter { objects[$0] != nil }
            order += objects.keys.filter { !order.contains($0) }.sorted()
            if roll(4) == 0 { order.shuffle(using: &random) }
            return order.compactMap { objects[$0] }
        }
    }

    private static let proxies =
        namespaces.map { namespace in
            ProxyIdentity(
                kind: .sidecar, address: "10.0.0.1", podName: "a-0", namespace: namespace, labels: ["app": "a"])
        } + [ProxyIdentity(kind: .router, address: "10.0.0.2", podName: "b-0", namespace: "ops", labels: ["app": "b"])]

    @Test(arguments: 0..<10) func keptEqualsAnew(_ seed: UInt64) {
        var cluster = Cluster(seed: seed)
        for _ in 0..<30 { cluster.change() }
        let builder = SnapshotBuilder()
        var mesh = MeshConfig()
        for step in 1...40 {
            for _ in 0..<cluster.roll(4) { cluster.change() }
            if cluster.roll(10) == 0 { mesh.enableAutoMtls = cluster.roll(2) == 0 }
            if cluster.roll(10) == 0 { mesh.defaultServiceExportTo = [cluster.roll(2) == 0 ? "." : "*"] }
            let objects = cluster.list()
            let kept = builder.snapshot(objects: objects, meshConfig: mesh)
            let anew = MeshSnapshot(objects: objects, meshConfig: mesh)
            #expect(Set(kept.diagnostics) == Set(anew.diagnostics), "seed \(seed), step \(step)")
            for proxy in Self.proxies {
                let (mine, wanted) = (
                    Translator(kept).configuration(for: proxy).0, Translator(anew).configuration(for: proxy).0
                )
                #expect(mine.endpoints == wanted.endpoints, "seed \(seed), step \(step)")
                #expect(mine == wanted, "seed \(seed), step \(step)")
            }
        }
    }
}
