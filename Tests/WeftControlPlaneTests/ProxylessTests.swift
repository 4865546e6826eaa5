import Foundation
import TestSupport
import Testing
import WeftConfig
import WeftCore
import WeftKubernetes

@testable import WeftControlPlane

/// gRPC's own xDS client (Python's grpcio, unmodified) against the control plane: the application dials
/// `xds:///HOST:PORT` and has no proxy. Real connections, real backends.
@Suite(.timeLimit(.minutes(3))) struct ProxylessTests {
    private let host = "echo.dev.svc.cluster.local"

    /// A Service with one pod for each version, at 127.0.0.N; all listen at the port of their backend.
    private func objects(_ ports: [String: Int]) -> (
        services: [KubernetesObject], slices: [KubernetesObject], pods: [KubernetesObject]
    ) {
        let service = KubernetesObject([
            "apiVersion": "v1", "kind": "Service", "metadata": ["name": "echo", "namespace": "dev"],
            "spec": [
                "clusterIP": "10.96.0.9", "selector": ["app": "echo"],
                "ports": [["name": "grpc", "port": 7070, "targetPort": "grpc"]],
            ],
        ])
        var slices: [KubernetesObject] = []
        var pods: [KubernetesObject] = []
        for (index, (version, port)) in ports.sorted(by: { $0.key < $1.key }).enumerated() {
            let address = "127.0.0.\(index + 1)"
            slices.append(
                KubernetesObject([
                    "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                    "metadata": [
                        "name": .string("echo-\(version)"), "namespace": "dev",
                        "labels": ["kubernetes.io/service-name": "echo"],
                    ],
                    "ports": [["name": "grpc", "port": .int(Int64(port))]],
                    "endpoints": [["addresses": [.string(address)]]],
                ]))
            pods.append(
                KubernetesObject([
                    "apiVersion": "v1", "kind": "Pod",
                    "metadata": [
                        "name": .string("echo-\(version)"), "namespace": "dev",
                        "labels": ["app": "echo", "version": .string(version)],
                    ], "spec": [:], "status": ["podIP": .string(address), "phase": "Running"],
                ]))
        }
        return ([service], slices, pods)
    }

    private func istio(_ kind: String, _ spec: JSONValue) -> KubernetesObject {
        KubernetesObject([
            "apiVersion": "networking.istio.io/v1", "kind": .string(kind),
            "metadata": ["name": "echo", "namespace": "dev"], "spec": spec,
        ])
    }

    @Test func aClientWithoutAProxyFollowsTheMesh() async throws {
        let world = try ProxylessWorld("proxyless")
        let backends = [("v1", try await world.backend("v1")), ("v2", try await world.backend("v2"))]
        defer { for (_, backend) in backends { backend.process.stop() } }
        try await world.withControlPlane { sources, coordinator, port in
            try world.writeBootstrap(port: port)
            func call(_ target: String, _ count: Int, _ headers: [String]) async throws -> [String: Int] {
                try await world.call("call", target, count, headers)
            }
            let objects = objects(Dictionary(uniqueKeysWithValues: backends.map { ($0.0, $0.1.port) }))
            _ = sources.services.store.replace(with: objects.services)
            _ = sources.endpointSlices.store.replace(with: objects.slices)
            _ = sources.pods.store.replace(with: objects.pods)
            func set(_ object: KubernetesObject) {
                _ = sources.istio.first { $0.kind.kind == object.kind }?.store.replace(with: [object])
            }
            await coordinator.configurationChanged(changes: 1, reasons: ["test"])

            // Service discovery, under the full name and a short one.
            try await eventually("both are connected") {
                Set(try await call("\(host):7070", 20, []).keys) == ["v1", "v2"] ? true : nil
            }
            #expect(try await call("echo:7070", 4, []).values.reduce(0, +) == 4)

            // Header match before a weighted split.
            set(
                istio(
                    "DestinationRule",
                    [
                        "host": "echo",
                        "subsets": [
                            ["name": "v1", "labels": ["version": "v1"]], ["name": "v2", "labels": ["version": "v2"]],
                        ],
                    ]))
            set(
                istio(
                    "VirtualService",
                    [
                        "hosts": ["echo"],
                        "http": [
                            [
                                "match": [["headers": ["x-user": ["exact": "jason"]]]],
                                "route": [["destination": ["host": "echo", "subset": "v2"]]],
                            ],
                            [
                                "route": [
                                    ["destination": ["host": "echo", "subset": "v1"], "weight": 80],
                                    ["destination": ["host": "echo", "subset": "v2"], "weight": 20],
                                ]
                            ],
                        ],
                    ]))
            await coordinator.configurationChanged(changes: 1, reasons: ["test"])
            #expect(try await call("\(host):7070", 10, ["x-user=jason"]) == ["v2": 10])
            let split = try await call("\(host):7070", 400, [])
            #expect(split.values.reduce(0, +) == 400)
            #expect((250...380).contains(split["v1"] ?? 0), "80 % of 400, give or take: \(split)")
        }
    }
}
