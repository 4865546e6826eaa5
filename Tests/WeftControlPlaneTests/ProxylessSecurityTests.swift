import TestSupport
import Testing
import WeftConfig
import WeftCore
import WeftIdentity
import WeftKubernetes

@testable import WeftControlPlane

/// Mutual TLS and access rules between a gRPC client and a gRPC server (Python's grpcio, unmodified) that have no proxy:
/// certificates come from the providers of their bootstraps, everything else from the control plane.
@Suite(.timeLimit(.minutes(4))) struct ProxylessSecurityTests {
    private let target = "echo.dev.svc.cluster.local:7070"

    private func objects(port: Int, account: String = "echo") -> [String: [KubernetesObject]] {
        let service: JSONValue = [
            "apiVersion": "v1", "kind": "Service", "metadata": ["name": "echo", "namespace": "dev"],
            "spec": [
                "clusterIP": "10.96.0.9", "selector": ["app": "echo"],
                "ports": [["name": "grpc", "port": 7070, "targetPort": .int(Int64(port))]],
            ],
        ]
        let slice: JSONValue = [
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": ["name": "echo", "namespace": "dev", "labels": ["kubernetes.io/service-name": "echo"]],
            "ports": [["name": "grpc", "port": .int(Int64(port))]], "endpoints": [["addresses": ["127.0.0.1"]]],
        ]
        let pod: JSONValue = [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": "echo", "namespace": "dev",
                "labels": ["app": "echo", "security.istio.io/tlsMode": "istio"],
            ],
            "spec": ["serviceAccountName": .string(account)], "status": ["podIP": "127.0.0.1", "phase": "Running"],
        ]
        return ["Service": [.init(service)], "EndpointSlice": [.init(slice)], "Pod": [.init(pod)]]
    }

    private func policy(_ kind: String, _ spec: JSONValue) -> KubernetesObject {
        KubernetesObject([
            "apiVersion": "security.istio.io/v1", "kind": .string(kind),
            "metadata": ["name": "echo", "namespace": "dev"], "spec": spec,
        ])
    }

    private func rule(_ action: String, from account: String) -> KubernetesObject {
        let source: JSONValue = ["principals": [.string("cluster.local/ns/dev/sa/\(account)")]]
        return policy(
            "AuthorizationPolicy", ["action": .string(action), "rules": [["from": [["source": source]]]]])
    }

    @Test func bothEndsProveWhoTheyAreAndRulesHold() async throws {
        let world = try ProxylessWorld("proxyless-security")
        let root = try CertificateSigner(selfSignedRoot: "weft", commonName: "root", validFor: 3_600)
        try await world.withControlPlane { sources, coordinator, discovery in
            let port = Int(try RawListener.freePorts(1)[0])
            func take(_ objects: [String: [KubernetesObject]]) {
                for (kind, list) in objects {
                    let store =
                        switch kind {
                        case "Service": sources.services.store
                        case "EndpointSlice": sources.endpointSlices.store
                        case "Pod": sources.pods.store
                        default: sources.istio.first { $0.kind.kind == kind }?.store
                        }
                    _ = store?.replace(with: list)
                }
            }
            /// Applies objects and waits until calls end as they should.
            func expect(
                _ want: String, _ how: String = "secure", after objects: [String: [KubernetesObject]]
            ) async throws {
                take(objects)
                await coordinator.configurationChanged(changes: 1, reasons: ["test"])
                _ = try await eventually("calls (\(how)) end with \(want) after \(objects.keys.sorted())") {
                    try await world.call(how, target, 3) == [want: 3] ? true : nil
                }
            }
            take(objects(port: port))
            await coordinator.configurationChanged(changes: 1, reasons: ["test"])
            try world.writeBootstrap(port: discovery, signer: root)
            try world.writeBootstrap("echo", pod: "echo", address: "127.0.0.1", port: discovery, signer: root)
            let server = try world.serve("echo", at: "127.0.0.1:\(port)")
            defer { server.stop() }

            // The pod says that it takes mutual TLS, so nobody has to ask for it; STRICT changes nothing.
            try await expect("echo", after: [:])
            try await expect(
                "echo", after: ["PeerAuthentication": [policy("PeerAuthentication", ["mtls": ["mode": "STRICT"]])]])
            #expect(try await world.call("insecure", target, 2).keys.contains("echo") == false)
            // Who may call is the server's to say.
            try await expect("PERMISSION_DENIED", after: ["AuthorizationPolicy": [rule("DENY", from: "client")]])
            try await expect("echo", after: ["AuthorizationPolicy": [rule("DENY", from: "other")]])
            try await expect("PERMISSION_DENIED", after: ["AuthorizationPolicy": [rule("ALLOW", from: "other")]])
            try await expect("echo", after: ["AuthorizationPolicy": [rule("ALLOW", from: "client")]])
            // A server that is not who the mesh says it is gets no call.
            try await expect("UNAVAILABLE", after: objects(port: port, account: "somebody"))
            try await expect("echo", after: objects(port: port))
            // Without TLS on either end.
            let disabled = policy("PeerAuthentication", ["mtls": ["mode": "DISABLE"]])
            try await expect("echo", "insecure", after: ["PeerAuthentication": [disabled], "AuthorizationPolicy": []])
        }
    }
}
