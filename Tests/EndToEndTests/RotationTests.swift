import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Workload certificates change under running traffic, and nobody notices but `proxy-config secret`.
    @Suite(.serialized) struct RotationTests {
        /// Istio's agent takes the lifetime it asks for from SECRET_TTL; a pod sets it through its proxy configuration.
        private let short = #"{proxy.istio.io/config: "{proxyMetadata: {SECRET_TTL: 12s}}"}"#
        private let shortWithEnvoy = #"""
            {proxy.istio.io/config: "{proxyMetadata: {SECRET_TTL: 12s}}", weft.dev/data-plane: envoy,
              weft.dev/envoy-path: /opt/weft/bin/envoy}
            """#

        /// NAME and SERIAL NUMBER of the workload's own certificate.
        private func serial(_ mesh: LocalMesh, _ workload: String) async throws -> String {
            let table = try await mesh.istioctl("proxy-config", "secret", "\(workload).rotation").checked()
            let row = try #require(table.out.split(separator: "\n").first { $0.hasPrefix("default ") }, "\(table)")
            let cells = row.split(separator: " ").map(String.init)
            // RESOURCE NAME, TYPE (two words), STATUS, VALID CERT, SERIAL NUMBER
            #expect(cells[1...4].joined(separator: " ") == "Cert Chain ACTIVE true", "\(row)")
            return cells[5]
        }

        private func connections(_ mesh: LocalMesh) async throws -> Int {
            let json = try await mesh.exec(
                "deploy/client", namespace: "rotation", container: "curl", "curl", "-s",
                "http://127.0.0.1:15000/clusters?format=json"
            ).checked().out
            let document = try #require(
                try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
            let clusters = document["cluster_statuses"] as? [[String: Any]] ?? []
            let cluster = clusters.first { $0["name"] as? String == "outbound|80||server.rotation.svc.cluster.local" }
            let hosts = cluster?["host_statuses"] as? [[String: Any]] ?? []
            return hosts.reduce(0) { total, host in
                let stats = host["stats"] as? [[String: Any]] ?? []
                let value = stats.first { $0["name"] as? String == "cx_total" }?["value"]
                return total + (Int("\(value ?? 0)") ?? 0)
            }
        }

        @Test func certificatesRotateUnderTrafficWithoutAFailure() async throws {
            let mesh = try await LocalMesh.shared()
            try await mesh.deleteNamespaces("rotation")
            try await mesh.kubectl("create", "namespace", "rotation").checked()
            try await mesh.kubectl("label", "namespace", "rotation", "istio-injection=enabled").checked()
            try await mesh.apply(
                """
                apiVersion: security.istio.io/v1
                kind: PeerAuthentication
                metadata: {name: default, namespace: rotation}
                spec: {mtls: {mode: STRICT}}
                """)
            try await mesh.apply(Manifests.client(namespace: "rotation", annotations: short))
            try await mesh.apply(
                Manifests.hello(name: "server", app: "server", version: "v1", namespace: "rotation", annotations: short)
            )
            try await mesh.apply(
                Manifests.hello(
                    name: "enclave", app: "enclave", version: "v1", namespace: "rotation", annotations: shortWithEnvoy))
            for name in ["server", "enclave"] {
                try await mesh.apply(Manifests.service(name: name, port: 80, namespace: "rotation"))
            }
            for name in ["client", "server", "enclave"] {
                try await mesh.waitForDeployment(name, namespace: "rotation")
            }
            for name in ["server", "enclave"] {
                try await eventually("\(name) answers") {
                    try await mesh.status(
                        from: "deploy/client", namespace: "rotation", container: "curl", "http://\(name)") == "200"
                        ? true : nil
                }
            }
            let workloads = ["deploy/client", "deploy/server", "deploy/enclave"]
            var seen: [String: Set<String>] = [:]
            for workload in workloads { seen[workload, default: []].insert(try await serial(mesh, workload)) }
            let before = try await connections(mesh)

            // One connection of curl for each server, kept alive over several lives of a certificate.
            async let steady = keepAlive(mesh, "server")
            async let envoy = keepAlive(mesh, "enclave")
            for _ in 0..<20 {
                try await Task.sleep(for: .seconds(1.5))
                for workload in workloads { seen[workload, default: []].insert(try await serial(mesh, workload)) }
            }
            for answers in try await [steady, envoy] {
                #expect(answers.count == 300)
                #expect(answers.allSatisfy { $0.hasPrefix("200 ") }, "\(answers.filter { !$0.hasPrefix("200 ") })")
                #expect(answers.count { $0 == "200 1" } == 1, "curl had to connect again")
            }
            for workload in workloads {
                #expect((seen[workload] ?? []).count >= 4, "\(workload) had only \(seen[workload] ?? [])")
            }
            // The connection between the proxies stood as well: new ones would show as new connects.
            #expect(try await connections(mesh) - before <= 1)
            try await mesh.deleteNamespaces("rotation")
        }

        /// The signing key's Secret changes under a running control plane.
        @Test func aReplacedSigningKeyIsTakenOrTheLogSaysWhatToDo() async throws {
            let mesh = try await LocalMesh.shared()
            let secret = ["get", "secret", "istio-ca-secret", "-n", "istio-system", "-o"]
            let original = try await mesh.kubectl(secret + ["jsonpath={.data}"]).checked().out
            let encoded = try await mesh.kubectl(secret + [#"jsonpath={.data.root-cert\.pem}"#]).checked().out
            let root = try #require(Data(base64Encoded: encoded))
            let made = try await command([
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                "1",
                "-subj", "/O=cluster.local/CN=another root", "-keyout", mesh.home + "/other.key", "-out",
                mesh.home + "/other.crt",
            ])
            try made.checked()
            let other = try Data(contentsOf: URL(filePath: mesh.home + "/other.crt"))
            let key = try Data(contentsOf: URL(filePath: mesh.home + "/other.key"))
            func patch(_ data: [String: Data]) async throws {
                let values = data.map { "\"\($0.key)\":\"\($0.value.base64EncodedString())\"" }.joined(separator: ",")
                try await mesh.kubectl(
                    "patch", "secret", "istio-ca-secret", "-n", "istio-system", "-p", "{\"data\":{\(values)}}"
                ).checked()
            }
            func published() async throws -> String {
                try await mesh.kubectl(
                    "get", "configmap", "istio-ca-root-cert", "-n", "bookinfo", "-o",
                    #"jsonpath={.data.root-cert\.pem}"#
                ).checked().out
            }

            // A second root beside the old one reaches every namespace.
            try await patch(["root-cert.pem": root + other])
            try await eventually("both roots are published") {
                try await published().components(separatedBy: "BEGIN CERTIFICATE").count == 3 ? true : nil
            }
            // Back to one, then a key that nobody trusts: it is not used, and the log says what to do.
            try await patch(["root-cert.pem": root])
            try await eventually("one root is published") {
                try await published().components(separatedBy: "BEGIN CERTIFICATE").count == 2 ? true : nil
            }
            try await patch(["root-cert.pem": other, "ca-cert.pem": other, "ca-key.pem": key])
            try await eventually("the log explains") {
                let log = try await mesh.kubectl("logs", "-n", "istio-system", "deploy/istiod", "--tail=200").checked()
                return log.out.contains("changed and is NOT used") && log.out.contains("kubectl rollout restart")
                    ? true : nil
            }
            #expect(try await published().components(separatedBy: "BEGIN CERTIFICATE").count == 2)
            #expect(
                try await mesh.status(
                    from: "deploy/productpage-v1", namespace: "bookinfo", container: "productpage",
                    "http://details:9080/details/0") == "200")
            try await mesh.kubectl(
                "patch", "secret", "istio-ca-secret", "-n", "istio-system", "-p", "{\"data\":\(original)}"
            ).checked()
        }

        /// 300 requests over 30 s on one connection; each line is the status and the connects that it took.
        private func keepAlive(_ mesh: LocalMesh, _ name: String) async throws -> [String] {
            try await mesh.exec(
                "deploy/client", namespace: "rotation", container: "curl", "curl", "-s", "-o", "/dev/null", "--rate",
                "600/m", "-w", "%{http_code} %{num_connects}\\n", "http://\(name)/[1-300]", timeout: 120
            ).out.split(separator: "\n").map(String.init)
        }
    }
}
