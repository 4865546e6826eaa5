import GRPCCore
import Logging
import Synchronization
import Testing
import WeftCore
import WeftIR
import WeftIdentity
import WeftXDS

@testable import WeftADS

/// Publishes what it is told to every session, and remembers what sessions said.
final class RecordingControlPlane: ADSDelegate {
    struct State {
        var snapshot: XDSSnapshot?
        var sessions: [String: ADSSession] = [:]
        var log: [String] = []
        var everConnected = 0
    }
    let state = Mutex(State())

    func publish(_ configuration: ProxyConfiguration) throws {
        let snapshot = try XDSSnapshot(configuration, target: .weft)
        let sessions = state.withLock { state in
            state.snapshot = snapshot
            return Array(state.sessions.values)
        }
        for session in sessions { session.publish(snapshot) }
    }

    func note(_ line: String) { state.withLock { $0.log.append(line) } }
    func connected(_ session: ADSSession) async throws {
        let snapshot = state.withLock { state in
            state.sessions[session.id] = session
            state.everConnected += 1
            return state.snapshot
        }
        if let snapshot { session.publish(snapshot) }
    }
    func sent(_ session: ADSSession, _ type: ResourceType, nonce: String, version: String, names: [String]) async {}
    func delivered(_ session: ADSSession, number: UInt64) async { note("delivered \(number)") }
    func acknowledged(_ session: ADSSession, _ type: ResourceType, nonce: String, version: String) async {
        note("ack \(type.shortName)")
    }
    func rejected(_ session: ADSSession, _ type: ResourceType, nonce: String, version: String, reason: String) async {
        note("nack \(type.shortName) \(reason)")
    }
    func reported(_ session: ADSSession, _ health: HealthInformation) async {
        note("health \(health.problem ?? "well")")
    }
    func disconnected(_ session: ADSSession) async {
        _ = state.withLock { $0.sessions.removeValue(forKey: session.id) }
    }
}

/// Remembers the newest configuration; refuses whole updates and single clusters by name.
final class RecordingProxy: ADSClientDelegate {
    struct State {
        var configuration = ProxyConfiguration()
        var updates: [[String]] = []
        var refused: Set<String> = []
        var reasons: [String] = []
    }
    let state = Mutex(State())

    func check(_ resource: DecodedResource) -> String? {
        state.withLock { $0.refused.contains(resource.name) } ? "refused for the test" : nil
    }
    func apply(_ update: ADSUpdate) async -> ADSVerdict {
        state.withLock { state in
            if update.updated.contains("poison") { return .reject("poison in the update") }
            state.configuration = update.configuration
            state.updates.append(update.updated)
            return .accept
        }
    }
    func streamChanged(connected: Bool, reason: String?) async {
        if let reason { state.withLock { $0.reasons.append(reason) } }
    }
    var clusters: Set<String> { state.withLock { Set($0.configuration.clusters.keys) } }
}

