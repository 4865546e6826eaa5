import WeftConfig
import WeftCore

/// Each namespace gets a `default` service account and the API server's root certificate.
package enum NamespaceController {
    package static func reconcile(_ state: ClusterState, _ context: ControllerContext) -> [DesiredWrite] {
        state.all("Namespace").flatMap { namespace -> [DesiredWrite] in
            guard namespace.deletionTimestamp == nil else { return [] }
            var writes: [DesiredWrite] = []
            if state.get("ServiceAccount", namespace: namespace.name, name: "default") == nil {
                writes.append(
                    .create(
                        KubernetesObject([
                            "apiVersion": "v1", "kind": "ServiceAccount",
                            "metadata": ["name": "default", "namespace": .string(namespace.name)],
                        ])))
            }
            let root = state.get("ConfigMap", namespace: namespace.name, name: "kube-root-ca.crt")
            let data: JSONValue = ["ca.crt": .string(context.certificateAuthority)]
            if context.certificateAuthority.isEmpty || root?.json["data"] == data { return writes }
            let wanted = KubernetesObject([
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": ["name": "kube-root-ca.crt", "namespace": .string(namespace.name)], "data": data,
            ])
            guard var existing = root else { return writes + [.create(wanted)] }
            existing.json["data"] = data
            return writes + [.update(existing)]
        }
    }
}

/// Gives every pod without a node the only node there is.
package enum Scheduler {
    package static func reconcile(_ state: ClusterState, _ context: ControllerContext) -> [DesiredWrite] {
        state.all("Pod").compactMap { pod in
            let node = pod.json[path: "spec", "nodeName"]?.stringValue ?? ""
            guard node.isEmpty, pod.deletionTimestamp == nil else { return nil }
            return .bind(pod: pod, node: context.node)
        }
    }
}
