import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// AuthorizationPolicy with action CUSTOM, decided by a service of ours that speaks gRPC: connections and requests, to
    /// workloads with either proxy.
    @Suite(.serialized) struct ExternalAuthorizationTests {
        private static let script = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "authorizer.py"
        ).path(percentEncoded: false)
        private static let envoy = "{weft.dev/data-plane: envoy, weft.dev/envoy-path: /opt/weft/bin/envoy}"
        private static let provider = """
            extensionProviders:
            - name: asked-authorizer
              envoyExtAuthzGrpc: {service: authorizer.asked.svc.cluster.local, port: 9000, timeout: 5s}
            """

        private struct Cast {
            var alice: Caller
            var bob: Caller
        }

        private static let cast = Task {
            let mesh = try await LocalMesh.shared()
            func person(_ name: String) -> String {
                "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: \(name), namespace: asked}\n---\n"
                    + Manifests.client(namespace: "asked", name: name, serviceAccount: name)
            }
            func server(_ name: String, _ command: String, _ port: String, annotations: String) -> String {
                [
                    Manifests.sample(
                        name: name, app: name, version: "v1", namespace: "asked",
                        arguments: [command, "--port", "9080"], annotations: annotations),
                    Manifests.service(name: name, port: 9080, portName: port, namespace: "asked"),
                    policy(for: name),
                ].joined(separator: "\n---\n")
            }
            let authorizer = Manifests.deployment(
                name: "authorizer", app: "authorizer", version: "v1", namespace: "asked",
                container: "{name: app, image: ours/authorizer, command: [python3, \(script), \"9000\"]}")
            try await mesh.start(
                namespace: "asked",
                [
                    authorizer,
                    Manifests.service(name: "authorizer", port: 9000, portName: "grpc", namespace: "asked"),
                    server("bytes", "tcp-echo", "tcp", annotations: "{}"),
                    server("bytes-envoy", "tcp-echo", "tcp", annotations: envoy),
                    server("web", "echo", "http", annotations: "{}"), person("alice"), person("bob"),
                ])
            return Cast(
                alice: Caller(mesh: mesh, namespace: "asked", workload: "deploy/alice"),
                bob: Caller(mesh: mesh, namespace: "asked", workload: "deploy/bob"))
        }

        private static func policy(for app: String) -> String {
            """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: \(app), namespace: asked}
            spec:
              selector: {matchLabels: {app: \(app)}}
              action: CUSTOM
              provider: {name: asked-authorizer}
              rules: [{to: [{operation: {ports: ["9080"]}}]}]
            """
        }

        /// What a connection to a server gets in answer to a line.
        private func say(_ caller: Caller, to server: String) async throws -> String {
            try await caller.shell(
                """
                exec 3<>/dev/tcp/\(server).asked/9080
                printf 'hi\\n' >&3
                IFS= read -r -t 20 line <&3 && echo "$line"
                """)
        }

        private func questions(_ mesh: LocalMesh) async throws -> [String] {
            try await mesh.kubectl("logs", "deploy/authorizer", "-n", "asked", "-c", "app").checked().out
                .split(separator: "\n").map(String.init)
        }

        @Test func theServiceDecidesAboutConnectionsAndRequests() async throws {
            let cast = try await Self.cast.value
            for server in ["bytes", "bytes-envoy"] {
                try await eventually("\(server) refuses everybody as long as there is no provider") {
                    let answers = [try await say(cast.alice, to: server), try await say(cast.bob, to: server)]
                    return answers == ["", ""] ? true : nil
                }
            }
            try await cast.alice.mesh.withMeshConfig(Self.provider) {
                for server in ["bytes", "bytes-envoy"] { try await expectConnectionsAreDecided(cast, server) }
                try await expectRequestsAreDecided(cast)
                try await expectNobodyIsServedWithoutTheService(cast)
            }
        }

        private func expectConnectionsAreDecided(_ cast: Cast, _ server: String) async throws {
            try await eventually("alice may connect to \(server)") {
                try await say(cast.alice, to: server) == "hi\n" ? true : nil
            }
            #expect(try await say(cast.bob, to: server) == "", "bob may not connect to \(server)")
            // The service was told who connects to whom.
            let account = "spiffe://cluster.local/ns/asked/sa/"
            let questions = try await questions(cast.alice.mesh)
            for line in ["tcp \(account)alice", "tcp \(account)bob"] {
                #expect(questions.contains { $0.hasPrefix(line) && $0.contains(" 9080 ") }, "\(questions)")
            }
            #expect(questions.allSatisfy { !$0.hasPrefix("tcp \(account)bob") || $0.hasSuffix("denied") })
        }

        private func expectRequestsAreDecided(_ cast: Cast) async throws {
            let url = "http://web.asked:9080/orders"
            let allowed = try await eventually("a request with the header goes on") {
                let answer = try await cast.bob.get("-H", "x-ext-authz: allow", url)
                return answer.status == 200 ? answer : nil
            }
            #expect(allowed.echoed("headers", "x-decided-by") == "authorizer", "\(allowed)")
            let denied = try await cast.alice.get(url)
            #expect(denied.status == 403 && denied.body == "the authorizer says no", "\(denied)")
            let questions = try await questions(cast.alice.mesh)
            #expect(questions.contains { $0.hasSuffix(" 9080 /orders allowed") }, "\(questions)")
        }

        private func expectNobodyIsServedWithoutTheService(_ cast: Cast) async throws {
            let mesh = cast.alice.mesh
            try await mesh.kubectl("scale", "deploy/authorizer", "-n", "asked", "--replicas=0").checked()
            for server in ["bytes", "bytes-envoy"] {
                try await eventually("\(server) refuses when the service does not answer") {
                    try await say(cast.alice, to: server) == "" ? true : nil
                }
            }
            let answer = try await cast.bob.get("-H", "x-ext-authz: allow", "http://web.asked:9080/")
            #expect(answer.status == 403, "\(answer)")
            try await mesh.kubectl("scale", "deploy/authorizer", "-n", "asked", "--replicas=1").checked()
            try await mesh.waitForDeployment("authorizer", namespace: "asked")
            try await eventually("alice is served again") {
                try await say(cast.alice, to: "bytes") == "hi\n" ? true : nil
            }
        }
    }
}
