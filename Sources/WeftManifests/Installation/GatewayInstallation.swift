import WeftConfig
import WeftCore

/// One gateway of the installation: a proxy without an application, its account and its Service.
struct GatewayInstallation: Sendable {
    enum Kind: String, Sendable { case ingress, egress }

    var kind: Kind
    var settings: InstallSettings

    var name: String { "istio-\(kind.rawValue)gateway" }
    private var account: String { "\(name)-service-account" }
    private var labels: JSONValue { ["app": .string(name), "istio": .string("\(kind.rawValue)gateway")] }

    private func object(_ apiVersion: String, _ kind: String, _ name: String, _ body: JSONValue) -> KubernetesObject {
        var json = body
        json["apiVersion"] = .string(apiVersion)
        json["kind"] = .string(kind)
        var labels = self.labels
        labels["istio.io/rev"] = .string(settings.revision)
        labels["app.kubernetes.io/part-of"] = "weft"
        labels["operator.istio.io/component"] = .string(self.kind == .ingress ? "IngressGateways" : "EgressGateways")
        json["metadata"] = ["name": .string(name), "namespace": .string(settings.namespace), "labels": labels]
        return KubernetesObject(json)
    }

    var accessControl: [KubernetesObject] {
        let group = "rbac.authorization.k8s.io"
        return [
            object("v1", "ServiceAccount", account, [:]),
            object(
                "\(group)/v1", "Role", "\(name)-sds",
                ["rules": [["apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "watch", "list"]]]]),
            object(
                "\(group)/v1", "RoleBinding", "\(name)-sds",
                [
                    "roleRef": ["apiGroup": .string(group), "kind": "Role", "name": .string("\(name)-sds")],
                    "subjects": [["kind": "ServiceAccount", "name": .string(account)]],
                ]),
        ]
    }

    var service: KubernetesObject {
        var ports: [JSONValue] = [
            ["name": "http2", "port": 80, "targetPort": 8080, "protocol": "TCP"],
            ["name": "https", "port": 443, "targetPort": 8443, "protocol": "TCP"],
        ]
        if kind == .ingress {
            ports.insert(["name": "status-port", "port": 15021, "targetPort": 15021, "protocol": "TCP"], at: 0)
        }
        return object(
            "v1", "Service", name,
            [
                "spec": [
                    "type": kind == .ingress ? "LoadBalancer" : "ClusterIP", "selector": labels, "ports": .array(ports),
                ]
            ])
    }

    var deployment: KubernetesObject {
        var podLabels = labels
        podLabels["istio.io/rev"] = .string(settings.revision)
        podLabels["service.istio.io/canonical-name"] = .string(name)
        podLabels["service.istio.io/canonical-revision"] = "latest"
        podLabels["sidecar.istio.io/inject"] = "false"
        return object(
            "apps/v1", "Deployment", name,
            [
                "spec": [
                    "replicas": 1, "selector": ["matchLabels": labels],
                    "strategy": [
                        "type": "RollingUpdate", "rollingUpdate": ["maxSurge": "100%", "maxUnavailable": "25%"],
                    ],
                    "template": [
                        "metadata": [
                            "labels": podLabels,
                            "annotations": [
                                "istio.io/rev": .string(settings.revision), "prometheus.io/scrape": "true",
                                "prometheus.io/port": "15020", "prometheus.io/path": "/stats/prometheus",
                            ],
                        ],
                        "spec": [
                            "serviceAccountName": .string(account), "containers": [container],
                            "volumes": .array(ProxyPod.volumes),
                        ],
                    ],
                ]
            ])
    }

    private var container: JSONValue {
        [
            "name": "istio-proxy", "image": .string(settings.proxyImage),
            "args": ["proxy", "router", "--domain", .string("$(POD_NAMESPACE).svc.\(settings.mesh.clusterDomain)")],
            "ports": [
                ["containerPort": 15021, "protocol": "TCP"], ["containerPort": 8080, "protocol": "TCP"],
                ["containerPort": 8443, "protocol": "TCP"],
                ["containerPort": 15090, "name": "http-envoy-prom", "protocol": "TCP"],
            ],
            "env": .array(environment),
            "readinessProbe": [
                "httpGet": ["path": "/healthz/ready", "port": 15021, "scheme": "HTTP"], "initialDelaySeconds": 0,
                "periodSeconds": 2, "failureThreshold": 30, "timeoutSeconds": 1,
            ],
            "resources": ["requests": ["cpu": "100m", "memory": "128Mi"]],
            "securityContext": [
                "allowPrivilegeEscalation": false, "capabilities": ["drop": ["ALL"]], "privileged": false,
                "readOnlyRootFilesystem": true, "runAsNonRoot": true, "runAsUser": 1337, "runAsGroup": 1337,
            ],
            "volumeMounts": .array(ProxyPod.mounts),
        ]
    }

    private var environment: [JSONValue] {
        let owner = "kubernetes://apis/apps/v1/namespaces/\(settings.namespace)/deployments/\(name)"
        let proxyConfig = settings.effectiveMeshConfig["defaultConfig"] ?? .object([:])
        return ProxyPod.environment(
            settings.mesh, controlPlane: "\(settings.istiodName).\(settings.namespace).svc:15012",
            proxyConfig: proxyConfig, workload: name, owner: owner)
            + [ProxyPod.variable("ISTIO_META_UNPRIVILEGED_POD", "true")]
    }
}
