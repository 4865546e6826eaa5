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
import WeftTranslate

@testable import WeftControlPlane

/// WorkloadEntries of machines, written by one or two instances of the control plane into one API server.
@Suite(.timeLimit(.minutes(3)), .serialized) struct MachineRegistryTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// An API server with the mesh's kinds and one WorkloadGroup.
    private struct Cluster: Sendable {
        let client: KubernetesClient
        let entries: Informer
        let running = Running()

        /// An instance of the control plane; `grace` in seconds.
        func instance(_ name: String, grace: Double = 0.6, leads: Bool = false) -> MachineRegistry {
            running.start(name)
            return MachineRegistry(
                client: client, controller: name,
                surroundings: .init(
                    entries: { [entries] in entries.store.unordered }, instances: { [running] in running.names },
                    leads: { leads }),
                times: .init(grace: grace, sweep: 0.1, settling: 0), metrics: ControlPlaneMetrics(),
                logger: MachineRegistryTests.logger)
        }

        func entry(_ name: String = "shop-10.0.0.9") async throws -> KubernetesObject? {
            do {
                return try await client.get(MachineEntry.resource, namespace: "vms", name: name)
            } catch let error as KubernetesError where error.isNotFound {
                return nil
            }
        }

        func create(_ resource: APIResource, _ name: String, _ spec: JSONValue) async throws {
            _ = try await client.create(
                resource,
                KubernetesObject([
                    "apiVersion": .string(resource.apiVersion), "kind": .string(resource.kind),
                    "metadata": ["name": .string(name), "namespace": "vms"], "spec": spec,
                ]))
        }
    }

    /// The instances that run.
    private final class Running: Sendable {
        private let state = Mutex<Set<String>>([])
        var names: Set<String> { state.withLock { $0 } }
        func start(_ name: String) { state.withLock { _ = $0.insert(name) } }
        func end(_ name: String) { state.withLock { _ = $0.remove(name) } }
    }

    private static let group: JSONValue = [
        "metadata": ["labels": ["app": "shop"], "annotations": ["team": "red"]],
        "template": [
            "serviceAccount": "shop-vm", "ports": ["http": 8080], "labels": ["app": "other", "tier": "web"],
            "locality": "eu/a", "weight": 3,
        ],
    ]

    private func withCluster(_ body: (Cluster) async throws -> Void) async throws {
        let home = NSTemporaryDirectory() + "weft-machines-" + UUID().uuidString
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
        let own: JSONValue = ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "vms"]]
        _ = try await server.api.create(KubernetesObject(own))
        let client = KubernetesClient(
            configuration: try Kubeconfig(path: home + "/kubeconfig").configuration(context: nil))
        let entries = Informer(client: client, kind: MachineEntry.resource.groupVersionKind) { _ in }
        let watching = Task { await entries.run() }
        await entries.store.waitForSync()
        let cluster = Cluster(client: client, entries: entries)
        try await cluster.create(MachineEntry.groupResource, "shop", Self.group)
        try await body(cluster)
        watching.cancel()
        await watching.value
        try await client.shutdown()
        serving.cancel()
        _ = await serving.result
    }

    private func proxy(
        group: String = "shop", account: String? = "shop-vm", metadata: [String: JSONValue] = [:],
        address: String = "10.0.0.9"
    ) -> ProxyIdentity {
        var values: JSONValue = ["NAMESPACE": "vms", "AUTO_REGISTER_GROUP": .string(group)]
        for (key, value) in metadata { values[key] = value }
        var proxy = ProxyIdentity(
            kind: .sidecar, address: address, podName: "host-1", namespace: "vms", labels: ["version": "v1"],
            serviceAccount: account ?? "", metadata: values)
        proxy.provenAccount = account
        return proxy
    }

    private func refusal(_ body: () async throws -> Void) async -> String {
        do {
            try await body()
            return ""
        } catch { return (error as? ADSRefusal)?.description ?? "no refusal: \(error)" }
    }

    @Test func anEntryIsMadeOfGroupAndNode() async throws {
        try await withCluster { cluster in
            let probed: JSONValue = ["readinessProbe": ["tcpSocket": ["port": 8080]]]
            try await cluster.instance("a").connected(
                "1", proxy(metadata: ["NETWORK": "vm-net", "PROXY_CONFIG": probed]))
            let entry = try #require(try await cluster.entry("shop-10.0.0.9-vm-net"))
            #expect(
                entry.json["spec"] == [
                    "address": "10.0.0.9", "serviceAccount": "shop-vm", "ports": ["http": 8080], "network": "vm-net",
                    "labels": ["app": "shop", "tier": "web", "version": "v1"], "locality": "eu/a", "weight": 3,
                ])
            #expect(entry.labels == ["app": "shop", "tier": "web", "version": "v1"])
            var annotations = entry.annotations
            #expect(annotations.removeValue(forKey: "istio.io/connectedAt").flatMap(MachineEntry.date) != nil)
            #expect(
                annotations == [
                    "team": "red", "istio.io/autoRegistrationGroup": "shop", "istio.io/workloadController": "a",
                    "proxy.istio.io/health-checks-enabled": "true",
                ])
            let owner = try #require(entry.ownerReferences.first)
            let group = try await cluster.client.get(MachineEntry.groupResource, namespace: "vms", name: "shop")
            #expect(owner.uid == group.uid && owner.kind == "WorkloadGroup" && owner.controller == true)
        }
    }

    @Test func entryNamesAreIstios() {
        func name(_ address: String, _ network: String = "") -> String {
            MachineRegistration.entryName(group: "vm", address: address, network: network)
        }
        #expect(name("10.0.0.9") == "vm-10.0.0.9")
        #expect(name("2001:db8::7", "net") == "vm-2001-db8--7-net")
        #expect(
            MachineRegistration.entryName(group: String(repeating: "g", count: 300), address: "10.0.0.9", network: "")
                .count == 253)
    }

    @Test func whoComesBackInTimeStays() async throws {
        try await withCluster { cluster in
            let registry = cluster.instance("a", grace: 1)
            try await registry.connected("1", proxy())
            let first = try #require(try await cluster.entry())
            await registry.disconnected("1")
            try await eventually("the end is written") {
                try await cluster.entry()?.annotations["istio.io/disconnectedAt"]
            }
            try await registry.connected("2", proxy())
            try await Task.sleep(for: .seconds(1.5))
            let entry = try #require(try await cluster.entry())
            #expect(entry.uid == first.uid)
            #expect(entry.annotations["istio.io/connectedAt"] != nil)
            #expect(entry.annotations["istio.io/disconnectedAt"] == nil)
            await registry.disconnected("2")
            try await eventually("it is removed") { try await cluster.entry() == nil ? true : nil }
        }
    }

    @Test func whoMayNotIsToldWhy() async throws {
        try await withCluster { cluster in
            let registry = cluster.instance("a")
            func said(_ proxy: ProxyIdentity) async -> String {
                await refusal { try await registry.connected("1", proxy) }
            }
            #expect(await said(proxy(group: "none")).contains("there is no WorkloadGroup vms/none"))
            #expect(
                await said(proxy(account: "thief")).contains("is for machines of service account shop-vm; the proxy's"))
            #expect(await said(proxy(account: nil)).contains("has not proved who it is"))
            #expect(await said(proxy(address: "127.0.0.1")).contains("set ISTIO_SVC_IP"))
            #expect(try await cluster.entry() == nil)

            try await cluster.create(MachineEntry.resource, "shop-10.0.0.9", ["address": "10.0.0.9"])
            #expect(await said(proxy()).contains("is there already, written by hand"))
            try await registry.connected("2", proxy(address: "10.0.0.8"))
            // By then the group may have another account; the machine's entry has its own.
            let other = await refusal {
                try await registry.connected("3", proxy(account: "thief", address: "10.0.0.8"))
            }
            #expect(other.contains("is of service account shop-vm; the proxy's credential says thief"))
        }
    }

    /// The machine goes from one instance to another; the first one's end of the connection takes nothing away.
    @Test func theLaterConnectionCounts() async throws {
        try await withCluster { cluster in
            let (a, b) = (cluster.instance("a", grace: 0.2), cluster.instance("b", grace: 0.2))
            try await a.connected("1", proxy())
            try await b.connected("1", proxy())
            await a.disconnected("1")
            try await Task.sleep(for: .seconds(0.8))
            let entry = try #require(try await cluster.entry())
            #expect(entry.annotations["istio.io/workloadController"] == "b")
            #expect(entry.annotations["istio.io/connectedAt"] != nil)
            await b.disconnected("1")
            try await eventually("it is removed") { try await cluster.entry() == nil ? true : nil }
        }
    }

    /// An instance that is killed writes no end; the leader notices, and removes what does not come back.
    @Test func theLeaderEndsWhatADeadInstanceHad() async throws {
        try await withCluster { cluster in
            let dead = cluster.instance("dead")
            let leader = cluster.instance("leader", leads: true)
            try await dead.connected("1", proxy())
            try await dead.connected("2", proxy(address: "10.0.0.8"))
            let looking = Task { await leader.run() }
            try await Task.sleep(for: .seconds(1))
            #expect(try await cluster.entry() != nil, "its instance runs")
            cluster.running.end("dead")
            try await leader.connected("3", proxy(address: "10.0.0.8"))
            try await eventually("the entry of the machine that stays away goes") {
                try await cluster.entry() == nil ? true : nil
            }
            #expect(
                try await cluster.entry("shop-10.0.0.8")?.annotations["istio.io/workloadController"] == "leader")
            looking.cancel()
            await looking.value
        }
    }

    /// Somebody deletes the entry of a machine that is connected.
    @Test func anEntryThatIsMissingIsWrittenAgain() async throws {
        try await withCluster { cluster in
            let registry = cluster.instance("a")
            try await registry.connected("1", proxy())
            await registry.reported("1", HealthInformation(problem: "down"))
            try await eventually("told") { try await Self.health(cluster) == "False: down" ? true : nil }
            let looking = Task { await registry.run() }
            try await cluster.client.delete(MachineEntry.resource, namespace: "vms", name: "shop-10.0.0.9")
            try await eventually("written again, with its health") {
                try await Self.health(cluster) == "False: down" ? true : nil
            }
            looking.cancel()
            await looking.value
        }
    }

    private static func health(_ cluster: Cluster, _ name: String = "shop-10.0.0.9") async throws -> String? {
        let conditions = try await cluster.entry(name)?.json[path: "status", "conditions"]?.arrayValue ?? []
        return conditions.first { $0["type"]?.stringValue == "Healthy" }.map {
            "\($0["status"]?.stringValue ?? ""): \($0["message"]?.stringValue ?? "")"
        }
    }

    @Test func healthIsTheProxysWord() async throws {
        try await withCluster { cluster in
            let registry = cluster.instance("a", grace: 0.2)
            try await registry.connected("1", proxy())
            await registry.reported("1", HealthInformation(problem: "status 503"))
            try await eventually("not well") { try await Self.health(cluster) == "False: status 503" ? true : nil }
            await registry.reported("1", HealthInformation())
            try await eventually("well") { try await Self.health(cluster) == "True: " ? true : nil }
            await registry.reported("nobody", HealthInformation(problem: "gone"))

            // An entry that somebody wrote by hand stays when its proxy goes; what the proxy said of it does not.
            try await cluster.create(
                MachineEntry.resource, "mine", ["address": "10.0.0.7", "serviceAccount": "shop-vm"])
            let own = proxy(group: "", metadata: ["WORKLOAD_ENTRY": "mine"], address: "10.0.0.7")
            try await registry.connected("2", own)
            await registry.reported("2", HealthInformation())
            try await eventually("well by hand") { try await Self.health(cluster, "mine") == "True: " ? true : nil }
            await registry.disconnected("2")
            try await eventually("not known any more") {
                let entry = try #require(try await cluster.entry("mine"))
                return try await Self.health(cluster, "mine") == nil && entry.annotations.isEmpty ? true : nil
            }
            #expect(
                await refusal {
                    try await registry.connected("3", proxy(group: "", metadata: ["WORKLOAD_ENTRY": "no"]))
                }
                .contains("there is no WorkloadEntry vms/no"))
        }
    }
}
