package import WeftConfig
import WeftCore

/// `kube-inject`: the sidecar written into manifests, for clusters where the webhook may not run.
package enum ManifestInjection {
    /// The object with its pod template injected; anything without one comes back unchanged.
    package static func inject(
        _ object: KubernetesObject, settings: InjectionSettings
    ) throws(InjectionTemplate.Unknown) -> KubernetesObject {
        if object.kind == "List", object.apiVersion == "v1" {
            var list = object.json
            var items: [JSONValue] = []
            for item in list["items"]?.arrayValue ?? [] {
                items.append(try inject(KubernetesObject(item), settings: settings).json)
            }
            list["items"] = .array(items)
            return KubernetesObject(list)
        }
        guard let path = templatePath(object.kind), let template = object.json[path: path] else { return object }
        let namespace = object.namespace.isEmpty ? "default" : object.namespace
        let pod = withOwner(template, of: object)
        guard InjectionDecision(pod: pod, namespace: namespace, namespaceLabels: nil, settings: settings).inject else {
            return object
        }
        let form = try InjectionTemplate(of: pod)
        var injected = InjectedPod(injecting: pod, as: form, namespace: namespace, settings: settings).pod
        injected[path: "metadata", "ownerReferences"] = template[path: "metadata", "ownerReferences"]
        if path.isEmpty { return KubernetesObject(injected) }
        var json = object.json
        json[path: path] = injected
        return KubernetesObject(json)
    }

    private static func templatePath(_ kind: String) -> ArraySlice<String>? {
        switch kind {
        case "Pod": []
        case "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController", "Job":
            ["spec", "template"]
        case "CronJob": ["spec", "jobTemplate", "spec", "template"]
        default: nil
        }
    }

    /// A template has no owner yet; the workload's name is the object's own.
    private static func withOwner(_ template: JSONValue, of object: KubernetesObject) -> JSONValue {
        guard object.kind != "Pod" else { return template }
        var pod = template
        pod[path: "metadata", "ownerReferences"] = [
            [
                "apiVersion": .string(object.apiVersion), "kind": .string(object.kind), "name": .string(object.name),
                "uid": "", "controller": true,
            ]
        ]
        return pod
    }
}
