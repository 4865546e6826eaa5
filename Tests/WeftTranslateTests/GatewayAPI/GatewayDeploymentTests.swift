import Testing
import WeftConfig
import WeftCore
import WeftIR
import WeftTranslate

/// What the control plane runs for a Gateway, where it can be reached, and how status gets into objects.
@Suite struct GatewayDeploymentTests {
    private static let settings = GatewayDeployment.Settings(
        image: "weft/proxy", mesh: MeshIdentity(), proxyConfig: [:], controlPlane: "istiod.istio-system.svc:15012",
        revision: "default")

    private func deployed(_ world: GatewayWorld) -> [String: JSONValue] {
        let uids = ["infra/gw": "uid-1"]
        let all = world.snapshot.gatewayAPI.deployments(settings: Self.settings, uids: uids).flatMap(\.objects)
        return Dictionary(all.map { ($0.kind, $0.json) }, uniquingKeysWith: { first, _ in first })
    }

    @Test func aGatewayIsDeployed() throws {
        let world = try GatewayWorld(
            listeners:
                "[{name: a, port: 80, protocol: HTTP}, {name: b, port: 80, protocol: HTTP, hostname: b.org}, {name: c, port: 9000, protocol: TCP}]"
        )
        let objects = deployed(world)
        #expect(Set(objects.keys) == ["ServiceAccount", "Service", "Deployment"])
        for (kind, object) in objects {
            #expect(object[path: "metadata", "name"] == "gw-istio", "\(kind)")
            #expect(object[path: "metadata", "namespace"] == "infra")
            #expect(object[path: "metadata", "ownerReferences"]?[0]?["uid"] == "uid-1")
        }
        let service = try #require(objects["Service"])
        let ports = service[path: "spec", "ports"]?.arrayValue ?? []
        #expect(ports.compactMap { $0["port"]?.intValue } == [15021, 80, 9000])
        #expect(ports.compactMap { $0["name"]?.stringValue } == ["status-port", "http-80", "tcp-9000"])
        let labels = objects["Deployment"]?[path: "spec", "template", "metadata", "labels"]
        #expect(labels?["gateway.networking.k8s.io/gateway-name"] == "gw")
        #expect(labels?["gateway.networking.k8s.io/gateway-class-name"] == "istio")
        #expect(service[path: "spec", "selector"] == ["gateway.networking.k8s.io/gateway-name": "gw"])
    }

