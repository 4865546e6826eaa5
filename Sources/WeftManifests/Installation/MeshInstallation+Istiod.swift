import WeftConfig
import WeftCore

/// The control plane's Service and Deployment.
extension MeshInstallation {
    private static let ports: [(name: String, port: Int64, target: Int64)] = [
        ("grpc-xds", 15010, 15010), ("https-dns", 15012, 15012), ("https-webhook", 443, 15017),
        ("http-monitoring", 15014, 15014), ("http-dashboard", 20001, 20001),
    ]

    var selector: JSONValue {
        var selector: JSONValue = ["app": "istiod"]
        if settings.isDefaultRevision {
            selector["istio"] = "pilot"
        } else {
            selector["istio.io/rev"] = .string(settings.revision)
        }
        return selector
    }

    var istiodService: KubernetesObject {
        object(
            "v1", "Service", settings.istiodName,
            [
                "spec": [
                    "selector": selector,
                    "ports": .array(
                        Self.ports.map {
                            [
                                "name": .string($0.name), "port": .int($0.port), "targetPort": .int($0.target),
                                "protocol": "TCP",
                            ]
                        }),
                ]
            ])
    }

    var istiodDeployment: KubernetesObject {
        var labels: JSONValue = [
            "app": "istiod", "istio.io/rev": .string(settings.revision), "sidecar.istio.io/inject": "false",
            "operator.istio.io/component": "Pilot",
        ]
        labels["istio"] = settings.isDefaultRevision ? "pilot" : "istiod"
        return object(
            "apps/v1", "Deployment", settings.istiodName,
            [
                "spec": [
                    "replicas": 1, "selector": ["matchLabels": selector],
                    "strategy": [
                        "type": "RollingUpdate", "rollingUpdate": ["maxSurge": "100%", "maxUnavailable": "25%"],
                    ],
                    "template": [
                        "metadata": [
                            "labels": labels,
                            "annotations": [
                                "prometheus.io/scrape": "true", "prometheus.io/port": "15014",
                            ],
                        ],
                        "spec": [
                            "serviceAccountName": .string(settings.istiodName), "containers": [istiodContainer],
                            "volumes": [
                                ["name": "config-volume", "configMap": ["name": .string("istio\(settings.suffix)")]],
                                ["name": "telemetry", "emptyDir": [:]],
                            ],
                        ],
                    ],
                ]
            ])
    }

    private var istiodContainer: JSONValue {
        [
            "name": "discovery", "image": .string(settings.controlPlaneImage), "args": ["discovery"],
            "ports": .array(
                [
                    ("http-ready", 8080), ("grpc-xds", 15010), ("https-dns", 15012), ("https-webhook", 15017),
                    ("http-monitoring", 15014), ("http-dashboard", 20001), ("http-prometheus", 9090),
                    ("http-query", 16686), ("grpc-otlp", 4317), ("http-otlp", 4318), ("http-zipkin", 9411),
                ]
                .map { ["name": .string($0.0), "containerPort": .int($0.1), "protocol": "TCP"] }),
            "env": [
                ["name": "REVISION", "value": .string(settings.revision)],
                ["name": "WEFT_TELEMETRY_DIR", "value": "/var/lib/weft/telemetry"],
                ["name": "CLUSTER_ID", "value": .string(settings.mesh.clusterID)],
                ProxyPod.field("POD_NAME", "metadata.name"),
                ProxyPod.field("POD_NAMESPACE", "metadata.namespace"),
                ProxyPod.field("POD_IP", "status.podIP"),
                ProxyPod.field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
            ],
            "readinessProbe": [
                "httpGet": ["path": "/ready", "port": 8080], "periodSeconds": 1, "timeoutSeconds": 5,
                "failureThreshold": 3,
            ],
            "resources": ["requests": ["cpu": "100m", "memory": "128Mi"]],
            "securityContext": [
                "allowPrivilegeEscalation": false, "capabilities": ["drop": ["ALL"]], "runAsNonRoot": true,
                "runAsUser": 1337,
                "runAsGroup": 1337,
            ],
            "volumeMounts": [
                ["name": "config-volume", "mountPath": "/etc/istio/config"],
                ["name": "telemetry", "mountPath": "/var/lib/weft/telemetry"],
            ],
        ]
    }
}
