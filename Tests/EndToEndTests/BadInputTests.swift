import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// "What it must show" 6: each bad input gets a clear error in the words kubectl users know; nothing is half-applied.
    @Suite(.serialized) struct BadInputTests {
        private func mesh() async throws -> LocalMesh {
            let mesh = try await LocalMesh.shared()
            try await mesh.kubectl("create", "namespace", "bad")
            return mesh
        }

        private func virtualService(_ spec: String, apiVersion: String = "networking.istio.io/v1") -> String {
            """
            apiVersion: \(apiVersion)
            kind: VirtualService
            metadata: {name: broken, namespace: bad}
            spec:
            \(spec.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n"))
            """
        }

        private func refuses(_ manifest: String, _ words: String...) async throws {
            let mesh = try await mesh()
            let result = try await mesh.kubectl("apply", "-f", "-", input: manifest)
            #expect(!result.succeeded, "\(result)")
            for word in words { #expect(result.all.contains(word), "expected '\(word)' in\n\(result)") }
            let stored = try await mesh.kubectl("get", "virtualservices", "-n", "bad", "-o", "name")
            #expect(!stored.out.contains("broken"), "a refused object was stored")
        }

        @Test func malformedYAML() async throws {
            try await refuses("apiVersion: v1\nkind: [Pod\n", "error parsing")
        }

        @Test func unknownField() async throws {
            try await refuses(
                virtualService("hosts: [a]\nhttp:\n- rout:\n  - destination: {host: a}"),
                #"unknown field "spec.http[0].rout""#)
        }

        @Test func wrongType() async throws {
            try await refuses(
                virtualService("hosts: a\nhttp: []"), "spec.hosts", "must be of type array")
        }

        @Test func negativeWeight() async throws {
            try await refuses(
                virtualService("hosts: [a]\nhttp:\n- route:\n  - destination: {host: a}\n    weight: -1"),
                "spec.http[0].route[0].weight")
        }

        @Test func admissionNamesTheFieldAndTheReason() async throws {
            try await refuses(
                virtualService("hosts: [a]\nhttp:\n- timeout: 10s"), "denied the request", "spec.http[0]")
        }

        @Test func unknownAPIVersion() async throws {
            try await refuses(
                virtualService("hosts: [a]", apiVersion: "networking.istio.io/v9"),
                "no matches for kind \"VirtualService\"",
                "networking.istio.io/v9")
        }

        @Test func fiveMegabyteObject() async throws {
            let mesh = try await mesh()
            let file = mesh.home + "/big.yaml"
            let text =
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big, namespace: bad}\ndata:\n  x: "
                + String(repeating: "a", count: 5_000_000) + "\n"
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            let result = try await mesh.kubectl("create", "-f", file)
            #expect(!result.succeeded)
            #expect(result.err.lowercased().contains("too large"), "\(result.err.prefix(500))")
            let stored = try await mesh.kubectl("get", "configmap", "big", "-n", "bad")
            #expect(stored.err.contains("NotFound"), "\(stored)")
        }

        @Test(arguments: ["Fail", "Ignore"])
        func webhookThatIsDown(_ policy: String) async throws {
            let mesh = try await mesh()
            try await mesh.apply(
                """
                apiVersion: admissionregistration.k8s.io/v1
                kind: ValidatingWebhookConfiguration
                metadata: {name: down}
                webhooks:
                - name: down.example.com
                  admissionReviewVersions: [v1]
                  sideEffects: None
                  failurePolicy: \(policy)
                  timeoutSeconds: 2
                  clientConfig: {service: {name: nobody, namespace: bad, path: /check}}
                  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
                  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: bad}}
                """)
            let result = try await mesh.kubectl("create", "configmap", "hooked-\(policy.lowercased())", "-n", "bad")
            try await mesh.kubectl("delete", "validatingwebhookconfiguration", "down").checked()
            if policy == "Fail" {
                #expect(!result.succeeded)
                #expect(result.err.contains("failed calling webhook \"down.example.com\""), "\(result)")
            } else {
                #expect(result.succeeded, "\(result)")
            }
        }

        @Test func imageOutsideTheCatalogue() async throws {
            let mesh = try await mesh()
            try await mesh.kubectl("run", "stranger", "-n", "bad", "--image=example.com/no/such:1").checked()
            let described = try await eventually("ErrImageNeverPull") {
                let pods = try await mesh.pods(namespace: "bad", selector: "run=stranger")
                guard pods.first?.status == "ErrImageNeverPull" else { return nil as String? }
                return try await mesh.kubectl("describe", "pod", "stranger", "-n", "bad").out
            }
            #expect(described.contains("catalogue"), "\(described)")
        }

        @Test func commandThatDoesNotExist() async throws {
            let mesh = try await mesh()
            try await mesh.kubectl(
                "run", "nocommand", "-n", "bad", "--image=curlimages/curl", "--restart=Never", "--command", "--",
                "/no/such/command"
            ).checked()
            let described = try await eventually("the pod says why") {
                let text = try await mesh.kubectl("describe", "pod", "nocommand", "-n", "bad").out
                return text.contains("no such file or directory") ? text : nil
            }
            #expect(described.contains("/no/such/command"))
        }

        @Test func execIntoAMissingContainer() async throws {
            let mesh = try await mesh()
            let result = try await mesh.exec(
                "deploy/details-v1", namespace: "bookinfo", container: "nope", "true")
            #expect(!result.succeeded)
            #expect(result.err.contains("container nope"), "\(result)")
            let command = try await mesh.exec(
                "deploy/details-v1", namespace: "bookinfo", container: "details", "no-such-tool")
            #expect(!command.succeeded)
            #expect(command.err.contains("no-such-tool"), "\(command)")
        }

        @Test func missingObjects() async throws {
            let mesh = try await mesh()
            let pod = try await mesh.kubectl("get", "pod", "ghost", "-n", "bad")
            #expect(pod.err.contains("Error from server (NotFound): pods \"ghost\" not found"), "\(pod)")
            let kind = try await mesh.kubectl("get", "ghosts")
            #expect(kind.err.contains("the server doesn't have a resource type \"ghosts\""), "\(kind)")
            let proxy = try await mesh.istioctl("proxy-config", "routes", "ghost.bad")
            #expect(!proxy.succeeded)
            #expect(proxy.err.contains("ghost"), "\(proxy)")
        }
    }
}
