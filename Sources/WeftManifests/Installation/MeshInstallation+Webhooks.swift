package import WeftConfig
import WeftCore

/// Which pods the API server sends to the injector, and which objects to the validator.
///
/// The certificates of both are filled in by the control plane when it starts. Selectors keep the injector away from
/// everything that did not ask for it, so its `failurePolicy: Fail` cannot hold up the control plane itself.
extension MeshInstallation {
    var webhooks: [KubernetesObject] { [injector, validator] }

    private typealias Expression = (key: String, operation: String, values: [String])

    private func selector(_ expressions: [Expression]) -> JSONValue {
        .object([
            "matchExpressions": .array(
                expressions.map { expression in
                    var json: JSONValue = ["key": .string(expression.key), "operator": .string(expression.operation)]
                    if !expression.values.isEmpty { json["values"] = .array(expression.values.map { .string($0) }) }
                    return json
                })
        ])
    }

    private func client(path: String) -> JSONValue {
        [
            "service": [
                "name": .string(settings.istiodName), "namespace": .string(settings.namespace), "path": .string(path),
                "port": 443,
            ]
        ]
    }

    private func entry(_ name: String, path: String, namespace: [Expression], object: [Expression]) -> JSONValue {
        [
            "name": .string("\(name)sidecar-injector.istio.io"), "clientConfig": client(path: path),
            "sideEffects": "None", "failurePolicy": "Fail", "reinvocationPolicy": "Never", "timeoutSeconds": 10,
            "admissionReviewVersions": ["v1"],
            "rules": [["apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]]],
            "namespaceSelector": selector(namespace), "objectSelector": selector(object),
        ]
    }

    private var injector: KubernetesObject {
        object(
            "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration",
            "istio-sidecar-injector\(settings.suffix)",
            ["webhooks": .array(entries(choosing: settings.revision, path: "/inject"))], clusterScoped: true)
    }

    /// What makes a name stand for this revision: an injector for those who choose the name. The path tells the control
    /// plane by which name it was chosen.
    package func tag(_ name: String) -> KubernetesObject {
        var tag = object(
            "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "istio-revision-tag-\(name)",
            ["webhooks": .array(entries(choosing: name, path: "/inject/tag/\(name)"))], clusterScoped: true)
        tag.json[path: "metadata", "labels", "istio.io/tag"] = .string(name)
        return tag
    }

    /// - Parameter choice: What labels name; `default` is chosen by `istio-injection` too.
    private func entries(choosing choice: String, path: String) -> [JSONValue] {
        let revision = "istio.io/rev"
        let injection = "istio-injection"
        let inject = "sidecar.istio.io/inject"
        var entries = [
            entry(
                "rev.namespace.", path: path,
                namespace: [(revision, "In", [choice]), (injection, "DoesNotExist", [])],
                object: [(inject, "NotIn", ["false"])]),
            entry(
                "rev.object.", path: path,
                namespace: [(revision, "DoesNotExist", []), (injection, "DoesNotExist", [])],
                object: [(inject, "NotIn", ["false"]), (revision, "In", [choice])]),
        ]
        if choice == "default" {
            entries.append(
                entry(
                    "namespace.", path: path, namespace: [(injection, "In", ["enabled"])],
                    object: [(inject, "NotIn", ["false"])]))
            entries.append(
                entry(
                    "object.", path: path,
                    namespace: [(injection, "DoesNotExist", []), (revision, "DoesNotExist", [])],
                    object: [(inject, "In", ["true"]), (revision, "DoesNotExist", [])]))
        }
        return entries
    }

    /// Starts with `Ignore`; the control plane sets `Fail` once it answers.
    private var validator: KubernetesObject {
        object(
            "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration",
            "istio-validator\(settings.suffix)-\(settings.namespace)",
            [
                "webhooks": [
                    [
                        "name": "rev.validation.istio.io", "clientConfig": client(path: "/validate"),
                        "sideEffects": "None", "failurePolicy": "Ignore", "timeoutSeconds": 10,
                        "admissionReviewVersions": ["v1"],
                        "rules": [
                            [
                                "apiGroups": [
                                    "networking.istio.io", "security.istio.io", "telemetry.istio.io",
                                    "extensions.istio.io", "gateway.networking.k8s.io",
                                ], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": ["*"],
                            ]
                        ],
                    ]
                ]
            ], clusterScoped: true)
    }
}
