import GRPCCore
import Logging
import Synchronization
import Testing
import WeftADS
import WeftCore
import WeftIR
import WeftIdentity
import WeftXDS

/// What is replaced while things run: the server's certificate, the proxy's token.
@Suite(.timeLimit(.minutes(1))) struct CredentialTests {
    let base = ADSTests()

    /// A value that changes under those who read it.
    final class Changing<Value: Sendable>: Sendable {
        private let state: Mutex<Value>
        init(_ value: Value) { state = Mutex(value) }
        var value: Value {
            get { state.withLock { $0 } }
            set { state.withLock { $0 = newValue } }
        }
    }

    @Test func aRenewedServingCertificateIsUsedWithoutRestart() async throws {
        let root = try CertificateSigner(selfSignedRoot: "weft", commonName: "root", validFor: 3_600)
        let profile = LeafProfile.serving(dnsNames: ["istiod.istio-system.svc"])
        // The first is for another name: clients refuse it, which shows that the second one is really used.
        let wrong = try root.issue(.serving(dnsNames: ["elsewhere"]), validFor: 600)
        let certificate = Changing(wrong)
        let host = try GRPCHost(
            host: "127.0.0.1", port: 0, certificate: { certificate.value },
            services: [ADSServer(authentication: .none, delegate: base.plane, logger: base.logger)])
        try base.plane.publish(base.configuration("a"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await host.run() }
            let client = base.client(port: try #require(try await host.port), roots: try root.certificatePEM())
            group.addTask { await client.run() }
            try await base.eventually("refusal") { base.proxy.state.withLock { !$0.reasons.isEmpty } }
            #expect(base.proxy.clusters.isEmpty)
            certificate.value = try root.issue(profile, validFor: 600)
            try await base.eventually("the new certificate") { base.proxy.clusters == ["a"] }
            // What stands is not touched by the next change.
            certificate.value = wrong
            try base.plane.publish(base.configuration("a", "b"))
            try await base.eventually("the standing stream") { base.proxy.clusters == ["a", "b"] }
            #expect(base.plane.state.withLock { $0.everConnected } == 1)
            group.cancelAll()
        }
    }

    @Test func theRelayTakesTheTokenOfTheMoment() async throws {
        let identity = try SPIFFEIdentity(uri: "spiffe://cluster.local/ns/dev/sa/default")
        let accepted = Changing("first")
        let service = ADSServer(
            authentication: .token { $0 == accepted.value ? identity : nil }, delegate: base.plane, logger: base.logger)
        let first = try GRPCHost(host: "127.0.0.1", port: 0, certificate: nil, services: [service])
        let serving = Task { try await first.run() }
        let port = try #require(try await first.port)
        let token = Changing("first")
        var upstream = ADSClient.Configuration(host: "127.0.0.1", port: port, node: ADSNode(id: "not used"))
        upstream.token = { token.value + "\n" }
        let relay = try GRPCHost(
            host: "127.0.0.1", port: 0, certificate: nil, services: [XDSRelay(upstream, logger: base.logger)])
        let relaying = Task { try await relay.run() }
        // The proxy itself has no token.
        let client = base.client(port: try #require(try await relay.port))
        let running = Task { await client.run() }
        try base.plane.publish(base.configuration("a"))
        try await base.eventually("through the relay") { base.proxy.clusters == ["a"] }
        try await base.eventually("acknowledged") { base.sees("ack CDS") }
        #expect(base.plane.state.withLock { $0.sessions.values.first?.peer } == identity)
        #expect(base.plane.state.withLock { $0.sessions.values.first?.node.namespace } == "dev")

        // The control plane goes; the proxy hears of it, and is let in again with a token that was not there before.
        serving.cancel()
        _ = await serving.result
        try await base.eventually("loss noticed") { base.proxy.state.withLock { !$0.reasons.isEmpty } }
        accepted.value = "second"
        let second = try GRPCHost(host: "127.0.0.1", port: port, certificate: nil, services: [service])
        let again = Task { try await second.run() }
        try await base.eventually("the old token is refused") {
            base.proxy.state.withLock { $0.reasons.contains { $0.hasPrefix("unauthenticated") } }
        }
        token.value = "second"
        try base.plane.publish(base.configuration("a", "b"))
        try await base.eventually("the new token") { base.proxy.clusters == ["a", "b"] }
        running.cancel()
        relaying.cancel()
        again.cancel()
        _ = await running.result
        _ = await again.result
        _ = await relaying.result
    }
}
