import Logging
import Synchronization
import Testing
import WeftADS
import WeftConfig
import WeftCore
import WeftIR
import WeftKubernetes
import WeftXDS

@testable import WeftControlPlane

/// From the stores of the informers to what a real discovery client holds, over a real connection.
@Suite(.timeLimit(.minutes(1))) struct DiscoveryTests {
    /// Remembers the newest configuration, and says yes to everything.
    final class Proxy: ADSClientDelegate {
        let configuration = Mutex(ProxyConfiguration())
        let updates = Atomic(0)
        func apply(_ update: ADSUpdate) async -> ADSVerdict {
            configuration.withLock { $0 = update.configuration }
            updates.add(1, ordering: .relaxed)
            return .accept
        }
        func has(cluster: String) -> Bool { configuration.withLock { $0.clusters[cluster] != nil } }
    }

    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private let proxy = Proxy()
    private let subsetCluster = "outbound|80|v1|backend.dev.svc.cluster.local"
    private let cluster = "outbound|80||backend.dev.svc.cluster.local"
    private let service = KubernetesObject([
        "apiVersion": "v1", "kind": "Service", "metadata": ["name": "backend", "namespace": "dev"],
        "spec": [
            "clusterIP": "10.96.0.7", "selector": ["app": "backend"],
            "ports": [["name": "http", "port": 80, "targetPort": 8000, "protocol": "TCP"]],
        ],
    ])
    private let rule = KubernetesObject([
        "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
        "metadata": ["name": "backend", "namespace": "dev"],
        "spec": ["host": "backend", "subsets": [["name": "v1", "labels": ["version": "v1"]]]],
    ])

    /// Runs `body` with a control plane whose stores it fills itself, and a client of kind `type` connected to it.
    private func withControlPlane(
        _ type: String, _ body: (ClusterSources, PushCoordinator) async throws -> Void
    ) async throws {
        let client = KubernetesClient(configuration: KubernetesConfiguration(server: "http://127.0.0.1:1"))
        let sources = ClusterSources(client: client, namespace: "istio-system", signal: ChangeSignal())
        let coordinator = PushCoordinator(
            sources: sources, metrics: ControlPlaneMetrics(),
            status: StatusWriter(client: client, ownership: Ownership(revision: "default"), logger: logger),
            logger: logger)
        let host = try GRPCHost(
            host: "127.0.0.1", port: 0, certificate: nil,
            services: [
                ADSServer(
                    authentication: .none, delegate: DiscoveryDelegate(coordinator: coordinator), logger: logger)
            ])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await host.run() }
            let port = try #require(try await host.port)
            let node = ADSNode(
                id: "\(type)~10.0.0.1~a.dev~dev.svc.cluster.local", metadata: ["NAMESPACE": "dev"])
            let ads = ADSClient(
                ADSClient.Configuration(host: "127.0.0.1", port: port, node: node), delegate: proxy, logger: logger)
            group.addTask { await ads.run() }
            try await body(sources, coordinator)
            group.cancelAll()
        }
        try await client.shutdown()
    }

    private func eventually(_ what: String, _ condition: () async -> Bool) async throws {
        for _ in 0..<1_000 {
            if await condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("never happened: \(what)")
    }

    @Test func aChangeReachesTheConnectedProxy() async throws {
        try await withControlPlane("sidecar") { sources, coordinator in
            _ = sources.services.store.replace(with: [service])
            await coordinator.configurationChanged(changes: 1, reasons: ["test"])
            try await eventually("the service's cluster arrives") { proxy.has(cluster: cluster) }
            #expect(!proxy.has(cluster: subsetCluster))

            let rules = try #require(sources.istio.first { $0.kind.kind == "DestinationRule" })
            _ = rules.store.replace(with: [rule])
            await coordinator.configurationChanged(changes: 1, reasons: ["test"])
            try await eventually("the subset's cluster arrives") { proxy.has(cluster: subsetCluster) }
            try await eventually("the proxy is in sync") {
                await coordinator.reports.first?.types[.cluster]?.status == "SYNCED"
            }

            _ = rules.store.replace(with: [])
            await coordinator.configurationChanged(changes: 1, reasons: ["test"])
            try await eventually("the subset's cluster goes away") { !proxy.has(cluster: subsetCluster) }
            #expect(proxy.has(cluster: cluster))
        }
    }

    /// A gateway without any Gateway has nothing to configure, but must hear so, or it would never be ready.
    @Test func aGatewayWithoutConfigurationIsAnswered() async throws {
        try await withControlPlane("router") { _, coordinator in
            try await eventually("an answer arrives") { proxy.updates.load(ordering: .relaxed) > 0 }
            #expect(await coordinator.proxyCount == 1)
        }
    }

    @Test func aProxyWithAnotherKindOfNodeIsRefused() async throws {
        try await withControlPlane("stranger") { _, coordinator in
            try await Task.sleep(for: .milliseconds(300))
            #expect(await coordinator.proxyCount == 0)
            #expect(proxy.updates.load(ordering: .relaxed) == 0)
        }
    }
}
