import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// A canary upgrade as Istio's users do it: a second control plane beside the first, namespaces that move one by one,
    /// by a revision's name or by a tag, and in the end the first control plane is taken away.
    @Suite(.serialized) struct RevisionTests {
        private let mesh = LocalMesh(name: "revisions", firstPort: 26470)
        private static let spaces = ["stays", "moves", "tagged"]

        private func start() async throws {
            _ = try? await mesh.weft("down", "--purge")
            try await mesh.weft("up", "--detach", timeout: 180).checked()
            try await mesh.weft("install", "--revision", "canary", "--set", "profile=minimal", "-y", timeout: 150)
                .checked()
            try await mesh.weft("tag", "set", "prod", "--revision", "default", "-y").checked()
            for (space, label) in zip(Self.spaces, ["istio-injection", "istio.io/rev", "istio.io/rev"]) {
                let value = ["stays": "enabled", "moves": "canary", "tagged": "prod"][space] ?? ""
                try await mesh.apply(
                    [
                        "apiVersion: v1\nkind: Namespace\nmetadata: {name: \(space), labels: {\(label): \(value)}}\n",
                        Manifests.client(namespace: space),
                        Manifests.sample(
                            name: "echo", app: "echo", version: "v1", namespace: space,
                            arguments: ["echo", "--port", "9080"]),
                        Manifests.service(name: "echo", port: 9080, namespace: space),
                        """
                        apiVersion: security.istio.io/v1
                        kind: PeerAuthentication
                        metadata: {name: strict, namespace: \(space)}
                        spec: {mtls: {mode: STRICT}}
                        """,
                    ].joined(separator: "\n---\n"))
            }
            for space in Self.spaces { try await wait(space) }
        }

        private func wait(_ space: String) async throws {
            for name in ["client", "echo"] { try await mesh.waitForDeployment(name, namespace: space) }
        }

        private func restart(_ space: String) async throws {
            try await mesh.kubectl("rollout", "restart", "deployment", "-n", space).checked()
            try await wait(space)
        }

        /// The revisions that injected the pods of a namespace.
        private func revisions(_ space: String) async throws -> Set<String> {
            let path =
                #"jsonpath={range .items[*]}{.metadata.deletionTimestamp}{"|"}{.metadata.annotations.istio\.io/rev}{"|"}"#
                + #"{.spec.initContainers[*].env[?(@.name=="PROXY_CONFIG")].value}{"\n"}{end}"#
            let rows = try await mesh.kubectl("get", "pods", "-n", space, "-o", path).checked().out
            return Set(
                rows.split(separator: "\n").compactMap { row in
                    let parts = row.split(separator: "|", maxSplits: 2, omittingEmptySubsequences: false).map(
                        String.init)
                    guard parts.count == 3, parts[0].isEmpty else { return nil }
                    let service = parts[2].contains("istiod-canary.") ? "canary" : "default"
                    return parts[1] == service ? service : "\(parts[1]) with the control plane of \(service)"
                })
        }

        /// Everybody calls everybody over mutual TLS, whichever control plane they have their certificates from.
        private func expectAllCallsSucceed(_ when: String) async throws {
            try await eventually("all calls succeed \(when)") {
                for space in Self.spaces {
                    let caller = Caller(mesh: mesh, namespace: space)
                    let codes = try await caller.codes(Self.spaces.map { "http://echo.\($0):9080/" })
                    guard codes == ["200", "200", "200"] else { return nil as Bool? }
                }
                return true
            }
        }

        private func expectInjected(_ want: String, _ space: String) async throws {
            try await eventually("the pods of \(space) are revision \(want)'s") {
                try await revisions(space) == [want] ? true : nil
            }
        }

        @Test func namespacesMoveToTheNextRevisionOneByOne() async throws {
            do { try await canaryUpgrade() } catch {
                _ = try? await mesh.weft("down", "--purge")
                throw error
            }
            try await mesh.weft("down", "--purge").checked()
        }

        private func canaryUpgrade() async throws {
            try await start()
            try await expectInjected("default", "stays")
            try await expectInjected("canary", "moves")
            try await expectInjected("default", "tagged")
            try await expectAllCallsSucceed("with two control planes")
            try await onlyItsOwnProxiesObey()
            try await theTagMoves()
            try await theFirstRevisionGoes()
        }

        /// Configuration with a revision's label is that revision's alone.
        private func onlyItsOwnProxiesObey() async throws {
            try await mesh.apply(
                """
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: trial, namespace: moves, labels: {istio.io/rev: canary}}
                spec: {hosts: [echo.tagged.svc.cluster.local], http: [{directResponse: {status: 418}}]}
                """)
            try await eventually("the canary obeys") {
                try await Caller(mesh: mesh, namespace: "moves").codes(["http://echo.tagged:9080/"]) == ["418"]
                    ? true : nil
            }
            #expect(try await Caller(mesh: mesh, namespace: "stays").codes(["http://echo.tagged:9080/"]) == ["200"])
            let status = try await eventually("the canary says how far it is") {
                let text = try await mesh.kubectl(
                    "get", "virtualservice", "trial", "-n", "moves", "-o",
                    "jsonpath={.status.conditions[?(@.type==\"Reconciled\")].message}"
                ).checked().out
                return text.isEmpty ? nil : text
            }
            #expect(status.contains("2/2 proxies"), "\(status)")
            try await mesh.kubectl("delete", "virtualservice", "trial", "-n", "moves").checked()
            try await expectAllCallsSucceed("without the trial")
        }

        private func theTagMoves() async throws {
            let refused = try await mesh.weft("tag", "set", "prod", "--revision", "canary", "-y")
            #expect(refused.status != 0 && refused.err.contains("--overwrite"), "\(refused)")
            let unknown = try await mesh.weft("tag", "set", "x", "--revision", "nobody", "-y")
            #expect(
                unknown.status != 0 && unknown.err.contains("not installed (there is canary, default)"), "\(unknown)")
            try await mesh.weft("tag", "set", "prod", "--revision", "canary", "--overwrite", "-y").checked()
            let list = try await mesh.weft("tag", "list").checked().out
            #expect(list.contains("prod") && list.contains("canary") && list.contains("tagged"), "\(list)")
            #expect(try await revisions("tagged") == ["default"], "running pods keep their sidecar")
            try await restart("tagged")
            try await expectInjected("canary", "tagged")
            try await expectAllCallsSucceed("after the tag has moved")
        }

        private func theFirstRevisionGoes() async throws {
            try await mesh.kubectl("label", "namespace", "stays", "istio-injection-", "istio.io/rev=prod").checked()
            try await restart("stays")
            try await expectInjected("canary", "stays")
            try await mesh.weft("uninstall", "-y", timeout: 150).checked()
            #expect(try await mesh.kubectl("get", "deployment", "istiod", "-n", "istio-system").succeeded == false)
            // New pods, new configuration and its status are the other's now.
            try await restart("moves")
            try await expectAllCallsSucceed("without the first control plane")
            try await mesh.apply(
                """
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: everybody, namespace: moves}
                spec: {hosts: [echo.tagged.svc.cluster.local], http: [{directResponse: {status: 418}}]}
                """)
            try await eventually("the canary is obeyed by all") {
                for space in Self.spaces
                where try await Caller(mesh: mesh, namespace: space).codes(["http://echo.tagged:9080/"]) != ["418"] {
                    return nil as Bool?
                }
                return true
            }
            try await eventually("the canary answers for objects without a revision") {
                let text = try await mesh.kubectl(
                    "get", "virtualservice", "everybody", "-n", "moves", "-o",
                    "jsonpath={.status.conditions[?(@.type==\"Reconciled\")].status}"
                ).checked().out
                return text == "True" ? true : nil
            }
        }
    }
}
