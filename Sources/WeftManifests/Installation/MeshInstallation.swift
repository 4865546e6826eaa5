package import WeftConfig
import WeftCore

/// Everything that makes a cluster a mesh, in the order in which it must be applied. Pure.
package struct MeshInstallation: Sendable {
    package let settings: InstallSettings

    package init(_ settings: InstallSettings) { self.settings = settings }

    /// Namespace and kinds first, then who may do what, then configuration, then what runs, then who is called.
    package var objects: [KubernetesObject] {
        var list = [namespace] + CustomResourceDefinitions.all
        guard settings.profile != .empty else { return list }
        let gateways = self.gateways
        list += accessControl
        list += gateways.flatMap(\.accessControl)
        list += configMaps
        list.append(istiodService)
        if settings.isDefaultRevision { list += telemetryServices }
        list += gateways.map(\.service)
        list.append(istiodDeployment)
        list += gateways.map(\.deployment)
        list += webhooks
        return list
    }

    /// The Deployments that must be available before the mesh is.
    package var deployments: [String] {
        settings.profile == .empty ? [] : [settings.istiodName] + gateways.map(\.name)
    }

    private var gateways: [GatewayInstallation] {
        var list: [GatewayInstallation] = []
        if settings.ingressGateway { list.append(GatewayInstallation(kind: .ingress, settings: settings)) }
        if settings.egressGateway { list.append(GatewayInstallation(kind: .egress, settings: settings)) }
        return list
    }

    private var namespace: KubernetesObject {
        KubernetesObject([
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": [
                "name": .string(settings.namespace),
                "labels": ["kubernetes.io/metadata.name": .string(settings.namespace)],
            ],
        ])
    }

    private var configMaps: [KubernetesObject] {
        let injector: JSONValue = [
            "revision": .string(settings.revision),
            "global": [
                "proxy": [
                    "image": .string(settings.proxyImage), "clusterDomain": .string(settings.mesh.clusterDomain),
                ],
                "multiCluster": ["clusterName": .string(settings.mesh.clusterID)],
                "istioNamespace": .string(settings.namespace),
            ],
            "values": settings.values,
        ]
        return [
            object(
                "v1", "ConfigMap", "istio\(settings.suffix)",
                [
                    "data": [
                        "mesh": .string(YAMLWriter.text(settings.effectiveMeshConfig)),
                        "meshNetworks": "networks: {}\n",
                    ]
                ]),
            object(
                "v1", "ConfigMap", "istio-sidecar-injector\(settings.suffix)",
                ["data": ["values": .string(injector.text(pretty: true))]]),
        ]
    }

    /// An object of the control plane; `nil` namespace makes it cluster-scoped.
    func object(
        _ apiVersion: String, _ kind: String, _ name: String, _ body: JSONValue, clusterScoped: Bool = false
    ) -> KubernetesObject {
        var json = body
        json["apiVersion"] = .string(apiVersion)
        json["kind"] = .string(kind)
        json["metadata"] = [
            "name": .string(name),
            "labels": [
                "app": "istiod", "istio.io/rev": .string(settings.revision), "app.kubernetes.io/part-of": "weft",
                "operator.istio.io/component": "Pilot",
            ],
        ]
        if !clusterScoped { json[path: "metadata", "namespace"] = .string(settings.namespace) }
        return KubernetesObject(json)
    }
}

// MARK: - Access

extension MeshInstallation {
    private static let read: JSONValue = ["get", "list", "watch"]
    private static let write: JSONValue = ["get", "list", "watch", "create", "update", "patch", "delete"]

    private func rule(_ groups: JSONValue, _ resources: JSONValue, _ verbs: JSONValue) -> JSONValue {
        ["apiGroups": groups, "resources": resources, "verbs": verbs]
    }

    private var accessControl: [KubernetesObject] {
        let role = "\(settings.istiodName)-clusterrole-\(settings.namespace)"
        let subjects: JSONValue = [
            ["kind": "ServiceAccount", "name": .string(settings.istiodName), "namespace": .string(settings.namespace)]
        ]
        let istioGroups: JSONValue = [
            "networking.istio.io", "security.istio.io", "telemetry.istio.io", "extensions.istio.io",
        ]
        return [
            object("v1", "ServiceAccount", settings.istiodName, [:]),
            object(
                "rbac.authorization.k8s.io/v1", "ClusterRole", role,
                [
                    "rules": [
                        rule([""], ["pods", "nodes", "services", "namespaces", "endpoints", "secrets"], Self.read),
                        rule(["discovery.k8s.io"], ["endpointslices"], Self.read),
                        rule(["apps"], ["deployments", "replicasets"], Self.read),
                        rule(istioGroups, ["*"], ["get", "list", "watch", "update", "patch"]),
                        // Machines whose proxies connect are registered, and forgotten when they go.
                        rule(["networking.istio.io"], ["workloadentries"], ["create", "delete"]),
                        rule(["gateway.networking.k8s.io"], ["*"], ["get", "list", "watch", "update", "patch"]),
                        // The control plane makes its GatewayClasses, and runs gateways where Gateways ask for them.
                        rule(["gateway.networking.k8s.io"], ["gatewayclasses"], ["create"]),
                        rule(["apps"], ["deployments"], Self.write),
                        rule([""], ["services", "serviceaccounts"], Self.write),
                        rule(["autoscaling"], ["horizontalpodautoscalers"], Self.write),
                        rule(["policy"], ["poddisruptionbudgets"], Self.write),
                        rule([""], ["configmaps"], Self.write), rule([""], ["events"], ["create", "patch"]),
                        rule(["authentication.k8s.io"], ["tokenreviews"], ["create"]),
                        rule(
                            ["admissionregistration.k8s.io"],
                            ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
                            ["get", "list", "watch", "update", "patch"]),
                        rule(["apiextensions.k8s.io"], ["customresourcedefinitions"], Self.read),
                        rule(["coordination.k8s.io"], ["leases"], Self.write),
                    ]
                ], clusterScoped: true),
            object(
                "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", role,
                [
                    "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": .string(role)],
                    "subjects": subjects,
                ], clusterScoped: true),
            object(
                "rbac.authorization.k8s.io/v1", "Role", settings.istiodName,
                ["rules": [rule([""], ["secrets"], Self.write)]]),
            object(
                "rbac.authorization.k8s.io/v1", "RoleBinding", settings.istiodName,
                [
                    "roleRef": [
                        "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": .string(settings.istiodName),
                    ],
                    "subjects": subjects,
                ]),
        ]
    }
}
