import WeftConfig
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

    private func entry(_ name: String, namespace: [Expression], object: [Expression]) -> JSONValue {
        [
            "name": .string("\(name)sidecar-injector.istio.io"), "clientConfig": client(path: "/inject"),
            "sideEffects": "None", "failurePolicy": "Fail", "reinvocationPolicy": "Never", "timeoutSeconds": 10,
            "admissionReviewVersions": ["v1"],
            "rules": [["apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]]],
            "namespaceSelector": selector(namespace), "objectSelector": selector(object),
        ]
    }

    private var injector: KubernetesObject {
        let revision = "istio.io/rev"
        let injection = "istio-injection"
        let inject = "sidecar.istio.io/inject"
        var entries = [
            entry(
                "rev.namespace.",
                namespace: [(revision, "In", [settings.revision]), (injection, "DoesNotExist", [])],
                object: [(inject, "NotIn", ["false"])]),
            entry(
                "rev.object.", namespace: [(revision, "DoesNotExist", []), (injection, "DoesNotExist", [])],
                object: [(inject, "NotIn", ["false"]), (revision, "In", [settings.revision])]),
        ]
        if settings.isDefaultRevision {
            entries.append(
                entry(
                    "namespace.", namespace: [(injection, "In", ["enabled"])], object: [(inject, "NotIn", ["false"])]))
            entries.append(
                entry(
                    "object.", namespace: [(injection, "DoesNotExist", []), (revision, "DoesNotExist", [])],
                    object: [(inject, "In", ["true"]), (revision, "DoesNotExist", [])]))
        }
        return object(
            "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration",
            "istio-sidecar-injector\(settings.suffix)", ["webhooks": .array(entries)], clusterScoped: true)
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
