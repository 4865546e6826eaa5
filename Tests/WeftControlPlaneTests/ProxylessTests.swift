import Foundation
import Logging
import TestSupport
import Testing
import WeftADS
import WeftConfig
import WeftCore
import WeftKubernetes
import WeftXDS

@testable import WeftControlPlane

/// gRPC's own xDS client (Python's grpcio, unmodified) against the control plane: the application dials
/// `xds:///HOST:PORT` and has no proxy. Real connections, real backends.
@Suite(.timeLimit(.minutes(3))) struct ProxylessTests {
    private static let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "proxyless.py")
        .path(percentEncoded: false)
    private static let modules = Workspace.root + ".build-tools/grpc"
    private let host = "echo.dev.svc.cluster.local"
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

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

    private func backend(_ version: String, _ folder: String) async throws -> (process: ServerProcess, port: Int) {
        let log = "\(folder)/\(version).log"
        let process = try ServerProcess(
            version, "/usr/bin/env", ["PYTHONPATH=\(Self.modules)", "python3", Self.script, "backend", version],
            log: log)
        let port = try await eventually("backend \(version) listens") {
            try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").compactMap { Int($0) }.first
        }
        return (process, port)
    }

    private func call(_ target: String, _ count: Int, _ headers: [String], _ folder: String) async throws
        -> [String: Int]
    {
        let environment = ["PYTHONPATH": Self.modules, "GRPC_XDS_BOOTSTRAP": "\(folder)/bootstrap.json"]
        let result = try await command(
            ["python3", Self.script, "call", target, "\(count)"] + headers, environment: environment, timeout: 100)
        let line = result.out.split(separator: "\n").last.map(String.init) ?? ""
        let json = try? JSONValue(parsing: line)
        guard let json else { throw StepFailure("\(result)") }
        return (json.objectValue ?? [:]).compactMapValues(\.intValue)
    }

    @Test func aClientWithoutAProxyFollowsTheMesh() async throws {
        let folder = try Workspace.folder("proxyless")
        let backends = [("v1", try await backend("v1", folder)), ("v2", try await backend("v2", folder))]
        defer { for (_, backend) in backends { backend.process.stop() } }
        try await withControlPlane(folder) { sources, coordinator in
            let objects = objects(Dictionary(uniqueKeysWithValues: backends.map { ($0.0, $0.1.port) }))
            _ = sources.services.store.replace(with: objects.services)
            _ = sources.endpointSlices.store.replace(with: objects.slices)
            _ = sources.pods.store.replace(with: objects.pods)
            func set(_ object: KubernetesObject) {
                _ = sources.istio.first { $0.kind.kind == object.kind }?.store.replace(with: [object])
            }
            await coordinator.configurationChanged(changes: 1, reasons: ["test"])

            // Service discovery, under the full name and a short one.
            let both = try await call("\(host):7070", 20, [], folder)
            #expect(Set(both.keys) == ["v1", "v2"])
            #expect(try await call("echo:7070", 4, [], folder).values.reduce(0, +) == 4)

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
            #expect(try await call("\(host):7070", 10, ["x-user=jason"], folder) == ["v2": 10])
            let split = try await call("\(host):7070", 400, [], folder)
            #expect(split.values.reduce(0, +) == 400)
            #expect((250...380).contains(split["v1"] ?? 0), "80 % of 400, give or take: \(split)")
        }
    }

    /// A control plane with its discovery port, and the bootstrap that points a client in `dev` at it.
    private func withControlPlane(
        _ folder: String, _ body: (ClusterSources, PushCoordinator) async throws -> Void
    ) async throws {
        let client = KubernetesClient(configuration: KubernetesConfiguration(server: "http://127.0.0.1:1"))
        let sources = ClusterSources(client: client, namespace: "istio-system", signal: ChangeSignal())
        let coordinator = PushCoordinator(
            sources: sources, metrics: ControlPlaneMetrics(),
            status: StatusWriter(client: client, ownership: Ownership(revision: "default"), logger: logger),
            logger: logger)
        let server = ADSServer(
            authentication: .none, delegate: DiscoveryDelegate(coordinator: coordinator), logger: logger)
        let host = try GRPCHost(host: "127.0.0.1", port: 0, certificate: nil, services: [server])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await host.run() }
            let port = try #require(try await host.port)
            let bootstrap: JSONValue = [
                "xds_servers": [
                    [
                        "server_uri": .string("127.0.0.1:\(port)"), "channel_creds": [["type": "insecure"]],
                        "server_features": ["xds_v3"],
                    ]
                ],
                "node": [
                    "id": "sidecar~10.0.0.9~client.dev~dev.svc.cluster.local",
                    "metadata": ["GENERATOR": "grpc", "NAMESPACE": "dev"],
                ],
            ]
            try Data(bootstrap.text().utf8).write(to: URL(filePath: "\(folder)/bootstrap.json"))
            try await body(sources, coordinator)
            group.cancelAll()
        }
        try await client.shutdown()
    }
}
