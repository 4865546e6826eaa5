import Testing
import WeftConfig
import WeftCore
import WeftTranslate

@testable import WeftControlPlane

/// Which proxies an object of the Gateway API is counted for, and objects of one name in two APIs.
@Suite struct ObjectScopeTests {
    private static func object(_ kind: String, _ spec: JSONValue, group: String = GatewayAPI.group) -> KubernetesObject
    {
        KubernetesObject([
            "apiVersion": .string("\(group)/v1"), "kind": .string(kind),
            "metadata": ["name": "front", "namespace": "shop", "uid": .string("\(group)/\(kind)"), "generation": 1],
            "spec": spec,
        ])
    }

    /// A sidecar of `shop`, the gateway of Gateway `front`, another gateway there, one of another namespace.
    private static let proxies: [(ProxyIdentity.Kind, String, [String: String])] = [
        (.sidecar, "shop", [:]), (.router, "shop", [GatewayLabels.gatewayName: "front"]),
        (.router, "shop", [GatewayLabels.gatewayName: "back"]), (.router, "infra", [:]),
    ]

    @Test(
        arguments: [
            ("Gateway", [:], [false, true, false, false]),
            ("ListenerSet", ["parentRef": ["name": "front"]], [false, true, false, false]),
            ("HTTPRoute", ["parentRefs": [["name": "front"]]], [false, true, false, false]),
            ("HTTPRoute", ["parentRefs": [["name": "edge", "namespace": "infra"]]], [false, false, false, true]),
            (
                "GRPCRoute", ["parentRefs": [["kind": "Service", "group": "", "name": "cart"]]],
                [true, false, false, false]
            ),
            ("TCPRoute", [:], [false, false, false, false]),
            ("BackendTLSPolicy", [:], [true, true, true, true]),
            ("ReferenceGrant", [:], [false, true, true, true]),
        ] as [(String, JSONValue, [Bool])])
    func concerns(_ kind: String, _ spec: JSONValue, _ expected: [Bool]) {
        let scope = ObjectScope(meshConfig: MeshConfig())
        let found = Self.proxies.map {
            scope.concerns(Self.object(kind, spec), kind: $0.0, namespace: $0.1, labels: $0.2)
        }
        #expect(found == expected)
    }

    @Test(
        arguments: [
            ("VirtualService", ["hosts": ["cart"]], [true, false, false, false]),
            ("VirtualService", ["hosts": ["cart"], "gateways": []], [true, false, false, false]),
            ("VirtualService", ["hosts": ["cart"], "gateways": ["edge"]], [false, true, true, true]),
            // Whoever hands over to it may be bound to a gateway.
            ("VirtualService", ["http": [["name": "delegate"]]], [true, true, true, true]),
            ("DestinationRule", ["host": "cart", "exportTo": ["."]], [true, true, true, false]),
            (
                "DestinationRule",
                [
                    "host": "cart",
                    "workloadSelector": ["matchLabels": [GatewayLabels.gatewayName: "front"]],
                ], [false, true, false, false]
            ),
        ] as [(String, JSONValue, [Bool])])
    func concernsOfTrafficRules(_ kind: String, _ spec: JSONValue, _ expected: [Bool]) {
        let scope = ObjectScope(meshConfig: MeshConfig())
        let found = Self.proxies.map {
            scope.concerns(
                Self.object(kind, spec, group: "networking.istio.io"), kind: $0.0, namespace: $0.1, labels: $0.2)
        }
        #expect(found == expected)
    }

    /// A policy with targets is for the gateways that it names, not for its namespace.
    @Test(
        arguments: [
            ("Gateway", "front", "shop", [false, true, false, false]),
            ("Gateway", "front", "istio-system", [false, false, false, false]),
            ("GatewayClass", "istio", "istio-system", [false, true, false, false]),
            ("GatewayClass", "istio", "shop", [false, false, false, false]),
            ("Service", "cart", "shop", [false, false, false, false]),
        ] as [(String, String, String, [Bool])])
    func concernsOfTargets(_ kind: String, _ name: String, _ namespace: String, _ expected: [Bool]) {
        let scope = ObjectScope(meshConfig: MeshConfig())
        let target: JSONValue = [
            "kind": .string(kind), "group": .string(kind == "Service" ? "" : GatewayAPI.group), "name": .string(name),
        ]
        for policy in ["AuthorizationPolicy", "RequestAuthentication", "Telemetry", "EnvoyFilter", "WasmPlugin"] {
            for spec: JSONValue in [["targetRefs": [target]], ["targetRef": target]] {
                var object = Self.object(policy, spec, group: "security.istio.io")
                object.json[path: "metadata", "namespace"] = .string(namespace)
                let found = Self.proxies.map { kind, namespace, labels in
                    var labels = labels
                    if labels[GatewayLabels.gatewayName] == "front" { labels[GatewayLabels.className] = "istio" }
                    return scope.concerns(object, kind: kind, namespace: namespace, labels: labels)
                }
                #expect(found == expected, "\(policy) for \(kind) \(name)")
            }
        }
    }

    /// Both APIs have Gateways.
    @Test func oneNameInTwoAPIsAreTwoObjects() throws {
        let ours = Self.object("Gateway", [:])
        let istios = Self.object("Gateway", ["selector": ["istio": "x"]], group: "networking.istio.io")
        var ledger = ObjectLedger()
        ledger.take([ours, istios], number: 4)
        ledger.take([ours, istios], number: 5)
        #expect(ledger.entry(of: ours)?.number == 4 && ledger.entry(of: istios)?.number == 4)
        var changed = ours
        changed.json[path: "metadata", "generation"] = 2
        #expect(ledger.entry(of: changed) == nil)
        ledger.take([changed], number: 6)
        #expect(ledger.entry(of: changed)?.number == 6 && ledger.entry(of: istios) == nil)
    }
}
