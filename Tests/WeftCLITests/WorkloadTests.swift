import ArgumentParser
import Testing
import WeftConfig
import WeftCore
import WeftInject

@testable import WeftCLI

/// `x workload`: what it prints and writes.
@Suite struct WorkloadTests {
    private func parse<Command: ParsableCommand>(_ type: Command.Type = Command.self, _ words: String...) throws
        -> Command
    {
        try #require(try WeftCommand.parseAsRoot(["x", "workload"] + words) as? Command)
    }

    @Test func aGroupIsPrinted() throws {
        let command = try parse(
            GroupCreateCommand.self, "group", "create", "--name", "vm", "-n", "dev", "-l", "app=vm,env=prod",
            "--labels",
            "tier=web", "-a", "note=a=b", "-p", "http=8080,grpc=9090", "-s", "vm-account")
        #expect(
            YAMLWriter.text(try command.group().json) == """
                apiVersion: networking.istio.io/v1
                kind: WorkloadGroup
                metadata:
                  name: vm
                  namespace: dev
                spec:
                  metadata:
                    annotations:
                      note: a=b
                    labels:
                      app: vm
                      env: prod
                      tier: web
                  template:
                    ports:
                      grpc: 9090
                      http: 8080
                    serviceAccount: vm-account

                """)
    }

    @Test(arguments: [
        ([], "--name"), (["--name", "vm"], "--namespace"), (["--name", "vm", "-n", "dev", "-p", "http=0"], "no port"),
        (["--name", "vm", "-n", "dev", "-l", "app"], "KEY=VALUE"),
    ])
    func whatIsMissingIsNamed(_ words: [String], _ text: String) {
        do {
            _ = try WeftCommand.parseAsRoot(["x", "workload", "group", "create"] + words)
            Issue.record("\(words) was taken")
        } catch { #expect(WeftCommand.message(for: error).contains(text)) }
    }

    @Test func flagsAreIstioctls() throws {
        let plain = try parse(EntryConfigureCommand.self, "entry", "configure", "-f", "g.yaml", "-o", "out")
        #expect(!plain.autoregister && plain.capturesDNS && plain.tokenDuration == 3_600)
        let full = try parse(
            EntryConfigureCommand.self, "entry", "configure", "--name", "vm", "--namespace", "dev", "--output", "out",
            "--autoregister", "--capture-dns=false", "--clusterID", "c1", "--ingressIP", "192.0.2.1", "--internalIP",
            "10.0.0.1", "--tokenDuration", "7200", "--ingressService", "gw.infra", "--revision", "canary")
        #expect(full.autoregister && !full.capturesDNS && full.revision == "canary")
        #expect(full.ingressService == "gw.infra" && full.global.namespace == "dev")
        for wrong in [
            ["-o", "out"], ["-f", "g", "-o", "out", "--internalIP", "1.1.1.1", "--externalIP", "2.2.2.2"],
            ["-f", "g", "-o", "out", "--tokenDuration", "10"],
        ] {
            #expect(throws: (any Error).self) {
                try WeftCommand.parseAsRoot(["x", "workload", "entry", "configure"] + wrong)
            }
        }
    }

    private static let mesh = """
        trustDomain: mesh.test
        defaultConfig:
          holdApplicationUntilProxyStarts: true
          proxyMetadata: {TEAM: "it's red"}
        """

    private func configuration(revision: String = "default") throws -> MachineConfiguration {
        let group = try ManifestReader.objects(
            in: """
                apiVersion: networking.istio.io/v1
                kind: WorkloadGroup
                metadata: {name: vm, namespace: dev}
                spec:
                  metadata:
                    labels: {app: shop, version: v2}
                    annotations: {proxy.istio.io/config: "concurrency: 2"}
                  template: {serviceAccount: shop-vm, network: vm-net, ports: {http: 8080, admin: 9000}}
                  probe: {periodSeconds: 5, tcpSocket: {port: 8080}}
                """)[0].object
        return MachineConfiguration(
            group: group,
            settings: InjectionSettings(meshConfig: try YAMLReader.value(in: Self.mesh), revision: revision))
    }

    @Test func filesOfAMachine() throws {
        var configuration = try configuration()
        configuration.registers = true
        configuration.internalIP = "10.0.0.9"
        #expect(configuration.problem == nil)
        #expect(configuration.hosts(address: "192.0.2.1") == "192.0.2.1 istiod.istio-system.svc\n")
        #expect(
            configuration.environment == """
                CANONICAL_REVISION='latest'
                CANONICAL_SERVICE='shop'
                ISTIO_INBOUND_PORTS='9000,8080'
                ISTIO_LOCAL_EXCLUDE_PORTS='22,15090,15021,15020'
                ISTIO_METAJSON_LABELS='{"app":"shop","service.istio.io/canonical-name":"shop","service.istio.io/canonical-revision":"latest","version":"v2"}'
                ISTIO_META_AUTO_REGISTER_GROUP='vm'
                ISTIO_META_CLUSTER_ID='Kubernetes'
                ISTIO_META_DNS_CAPTURE='true'
                ISTIO_META_MESH_ID='mesh.test'
                ISTIO_META_NETWORK='vm-net'
                ISTIO_META_POD_PORTS='[{"containerPort":9000,"name":"admin"},{"containerPort":8080,"name":"http"}]'
                ISTIO_META_WORKLOAD_NAME='vm'
                ISTIO_NAMESPACE='dev'
                ISTIO_SERVICE='vm.dev'
                ISTIO_SERVICE_CIDR='*'
                ISTIO_SVC_IP='10.0.0.9'
                POD_NAMESPACE='dev'
                SERVICE_ACCOUNT='shop-vm'
                TEAM='it'\\''s red'
                TRUST_DOMAIN='mesh.test'

                """)
        let config = try #require(configuration.mesh["defaultConfig"])
        #expect(config["discoveryAddress"] == "istiod.istio-system.svc:15012")
        #expect(config["readinessProbe"] == ["periodSeconds": 5, "tcpSocket": ["port": 8080]])
        #expect(config["concurrency"] == 2 && config["holdApplicationUntilProxyStarts"] == true)
        #expect(config[path: "proxyMetadata", "TEAM"] == "it's red")
        #expect(config[path: "proxyMetadata", "ISTIO_META_AUTO_REGISTER_GROUP"] == "vm")
    }

    @Test func anotherRevisionAndAnotherChoice() throws {
        var configuration = try configuration(revision: "canary")
        configuration.capturesDNS = false
        configuration.clusterID = "c1"
        configuration.externalIP = "198.51.100.7"
        let environment = configuration.environment
        for line in [
            "CA_ADDR='istiod-canary.istio-system.svc:15012'", "ISTIO_META_CLUSTER_ID='c1'",
            "ISTIO_SVC_IP='198.51.100.7'", "REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION='true'",
        ] { #expect(environment.contains(line + "\n"), "\(environment)") }
        for word in ["DNS_CAPTURE", "AUTO_REGISTER"] { #expect(!environment.contains(word)) }
        #expect(
            configuration.mesh[path: "defaultConfig", "discoveryAddress"] == "istiod-canary.istio-system.svc:15012")
        configuration.group.json[path: "spec", "template", "address"] = "10.0.0.1"
        #expect(configuration.problem?.contains("has the address 10.0.0.1") == true)
    }
}
