import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// PeerAuthentication: who is served with what at each mode, and which object wins.
    @Suite(.serialized) struct PeerAuthenticationTests {
        private static let namespace = "peers"
        private struct Callers: Sendable {
            let meshed: Caller
            let plain: Caller
        }
        private static let callers = Task {
            let mesh = try await LocalMesh.shared()
            let echoes = ["one", "two"].flatMap { name in
                [
                    Manifests.sample(
                        name: name, app: name, version: "v1", namespace: namespace,
                        arguments: ["echo", "--port", "9080"]),
                    Manifests.service(name: name, port: 9080, namespace: namespace),
                ]
            }
            let talkers =
                Manifests.sample(
                    name: "talker", app: "talker", version: "v1", namespace: namespace,
                    arguments: ["greeter", "--port", "9080"]) + "\n---\n"
                + Manifests.service(name: "talker", port: 9080, portName: "tcp", namespace: namespace)
            try await mesh.start(namespace: namespace, echoes + [talkers, Manifests.client(namespace: namespace)])
            try await mesh.start(namespace: "peersplain", injected: false, [Manifests.client(namespace: "peersplain")])
            return Callers(
                meshed: Caller(mesh: mesh, namespace: namespace), plain: Caller(mesh: mesh, namespace: "peersplain"))
        }

        private func policy(_ name: String, _ mode: String, namespace: String = namespace, extra: String = "") -> String
        {
            """
            apiVersion: security.istio.io/v1
            kind: PeerAuthentication
            metadata: {name: \(name), namespace: \(namespace)}
            spec: {\(extra)mtls: {mode: \(mode)}}
            """
        }

        private func reset(_ mesh: LocalMesh) async throws {
            for namespace in [Self.namespace, "istio-system"] {
                try await mesh.kubectl("delete", "peerauthentication", "-n", namespace, "--all").checked()
            }
        }

        private let addresses = ["http://one.peers:9080/", "http://two.peers:9080/"]

        /// Waits until callers without a sidecar get these codes from `one` and `two`; those with one are always served,
        /// with mutual TLS where `mutual` says so.
        private func expect(_ callers: Callers, plain: [String], mutual: [Bool], _ what: String) async throws {
            try await eventually(what) {
                let seen = try await callers.plain.codes(addresses)
                return seen == plain ? true : nil
            }
            for (address, isMutual) in zip(addresses, mutual) {
                try await eventually("\(what): the meshed caller of \(address) uses the expected transport") {
                    let answer = try await callers.meshed.get(address)
                    let peer = answer.echoed("headers", "x-forwarded-client-cert") ?? ""
                    return answer.status == 200
                        && peer.contains("URI=spiffe://cluster.local/ns/peers/sa/default") == isMutual ? true : nil
                }
            }
        }

        @Test func permissiveServesBothOnOnePort() async throws {
            let callers = try await Self.callers.value
            try await reset(callers.meshed.mesh)
            try await expect(callers, plain: ["200", "200"], mutual: [true, true], "without any object")
            try await callers.meshed.mesh.apply(policy("default", "PERMISSIVE"))
            try await expect(callers, plain: ["200", "200"], mutual: [true, true], "PERMISSIVE")
            // A caller without a certificate brings no identity.
            let answer = try await callers.plain.get(
                "-H", "x-forwarded-client-cert: URI=spiffe://cluster.local/ns/peers/sa/forged", addresses[0])
            #expect(answer.status == 200)
            #expect(answer.echoed("headers", "x-forwarded-client-cert") == nil, "\(answer)")
        }

        @Test func disableSpeaksPlainText() async throws {
            let callers = try await Self.callers.value
            try await reset(callers.meshed.mesh)
            try await callers.meshed.mesh.apply(policy("default", "DISABLE"))
            try await expect(callers, plain: ["200", "200"], mutual: [false, false], "DISABLE")
            // A server that speaks first is heard at once: there is nothing to tell apart.
            let listen = "exec 3<>/dev/tcp/talker.peers/9080; IFS= read -r -t 20 line <&3 && echo \"$line\""
            for caller in [callers.meshed, callers.plain] {
                try await eventually("\(caller.namespace) hears the server") {
                    try await caller.shell(listen) == "220 weft greeter ready\n" ? true : nil
                }
            }
        }

        @Test func theNearestObjectWins() async throws {
            let callers = try await Self.callers.value
            let mesh = callers.meshed.mesh
            try await reset(mesh)
            let refused = "000"
            try await mesh.apply(policy("default", "STRICT", namespace: "istio-system"))
            try await expect(callers, plain: [refused, refused], mutual: [true, true], "mesh STRICT")
            try await mesh.apply(policy("default", "PERMISSIVE"))
            try await expect(callers, plain: ["200", "200"], mutual: [true, true], "namespace over mesh")
            try await mesh.apply(policy("only-one", "STRICT", extra: "selector: {matchLabels: {app: one}}, "))
            try await expect(callers, plain: [refused, "200"], mutual: [true, true], "workload over namespace")
            try await mesh.apply(policy("default", "STRICT"))
            try await mesh.apply(policy("only-one", "DISABLE", extra: "selector: {matchLabels: {app: one}}, "))
            try await expect(callers, plain: ["200", refused], mutual: [false, true], "workload DISABLE")
            try await mesh.apply(
                policy(
                    "only-one", "STRICT",
                    extra: "selector: {matchLabels: {app: one}}, portLevelMtls: {9080: {mode: PERMISSIVE}}, "))
            try await expect(callers, plain: ["200", refused], mutual: [true, true], "port over workload")
            try await mesh.kubectl("delete", "peerauthentication", "-n", Self.namespace, "only-one").checked()
            try await expect(callers, plain: [refused, refused], mutual: [true, true], "after the workload's is gone")
            try await reset(mesh)
            try await expect(callers, plain: ["200", "200"], mutual: [true, true], "after all are gone")
        }
    }
}
