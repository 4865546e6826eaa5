import NIOCore
import SwiftProtobuf
import Testing
import WeftIR
import WeftProto
import WeftTransport

@testable import WeftProxy

/// A service that is asked about connections: real sockets, the service speaks gRPC.
@Suite(.timeLimit(.minutes(1))) struct ConnectionAuthorizerTests {
    /// - Parameter matching: Whether a rule of the mesh says that connections here are to be asked about.
    private func proxy(
        service: UInt16, upstream: UInt16, matching: Bool = true, failOpen: Bool = false
    ) async throws -> ObservedProxy {
        var rules = RBAC(action: .deny, policies: [])
        rules.statPrefix = "tcp."
        rules.shadowAction = .deny
        let principal = matching ? Principal.any : .not(.any)
        rules.shadowPolicies = [RBAC.Policy(name: "ask-ns[a]-policy[b]", permissions: [.any], principals: [principal])]
        rules.shadowStatPrefix = "istio_ext_authz_"
        var check = ConnectionAuthorization(statPrefix: "tcp.", service: GRPCServiceTarget(cluster: "authorizer"))
        check.service.timeoutMilliseconds = 20_000
        check.failureModeAllows = failOpen
        check.enabledMetadata = DynamicMetadataMatcher(
            filter: "envoy.filters.network.rbac", path: ["istio_ext_authz_shadow_effective_policy_id"],
            test: .string(StringMatcher(.prefix("ask-"))))
        return try await ObservedProxy(
            network: [
                .rbac(rules), .externalAuthorization(check),
                .tcpProxy(TCPProxy(statPrefix: "up", cluster: .cluster("up"))),
            ], ["up": (upstream, false), "authorizer": (service, true)])
    }

    private func refusal() throws -> [UInt8] {
        var answer = Envoy_Service_Auth_V3_CheckResponse()
        answer.status.code = 7
        return try answer.serializedBytes()
    }

    private func counts(_ proxy: ObservedProxy) -> [String: Int] {
        Dictionary(EnvoyStats(plane: proxy.plane).all.map { ($0.name, $0.value) }) { first, _ in first }
    }

    /// Nothing where the proxy closed the connection, perhaps before the request was written.
    private func answer(_ proxy: ObservedProxy) async -> String {
        (try? await proxy.ask(request)).map { String(buffer: $0) } ?? ""
    }

    private let request = "GET / HTTP/1.1\r\nhost: up\r\nconnection: close\r\n\r\n"

    @Test func whatIsAllowedGoesOnWithItsFirstBytes() async throws {
        let (service, upstream) = (try await CollectorServer(.http2), try await CollectorServer(.http1, body: "hi"))
        let proxy = try await proxy(service: service.port, upstream: upstream.port)
        #expect(String(buffer: try await proxy.ask(request)).hasSuffix("hi"))
        let asked = try #require(await service.received.first { _ in true })
        #expect(asked.path == "/envoy.service.auth.v3.Authorization/Check")
        let question = try Envoy_Service_Auth_V3_CheckRequest(serializedBytes: Array(asked.body.dropFirst(5)))
        #expect(question.attributes.source.address.socketAddress.address == "127.0.0.1")
        #expect(question.attributes.destination.address.socketAddress.portValue == UInt32(proxy.port))
        let found = counts(proxy)
        #expect(found["ext_authz.tcp.total"] == 1 && found["ext_authz.tcp.ok"] == 1)
        #expect(found["ext_authz.tcp.cx_closed"] == 0)
        for part in [service, upstream] { await part.stop() }
        await proxy.stop()
    }

    @Test func whatIsDeniedIsClosed() async throws {
        let service = try await CollectorServer(.http2, message: try refusal())
        let upstream = try await CollectorServer(.http1, body: "hi")
        let proxy = try await proxy(service: service.port, upstream: upstream.port)
        #expect(await answer(proxy).isEmpty)
        let found = counts(proxy)
        #expect(found["ext_authz.tcp.denied"] == 1 && found["ext_authz.tcp.cx_closed"] == 1)
        #expect(found["cluster.up.upstream_cx_total"] == 0)
        for part in [service, upstream] { await part.stop() }
        await proxy.stop()
    }

    @Test func nobodyIsAskedWithoutAMatch() async throws {
        let upstream = try await CollectorServer(.http1, body: "hi")
        let proxy = try await proxy(service: 1, upstream: upstream.port, matching: false)
        #expect(String(buffer: try await proxy.ask(request)).hasSuffix("hi"))
        let found = counts(proxy)
        #expect(found["ext_authz.tcp.disabled"] == 1 && found["ext_authz.tcp.total"] == 0)
        await upstream.stop()
        await proxy.stop()
    }

    @Test(arguments: [false, true]) func aServiceThatIsNotThere(failOpen: Bool) async throws {
        let upstream = try await CollectorServer(.http1, body: "hi")
        let proxy = try await proxy(service: 1, upstream: upstream.port, failOpen: failOpen)
        let answer = await answer(proxy)
        #expect(failOpen ? answer.hasSuffix("hi") : answer.isEmpty)
        let found = counts(proxy)
        #expect(found["ext_authz.tcp.error"] == 1)
        #expect(found["ext_authz.tcp.failure_mode_allowed"] == (failOpen ? 1 : 0))
        await upstream.stop()
        await proxy.stop()
    }

    /// Results of policies in trial are counted apart, under the names that Istio's documentation gives.
    @Test func trialsAreCountedUnderIstiosNames() async throws {
        let upstream = try await CollectorServer(.http1, body: "hi")
        var rules = RBAC(action: .deny, policies: [])
        rules.shadowAction = .deny
        rules.shadowPolicies = [RBAC.Policy(name: "p", permissions: [.any], principals: [.any])]
        rules.shadowStatPrefix = "istio_dry_run_deny_"
        let proxy = try await ObservedProxy(["up": (upstream.port, false)], filters: [.rbac(rules)]) {
            $0.statPrefix = "inbound_0.0.0.0_80;"
        }
        _ = try await proxy.get()
        let found = counts(proxy)
        #expect(found["http.inbound_0.0.0.0_80;.rbac.istio_dry_run_deny_.shadow_denied"] == 1)
        #expect(found["http.inbound_0.0.0.0_80;.rbac.allowed"] == 1)
        let text = proxy.plane.metrics.prometheusText(proxy.plane)
        let labels = #"authz_dry_run_action="deny",authz_dry_run_result="denied""#
        #expect(text.contains("envoy_http_inbound_0_0_0_0_80_rbac{\(labels)} 1\n"), "\(text)")
        await upstream.stop()
        await proxy.stop()
    }
}
