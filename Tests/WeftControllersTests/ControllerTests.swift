import Testing
import WeftConfig
import WeftControllers
import WeftCore

/// Reconciles until nothing is left to write, as the node does, with pods that become ready at once.
private struct Cluster {
    var state = ClusterState()
    var version = 1
    var pods = 0

    mutating func store(_ object: KubernetesObject) {
        var json = object.json
        version += 1
        json[path: "metadata", "resourceVersion"] = .string(String(version))
        if json[path: "metadata", "name"] == nil {
            pods += 1
            json[path: "metadata", "name"] = .string(
                "\(json[path: "metadata", "generateName"]?.stringValue ?? "")\(pods)")
        }
        if json[path: "metadata", "uid"] == nil { json[path: "metadata", "uid"] = .string("u\(version)") }
        if json["kind"] == "Pod", json["status"] == nil {
            json["status"] = [
                "phase": "Running", "podIP": .string("10.244.0.\(pods)"),
                "conditions": [["type": "Ready", "status": "True"]],
            ]
        }
        state.store(KubernetesObject(json))
    }

    mutating func settle() -> Int {
        for round in 0..<50 {
            let writes = Controllers.reconcile(state, ControllerContext(now: "2026-01-01T00:00:00Z"))
            if writes.isEmpty { return round }
            for write in writes {
                switch write {
                case .create(let object), .update(let object), .updateStatus(let object): store(object)
                case .delete(let object):
                    state.remove(kind: object.kind, namespace: object.namespace, name: object.name, uid: object.uid)
                case .bind(let pod, let node):
                    var bound = pod
                    bound.json[path: "spec", "nodeName"] = .string(node)
                    store(bound)
                case .event: continue
                }
            }
        }
        return 50
    }
}

private func deployment(replicas: Int64, image: JSONValue) -> KubernetesObject {
    KubernetesObject([
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": "web", "namespace": "dev", "uid": "d"],
        "spec": [
            "replicas": .int(replicas), "selector": ["matchLabels": ["app": "web"]],
            "template": [
                "metadata": ["labels": ["app": "web"]],
                "spec": [
                    "containers": [["name": "c", "image": image, "ports": [["name": "http", "containerPort": 8000]]]]
                ],
            ],
        ],
    ])
}

@Test func deploymentSettlesAndRollsOver() throws {
    var cluster = Cluster()
    cluster.store(deployment(replicas: 3, image: "a"))
    #expect(cluster.settle() < 50)
    #expect(cluster.state.all("Pod").count == 3)
    cluster.store(deployment(replicas: 3, image: "b"))
    #expect(cluster.settle() < 50)
    let pods = cluster.state.all("Pod")
    #expect(pods.count == 3)
    #expect(pods.allSatisfy { $0.json[path: "spec", "containers"]?[0]?["image"] == "b" })
    let status = try #require(cluster.state.get("Deployment", namespace: "dev", name: "web")).json["status"]
    #expect(status?["availableReplicas"] == 3)
    #expect(status?["conditions"]?.arrayValue?.contains { $0["type"] == "Available" && $0["status"] == "True" } == true)
}

@Test func sliceResolvesNamedPorts() throws {
    var cluster = Cluster()
    cluster.store(deployment(replicas: 2, image: "a"))
    cluster.store(
        KubernetesObject([
            "apiVersion": "v1", "kind": "Service", "metadata": ["name": "web", "namespace": "dev", "uid": "s"],
            "spec": ["selector": ["app": "web"], "ports": [["port": 80, "targetPort": "http"]]],
        ]))
    #expect(cluster.settle() < 50)
    let slice = try #require(cluster.state.all("EndpointSlice").first)
    #expect(slice.json["ports"]?[0]?["port"] == 8000)
    #expect(slice.json["endpoints"]?.arrayValue?.count == 2)
}
