import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// "What it must show" 8: real Envoy as the sidecar of one pod, chosen by an annotation, driven by the same control plane.
    @Suite(.serialized) struct EnvoySidecarTests {
        /// `dev/check` puts PyPI's Envoy beside our executables, which every container sees under /opt/weft/bin.
        private let envoy = "{weft.dev/data-plane: envoy, weft.dev/envoy-path: /opt/weft/bin/envoy}"

        @Test func labsPassWithEnvoyAsClientAndServer() async throws {
            let mesh = try await LocalMesh.shared()
            try await mesh.deleteNamespaces("envoy")
            try await mesh.kubectl("create", "namespace", "envoy").checked()
            try await mesh.kubectl("label", "namespace", "envoy", "istio-injection=enabled").checked()
            try await mesh.apply(Manifests.client(namespace: "envoy", annotations: envoy))
            try await mesh.apply(
                Manifests.hello(
                    name: "myapp-stable", app: "myapp", version: "stable", namespace: "envoy", annotations: envoy))
            try await mesh.apply(
                Manifests.hello(name: "myapp-canary", app: "myapp", version: "canary", namespace: "envoy"))
            try await mesh.apply(Manifests.service(name: "myapp", port: 80, namespace: "envoy"))
            let lab = try String(contentsOfFile: LocalMesh.labs + "/hands-on/canary-deployment.yaml", encoding: .utf8)
            try await mesh.apply(lab.replacingOccurrences(of: "namespace: production", with: "namespace: envoy"))
            for name in ["client", "myapp-stable", "myapp-canary"] {
                try await mesh.waitForDeployment(name, namespace: "envoy")
            }
            // It is Envoy that runs there.
            let info = try await mesh.exec(
                "deploy/client", namespace: "envoy", container: "curl", "curl", "-s",
                "http://127.0.0.1:15000/server_info"
            ).checked()
            #expect(info.out.contains("1.40"), "\(info)")

            try await routesByHeaderAndWeight(mesh)
            try await strictHoldsBothWays(mesh)
            try await authorizationHolds(mesh)
            let status = try await mesh.istioctl("proxy-status").checked()
            let row = try #require(
                status.out.split(separator: "\n").first { $0.contains("client") && $0.contains(".envoy") })
            #expect(row.contains("SYNCED"), "\(status)")
            let clusters = try await mesh.istioctl("proxy-config", "clusters", "deploy/client.envoy").checked()
            #expect(clusters.out.contains("myapp.envoy.svc.cluster.local"))
            try await configurationFollowsAControlPlaneThatIsReplaced(mesh)
            try await mesh.deleteNamespaces("envoy", "outside")
        }

        /// Envoy has no credential of its own: its agent brings it to the new control plane.
        private func configurationFollowsAControlPlaneThatIsReplaced(_ mesh: LocalMesh) async throws {
            let bootstrap = try await mesh.istioctl("proxy-config", "bootstrap", "deploy/client.envoy").checked().out
            #expect(bootstrap.contains("/etc/istio/proxy/XDS"))
            #expect(!bootstrap.lowercased().contains("bearer"))
            try await mesh.kubectl("rollout", "restart", "-n", "istio-system", "deployment/istiod").checked()
            try await mesh.waitForDeployment("istiod", namespace: "istio-system")
            try await mesh.apply(
                """
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: teapot, namespace: envoy}
                spec:
                  hosts: [teapot.example]
                  http: [{directResponse: {status: 418}}]
                ---
                apiVersion: networking.istio.io/v1
                kind: ServiceEntry
                metadata: {name: teapot, namespace: envoy}
                spec:
                  hosts: [teapot.example]
                  ports: [{number: 80, name: http, protocol: HTTP}]
                  resolution: STATIC
                  endpoints: [{address: 10.244.0.1}]
                """)
            try await eventually("a change of the new control plane reaches Envoy", within: 90) {
                try await mesh.status(
                    from: "deploy/client", namespace: "envoy", container: "curl", "-H", "Host: teapot.example",
                    "http://myapp") == "418" ? true : nil
            }
        }

        private func answers(_ mesh: LocalMesh, _ requests: Int, _ header: String) async throws -> [Substring] {
            try await mesh.exec(
                "deploy/client", namespace: "envoy", container: "curl", "sh", "-c",
                "for i in $(seq \(requests)); do curl -s \(header) http://myapp | grep 'Server name'; done",
                timeout: 180
            ).out.split(separator: "\n")
        }

        private func routesByHeaderAndWeight(_ mesh: LocalMesh) async throws {
            try await eventually("Envoy sends the header to the canary") {
                let names = try await answers(mesh, 20, "-H 'x-canary: true'")
                return names.count == 20 && names.allSatisfy { $0.contains("myapp-canary-") } ? true : nil
            }
            let names = try await answers(mesh, 500, "")
            #expect(names.count == 500)
            let canary = names.count { $0.contains("myapp-canary-") }
            #expect((5...50).contains(canary), "\(canary) of 500 went to the canary, expected about 25")
        }

        private func strictHoldsBothWays(_ mesh: LocalMesh) async throws {
            let lab = try String(contentsOfFile: LocalMesh.labs + "/hands-on/peer-authentication.yaml", encoding: .utf8)
            try await mesh.apply(lab.replacingOccurrences(of: "namespace: bookinfo", with: "namespace: envoy"))
            try await mesh.deleteNamespaces("outside")
            try await mesh.kubectl("create", "namespace", "outside").checked()
            try await mesh.kubectl(
                "run", "outsider", "-n", "outside", "--image=curlimages/curl", "--command", "--", "sleep", "3600"
            ).checked()
            try await mesh.kubectl("wait", "-n", "outside", "--for=condition=Ready", "pod/outsider", "--timeout=30s")
                .checked()
            try await eventually("Envoy refuses plain text") {
                try await mesh.status(from: "outsider", namespace: "outside", "http://myapp.envoy") == "000"
                    ? true : nil
            }
            // Weft's sidecar calls Envoy's and the other way round.
            #expect(
                try await mesh.status(from: "deploy/client", namespace: "envoy", container: "curl", "http://myapp")
                    == "200")
            #expect(
                try await mesh.status(
                    from: "deploy/productpage-v1", namespace: "bookinfo", container: "productpage", "http://myapp.envoy"
                )
                    == "200")
        }

        private func authorizationHolds(_ mesh: LocalMesh) async throws {
            try await mesh.apply(
                """
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: only-get, namespace: envoy}
                spec:
                  selector: {matchLabels: {app: myapp, version: stable}}
                  action: ALLOW
                  rules:
                  - from: [{source: {namespaces: [envoy]}}]
                    to: [{operation: {methods: [GET]}}]
                """)
            try await eventually("Envoy refuses POST") {
                let codes = try await mesh.exec(
                    "deploy/client", namespace: "envoy", container: "curl", "sh", "-c",
                    "for i in $(seq 20); do curl -s -o /dev/null -w '%{http_code} ' -X POST http://myapp; done")
                return codes.out.contains("403") ? true : nil
            }
            #expect(
                try await mesh.status(from: "deploy/client", namespace: "envoy", container: "curl", "http://myapp")
                    == "200")
        }
    }
}
