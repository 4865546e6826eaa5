import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// "What it must show" 4, the second half: circuit breaker and retries, with the lab's files for `reviews`.
    @Suite(.serialized) struct ResilienceTests {
        /// Puts workloads of ours behind the Service `reviews`, so that the lab's files apply to them unchanged.
        private func replaceReviews(_ mesh: LocalMesh, with workloads: [(name: String, arguments: [String])])
            async throws
        {
            for version in ["v1", "v2", "v3"] {
                try await mesh.kubectl("scale", "-n", "bookinfo", "deployment/reviews-\(version)", "--replicas=0")
                    .checked()
            }
            for kind in ["virtualservice/reviews", "destinationrule/reviews"] {
                try await mesh.kubectl("delete", "-n", "bookinfo", "--ignore-not-found", kind).checked()
            }
            for workload in workloads {
                try await mesh.apply(
                    Manifests.sample(
                        name: workload.name, app: "reviews", version: workload.name, namespace: "bookinfo",
                        arguments: workload.arguments))
                try await mesh.waitForDeployment(workload.name, namespace: "bookinfo")
            }
            try await mesh.apply(Manifests.client(namespace: "bookinfo", name: "caller"))
            try await mesh.waitForDeployment("caller", namespace: "bookinfo")
            try await eventually("old reviews are gone") {
                try await mesh.pods(namespace: "bookinfo", selector: "app=reviews").count == workloads.count
                    ? true : nil
            }
        }

        private func restoreReviews(_ mesh: LocalMesh, remove workloads: [String]) async throws {
            for name in workloads + ["caller"] {
                try await mesh.kubectl("delete", "deployment", "-n", "bookinfo", name, "--ignore-not-found").checked()
            }
            for kind in ["virtualservice/reviews", "destinationrule/reviews"] {
                try await mesh.kubectl("delete", "-n", "bookinfo", "--ignore-not-found", kind).checked()
            }
            for version in ["v1", "v2", "v3"] {
                try await mesh.kubectl("scale", "-n", "bookinfo", "deployment/reviews-\(version)", "--replicas=1")
                    .checked()
                try await mesh.waitForDeployment("reviews-\(version)", namespace: "bookinfo")
            }
        }

        private func curl(_ mesh: LocalMesh, _ script: String, timeout: Int = 120) async throws -> String {
            try await mesh.exec(
                "deploy/caller", namespace: "bookinfo", container: "curl", "sh", "-c", script, timeout: timeout
            ).checked().out
        }

        @Test func ejectionAfterFiveErrorsAndOverload() async throws {
            let mesh = try await LocalMesh.shared()
            try await replaceReviews(
                mesh,
                with: [
                    ("broken", ["flaky", "--port", "9080", "--fail", "1000000", "--status", "500"]),
                    ("healthy", ["flaky", "--port", "9080", "--fail", "0"]),
                ])
            try await mesh.applyLab("hands-on/circuit-breaker.yaml")
            try await eventually("the circuit breaker is in the proxy") {
                // Of this service: other rules of the mesh have detection too.
                let json = try await mesh.istioctl(
                    "pc", "clusters", "deploy/caller.bookinfo", "--fqdn", "reviews.bookinfo.svc.cluster.local", "-o",
                    "json"
                ).out
                return json.contains("outlier_detection") || json.contains("outlierDetection") ? true : nil
            }
            // Five 5xx of one endpoint eject it; from then on every request goes elsewhere.
            let codes = try await curl(
                mesh, "for i in $(seq 60); do curl -s -o /dev/null -w '%{http_code}\\n' http://reviews:9080/; done"
            ).split(separator: "\n").map(String.init)
            #expect(codes.count == 60)
            #expect(codes.count { $0 == "500" } == 5, "\(codes)")
            #expect(codes.suffix(20).allSatisfy { $0 == "200" }, "\(codes)")

            // Beyond 100 connections and 100 waiting requests: 503 with the flag UO, and the service stays up.
            let overload = try await curl(
                mesh,
                "for i in $(seq 300); do curl -s -o /dev/null -w '%{http_code}\\n' 'http://reviews:9080/?delay=6s' & done; wait",
                timeout: 180
            ).split(separator: "\n").map(String.init)
            #expect(overload.count { $0 == "200" } >= 100, "\(overload)")
            #expect(overload.count { $0 == "503" } >= 20, "\(overload)")
            let log = try await mesh.kubectl(
                "logs", "-n", "bookinfo", "deploy/caller", "-c", "istio-proxy", "--tail=400"
            ).checked()
            #expect(log.out.contains(" 503 UO "), "\(log.out.suffix(2_000))")
            try await eventually("the service is still up") {
                try await curl(mesh, "curl -s -o /dev/null -w '%{http_code}' http://reviews:9080/") == "200"
                    ? true : nil
            }
            try await restoreReviews(mesh, remove: ["broken", "healthy"])
        }

        @Test func retriesHideTwoFailuresAndASlowAnswer() async throws {
            let mesh = try await LocalMesh.shared()
            try await replaceReviews(mesh, with: [("moody", ["flaky", "--port", "9080", "--fail", "0"])])
            try await mesh.applyLab("hands-on/retry.yaml")
            try await eventually("the retry policy is in the proxy") {
                let json = try await mesh.istioctl("pc", "routes", "deploy/caller.bookinfo", "-o", "json").out
                return json.contains("reset,connect-failure") ? true : nil
            }
            let answer = try await curl(mesh, "curl -si 'http://reviews:9080/?fail=2&status=503&key=twice'")
            #expect(answer.contains(" 200 "), "\(answer)")
            let attempts = try await curl(mesh, "curl -s 'http://reviews:9080/attempts?key=twice'")
            #expect(attempts.trimmingCharacters(in: .whitespacesAndNewlines) == "3")

            // The first answer takes 3 s, perTryTimeout is 2 s: the second try answers at once.
            let slow = try await curl(
                mesh,
                "curl -s -o /dev/null -w '%{http_code} %{time_total}' 'http://reviews:9080/?slow=1&delay=3s&key=slow'")
            let parts = slow.split(separator: " ")
            #expect(parts.first == "200", "\(slow)")
            #expect((Double(parts.last ?? "") ?? 0) >= 2, "\(slow): the first try was not given its 2 s")
            let tries = try await curl(mesh, "curl -s 'http://reviews:9080/attempts?key=slow'")
            #expect(tries.trimmingCharacters(in: .whitespacesAndNewlines) == "2")
            try await restoreReviews(mesh, remove: ["moody"])
        }
    }
}