    @Test func port8080IsAListenerLikeAnyOther() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(rules: "[{backendRefs: [{name: a, port: 8080}]}]"),
            listeners: "[{name: alt, port: 8080, protocol: HTTP}]")
        #expect(try world.ask(Request(table: "http.8080")) == "a.infra")
        let ports = deployed(world)["Service"]?[path: "spec", "ports"]?.arrayValue ?? []
        #expect(ports.compactMap { $0["port"]?.intValue } == [15021, 8080])
    }

    @Test func labelsAndAnnotationsAreHandedOn() throws {
        let world = try GatewayWorld(
            more:
                "infrastructure: {labels: {team: edge, gateway.networking.k8s.io/gateway-name: fake}, annotations: {cost: \"42\"}}"
        )
        let objects = deployed(world)
        for (kind, object) in objects {
            #expect(object[path: "metadata", "labels", "team"] == "edge", "\(kind)")
            #expect(object[path: "metadata", "annotations", "cost"] == "42", "\(kind)")
            // What the gateway is found by stays.
            #expect(object[path: "metadata", "labels"]?["gateway.networking.k8s.io/gateway-name"] == "gw", "\(kind)")
        }
        let pod = objects["Deployment"]?[path: "spec", "template", "metadata"]
        #expect(pod?[path: "labels", "team"] == "edge")
        #expect(pod?[path: "annotations", "cost"] == "42")
    }

    private static let parameters = "infrastructure: {parametersRef: {group: \"\", kind: ConfigMap, name: params}}"

    @Test func parametersChangeTheObjects() throws {
        let world = try GatewayWorld(
            """
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: params, namespace: infra}
            data:
              deployment: |
                metadata: {name: other}
                spec: {template: {spec: {containers: [{name: istio-proxy, resources: {requests: {cpu: 222m}}}, {name: extra, image: x}]}}}
              service: |
                spec: {type: ClusterIP}
              horizontalPodAutoscaler: |
                spec: {minReplicas: 2, maxReplicas: 5}
              podDisruptionBudget: |
                spec: {minAvailable: 1}
            """, more: Self.parameters)
        let objects = deployed(world)
        #expect(objects["Service"]?[path: "spec", "type"] == "ClusterIP")
        let deployment = try #require(objects["Deployment"])
        #expect(deployment[path: "metadata", "name"] == "gw-istio")
        let containers = deployment[path: "spec", "template", "spec", "containers"]?.arrayValue ?? []
        #expect(containers.compactMap { $0["name"]?.stringValue } == ["istio-proxy", "extra"])
        #expect(containers[0][path: "resources", "requests"] == ["cpu": "222m", "memory": "128Mi"])
        #expect(containers[0]["image"] == "weft/proxy")
        // The autoscaler has the number for itself.
        #expect(deployment[path: "spec", "replicas"] == nil)
        #expect(objects["HorizontalPodAutoscaler"]?[path: "spec", "maxReplicas"] == 5)
        #expect(objects["HorizontalPodAutoscaler"]?[path: "spec", "scaleTargetRef", "name"] == "gw-istio")
        #expect(objects["PodDisruptionBudget"]?[path: "spec", "minAvailable"] == 1)
    }

    @Test(arguments: [
        "{}", "{data: {deploy: \"spec: {}\"}}", "{data: {service: \"- a\"}}", "{data: {service: \"a: [\"}}",
    ])
    func parametersThatCannotBeReadAreRefused(_ map: String) throws {
        let object =
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: \(map == "{}" ? "else" : "params"), namespace: infra}, \(map.dropFirst())"
        let world = try GatewayWorld(map == "{}" ? "" : object, more: Self.parameters)
        let conditions = GatewayWorld.conditions(try world.gatewayStatus())
        #expect(conditions.prefix(2) == ["Accepted=False/InvalidParameters", "Programmed=False/Invalid"])
        #expect(deployed(world).isEmpty)
    }

    @Test func aGatewayMayRunElsewhere() throws {
        let yaml = GatewayWorld.route(rules: "[{backendRefs: [{name: a, port: 8080}]}]")
        let world = try GatewayWorld(
            yaml, more: "addresses: [{type: Hostname, value: gw-istio.infra.svc.cluster.local}]")
        #expect(deployed(world).isEmpty)
        // The Service says which pods stand for the Gateway.
        #expect(try world.ask(Request()) == "a.infra")
        #expect(world.gateway("other").listeners.isEmpty)
        #expect(try world.gatewayStatus()["addresses"] == [["type": "IPAddress", "value": "203.0.113.7"]])
        let lost = try GatewayWorld(more: "addresses: [{type: Hostname, value: ghost.infra.svc.cluster.local}]")
        #expect(GatewayWorld.conditions(try lost.gatewayStatus())[1] == "Programmed=False/AddressNotUsable")
    }

    // MARK: - Addresses

    @Test(arguments: [
        ("", "Accepted=True/Accepted", "Programmed=True/Programmed"),
        ("addresses: [{type: IPAddress, value: 203.0.113.7}]", "Accepted=True/Accepted", "Programmed=True/Programmed"),
        ("addresses: [{type: IPAddress}]", "Accepted=True/Accepted", "Programmed=True/Programmed"),
        (
            "addresses: [{type: IPAddress, value: 192.0.2.1}]", "Accepted=True/Accepted",
            "Programmed=False/AddressNotUsable"
        ),
        (
            "addresses: [{type: example.org/named, value: x}]", "Accepted=False/UnsupportedAddress",
            "Programmed=False/Invalid"
        ),
    ])
    func addressesAreGivenOrTheReasonIsTold(_ more: String, _ accepted: String, _ programmed: String) throws {
        let status = try GatewayWorld(more: more).gatewayStatus()
        #expect(GatewayWorld.conditions(status).prefix(2) == [accepted, programmed])
        #expect(status["addresses"] == [["type": "IPAddress", "value": "203.0.113.7"]])
    }

    @Test func aStaticAddressIsAskedFor() throws {
        let world = try GatewayWorld(more: "addresses: [{type: IPAddress, value: 203.0.113.7}]")
        #expect(deployed(world)["Service"]?[path: "spec", "loadBalancerIP"] == "203.0.113.7")
    }

    @Test func aGatewayWithoutAServiceHasNoAddress() throws {
        let world = try GatewayWorld(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: new, namespace: apps}
            spec: {gatewayClassName: weft, listeners: [{name: http, port: 80, protocol: HTTP}]}
            """, listeners: nil)
        let status = try world.status("Gateway", "apps", "new")
        #expect(
            GatewayWorld.conditions(status).prefix(2) == [
                "Accepted=True/Accepted", "Programmed=False/AddressNotAssigned",
            ])
        #expect(status["addresses"] == nil)
    }

    // MARK: - Classes

    @Test func classesOfOthersAreLeftAlone() throws {
        let world = try GatewayWorld(
            """
            {apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: mine}, spec: {controllerName: istio.io/gateway-controller}}
            ---
            {apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: theirs}, spec: {controllerName: example.org/other}}
            ---
            {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: g, namespace: apps}, spec: {gatewayClassName: theirs, listeners: [{name: http, port: 80, protocol: HTTP}]}}
            """, listeners: nil)
        let statuses = world.snapshot.gatewayAPI.statuses
        #expect(statuses.map(\.resource.name) == ["mine"])
        let status = try #require(statuses.first).status
        #expect(GatewayWorld.conditions(status) == ["Accepted=True/Accepted"])
        let features = status["supportedFeatures"]?.arrayValue?.compactMap { $0["name"]?.stringValue } ?? []
        #expect(features == features.sorted())
        #expect(features.contains("HTTPRoutePathRewrite"))
    }

    /// Definitions of another release are told of; what both know works.
    @Test(arguments: [
        ("{gateway.networking.k8s.io/bundle-version: v1.5.1}", "True/SupportedVersion"),
        ("{gateway.networking.k8s.io/bundle-version: v1.5.0-rc.1}", "True/SupportedVersion"),
        ("{gateway.networking.k8s.io/bundle-version: v1.50.0}", "False/UnsupportedVersion"),
        ("{gateway.networking.k8s.io/bundle-version: v0.0.0}", "False/UnsupportedVersion"),
        ("{}", "False/UnsupportedVersion"),
    ])
    func theReleaseOfTheDefinitionsIsLookedAt(_ annotations: String, _ expected: String) throws {
        let world = try GatewayWorld(
            """
            apiVersion: apiextensions.k8s.io/v1
            kind: CustomResourceDefinition
            metadata: {name: gatewayclasses.gateway.networking.k8s.io, annotations: \(annotations)}
            ---
            {apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: mine}, spec: {controllerName: istio.io/gateway-controller}}
            """)
        let status = try world.status("GatewayClass", "", "mine")
        #expect(GatewayWorld.conditions(status) == ["Accepted=True/Accepted", "SupportedVersion=\(expected)"])
    }

    // MARK: - Writing

    private func merge(_ world: GatewayWorld, _ object: KubernetesObject, now: String) throws -> JSONValue? {
        let entry = try #require(world.snapshot.gatewayAPI.statuses.first { $0.resource == object.reference })
        return GatewayStatusMerge.merged(entry, into: object, now: now)
    }

    private func reconciled(_ message: String, _ status: String = "False") -> JSONValue {
        ["type": "Reconciled", "status": .string(status), "reason": "Pending", "message": .string(message)]
    }

    /// How far proxies are stands beside the Gateway API's own conditions, of routes in each parent's.
    @Test func progressStandsBesideTheConditions() throws {
        let world = try GatewayWorld()
        let entry = try #require(world.snapshot.gatewayAPI.statuses.first { $0.resource.name == "gw" })
        var object = KubernetesObject([
            "kind": "Gateway",
            "metadata": ["name": "gw", "namespace": "infra", "generation": .int(Int64(entry.generation))],
        ])
        func merge(_ progress: JSONValue?, withCounts: Bool = false) -> JSONValue? {
            GatewayStatusMerge.merged(entry, into: object, progress: progress, withCounts: withCounts, now: "t1")
        }
        let first = try #require(merge(reconciled("0/1 proxies up to date.")))
        #expect(GatewayWorld.conditions(first).first == "Reconciled=False/Pending")
        #expect(GatewayWorld.conditions(first).dropFirst().first?.hasPrefix("Accepted=") == true)
        let listeners = first["listeners"]?.arrayValue ?? []
        #expect(
            !listeners.isEmpty && listeners.allSatisfy { !GatewayWorld.conditions($0).joined().contains("Reconciled") })
        object.json["status"] = first
        // Another number alone is worth a write now and then only; another state always is.
        #expect(merge(reconciled("0/2 proxies up to date.")) == JSONValue?.none)
        #expect(merge(reconciled("0/2 proxies up to date."), withCounts: true) != JSONValue?.none)
        #expect(merge(reconciled("2/2 proxies up to date.", "True")) != JSONValue?.none)
        // Nothing known of proxies takes nothing away.
        #expect(merge(nil) == JSONValue?.none)
    }

    @Test func aWrittenStatusIsWrittenOnce() throws {
        let world = try GatewayWorld()
        var object = KubernetesObject([
            "kind": "Gateway", "metadata": ["name": "gw", "namespace": "infra", "generation": 3],
        ])
        let first = try #require(try merge(world, object, now: "t1"))
        let accepted = try #require(first["conditions"]?[0])
        #expect(accepted["observedGeneration"] == 3)
        #expect(accepted["lastTransitionTime"] == "t1")
        object.json["status"] = first
        let again = try merge(world, object, now: "t2")
        #expect(again == JSONValue?.none)
        // What others say stays; what changes its state gets a new time, and nothing else does.
        object.json["status"]?["conditions"] = [
            ["type": "example.org/Nice", "status": "True"], accepted,
            ["type": "Programmed", "status": "False", "lastTransitionTime": "t0"],
        ]
        let second = try #require(try merge(world, object, now: "t3"))
        #expect(GatewayWorld.conditions(second).first == "example.org/Nice=True/")
        let times = second["conditions"]?.arrayValue?.compactMap { $0["lastTransitionTime"]?.stringValue } ?? []
        #expect(times == ["t1", "t3", "t3"])
    }

    @Test func aStatusOfAnOlderObjectIsNotWritten() throws {
        let world = try GatewayWorld()
        let object = KubernetesObject([
            "kind": "Gateway", "metadata": ["name": "gw", "namespace": "infra", "generation": 4],
        ])
        let status = try merge(world, object, now: "t1")
        #expect(status == JSONValue?.none)
    }

    @Test func whatOtherControllersSayOfARouteStays() throws {
        let world = try GatewayWorld(GatewayWorld.route(rules: "[{}]"))
        let other: JSONValue = ["controllerName": "example.org/other", "parentRef": ["name": "x"], "conditions": []]
        let stale: JSONValue = [
            "controllerName": "istio.io/gateway-controller", "parentRef": ["name": "gone"], "conditions": [],
        ]
        let object = KubernetesObject([
            "kind": "HTTPRoute", "metadata": ["name": "r", "namespace": "infra", "generation": 2],
            "status": ["parents": [other, stale]],
        ])
        let parents = try #require(try merge(world, object, now: "t")?["parents"]?.arrayValue)
        #expect(parents.count == 2)
        #expect(parents[0] == other)
        #expect(parents[1][path: "parentRef", "name"] == "gw")
    }
}
