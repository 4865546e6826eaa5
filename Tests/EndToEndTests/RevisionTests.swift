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
            try await expectEachRevisionWritesItsOwnWebhooks()
            try await onlyItsOwnProxiesObey()
            try await startGateways()
            try await expectGateway("marked", of: "istiod-canary.")
            try await expectGateway("plain", of: "istiod.")
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

        /// Gateways that weftd deploys: one for the canary alone, and one that says nothing of revisions.
        private func startGateways() async throws {
            let entries = [("plain", ""), ("marked", ", labels: {istio.io/rev: canary}")].map { name, label in
                """
                apiVersion: gateway.networking.k8s.io/v1
                kind: Gateway
                metadata: {name: \(name), namespace: entry\(label)}
                spec: {gatewayClassName: istio, listeners: [{name: web, port: 80, protocol: HTTP}]}
                ---
                apiVersion: gateway.networking.k8s.io/v1
                kind: HTTPRoute
                metadata: {name: \(name), namespace: entry\(label)}
                spec:
                  parentRefs: [{name: \(name)}]
                  rules: [{backendRefs: [{name: echo, namespace: stays, port: 9080}]}]
                """
            }
            try await mesh.apply(
                ([
                    "apiVersion: v1\nkind: Namespace\nmetadata: {name: entry}\n",
                    """
                    apiVersion: gateway.networking.k8s.io/v1beta1
                    kind: ReferenceGrant
                    metadata: {name: entry, namespace: stays}
                    spec:
                      from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: entry}]
                      to: [{group: "", kind: Service}]
                    """,
                ] + entries).joined(separator: "\n---\n"))
        }

        /// A gateway's pods have their configuration from one control plane, and requests go through it.
        private func expectGateway(_ name: String, of service: String) async throws {
            let path =
                #"jsonpath={range .items[*]}{.metadata.deletionTimestamp}{"|"}"#
                + #"{.spec.containers[*].env[?(@.name=="PROXY_CONFIG")].value}{"\n"}{end}"#
            try await eventually("gateway \(name) is of \(service)", within: 90) {
                let rows = try await mesh.kubectl(
                    "get", "pods", "-n", "entry", "-l", "gateway.networking.k8s.io/gateway-name=\(name)", "-o", path
                ).checked().out.split(separator: "\n").filter { $0.hasPrefix("|") }
                guard !rows.isEmpty, rows.allSatisfy({ $0.contains(service) }) else { return nil as Bool? }
                let caller = Caller(mesh: mesh, namespace: "stays")
                return try await caller.codes(["http://\(name)-istio.entry/"]) == ["200"] ? true : nil
            }
            try await eventually("gateway \(name) says that it is programmed") {
                try await mesh.kubectl(
                    "get", "gateways.gateway.networking.k8s.io", name, "-n", "entry", "-o",
                    "jsonpath={.status.conditions[?(@.type==\"Programmed\")].status}"
                ).checked().out == "True" ? true : nil
            }
        }

        /// Who obeys an object that has the tag in its label.
        private func expectTheTagsConfigurationObeyed(by obedient: String, not other: String) async throws {
            try await eventually("\(obedient) obeys what is labelled with the tag, and \(other) does not") {
                var codes: [String] = []
                for space in [obedient, other] {
                    codes += try await Caller(mesh: mesh, namespace: space).codes(["http://echo.tagged:9080/"])
                }
                guard codes == ["418", "200"] else { throw StepFailure("\(obedient), \(other): \(codes)") }
                return true
            }
        }

        private func theTagMoves() async throws {
            try await mesh.apply(
                """
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: by-tag, namespace: moves, labels: {istio.io/rev: prod}}
                spec: {hosts: [echo.tagged.svc.cluster.local], http: [{directResponse: {status: 418}}]}
                """)
            try await expectTheTagsConfigurationObeyed(by: "stays", not: "moves")
            let refused = try await mesh.weft("tag", "set", "prod", "--revision", "canary", "-y")
            #expect(refused.status != 0 && refused.err.contains("--overwrite"), "\(refused)")
            let unknown = try await mesh.weft("tag", "set", "x", "--revision", "nobody", "-y")
            #expect(
                unknown.status != 0 && unknown.err.contains("not installed (there is canary, default)"), "\(unknown)")
            try await mesh.weft("tag", "set", "prod", "--revision", "canary", "--overwrite", "-y").checked()
            try await expectTheTagsConfigurationObeyed(by: "moves", not: "stays")
            try await eventually("the tag's new revision answers for the object") {
                let text = try await mesh.kubectl(
                    "get", "virtualservice", "by-tag", "-n", "moves", "-o",
                    "jsonpath={.status.conditions[?(@.type==\"Reconciled\")].message}"
                ).checked().out
                return text.contains("2/2 proxies") ? true : nil
            }
            try await mesh.kubectl("delete", "virtualservice", "by-tag", "-n", "moves").checked()
            let list = try await mesh.weft("tag", "list").checked().out
            #expect(list.contains("prod") && list.contains("canary") && list.contains("tagged"), "\(list)")
            #expect(try await revisions("tagged") == ["default"], "running pods keep their sidecar")
            try await restart("tagged")
            try await expectInjected("canary", "tagged")
            try await expectAllCallsSucceed("after the tag has moved")
        }

        private func telemetryOwner() async throws -> String {
            try await mesh.kubectl(
                "get", "service", "prometheus", "-n", "istio-system", "-o",
                "jsonpath={.spec.selector.istio}{.spec.selector.istio\\.io/rev}"
            ).checked().out
        }

        /// Tools that look for Prometheus and Zipkin find the revision that stays.
        private func expectTelemetryServicesAnswer() async throws {
            #expect(try await telemetryOwner() == "canary")
            let urls = [
                "'http://prometheus.istio-system:9090/api/v1/query?query=up'",
                "http://tracing.istio-system:80/api/services",
                "http://zipkin.istio-system:9411/api/v2/spans -H 'content-type: application/json' -d '[]'",
            ]
            try await eventually("the second control plane answers at the Services of other tools") {
                let codes = try await Caller(mesh: mesh, namespace: "moves").codes(urls)
                return codes == ["200", "200", "202"] ? true : nil
            }
        }

        /// Webhooks of a revision and of its tags by the Service that they call: each writes its own alone.
        private func expectEachRevisionWritesItsOwnWebhooks() async throws {
            let path =
                "jsonpath={range .items[*]}{.metadata.name} {.webhooks[0].clientConfig.service.name} "
                + "{.webhooks[0].clientConfig.caBundle}{\"\\n\"}{end}"
            let rows = try await mesh.kubectl("get", "mutatingwebhookconfigurations", "-o", path).checked().out
                .split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
            for (name, service) in [
                ("istio-sidecar-injector", "istiod"), ("istio-sidecar-injector-canary", "istiod-canary"),
                ("istio-revision-tag-prod", "istiod"),
            ] {
                let row = try #require(rows.first { $0.first == name }, "\(rows)")
                #expect(row.count == 3 && row[1] == service, "\(row)")
            }
            // The log says who wrote what.
            for (deployment, own) in [
                ("istiod", "istio-sidecar-injector"), ("istiod-canary", "istio-sidecar-injector-canary"),
            ] {
                let log = try await mesh.kubectl("logs", "deploy/\(deployment)", "-n", "istio-system").checked().out
                let written = Set(
                    log.split(separator: "\n").filter { $0.contains("caBundle written") && $0.contains("Mutating") }
                        .compactMap { line in
                            line.split(separator: " ").first { $0.hasPrefix("istio-") }.map { $0.filter { $0 != ":" } }
                        })
                let want: Set<String> = deployment == "istiod" ? [own, "istio-revision-tag-prod"] : [own]
                #expect(Set(written.map { String($0) }) == want, "\(deployment): \(log)")
            }
        }

        private func theFirstRevisionGoes() async throws {
            #expect(try await telemetryOwner() == "pilot")
            try await mesh.kubectl("label", "namespace", "stays", "istio-injection-", "istio.io/rev=prod").checked()
            try await restart("stays")
            try await expectInjected("canary", "stays")
            try await mesh.weft("uninstall", "-y", timeout: 150).checked()
            #expect(try await mesh.kubectl("get", "deployment", "istiod", "-n", "istio-system").succeeded == false)
            try await expectTelemetryServicesAnswer()
            // New pods, new configuration and its status are the other's now, and gateways that nobody else has.
            try await expectGateway("plain", of: "istiod-canary.")
            try await expectGateway("marked", of: "istiod-canary.")
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