@Suite(.timeLimit(.minutes(3))) struct ADSTests {
    let plane = RecordingControlPlane()
    let proxy = RecordingProxy()
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    func configuration(_ clusters: String...) -> ProxyConfiguration {
        var configuration = ProxyConfiguration()
        for name in clusters { configuration.clusters[name] = Cluster(name: name, discovery: .static) }
        return configuration
    }

    func eventually(_ what: String, _ condition: () -> Bool) async throws {
        for _ in 0..<4_000 {
            if condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("never happened: \(what)")
    }

    func client(
        port: Int, namespace: String = "dev", token: String? = nil, roots: String? = nil, isDelta: Bool = true,
        health: HealthReporter? = nil
    ) -> ADSClient {
        var settings = ADSClient.Configuration(
            host: "127.0.0.1", port: port,
            node: ADSNode(
                id: "sidecar~10.0.0.1~a.\(namespace)~\(namespace).svc.cluster.local",
                metadata: ["NAMESPACE": .string(namespace)]))
        settings.isDelta = isDelta
        settings.health = health
        settings.backoff.initial = .milliseconds(20)
        settings.backoff.maximum = .milliseconds(50)
        if let roots { settings.roots = { roots } }
        if let token { settings.token = { token } }
        return ADSClient(settings, delegate: proxy, logger: logger)
    }

    func host(port: Int = 0) throws -> GRPCHost {
        try GRPCHost(
            host: "127.0.0.1", port: port, certificate: nil,
            services: [ADSServer(authentication: .none, delegate: plane, logger: logger)])
    }

    func sees(_ line: String) -> Bool { plane.state.withLock { $0.log.contains { $0.hasPrefix(line) } } }

    @Test func snapshotsArriveAndAreAcknowledged() async throws {
        let host = try host()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await host.run() }
            let client = client(port: try #require(try await host.port))
            group.addTask { await client.run() }
            try await eventually("connect") { plane.state.withLock { $0.everConnected == 1 } }
            try plane.publish(configuration("a", "b"))
            try await eventually("first snapshot") { proxy.clusters == ["a", "b"] }
            try plane.publish(configuration("b", "c"))
            try await eventually("second snapshot") { proxy.clusters == ["b", "c"] }
            try await eventually("ack") { sees("ack CDS") }
            let session = try #require(plane.state.withLock { $0.sessions.values.first })
            try await eventually("synced") { session.status[.cluster]?.sync == .synced }
            #expect(session.node.namespace == "dev")
            #expect(session.node.userAgentName == "weft-proxy")
            group.cancelAll()
        }
    }

    /// The same over the state of the world.
    @Test func stateOfTheWorldArrives() async throws {
        let host = try host()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await host.run() }
            let client = client(port: try #require(try await host.port), isDelta: false)
            group.addTask { await client.run() }
            try await eventually("connect") { plane.state.withLock { $0.everConnected == 1 } }
            try plane.publish(configuration("a", "b"))
            try await eventually("first snapshot") { proxy.clusters == ["a", "b"] }
            try plane.publish(configuration("b", "c"))
            try await eventually("second snapshot") { proxy.clusters == ["b", "c"] }
            try await eventually("ack") { sees("ack CDS") }
            proxy.state.withLock { _ = $0.refused.insert("bad") }
            try plane.publish(configuration("b", "bad"))
            try await eventually("nack of one resource") { sees("nack CDS bad: refused for the test") }
            // What goes away leaves with a response of its own.
            try await eventually("c leaves, bad does not come") { proxy.clusters == ["b"] }
            group.cancelAll()
        }
    }

    /// Changes travel on the stream, before and after the first snapshot, and a new stream begins with what holds.
    @Test(arguments: [true, false])
    func healthOfTheApplicationIsTold(isDelta: Bool) async throws {
        let first = try host()
        let serving = Task { try await first.run() }
        let port = try #require(try await first.port)
        let health = HealthReporter()
        health.report(HealthInformation(problem: "status 503"))
        let client = client(port: port, isDelta: isDelta, health: health)
        let running = Task { await client.run() }
        try await eventually("told at once") { sees("health status 503") }
        health.report(HealthInformation())
        try await eventually("told the change") { sees("health well") }
        serving.cancel()
        _ = await serving.result
        try await eventually("loss noticed") { proxy.state.withLock { !$0.reasons.isEmpty } }
        health.report(HealthInformation(problem: "refused"))
        plane.state.withLock { $0.log = [] }
        let second = try host(port: port)
        let again = Task { try await second.run() }
        try await eventually("told again") { sees("health refused") }
        #expect(!sees("health well"), "what held before is no news")
        running.cancel()
        await running.value
        again.cancel()
        _ = await again.result
    }

    @Test func rejectionsReachTheControlPlaneAndKeepWhatWas() async throws {
        proxy.state.withLock { _ = $0.refused.insert("bad") }
        try plane.publish(configuration("a"))
        let host = try host()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await host.run() }
            let client = client(port: try #require(try await host.port))
            group.addTask { await client.run() }
            try await eventually("first snapshot") { proxy.clusters == ["a"] }
            try plane.publish(configuration("a", "bad", "good"))
            try await eventually("nack of one resource") { sees("nack CDS bad: refused for the test") }
            #expect(proxy.clusters == ["a", "good"])
            try plane.publish(configuration("a", "good", "poison"))
            try await eventually("nack of the update") { sees("nack CDS poison in the update") }
            #expect(proxy.clusters == ["a", "good"])
            group.cancelAll()
        }
    }

    @Test func comesBackAfterTheServerIsGoneAndKeepsItsVersions() async throws {
        try plane.publish(configuration("a", "b"))
        let first = try host()
        let serving = Task { try await first.run() }
        let port = try #require(try await first.port)
        let client = client(port: port)
        let running = Task { await client.run() }
        try await eventually("first snapshot") { proxy.clusters == ["a", "b"] }
        serving.cancel()
        _ = await serving.result
        try await eventually("loss noticed") { proxy.state.withLock { !$0.reasons.isEmpty } }
        #expect(proxy.clusters == ["a", "b"])
        try plane.publish(configuration("a", "b", "c"))
        let second = try host(port: port)
        let again = Task { try await second.run() }
        try await eventually("reconnect") { proxy.clusters == ["a", "b", "c"] }
        // Listeners answer too, with nothing in them.
        let last = proxy.state.withLock { $0.updates.last { !$0.isEmpty } }
        #expect(last == ["c"], "only what changed is sent again")
        running.cancel()
        again.cancel()
        _ = await running.result
        _ = await again.result
    }

    /// A control plane that is asked by too many says when to come back, and is asked no sooner.
    @Test func aStormIsShedAndComesBackInTurn() async throws {
        try plane.publish(configuration("a"))
        let admission = StreamAdmission(rate: 1, patience: .zero)
        // The burst of a quiet second, used up.
        for _ in 0..<4 { _ = try await admission.admit() }
        guard case .refused(let wait) = try await admission.admit() else {
            Issue.record("a fifth stream at once was not refused")
            return
        }
        #expect(wait > .zero)
        let host = try GRPCHost(
            host: "127.0.0.1", port: 0, certificate: nil,
            services: [ADSServer(authentication: .none, delegate: plane, admission: admission, logger: logger)])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await host.run() }
            let client = client(port: try #require(try await host.port))
            group.addTask { await client.run() }
            // Others take every turn until the client has been refused once, however long it takes to connect.
            group.addTask { [proxy] in
                while proxy.state.withLock({ $0.reasons.isEmpty }) {
                    _ = try await admission.admit()
                    try await Task.sleep(for: .milliseconds(2))
                }
            }
            try await eventually("refusal") { proxy.state.withLock { !$0.reasons.isEmpty } }
            let reason = try #require(proxy.state.withLock { $0.reasons.first })
            #expect(reason.hasPrefix("unavailable: too many proxies connect at once; try again in "), "\(reason)")
            try await eventually("served in its turn") { proxy.clusters == ["a"] }
            // Its own backoff of 50 ms would have had it try a dozen times.
            #expect(proxy.state.withLock { $0.reasons.count } < 8)
            group.cancelAll()
        }
    }

    @Test(arguments: [("250", 250), ("0", 0), ("-1", nil), ("soon", nil), ("99999999", 60_000)])
    func pushbackIsReadAsGRPCWritesIt(_ text: String, _ milliseconds: Int?) {
        var metadata = Metadata()
        metadata.addString(text, forKey: "grpc-retry-pushback-ms")
        #expect(RetryPushback.wait(metadata) == milliseconds.map { .milliseconds($0) })
    }

    @Test(arguments: [
        ("good", "dev", true), ("bad", "dev", false), ("good", "other", false),
    ])
    func tlsPortChecksTokenAndNode(_ token: String, _ namespace: String, _ accepted: Bool) async throws {
        let identity = try SPIFFEIdentity(uri: "spiffe://cluster.local/ns/dev/sa/default")
        let root = try CertificateSigner(selfSignedRoot: "weft", commonName: "root", validFor: 3_600)
        let serving = try root.issue(.serving(dnsNames: ["istiod.istio-system.svc"]), validFor: 600)
        let service = ADSServer(
            authentication: .token { $0 == "good" ? identity : nil }, delegate: plane, logger: logger)
        let host = try GRPCHost(host: "127.0.0.1", port: 0, certificate: { serving }, services: [service])
        try plane.publish(configuration("a"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await host.run() }
            let port = try #require(try await host.port)
            let client = client(port: port, namespace: namespace, token: token, roots: try root.certificatePEM())
            group.addTask { await client.run() }
            try await eventually("answer") {
                accepted ? proxy.clusters == ["a"] : proxy.state.withLock { !$0.reasons.isEmpty }
            }
            #expect(plane.state.withLock { $0.everConnected } == (accepted ? 1 : 0))
            if accepted {
                #expect(plane.state.withLock { $0.sessions.values.first?.peer } == identity)
            } else {
                let reason = proxy.state.withLock { $0.reasons[0] }
                #expect(reason.hasPrefix(namespace == "other" ? "permissionDenied" : "unauthenticated"), "\(reason)")
            }
            group.cancelAll()
        }
    }
}

@Suite struct ReconnectBackoffTests {
    @Test func growsToItsLimitAndStartsAgain() {
        var backoff = ReconnectBackoff()
        #expect((0..<7).map { _ in backoff.next(random: 1) } == [0.5, 1, 2, 4, 8, 15, 15].map { Duration.seconds($0) })
        backoff.reset()
        #expect(backoff.next(random: 0) == .milliseconds(250))
    }
}
