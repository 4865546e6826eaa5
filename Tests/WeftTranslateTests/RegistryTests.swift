import Testing
import WeftConfig
import WeftCore
import WeftIR
import WeftTranslate

/// What services, names and addresses become for one sidecar of namespace `dev`.
struct RegistryTests {
    private func translate(
        _ yaml: String, metadata: JSONValue = .object([:]), mesh: MeshConfig = MeshConfig()
    ) throws -> (ProxyConfiguration, [Diagnostic]) {
        let objects = try ManifestReader.objects(in: yaml).map(\.object)
        let proxy = ProxyIdentity(
            kind: .sidecar, address: "10.244.0.2", podName: "client", namespace: "dev", metadata: metadata)
        return Translator(MeshSnapshot(objects: objects, meshConfig: mesh)).configuration(for: proxy)
    }

    private func entry(_ name: String, namespace: String = "dev", _ spec: String, created: String = "") -> String {
        """
        {apiVersion: networking.istio.io/v1, kind: ServiceEntry,
         metadata: {name: \(name), namespace: \(namespace), creationTimestamp: "\(created)"}, spec: \(spec)}
        ---

        """
    }

    private static let service =
        "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: dev}, spec: {clusterIP: 10.96.0.9, ports: [{name: http, port: 80}]}}\n---\n"

    @Test func aServiceComesBeforeAServiceEntryOfItsName() throws {
        let rival = entry(
            "rival", namespace: "other",
            "{hosts: [web.dev.svc.cluster.local], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}",
            created: "2000-01-01T00:00:00Z")
        let (configuration, _) = try translate(Self.service + rival)
        let cluster = try #require(configuration.clusters["outbound|80||web.dev.svc.cluster.local"])
        #expect(cluster.discovery == .eds(serviceName: ""))
        #expect(cluster.services.first?.namespace == "dev")
    }

    @Test func ofTwoEntriesOfOneHostTheOldestWins() throws {
        let spec = "{hosts: [a.example], ports: [{number: 80, name: http, protocol: HTTP}], resolution: %}"
        let (configuration, _) = try translate(
            entry("new", namespace: "x", spec.replacing("%", with: "NONE"), created: "2002-01-01T00:00:00Z")
                + entry("old", namespace: "y", spec.replacing("%", with: "DNS"), created: "2001-01-01T00:00:00Z"))
        #expect(configuration.clusters["outbound|80||a.example"]?.discovery == .strictDNS)
    }

    @Test func exportToOfEntriesAndItsDefaultHide() throws {
        let spec = "{hosts: [a.example], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS%}"
        let hidden = entry("a", namespace: "other", spec.replacing("%", with: ", exportTo: [.]"))
        #expect(try translate(hidden).0.clusters["outbound|80||a.example"] == nil)
        var mesh = MeshConfig()
        mesh.defaultServiceExportTo = ["."]
        let plain = entry("a", namespace: "other", spec.replacing("%", with: ""))
        #expect(try translate(plain).0.clusters["outbound|80||a.example"] != nil)
        #expect(try translate(plain, mesh: mesh).0.clusters["outbound|80||a.example"] == nil)
    }

    @Test func connectionsThatCannotBeToldApartAreReported() throws {
        let (configuration, diagnostics) = try translate(
            entry("a", "{hosts: [a.example], ports: [{number: 7000, name: tcp, protocol: TCP}], resolution: DNS}")
                + entry("b", "{hosts: [b.example], ports: [{number: 7000, name: tcp, protocol: TCP}], resolution: DNS}")
        )
        #expect(configuration.listeners["0.0.0.0_7000"]?.filterChains.count == 1)
        let finding = try #require(diagnostics.first { $0.code == "IST0177" })
        #expect(finding.resource?.name == "b")
        #expect(finding.hint?.contains("address") == true)
    }

