import WeftAPIServer
import WeftConfig
import WeftCore
import WeftRuntime

/// The Node object of the only node, its heartbeat, and the Service of the cluster's resolver.
enum NodeObject {
    static func register(_ api: LocalAPI) async throws {
        let name = NodeAddress.nodeName
        let labels: JSONValue = [
            "kubernetes.io/hostname": .string(name), "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
            "node-role.kubernetes.io/control-plane": "",
        ]
        try await ensure(
            api,
            [
                "apiVersion": "v1", "kind": "Node", "metadata": ["name": .string(name), "labels": labels],
                "spec": ["podCIDR": "10.244.0.0/16", "podCIDRs": ["10.244.0.0/16"]],
            ])
        try await ensure(
            api,
            [
                "apiVersion": "v1", "kind": "Service",
                "metadata": ["name": "kube-dns", "namespace": "kube-system", "labels": ["k8s-app": "kube-dns"]],
                "spec": [
                    "clusterIP": .string(NodeAddress.dnsService),
                    "ports": [
                        ["name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53],
                        ["name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53],
                    ],
                ],
            ])
        await beat(api)
    }

    static func heartbeat(_ api: LocalAPI) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(60))
            await beat(api)
        }
    }

    private static func ensure(_ api: LocalAPI, _ object: JSONValue) async throws {
        do {
            _ = try await api.create(KubernetesObject(object))
        } catch let error as APIError where error.isAlreadyExists {
            return
        }
    }

    private static func beat(_ api: LocalAPI) async {
        let now = JSONValue.string(Timestamps.now())
        func condition(_ type: String, _ status: String, _ reason: String, _ message: String) -> JSONValue {
            [
                "type": .string(type), "status": .string(status), "reason": .string(reason),
                "message": .string(message),
                "lastHeartbeatTime": now, "lastTransitionTime": now,
            ]
        }
        let capacity: JSONValue = ["cpu": "2", "memory": "4Gi", "pods": "250", "ephemeral-storage": "10Gi"]
        let status: JSONValue = [
            "capacity": capacity, "allocatable": capacity,
            "addresses": [
                ["type": "InternalIP", "address": .string(NodeAddress.gateway)],
                ["type": "Hostname", "address": .string(NodeAddress.nodeName)],
            ],
            "conditions": [
                condition(
                    "MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
            ],
            "nodeInfo": [
                "architecture": "amd64", "operatingSystem": "linux", "osImage": "Weft local node", "kernelVersion": "",
                "containerRuntimeVersion": .string("weft://\(WeftVersion.current)"), "kubeletVersion": "v1.32.0",
                "kubeProxyVersion": "v1.32.0", "machineID": "", "systemUUID": "", "bootID": "",
            ],
        ]
        _ = try? await api.patch(.nodes, name: NodeAddress.nodeName, body: ["status": status], subresource: "status")
    }
}
