import Foundation
import Logging
import Synchronization
import TestSupport
import Testing
import WeftADS
import WeftAPIServer
import WeftConfig
import WeftCore
import WeftKubernetes
import WeftManifests

@testable import WeftControlPlane

/// Several whole control planes against one API server: replicas of a revision, and revisions beside each other.
@Suite(.timeLimit(.minutes(5)), .serialized) struct ReplicaTests {
    /// Says yes to everything.
    private final class Proxy: ADSClientDelegate {
        func apply(_ update: ADSUpdate) async -> ADSVerdict { .accept }
    }

    /// An API server with the mesh's kinds, and a client of it.
    private struct Cluster: Sendable {
        let client: KubernetesClient
        let kubeconfig: String

        func start(_ identity: String, revision: String = "default") throws -> Plane {
            try Plane(identity, revision: revision, kubeconfig: kubeconfig)
        }

        func apply(_ name: String, revision: String? = nil) async throws {
            var labels: JSONValue = [:]
            if let revision { labels["istio.io/rev"] = .string(revision) }
            let rule = KubernetesObject([
                "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
                "metadata": ["name": .string(name), "namespace": "default", "labels": labels],
                "spec": ["host": "\(name).example"],
            ])
            let resource = try await client.requireResource(for: rule.groupVersionKind)
            _ = try await client.create(resource, rule)
        }

        /// The message of a rule's condition `Reconciled`.
        func reconciled(_ name: String) async -> String? {
            let kind = GroupVersionKind(group: "networking.istio.io", version: "v1", kind: "DestinationRule")
            guard let resource = try? await client.requireResource(for: kind),
                let rule = try? await client.get(resource, namespace: "default", name: name)
            else { return nil }
            return rule.json[path: "status", "conditions"]?.arrayValue?
                .first { $0["type"]?.stringValue == ObjectStatus.reconciled }?["message"]?.stringValue
        }

        func holder(_ lease: String) async -> String? {
            let found = try? await client.get(.leases, namespace: "istio-system", name: lease)
            return found?.json[path: "spec", "holderIdentity"]?.stringValue
        }
    }

    /// One running control plane.
    private final class Plane: Sendable {
        let port: Int
        private let task: Task<Void, any Error>

        init(_ identity: String, revision: String, kubeconfig: String) throws {
            var settings = ControlPlaneSettings()
            (settings.identity, settings.revision, settings.bind) = (identity, revision, "127.0.0.1")
            port = Int(try RawListener.freePorts(1)[0])
            settings.plainDiscoveryPort = port
            for path in [
                \ControlPlaneSettings.secureDiscoveryPort, \.monitoringPort, \.webhookPort, \.readinessPort,
                \.dashboardPort, \.prometheusPort, \.jaegerPort, \.openTelemetryPort, \.openTelemetryHTTPPort,
                \.zipkinPort,
            ] { settings[keyPath: path] = 0 }
            let client = KubernetesClient(configuration: try Kubeconfig(path: kubeconfig).configuration(context: nil))
            let plane = try ControlPlane(settings: settings, client: client)
            task = Task { try await plane.run() }
        }

        func stop() async {
            task.cancel()
            _ = await task.result
        }
    }

    private func withCluster(_ body: (Cluster) async throws -> Void) async throws {
        let home = NSTemporaryDirectory() + "weft-replicas-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: home) }
        let server = try APIServer(
            .init(
                stateDirectory: home + "/state", pkiDirectory: home + "/pki",
                listeners: [.address(host: "127.0.0.1", port: 0)]))
        let (ready, signal) = AsyncStream.makeStream(of: String.self)
        let serving = Task { try await server.run { signal.yield($0[0]) } }
        var addresses = ready.makeAsyncIterator()
        let address = try #require(await addresses.next())
        try server.writeKubeconfig(to: home + "/kubeconfig", server: "https://\(address)")
        for definition in CustomResourceDefinitions.all { _ = try await server.api.create(definition) }
        let system: JSONValue = ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "istio-system"]]
        _ = try await server.api.create(KubernetesObject(system))
        let client = KubernetesClient(
            configuration: try Kubeconfig(path: home + "/kubeconfig").configuration(context: nil))
        try await body(Cluster(client: client, kubeconfig: home + "/kubeconfig"))
        try await client.shutdown()
        serving.cancel()
        _ = await serving.result
    }

    private func eventually(_ what: String, _ condition: () async -> Bool) async throws {
        for _ in 0..<1_200 {
            if await condition() { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("never happened: \(what)")
    }

    /// One of two replicas writes; when it stops, the other takes over without waiting for the lease to run out.
    @Test func anotherReplicaWritesWhenTheLeaderStops() async throws {
        try await withCluster { cluster in
            let first = try cluster.start("a")
            try await eventually("a leads") { await cluster.holder("istio-leader") == "a" }
            let second = try cluster.start("b")
            try await cluster.apply("one")
            try await eventually("status of one") { await cluster.reconciled("one") != nil }
            #expect(await cluster.holder("istio-leader") == "a")
            #expect(await cluster.holder("istio-mesh-leader") == "a.default")
            await first.stop()
            let freed = await cluster.holder("istio-leader")
            #expect(freed != "a", "a leader that stops gives its lease back")
            try await cluster.apply("two")
            try await eventually("status of two") { await cluster.reconciled("two") != nil }
            #expect(await cluster.holder("istio-leader") == "b")
            await second.stop()
        }
    }

    /// An object with a revision's label is that revision's to obey and to answer for; one without is the default
    /// revision's to answer for, even where another was there first.
    @Test func eachRevisionAnswersForItsOwnObjects() async throws {
        try await withCluster { cluster in
            let canary = try cluster.start("c", revision: "canary")
            try await eventually("canary leads the mesh") { await cluster.holder("istio-mesh-leader") == "c.canary" }
            let stable = try cluster.start("s")
            try await eventually("the default revision leads the mesh") {
                await cluster.holder("istio-mesh-leader") == "s.default"
            }
            let node = ADSNode(
                id: "sidecar~10.0.0.1~a.default~default.svc.cluster.local", metadata: ["NAMESPACE": "default"])
            let ads = ADSClient(
                ADSClient.Configuration(host: "127.0.0.1", port: canary.port, node: node), delegate: Proxy(),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            let running = Task { await ads.run() }
            try await cluster.apply("new", revision: "canary")
            try await cluster.apply("old", revision: "default")
            try await cluster.apply("any")
            // The proxy is the canary's: who answers tells by whom it counts.
            for (name, message) in [("new", "1/1"), ("old", "0/0"), ("any", "0/0")] {
                try await eventually("status of \(name)") {
                    await cluster.reconciled(name) == "\(message) proxies up to date."
                }
            }
            #expect(await cluster.holder("istio-leader-canary") == "c")
            running.cancel()
            _ = await running.result
            await canary.stop()
            await stable.stop()
        }
    }
}
