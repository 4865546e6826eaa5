import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// "What it must show" 2 and 3: the files of lesson 16, unchanged and in the order of the lesson.
    @Suite(.serialized) struct Lesson16Tests {
        private func startLesson(_ mesh: LocalMesh) async throws {
            try await mesh.deleteNamespaces("dev", "legacy")
            try await mesh.kubectl("create", "namespace", "dev").checked()
            try await mesh.kubectl("label", "namespace", "dev", "istio-injection=enabled").checked()
            for file in ["backend", "backend-service", "frontend", "frontend-service"] {
                try await mesh.applyLab("lesson-16/\(file).yaml")
            }
            try await mesh.waitForDeployment("backend", namespace: "dev")
            try await mesh.waitForDeployment("frontend", namespace: "dev")
        }

        private func startPodWithoutSidecar(_ mesh: LocalMesh) async throws {
            try await mesh.kubectl("create", "namespace", "legacy").checked()
            try await mesh.apply(
                """
                apiVersion: v1
                kind: Pod
                metadata: {name: outsider, namespace: legacy}
                spec:
                  containers:
                  - {name: curl, image: curlimages/curl, command: [sleep, "3600"]}
                """)
            try await mesh.kubectl(
                "wait", "-n", "legacy", "--for=condition=Ready", "pod/outsider", "--timeout=30s"
            ).checked()
        }

        @Test func meshedPodsTalkAndStrictRefusesOthers() async throws {
            let mesh = try await LocalMesh.shared()
            try await startLesson(mesh)
            let pods = try await mesh.pods(namespace: "dev")
            #expect(pods.count == 2)
            #expect(pods.allSatisfy { $0.ready == "2/2" && $0.status == "Running" }, "\(pods)")

            let answer = try await eventually("frontend reaches http://backend") {
                let result = try await mesh.exec("deploy/frontend", namespace: "dev", "curl", "-s", "http://backend")
                return result.out.contains("Server name: backend-") ? result.out : nil
            }
            #expect(answer.contains("Server address"))

            try await startPodWithoutSidecar(mesh)
            // Permissive by default: a pod without sidecar is served in plain text.
            let permissive = try await mesh.status(from: "outsider", namespace: "legacy", "http://backend.dev")
            #expect(permissive == "200")
            try await mesh.applyLab("lesson-16/peer-auth.yaml")
            try await eventually("STRICT refuses the pod without sidecar") {
                try await mesh.status(from: "outsider", namespace: "legacy", "http://backend.dev") == "000" ? true : nil
            }
            #expect(try await mesh.status(from: "deploy/frontend", namespace: "dev", "http://backend") == "200")
            try await noPlainHTTPBetweenPods(mesh)
            try await mesh.deleteNamespaces("legacy")
        }

        /// Captures on the node's bridge while the frontend calls the backend: TLS records, and no HTTP in the clear.
        private func noPlainHTTPBetweenPods(_ mesh: LocalMesh) async throws {
            let pid = try String(contentsOfFile: mesh.home + "/node.pid", encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            let backend = try await mesh.kubectl(
                "get", "pods", "-n", "dev", "-l", "app=backend", "-o", "jsonpath={.items[0].status.podIP}"
            ).checked().out
            async let capture = command(
                [
                    "nsenter", "-t", pid, "-n", "timeout", "8", "tcpdump", "-i", "weft0", "-A", "-s", "0", "-n", "tcp",
                    "and",
                    "host", backend, "and", "port", "80",
                ], timeout: 20)
            try await Task.sleep(for: .seconds(2))
            for _ in 0..<5 {
                _ = try await mesh.exec(
                    "deploy/frontend", namespace: "dev", "curl", "-s", "-H", "x-secret: open-sesame", "http://backend")
            }
            let seen = try await capture.out
            #expect(seen.contains(backend), "the capture saw no packet of the backend\n\(seen.prefix(500))")
            for word in ["HTTP/1.1", "GET /", "open-sesame", "Server name"] {
                #expect(!seen.contains(word), "'\(word)' crossed the wire in the clear")
            }
        }

        @Test func emptySubsetExplainsItselfAndWeightsSplit() async throws {
            let mesh = try await LocalMesh.shared()
            try await startLesson(mesh)
            try await mesh.applyLab("lesson-16/backend-v2.yaml")
            try await mesh.applyLab("lesson-16/destination-rule.yaml")
            try await mesh.applyLab("lesson-16/backend-traffic.yaml")
            try await mesh.waitForDeployment("backend-v2", namespace: "dev")

            let analysis = try await mesh.istioctl("analyze", "-n", "dev")
            #expect(analysis.out.contains("IST0173"), "\(analysis)")
            #expect(analysis.out.contains("v1"))
            #expect(analysis.out.contains("selects no pod") || analysis.out.contains("no pods"), "\(analysis)")
            #expect(!analysis.out.contains("subset v2"), "subset v2 has a pod")

            let counts = try await eventually("9 of 10 requests fail") {
                let counts = try await statusCounts(mesh, requests: 200)
                return counts["503", default: 0] > 160 && counts["200", default: 0] > 5 ? counts : nil
            }
            #expect(counts["503", default: 0] + counts["200", default: 0] == 200, "\(counts)")
            let refused = try await eventually("a refused request with its reason") {
                let result = try await mesh.exec("deploy/frontend", namespace: "dev", "curl", "-si", "http://backend")
                return result.out.contains(" 503 ") ? result.out : nil
            }
            #expect(refused.contains("v1"), "the reply names the empty subset:\n\(refused)")
            #expect(refused.lowercased().contains("x-weft-reason: "), "\(refused)")
            #expect(refused.contains("DestinationRule") || refused.contains("VirtualService"), "\(refused)")

            try await mesh.kubectl(
                "label", "pods", "-n", "dev", "-l", "app=backend,version!=v2", "version=v1"
            ).checked()
            try await eventually("no 503 after labelling") {
                try await statusCounts(mesh, requests: 50)["200"] == 50 ? true : nil
            }
            try await splitIsNinetyToTen(mesh)
            try await mesh.deleteNamespaces("dev")
        }

        private func statusCounts(_ mesh: LocalMesh, requests: Int) async throws -> [String: Int] {
            let result = try await mesh.exec(
                "deploy/frontend", namespace: "dev", "sh", "-c",
                "for i in $(seq \(requests)); do curl -s -o /dev/null -w '%{http_code}\\n' http://backend; done",
                timeout: 120
            ).checked()
            return result.out.split(separator: "\n").reduce(into: [:]) { $0[String($1), default: 0] += 1 }
        }

        private func splitIsNinetyToTen(_ mesh: LocalMesh) async throws {
            let result = try await mesh.exec(
                "deploy/frontend", namespace: "dev", "sh", "-c",
                "for i in $(seq 1000); do curl -s http://backend | grep 'Server name'; done", timeout: 180
            ).checked()
            let names = result.out.split(separator: "\n")
            #expect(names.count == 1_000)
            let second = names.count { $0.contains("backend-v2-") }
            #expect((70...130).contains(second), "\(second) of 1,000 requests went to v2, expected 100 within 3 points")
        }
    }
}
