package import WeftConfig
package import WeftCore

/// The objects that run a managed gateway: account, Deployment, Service, and scaling where it is asked for. Pure.
package struct GatewayDeployment: Sendable {
    /// What the installation says about every gateway.
    package struct Settings: Sendable, Hashable {
        package var image: String
        package var mesh: MeshIdentity
        /// `defaultConfig` of the mesh configuration.
        package var proxyConfig: JSONValue
        /// `host:port` for certificates.
        package var controlPlane: String
        package var revision: String

        package init(
            image: String, mesh: MeshIdentity, proxyConfig: JSONValue, controlPlane: String, revision: String
        ) {
            self.image = image
            self.mesh = mesh
            self.proxyConfig = proxyConfig
            self.controlPlane = controlPlane
            self.revision = revision
        }
    }

    /// Keys of the ConfigMap that `infrastructure.parametersRef` names.
    package static let parameterKeys = GatewayParameters.keys

    let gateway: BoundGateway
    let parameters: KubernetesObject?
    let settings: Settings

    private var name: String { gateway.deploymentName }
    private var account: String { gateway.config.annotations["gateway.istio.io/service-account"] ?? name }
    private var selector: JSONValue { [GatewayLabels.gatewayName: .string(gateway.name)] }

    /// All of them, in the order in which they must appear.
    func objects(uid: String) -> [KubernetesObject] {
        var list = [service, deployment]
        if account == name { list.insert(object("v1", "ServiceAccount", "serviceAccount", [:]), at: 0) }
        for (key, kind, version) in [
            ("horizontalPodAutoscaler", "HorizontalPodAutoscaler", "autoscaling/v2"),
            ("podDisruptionBudget", "PodDisruptionBudget", "policy/v1"),
        ] where GatewayParameters.overlay(key, in: parameters) != nil {
            list.append(object(version, kind, key, scaling(kind)))
        }
        return list.map { object in
            var json = object.json
            json[path: "metadata", "ownerReferences"] = [
                [
                    "apiVersion": .string("\(GatewayAPI.group)/v1"), "kind": "Gateway", "name": .string(gateway.name),
                    "uid": .string(uid),
                ]
            ]
            return KubernetesObject(json)
        }
    }

    private func scaling(_ kind: String) -> JSONValue {
        guard kind == "HorizontalPodAutoscaler" else { return ["spec": ["selector": ["matchLabels": selector]]] }
        return [
            "spec": ["scaleTargetRef": ["apiVersion": "apps/v1", "kind": "Deployment", "name": .string(name)]]
        ]
    }

    private var infrastructureLabels: [String: String] { gateway.config.spec.infrastructure?.labels ?? [:] }

    private func labels(_ more: [String: String]) -> JSONValue {
        let own = [
            GatewayLabels.gatewayName: gateway.name, GatewayLabels.className: gateway.config.spec.gatewayClassName,
            GatewayLabels.managed: Self.managedValue,
        ]
        // What the controller finds its objects by cannot be overridden.
        let all = more.merging(infrastructureLabels) { $1 }.merging(own) { $1 }
        return .object(all.mapValues { .string($0) })
    }

    /// The value of ``GatewayLabels/managed`` on objects of ours.
    package static let managedValue = "istio.io-gateway-controller"

    private var annotations: [String: String] { gateway.config.spec.infrastructure?.annotations ?? [:] }

    private func object(_ apiVersion: String, _ kind: String, _ key: String, _ body: JSONValue) -> KubernetesObject {
        var json = body
        json["apiVersion"] = .string(apiVersion)
        json["kind"] = .string(kind)
        json["metadata"] = [
            "name": .string(name), "namespace": .string(gateway.namespace),
            "labels": labels(["istio.io/rev": settings.revision]),
            "annotations": .object(annotations.mapValues { .string($0) }),
        ]
        if let overlay = GatewayParameters.overlay(key, in: parameters) {
            let names: JSONValue = ["name": .string(name), "namespace": .string(gateway.namespace)]
            json = GatewayParameters.merge(json, overlay)
            json["apiVersion"] = .string(apiVersion)
            json["kind"] = .string(kind)
            json["metadata"] = GatewayParameters.merge(json["metadata"] ?? [:], names)
        }
        return KubernetesObject(json)
    }

    // MARK: - Service

    private var service: KubernetesObject {
        var ports: [JSONValue] = [
            ["name": "status-port", "port": 15021, "targetPort": 15021, "protocol": "TCP", "appProtocol": "tcp"]
        ]
        var seen: Set<Int> = [15021]
        for listener in gateway.listeners where listener.isAccepted && seen.insert(listener.spec.port).inserted {
            let name = "\(listener.protocol.lowercased())-\(listener.spec.port)"
            ports.append([
                "name": .string(name), "port": .int(Int64(listener.spec.port)),
                "targetPort": .int(Int64(listener.spec.port)), "protocol": "TCP",
                "appProtocol": .string(listener.protocol.lowercased()),
            ])
        }
        let type = gateway.config.annotations["networking.istio.io/service-type"] ?? "LoadBalancer"
        var spec: JSONValue = ["type": .string(type), "selector": selector, "ports": .array(ports)]
        let addresses = (gateway.config.spec.addresses ?? []).filter { $0.effectiveType == "IPAddress" }
            .compactMap(\.value).filter { !$0.isEmpty }
        if let first = addresses.first, type == "LoadBalancer" { spec["loadBalancerIP"] = .string(first) }
        return object("v1", "Service", "service", ["spec": spec])
    }

    // MARK: - Deployment

    private var deployment: KubernetesObject {
        let podLabels = labels([
            "istio.io/rev": settings.revision, "service.istio.io/canonical-name": name,
            "service.istio.io/canonical-revision": "latest", "sidecar.istio.io/inject": "false",
        ])
        let podAnnotations = [
            "istio.io/rev": settings.revision, "prometheus.io/scrape": "true", "prometheus.io/port": "15020",
            "prometheus.io/path": "/stats/prometheus",
        ].merging(annotations) { $1 }
        var spec: JSONValue = [
            "selector": ["matchLabels": selector],
            "template": [
                "metadata": [
                    "labels": podLabels, "annotations": .object(podAnnotations.mapValues { .string($0) }),
                ],
                "spec": [
                    "serviceAccountName": .string(account), "containers": [container],
                    "volumes": .array(ProxyPod.volumes),
                    "securityContext": [
                        "sysctls": [["name": "net.ipv4.ip_unprivileged_port_start", "value": "0"]]
                    ],
                ],
            ],
        ]
        // An autoscaler has the number for itself.
        if GatewayParameters.overlay("horizontalPodAutoscaler", in: parameters) == nil { spec["replicas"] = 1 }
        return object("apps/v1", "Deployment", "deployment", ["spec": spec])
    }

    private var container: JSONValue {
        let domain = "$(POD_NAMESPACE).svc.\(settings.mesh.clusterDomain)"
        let owner = "kubernetes://apis/apps/v1/namespaces/\(gateway.namespace)/deployments/\(name)"
        return [
            "name": "istio-proxy", "image": .string(settings.image),
            "args": ["proxy", "router", "--domain", .string(domain)],
            "ports": [
                ["containerPort": 15021, "name": "status-port", "protocol": "TCP"],
                ["containerPort": 15090, "name": "http-envoy-prom", "protocol": "TCP"],
            ],
            "env": .array(
                ProxyPod.environment(
                    settings.mesh, controlPlane: settings.controlPlane, proxyConfig: settings.proxyConfig,
                    workload: name, owner: owner) + [ProxyPod.variable("ISTIO_META_UNPRIVILEGED_POD", "true")]),
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
}

extension GatewayAPIModel {
    /// What should run, by the Gateway it is for.
    ///
    /// - Parameter uids: of Gateways by `namespace/name`; those without one are not stored yet and get nothing.
    package func deployments(settings: GatewayDeployment.Settings, uids: [String: String]) -> [(
        gateway: ResourceReference, objects: [KubernetesObject]
    )] {
        gateways.filter { $0.isManaged && $0.isAccepted }.compactMap { gateway in
            let key = "\(gateway.namespace)/\(gateway.name)"
            guard let uid = uids[key] else { return nil }
            let parameters = gateway.config.spec.infrastructure?.parametersRef.flatMap {
                objects.configMaps["\(gateway.namespace)/\($0.name)"]
            }
            let deployment = GatewayDeployment(gateway: gateway, parameters: parameters, settings: settings)
            return (gateway.config.resource, deployment.objects(uid: uid))
        }
    }
}
