import Testing
import WeftConfig
import WeftCore
import WeftIR

@testable import WeftTranslate

/// The proxy of a machine gets what a pod with the machine's labels, account and services would get.
@Suite struct MachineWorkloadTests {
    private static let registered = "shop-10.0.0.9"

    private func snapshot(_ more: String = "", labels: String = "{app: shop}", account: String = "shop-vm") throws
        -> MeshSnapshot
    {
        let yaml = """
            apiVersion: networking.istio.io/v1
            kind: WorkloadEntry
            metadata: {name: \(Self.registered), namespace: vms}
            spec: {address: 10.0.0.9, labels: \(labels), serviceAccount: \(account), ports: {http: 9080}}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: shop, namespace: vms}
            spec: {clusterIP: 10.96.0.7, selector: {app: shop}, ports: [{name: http, port: 80, targetPort: 9080}]}
            ---
            \(more)
            """
        return MeshSnapshot(objects: try ManifestReader.objects(in: yaml).map(\.object))
    }

    private func proxy(account: String = "shop-vm", address: String = "10.0.0.9", metadata: JSONValue = [:])
        -> ProxyIdentity
    {
        var proxy = ProxyIdentity(
            kind: .sidecar, address: address, podName: "host-7", namespace: "vms", serviceAccount: account,
            metadata: metadata)
        proxy.provenAccount = account
        return proxy
    }

    @Test func anEntryIsTheProxysByAddressNameOrGroup() throws {
        let snapshot = try snapshot()
        func name(_ proxy: ProxyIdentity) -> String? { snapshot.workload(of: proxy)?.name }
        #expect(name(proxy()) == Self.registered)
        #expect(name(proxy(address: "10.0.0.8")) == nil)
        #expect(
            name(proxy(address: "192.0.2.1", metadata: ["WORKLOAD_ENTRY": .string(Self.registered)]))
                == Self.registered)
        #expect(name(proxy(metadata: ["AUTO_REGISTER_GROUP": "shop"])) == Self.registered)
        #expect(name(proxy(account: "thief")) == nil, "an entry is nobody's who runs as another")
        #expect(name(proxy(account: "thief", metadata: ["WORKLOAD_ENTRY": .string(Self.registered)])) == nil)
        let proxyClass = ProxyClass(proxy(), in: snapshot)
        #expect(proxyClass.labels == ["app": "shop"] && proxyClass.mayHaveSecrets)
        #expect(proxyClass.endpointPorts["shop.vms.svc.cluster.local"] == [80: 9080])
    }

    /// Of two entries for one machine, the one that was registered for the proxy.
    @Test func theRegisteredEntryGoesFirst() throws {
        let other = """
            apiVersion: networking.istio.io/v1
            kind: WorkloadEntry
            metadata: {name: another, namespace: vms}
            spec: {address: 10.0.0.9, labels: {app: another}, serviceAccount: shop-vm}
            """
        let snapshot = try snapshot(other)
        #expect(snapshot.workload(of: proxy(metadata: ["AUTO_REGISTER_GROUP": "shop"]))?.name == Self.registered)
        #expect(snapshot.workload(of: proxy())?.name == "another")
    }

    @Test func policiesAndServicesOfTheMachineMakeItsInboundListener() throws {
        let rules = """
            apiVersion: security.istio.io/v1
            kind: PeerAuthentication
            metadata: {name: shop, namespace: vms}
            spec: {selector: {matchLabels: {app: shop}}, mtls: {mode: STRICT}}
            ---
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: shop, namespace: vms}
            spec:
              selector: {matchLabels: {app: shop}}
              rules: [{from: [{source: {principals: [cluster.local/ns/vms/sa/caller]}}]}]
            """
        let translator = Translator(try snapshot(rules))
        let (configuration, _) = translator.configuration(for: proxy())
        #expect(configuration.clusters["inbound|9080||"] != nil)
        let text = try JSONValue(encoding: configuration.listeners["virtualInbound"]).text()
        #expect(text.contains("cluster.local/ns/vms/sa/caller"))
        // Whoever is not the machine gets nothing of it.
        let (other, _) = translator.configuration(for: proxy(account: "thief", address: "10.0.0.8"))
        #expect(other.clusters["inbound|9080||"] == nil)
        #expect(!(try JSONValue(encoding: other.listeners["virtualInbound"]).text().contains("sa/caller")))
    }

    private func isHealthy(annotations: String, status: String) throws -> Bool? {
        let yaml = """
            apiVersion: networking.istio.io/v1
            kind: WorkloadEntry
            metadata: {name: a, namespace: vms, labels: {team: red}, annotations: \(annotations)}
            spec: {address: 10.0.0.1, labels: {app: shop}}
            status: \(status)
            """
        let snapshot = MeshSnapshot(objects: try ManifestReader.objects(in: yaml).map(\.object))
        #expect(snapshot.workload(namespace: "vms", name: "a")?.labels == ["app": "shop", "team": "red"])
        return snapshot.workload(namespace: "vms", name: "a")?.entry?.isHealthy
    }

    @Test func aProbedMachineIsOutUntilItIsWell() throws {
        let probed = "{proxy.istio.io/health-checks-enabled: \"true\"}"
        #expect(try isHealthy(annotations: "{}", status: "{}") == true)
        #expect(try isHealthy(annotations: probed, status: "{}") == false)
        #expect(try isHealthy(annotations: probed, status: "{conditions: [{type: Healthy, status: \"True\"}]}") == true)
        #expect(try isHealthy(annotations: "{}", status: "{conditions: [{type: Healthy, status: \"False\"}]}") == false)
    }
}