    @Test func allocatedAddressesAreForProxiesThatAnswerDNS() throws {
        let yaml = """
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: a, namespace: dev}
            spec: {hosts: [a.example], ports: [{number: 7000, name: tcp, protocol: TCP}], resolution: DNS}
            status: {addresses: [{value: 240.240.1.1, host: a.example}]}
            """
        #expect(try translate(yaml).0.listeners["0.0.0.0_7000"] != nil)
        #expect(try translate(yaml).0.names == nil)
        let (capturing, _) = try translate(yaml, metadata: ["DNS_CAPTURE": "true"])
        #expect(capturing.listeners["240.240.1.1_7000"] != nil)
        #expect(capturing.names?.entries["a.example"]?.addresses == ["240.240.1.1"])
    }

    @Test func aPortWithoutANameIsSniffed() throws {
        let yaml =
            "{apiVersion: v1, kind: Service, metadata: {name: odd, namespace: dev}, spec: {clusterIP: 10.96.0.8, ports: [{port: 9000}]}}"
        let (configuration, _) = try translate(yaml)
        let listener = try #require(configuration.listeners["10.96.0.8_9000"])
        #expect(listener.listenerFilters == [.tlsInspector, .httpInspector])
        #expect(listener.continueOnListenerFiltersTimeout)
        #expect(configuration.routes["odd.dev.svc.cluster.local:9000"] != nil)
    }

    @Test func addressesAreStableAndDistinct() throws {
        func objects(_ names: [String], status: String = "") throws -> [KubernetesObject] {
            try names.flatMap { name in
                try ManifestReader.objects(
                    in: """
                        apiVersion: networking.istio.io/v1
                        kind: ServiceEntry
                        metadata: {name: \(name), namespace: dev}
                        spec: {hosts: [\(name).example, "*.\(name).example"], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
                        \(status)
                        """
                ).map(\.object)
            }
        }
        let names = (0..<300).map { "e\($0)" }
        let first = AddressAllocation.changes(in: try objects(names))
        let again = AddressAllocation.changes(in: try objects(names.reversed()))
        func table(_ changes: [(entry: KubernetesObject, addresses: [AddressAllocation.Address])]) -> [String: String] {
            Dictionary(uniqueKeysWithValues: changes.flatMap(\.addresses).map { ($0.host, $0.value) })
        }
        #expect(table(first) == table(again))
        #expect(Set(table(first).values).count == 300)
        #expect(table(first).values.allSatisfy { $0.hasPrefix("240.240.") && !$0.hasSuffix(".0.0") })
        // What is recorded stays; what is right is not written again; what is taken twice is given anew.
        let kept = try objects(["a"], status: "status: {addresses: [{value: 240.240.9.9, host: a.example}]}")
        #expect(AddressAllocation.changes(in: kept).isEmpty)
        let thief = try objects(["b"], status: "status: {addresses: [{value: 240.240.9.9, host: b.example}]}")
        let changed = AddressAllocation.changes(in: kept + thief)
        #expect(changed.map(\.entry.name) == ["b"])
        #expect(changed.first?.addresses.first?.value != "240.240.9.9")
    }

    @Test func boundListenersDoNotLeadToThemselves() throws {
        let yaml = """
            {apiVersion: networking.istio.io/v1, kind: Sidecar, metadata: {name: s, namespace: dev},
             spec: {egress: [{port: {number: 80, protocol: HTTP, name: h}, captureMode: NONE, hosts: ["*/*"]}]}}
            """
        let (configuration, _) = try translate(Self.service + yaml)
        let listener = try #require(configuration.listeners["127.0.0.1_80"])
        #expect(listener.bindToPort)
        #expect(
            listener.defaultFilterChain?.filters.contains { filter in
                if case .tcpProxy(let proxy) = filter { proxy.cluster == .cluster("BlackHoleCluster") } else { false }
            } == true)
        let last = try #require(configuration.routes["80"]?.virtualHosts.last)
        #expect(last.name == "block_all")
    }
}
