import Foundation
import Logging
import Synchronization
import TestSupport
import Testing
import WeftADS
import WeftCore
import WeftIdentity

@testable import WeftProxy

/// The proxy of a machine: what it reads from its files, the rules that it installs, and how it probes the application.
@Suite(.timeLimit(.minutes(1))) struct MachineTests {
    // MARK: - Files

    private func withFiles(_ files: [String: String], _ body: (MachineFiles) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "/weft-machine-files-\(UUID())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for (name, text) in files { try Data(text.utf8).write(to: URL(filePath: "\(folder)/\(name)")) }
        try body(MachineFiles(directory: folder))
    }

    private static let mesh = """
        defaultConfig:
          discoveryAddress: istiod.istio-system.svc:15012
          proxyMetadata:
            ISTIO_META_DNS_CAPTURE: "true"
            POD_NAMESPACE: other
          readinessProbe:
            httpGet: {path: /ready, port: 8080}
        """

    @Test func filesBecomeTheAgentsSettings() throws {
        let environment = """
            # made by a tool
            POD_NAMESPACE='vms'
            SERVICE_ACCOUNT='shop-vm'
            TRUST_DOMAIN="mesh.test"
            ISTIO_META_AUTO_REGISTER_GROUP='shop'
            ISTIO_METAJSON_LABELS='{"app":"shop","note":"it'\\''s"}'
            """
        let hosts = "192.0.2.10 istiod.istio-system.svc # control plane\n"
        try withFiles(["cluster.env": environment, "mesh.yaml": Self.mesh, "hosts": hosts]) { files in
            let host = MachineHost(name: "vm-7", address: "10.0.0.9")
            var settings = AgentSettings(
                role: .sidecar, environment: try files.environment(["HOME": "/root"], host: host), paths: files.paths)
            settings.useHosts(files.hosts)
            #expect(settings.node.id == "sidecar~10.0.0.9~vm-7.vms~vms.svc.cluster.local")
            #expect(settings.node.metadata["LABELS"] == ["app": "shop", "note": "it's"])
            #expect(settings.node.metadata["AUTO_REGISTER_GROUP"] == "shop")
            #expect(settings.node.metadata["app"] == nil)
            #expect(settings.identity?.uri == "spiffe://mesh.test/ns/vms/sa/shop-vm")
            #expect(settings.discovery.description == "192.0.2.10:15012")
            #expect(settings.authority == settings.discovery)
            #expect(settings.capturesDNS)
            #expect(settings.applicationProbe?.action == .http(.init(port: 8080, path: "/ready")))
            // What the process was started with goes before the files.
            let given = ["POD_NAME": "own", "ISTIO_SVC_IP": "10.0.0.4", "SERVICE_ACCOUNT": "other"]
            let environment = try files.environment(given, host: host)
            #expect(environment["POD_NAME"] == "own" && environment["SERVICE_ACCOUNT"] == "other")
            #expect(environment["INSTANCE_IP"] == "10.0.0.4")
            #expect(throws: MachineFiles.Problem.self) {
                try files.environment([:], host: MachineHost(name: "vm-7", address: nil))
            }
        }
    }

    @Test func aFileThatIsMissingIsNamed() throws {
        try withFiles(["cluster.env": ""]) { files in
            do {
                _ = try files.environment([:], host: MachineHost(name: "a", address: "10.0.0.1"))
                Issue.record("started without mesh.yaml")
            } catch { #expect("\(error)".contains("mesh.yaml; 'weft x workload entry configure")) }
        }
    }

    @Test func theRulesAreThoseOfTheFiles() {
        let rules = MachineCapture(
            environment: [
                "ISTIO_INBOUND_PORTS": "8080,9090", "ISTIO_SERVICE_CIDR": "10.96.0.0/12",
                "ISTIO_META_DNS_CAPTURE": "true",
            ], user: 4242
        ).rules
        #expect(rules.problems().isEmpty)
        let script = rules.script()
        for text in [
            "tcp dport { 8080, 9090 } goto inbound_redirect", "ip daddr 10.96.0.0/12 goto outbound_redirect",
            "meta skuid != 4242 meta skgid != 4242 udp dport 53 redirect to :15053",
        ] { #expect(script.contains(text), "\(script)") }
        #expect(
            MachineCapture(environment: [:], user: 1337).rules.script().contains(
                "tcp dport { 22, 15090, 15021, 15020 } return"))
    }

    // MARK: - Probe

    @Test func probesAreReadAsIstioHasThem() throws {
        let probe = try #require(
            ApplicationProbe([
                "initialDelaySeconds": 3, "periodSeconds": 0, "failureThreshold": 5,
                "httpGet": [
                    "port": 8443, "path": "up", "scheme": "HTTPS", "host": "localhost",
                    "httpHeaders": [["name": "x-a", "value": "1"]],
                ],
            ]))
        #expect(
            probe.action
                == .http(.init(host: "localhost", port: 8443, path: "/up", isTLS: true, headers: ["x-a": "1"])))
        #expect(probe.initialDelay == 3 && probe.timeout == 1 && probe.period == 10)
        #expect(probe.successThreshold == 1 && probe.failureThreshold == 5)
        #expect(ApplicationProbe(["tcpSocket": ["port": 80]])?.action == .tcp(host: nil, port: 80))
        #expect(ApplicationProbe(["exec": ["command": ["true"]]])?.action == .exec(["true"]))
        #expect(ApplicationProbe(["grpc": ["port": 80, "service": "s"]])?.action == .grpc(port: 80, service: "s"))
        #expect(ApplicationProbe(["periodSeconds": 3]) == nil)
        #expect(ApplicationProbe(["tcpSocket": ["port": 0]]) == nil)
    }

    @Test func onlyChangesAreToldAndOnlyAfterEnoughOfThem() {
        var probe = ApplicationProbe(.exec(["true"]))
        probe.successThreshold = 2
        probe.failureThreshold = 3
        var count = ProbeCount(probe)
        let results = [true, true, true, false, false, true, false, false, false, false, true, true].map {
            count.record(isGood: $0)
        }
        #expect(results == [nil, true, nil, nil, nil, nil, nil, nil, false, nil, nil, true])
        // The first word may be a bad one.
        var bad = ProbeCount(probe)
        #expect([false, false, false].map { bad.record(isGood: $0) } == [nil, nil, false])
    }

    private func problem(_ action: ApplicationProbe.Action) async -> String? {
        let prober = ApplicationProber(
            probe: ApplicationProbe(action), instanceIP: "127.0.0.1",
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { _ in }
        return await prober.attempt()
    }

    /// Serves one connection after the other on a thread of its own.
    private func serve(_ answer: @escaping @Sendable (RawSocket) -> Void) throws -> RawListener {
        let listener = try RawListener()
        Thread.detachNewThread { while let connection = listener.accept() { answer(connection) } }
        return listener
    }

    @Test(arguments: [(200, true), (302, true), (404, false), (503, false)])
    func http(_ status: Int, _ isGood: Bool) async throws {
        let server = try serve { connection in
            _ = connection.receive(within: 2_000)
            connection.send(Array("HTTP/1.1 \(status) Text\r\ncontent-length: 0\r\n\r\n".utf8))
        }
        defer { server.close() }
        let found = await problem(.http(.init(port: Int(server.port))))
        #expect(isGood ? found == nil : found?.contains("answered with status \(status)") == true, "\(found ?? "")")
    }

    @Test func tcpAndWhatDoesNotAnswer() async throws {
        let server = try serve { _ in }
        let port = Int(server.port)
        #expect(await problem(.tcp(host: nil, port: port)) == nil)
        #expect(await problem(.http(.init(port: port)))?.contains("did not answer") == true)
        server.close()
        #expect(await problem(.tcp(host: nil, port: port))?.contains("does not accept connections") == true)
    }

    @Test func commands() async {
        #expect(await problem(.exec(["true"])) == nil)
        #expect(await problem(.exec(["sh", "-c", "exit 3"])) == "sh ended with status 3")
        #expect(await problem(.exec(["sleep", "5"])) == "sleep did not end in 1 s")
        #expect(await problem(.exec(["/no/such/program"]))?.contains("cannot start /no/such/program") == true)
    }

    @Test(arguments: [(UInt8(1), true), (2, false)])
    func grpc(_ serving: UInt8, _ isGood: Bool) async throws {
        let asked = Mutex<[String]>([])
        let server = try serve { connection in
            let peer = HTTP2Peer(connection, isClient: false)
            while let event = peer.next(within: 2_000) {
                if case .headers(_, let fields, _) = event {
                    asked.withLock { $0 += fields.filter { $0.name == ":path" }.map(\.value) }
                }
                guard case .data(let stream, let bytes, true) = event else { continue }
                // The service's name is in the request.
                guard bytes.suffix(4) == Array("shop".utf8)[...] else { return }
                peer.headers(
                    stream, [.init(":status", "200"), .init("content-type", "application/grpc")], ended: false)
                peer.body(stream, [0, 0, 0, 0, 2, 8, serving], trailers: [.init("grpc-status", "0")])
            }
        }
        defer { server.close() }
        let found = await problem(.grpc(port: Int(server.port), service: "shop"))
        #expect(asked.withLock { $0 } == ["/grpc.health.v1.Health/Check"])
        #expect(isGood ? found == nil : found?.contains("is not SERVING") == true, "\(found ?? "")")
    }

    /// From the first probe to what the control plane is told.
    @Test func theProberTellsChanges() async throws {
        let file = NSTemporaryDirectory() + "/weft-probe-\(UUID())"
        var probe = ApplicationProbe(.exec(["test", "-e", file]))
        probe.period = 1
        probe.failureThreshold = 1
        let (told, telling) = AsyncStream.makeStream(of: HealthInformation.self)
        let prober = ApplicationProber(
            probe: probe, instanceIP: "127.0.0.1", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { telling.yield($0) }
        let running = Task { await prober.run() }
        var news = told.makeAsyncIterator()
        #expect(await news.next() == HealthInformation(problem: "test ended with status 1"))
        try Data().write(to: URL(filePath: file))
        #expect(await news.next() == HealthInformation())
        try FileManager.default.removeItem(atPath: file)
        running.cancel()
        await running.value
    }
}
