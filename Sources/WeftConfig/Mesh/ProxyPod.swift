package import WeftCore

/// What every pod with a proxy has, injected or a gateway: the environment of Istio's agent, token, trust bundle, the
/// pod's own metadata, and places to write.
package enum ProxyPod {
    /// - Parameters:
    ///   - controlPlane: `host:port` for certificates.
    ///   - owner: `kubernetes://apis/…` of what made the pod.
    package static func environment(
        _ mesh: MeshIdentity, controlPlane: String, proxyConfig: JSONValue, workload: String, owner: String
    ) -> [JSONValue] {
        [
            variable("PILOT_CERT_PROVIDER", "istiod"), variable("CA_ADDR", controlPlane),
            field("POD_NAME", "metadata.name"), field("POD_NAMESPACE", "metadata.namespace"),
            field("INSTANCE_IP", "status.podIP"), field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
            field("HOST_IP", "status.hostIP"), field("ISTIO_META_NODE_NAME", "spec.nodeName"),
            variable("PROXY_CONFIG", proxyConfig.text()), variable("ISTIO_META_CLUSTER_ID", mesh.clusterID),
            variable("ISTIO_META_WORKLOAD_NAME", workload), variable("ISTIO_META_OWNER", owner),
            variable("ISTIO_META_MESH_ID", mesh.meshID), variable("TRUST_DOMAIN", mesh.trustDomain),
        ] + metadata(proxyConfig)
    }

    /// `proxyMetadata` of the proxy's configuration: more variables for the agent, such as `SECRET_TTL`.
    private static func metadata(_ proxyConfig: JSONValue) -> [JSONValue] {
        (proxyConfig["proxyMetadata"]?.objectValue ?? [:]).sorted { $0.key < $1.key }.compactMap { name, value in
            value.stringValue.map { variable(name, $0) }
        }
    }

    package static func variable(_ name: String, _ value: String) -> JSONValue {
        ["name": .string(name), "value": .string(value)]
    }

    package static func field(_ name: String, _ path: String) -> JSONValue {
        ["name": .string(name), "valueFrom": ["fieldRef": ["fieldPath": .string(path)]]]
    }

    package static let volumeNames = ["istio-envoy", "istio-data", "istio-podinfo", "istio-token", "istiod-ca-cert"]

    package static let volumes: [JSONValue] = [
        ["name": "istio-envoy", "emptyDir": ["medium": "Memory"]],
        ["name": "istio-data", "emptyDir": [:]],
        [
            "name": "istio-podinfo",
            "downwardAPI": [
                "items": [
                    ["path": "labels", "fieldRef": ["fieldPath": "metadata.labels"]],
                    ["path": "annotations", "fieldRef": ["fieldPath": "metadata.annotations"]],
                ]
            ],
        ],
        [
            "name": "istio-token",
            "projected": [
                "sources": [
                    [
                        "serviceAccountToken": [
                            "audience": "istio-ca", "expirationSeconds": 43200, "path": "istio-token",
                        ]
                    ]
                ]
            ],
        ],
        ["name": "istiod-ca-cert", "configMap": ["name": "istio-ca-root-cert"]],
    ]

    package static let mounts: [JSONValue] = [
        ["mountPath": "/var/run/secrets/istio", "name": "istiod-ca-cert"],
        ["mountPath": "/var/lib/istio/data", "name": "istio-data"],
        ["mountPath": "/etc/istio/proxy", "name": "istio-envoy"],
        ["mountPath": "/var/run/secrets/tokens", "name": "istio-token"],
        ["mountPath": "/etc/istio/pod", "name": "istio-podinfo"],
    ]
}
