import Testing
import WeftAPIServer
import WeftConfig
import WeftCore
import WeftManifests

/// What the real `kubectl get` shows of the mesh's kinds: whether an object is taken, and by how many proxies. One of the
/// suite's, because waiting for kubectl holds a thread that the server beside it needs.
extension KubectlTests {
    /// What each kind has to say at least.
    private static let specs: [String: JSONValue] = [
        "GatewayClass": ["controllerName": "weft.dev/gateway-controller"],
        "Gateway.gateway.networking.k8s.io": [
            "gatewayClassName": "weft", "listeners": [["name": "http", "port": 80, "protocol": "HTTP"]],
        ],
        "ListenerSet": [
            "parentRef": ["name": "edge"], "listeners": [["name": "http", "port": 80, "protocol": "HTTP"]],
        ],
        "GRPCRoute": [:], "HTTPRoute": [:],
        "TLSRoute": ["hostnames": ["a.example"], "rules": [["backendRefs": [["name": "a", "port": 443]]]]],
        "TCPRoute": ["rules": [["backendRefs": [["name": "a", "port": 443]]]]],
        "BackendTLSPolicy": [
            "targetRefs": [["group": "", "kind": "Service", "name": "a"]],
            "validation": ["hostname": "a.example", "wellKnownCACertificates": "System"],
        ],
        "VirtualService": ["hosts": ["a.example"]], "DestinationRule": ["host": "a.example"],
        "ServiceEntry": ["hosts": ["a.example"], "ports": [["number": 80, "name": "http"]]],
        "WorkloadGroup": ["template": [:]], "WorkloadEntry": ["address": "10.0.0.1"],
        "WasmPlugin": ["url": "oci://a.example/a"],
    ]

    @Test(.timeLimit(.minutes(5))) func everyKindShowsItsConditions() async throws {
        try await Cluster.run { cluster in
            let definitions = CustomResourceDefinitions.all
            let made = try cluster.kubectl("apply", "-f", "-", input: Self.list(definitions.map(\.json)))
            #expect(made.code == 0, "\(made)")
            // Grants have no status.
            let shown = definitions.filter { !$0.name.hasPrefix("referencegrants") }
            let objects = try cluster.kubectl("create", "-f", "-", input: Self.list(shown.map(Self.object)))
            #expect(objects.code == 0, "\(objects)")
            for definition in shown { try await Self.writeStatus(of: definition, in: cluster) }
            let tables = try cluster.kubectl("get", shown.map(\.name).joined(separator: ","))
            let blocks = tables.text.split(separator: "\n\n")
            for definition in shown {
                let (kind, group) = Self.names(definition)
                let block = blocks.first { $0.contains("\(kind.lowercased()).\(group)/a ") } ?? ""
                let isIstio = group.hasSuffix("istio.io")
                for word in ["ACCEPTED", "True"] + (isIstio ? ["RECONCILED", "2/3 proxies up to date."] : []) {
                    #expect(block.contains(word), "\(definition.name): \(tables)")
                }
            }
        }
    }

    private static func list(_ items: [JSONValue]) -> String {
        "\(JSONValue.object(["apiVersion": "v1", "kind": "List", "items": .array(items)]))"
    }

    private static func names(_ definition: KubernetesObject) -> (kind: String, group: String) {
        let spec = definition.json["spec"] ?? [:]
        return (spec[path: "names", "kind"]?.stringValue ?? "", spec["group"]?.stringValue ?? "")
    }

    private static func object(_ definition: KubernetesObject) -> JSONValue {
        let (kind, group) = names(definition)
        let version = definition.json[path: "spec", "versions"]?.arrayValue?.first?["name"]?.stringValue ?? ""
        return [
            "apiVersion": .string("\(group)/\(version)"), "kind": .string(kind), "metadata": ["name": "a"],
            "spec": specs["\(kind).\(group)"] ?? specs[kind] ?? [:],
        ]
    }

    private static func writeStatus(of definition: KubernetesObject, in cluster: Cluster) async throws {
        let (kind, _) = names(definition)
        let id = try cluster.api.resource(
            for: GroupVersionKind(apiVersion: object(definition)["apiVersion"]?.stringValue ?? "", kind: kind))
        let isGlobal = definition.json[path: "spec", "scope"]?.stringValue == "Cluster"
        var stored = try await cluster.api.get(id, namespace: isGlobal ? "" : "default", name: "a")
        stored.json["status"] = status(of: kind)["status"]
        _ = try await cluster.api.updateStatus(stored)
    }

    /// As the control plane writes it.
    private static func status(of kind: String) -> JSONValue {
        func condition(_ type: String, _ status: String, _ message: String) -> JSONValue {
            [
                "type": .string(type), "status": .string(status), "reason": "Test", "message": .string(message),
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            ]
        }
        let conditions: JSONValue = [
            condition("Accepted", "True", ""), condition("Reconciled", "False", "2/3 proxies up to date."),
        ]
        let controller: JSONValue = "weft.dev/gateway-controller"
        let parent: JSONValue = [
            "parentRef": ["name": "a"], "controllerName": controller, "conditions": conditions,
        ]
        let ancestor: JSONValue = [
            "ancestorRef": ["name": "a"], "controllerName": controller, "conditions": conditions,
        ]
        if kind.hasSuffix("Route") { return ["status": ["parents": [parent]]] }
        return ["status": kind == "BackendTLSPolicy" ? ["ancestors": [ancestor]] : ["conditions": conditions]]
    }
}
