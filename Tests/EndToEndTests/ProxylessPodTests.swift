import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Pods with the template `grpc-agent`: gRPC's own xDS client and server with the bootstrap and the certificates that
    /// the agent beside them keeps, without a proxy.
    @Suite(.serialized) struct ProxylessPodTests {
        private static let script =
            Workspace.root + "Tests/WeftControlPlaneTests/proxyless.py"
        private static let template = "{inject.istio.io/templates: grpc-agent}"

        private static func python(_ words: String...) -> String {
            let command = (["python3", script] + words).map { "\"\($0)\"" }.joined(separator: ", ")
            return "{name: app, image: ours/greeter, command: [\(command)], "
                + "env: [{name: PYTHONPATH, value: \(Workspace.root).build-tools/grpc}]}"
        }

        private static func greeter(_ version: String) -> String {
            Manifests.deployment(
                name: "greeter-\(version)", app: "greeter", version: version, namespace: "proxyless",
                container: python("serve", version, "0.0.0.0:9080"), annotations: template
            )
            // The application does the mesh's TLS by itself, and says so.
            .replacingOccurrences(of: " labels: {app:", with: " labels: {security.istio.io/tlsMode: istio, app:")
        }

        private static let client = Manifests.deployment(
            name: "client", app: "client", version: "v1", namespace: "proxyless",
            container: "{name: app, image: ours/client, command: [sleep, \"86400\"], "
                + "env: [{name: PYTHONPATH, value: \(Workspace.root).build-tools/grpc}]}",
            annotations: template)

        private static let policies = """
            apiVersion: v1
            kind: Service
            metadata: {name: greeter, namespace: proxyless}
            spec:
              selector: {app: greeter}
              ports: [{name: grpc, port: 9080, targetPort: 9080}]
            ---
            apiVersion: security.istio.io/v1
            kind: PeerAuthentication
            metadata: {name: strict, namespace: proxyless}
            spec: {mtls: {mode: STRICT}}
            ---
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: greeter, namespace: proxyless}
            spec:
              host: greeter
              trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}
              subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: greeter, namespace: proxyless}
            spec:
              hosts: [greeter]
              http:
              - match: [{headers: {x-user: {exact: tester}}}]
                route: [{destination: {host: greeter, subset: v2}}]
              - route: [{destination: {host: greeter, subset: v1}}]
            """

        /// How often each answer or status came.
        private func call(_ mesh: LocalMesh, _ how: String, _ words: String...) async throws -> [String: Int] {
            let result = try await mesh.kubectl(
                ["exec", "-n", "proxyless", "deploy/client", "-c", "app", "--", "python3", Self.script, how] + words,
                timeout: 100)
            let line = result.out.split(separator: "\n").last.map(String.init) ?? ""
            guard let counts = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Int] else {
                throw StepFailure("\(result)")
            }
            return counts
        }

        @Test func applicationsGetBootstrapAndCertificates() async throws {
            let mesh = try await LocalMesh.shared()
            try await mesh.start(
                namespace: "proxyless", [Self.greeter("v1"), Self.greeter("v2"), Self.client, Self.policies])
            // The mesh's routes and mutual TLS, by gRPC itself.
            try await eventually("a client without a proxy follows the route") {
                try await call(mesh, "secure", "greeter:9080", "10") == ["v1": 10] ? true : nil
            }
            #expect(try await call(mesh, "secure", "greeter:9080", "10", "x-user=tester") == ["v2": 10])
            // The servers are strict: there is no way in without a certificate of the mesh.
            #expect(try await call(mesh, "insecure", "greeter:9080", "1")["v1"] == nil)
            try await theAgentIsSeen(mesh)
            try await rulesHold(mesh)
            try await unknownTemplatesAreRefused(mesh)
        }

        private func theAgentIsSeen(_ mesh: LocalMesh) async throws {
            let status = try await mesh.weft("proxy-status").checked().out
            for name in ["greeter-v1", "greeter-v2"] {
                #expect(status.contains("\(name)-"), "\(name) is connected: \(status)")
            }
            let pods = try await mesh.kubectl(
                "get", "pods", "-n", "proxyless", "-o",
                #"jsonpath={range .items[*]}{.spec.initContainers[*].name}{"\n"}{end}"#
            ).checked().out
            #expect(Set(pods.split(separator: "\n")) == ["istio-proxy"], "no traffic is redirected")
        }

        /// Who calls is known by the certificate.
        private func rulesHold(_ mesh: LocalMesh) async throws {
            try await mesh.apply(
                """
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: nobody, namespace: proxyless}
                spec:
                  selector: {matchLabels: {app: greeter}}
                  action: DENY
                  rules: [{from: [{source: {principals: [cluster.local/ns/proxyless/sa/default]}}]}]
                """)
            try await eventually("the server refuses the client's account") {
                try await call(mesh, "secure", "greeter:9080", "5") == ["PERMISSION_DENIED": 5] ? true : nil
            }
            try await mesh.kubectl("delete", "authorizationpolicy", "-n", "proxyless", "nobody").checked()
            try await eventually("and takes it again") {
                try await call(mesh, "secure", "greeter:9080", "5") == ["v1": 5] ? true : nil
            }
        }

        private func unknownTemplatesAreRefused(_ mesh: LocalMesh) async throws {
            let pod = """
                apiVersion: v1
                kind: Pod
                metadata: {name: other, namespace: proxyless, annotations: {inject.istio.io/templates: mine}}
                spec: {containers: [{name: app, image: curlimages/curl, command: [sleep, "86400"]}]}
                """
            do {
                try await mesh.apply(pod)
                Issue.record("a pod with an unknown template was made")
            } catch {
                #expect("\(error)".contains("\"mine\" is no template"), "\(error)")
            }
        }
    }
}
