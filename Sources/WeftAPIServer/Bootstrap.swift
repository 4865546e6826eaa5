import WeftConfig
import WeftCore

/// The objects that exist in every cluster: system namespaces, roles and the API's own Service.
enum Bootstrap {
    static func ensure(_ api: LocalAPI, caPEM: String) async throws {
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            try await create(api, ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)]])
        }
        for object in BuiltInRoles.objects { try await create(api, object) }
        try await create(
            api,
            [
                "apiVersion": "v1", "kind": "Service",
                "metadata": [
                    "name": "kubernetes", "namespace": "default",
                    "labels": ["component": "apiserver", "provider": "kubernetes"],
                ],
                "spec": [
                    "clusterIP": "10.96.0.1",
                    "ports": [["name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443]],
                ],
            ])
        try await create(
            api,
            [
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": [
                    "name": "kubernetes", "namespace": "default",
                    "labels": ["kubernetes.io/service-name": "kubernetes"],
                ],
                "addressType": "IPv4", "endpoints": [["addresses": ["10.244.0.1"], "conditions": ["ready": true]]],
                "ports": [["name": "https", "port": 6443, "protocol": "TCP"]],
            ])
        try await create(
            api,
            [
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": ["name": "kube-root-ca.crt", "namespace": "default"], "data": ["ca.crt": .string(caPEM)],
            ])
    }

    private static func create(_ api: LocalAPI, _ object: JSONValue) async throws {
        do {
            _ = try await api.create(KubernetesObject(object))
        } catch let error as APIError where error.isAlreadyExists {
            return
        }
    }
}
