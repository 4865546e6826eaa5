import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// "What it must show" 4: the hands-on labs, files unchanged, on top of the full Bookinfo.
    @Suite(.serialized) struct HandsOnTests {
        /// Removes what other labs left behind; each lab stands on plain Bookinfo.
        private func reset(_ mesh: LocalMesh) async throws {
            for kind in [
                "virtualservice/reviews", "destinationrule/reviews", "peerauthentication/default",
                "authorizationpolicy/productpage-viewer",
            ] {
                try await mesh.kubectl("delete", "-n", "bookinfo", "--ignore-not-found", kind).checked()
            }
            try await mesh.kubectl("wait", "-n", "bookinfo", "--for=condition=Ready", "pods", "--all", "--timeout=60s")
                .checked()
        }

        /// Which version of reviews answers, as the colour of its stars; asked from productpage's own pod.
        private func reviewsVersions(_ mesh: LocalMesh, user: String?, requests: Int) async throws -> [String: Int] {
            let header = user.map { "-H 'end-user: \($0)'" } ?? ""
            let result = try await mesh.exec(
                "deploy/productpage-v1", namespace: "bookinfo", container: "productpage", "sh", "-c",
                "for i in $(seq \(requests)); do curl -s \(header) http://reviews:9080/reviews/0; echo; done",
                timeout: 180
            ).checked()
            return result.out.split(separator: "\n").reduce(into: [:]) { counts, line in
                let version = ["reviews-v1", "reviews-v2", "reviews-v3"].first { line.contains("\"\($0)") }
                counts[version ?? String(line), default: 0] += 1
            }
        }

        @Test func jasonSeesVersionThreeOthersNinetyToTen() async throws {
            let mesh = try await LocalMesh.shared()
            try await reset(mesh)
            try await mesh.applyLab("hands-on/destination-rule.yaml")
            try await mesh.applyLab("hands-on/virtual-service.yaml")
            try await eventually("the route for jason is live") {
                try await reviewsVersions(mesh, user: "jason", requests: 10) == ["reviews-v3": 10] ? true : nil
            }
            #expect(try await reviewsVersions(mesh, user: "jason", requests: 100) == ["reviews-v3": 100])
            let others = try await reviewsVersions(mesh, user: nil, requests: 1_000)
            #expect(others["reviews-v3"] == nil, "\(others)")
            #expect((870...930).contains(others["reviews-v1", default: 0]), "\(others)")
            #expect(others.values.reduce(0, +) == 1_000)
            try await jasonSignsInOnThePage(mesh)
            try await reset(mesh)
        }

        /// The same through the browser's way: sign in on the page, then the page shows the red stars of v3.
        private func jasonSignsInOnThePage(_ mesh: LocalMesh) async throws {
            let jar = mesh.home + "/cookies"
            let base = "http://127.0.0.1:\(mesh.httpPort)"
            try await command(["curl", "-s", "-c", jar, "-d", "username=jason&passwd=x", "\(base)/login"]).checked()
            let page = try await command(["curl", "-s", "-b", jar, "\(base)/productpage"]).checked()
            #expect(page.out.contains("red"), "no red stars for jason:\n\(page.out.prefix(3_000))")
        }

        @Test func strictMutualTLS() async throws {
            let mesh = try await LocalMesh.shared()
            try await reset(mesh)
            try await mesh.applyLab("hands-on/peer-authentication.yaml")
            try await mesh.deleteNamespaces("plain")
            try await mesh.kubectl("create", "namespace", "plain").checked()
            try await mesh.kubectl(
                "run", "outsider", "-n", "plain", "--image=curlimages/curl", "--command", "--", "sleep", "3600"
            ).checked()
            try await mesh.kubectl("wait", "-n", "plain", "--for=condition=Ready", "pod/outsider", "--timeout=30s")
                .checked()
            try await eventually("the outsider is refused") {
                try await mesh.status(from: "outsider", namespace: "plain", "http://details.bookinfo:9080/details/0")
                    == "000"
                    ? true : nil
            }
            let inside = try await mesh.status(
                from: "deploy/productpage-v1", namespace: "bookinfo", container: "productpage",
                "http://details:9080/details/0")
            #expect(inside == "200")
            try await eventually("the page still answers through the gateway") {
                let result = try await command([
                    "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
                    "http://127.0.0.1:\(mesh.httpPort)/productpage",
                ])
                return result.out == "200" ? true : nil
            }
            try await mesh.deleteNamespaces("plain")
            try await reset(mesh)
        }

        @Test func authorizationPolicyAllowsAndDenies() async throws {
            let mesh = try await LocalMesh.shared()
            try await reset(mesh)
            try await mesh.applyLab("hands-on/authorization-policy.yaml")
            // From a workload outside istio-system: only what the second rule allows.
            func status(_ arguments: String...) async throws -> String {
                let curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}"]
                let result = try await mesh.kubectl(
                    ["exec", "-n", "bookinfo", "deploy/ratings-v1", "-c", "ratings", "--"] + curl + arguments)
                return result.out
            }
            let base = "http://productpage:9080"
            try await eventually("POST is refused") {
                try await status("-X", "POST", "\(base)/productpage") == "403" ? true : nil
            }
            #expect(try await status("\(base)/productpage") == "200")
            #expect(try await status("\(base)/other") == "403")
            #expect(try await status("\(base)/static/bootstrap.css") != "403")
            #expect(try await status("\(base)/api/v1/products") == "200")
            // Path tricks must not get around the policy.
            #expect(try await status("--path-as-is", "\(base)/static/../other") == "403")
            let body = try await mesh.exec(
                "deploy/ratings-v1", namespace: "bookinfo", container: "ratings", "curl", "-si", "\(base)/other")
            #expect(body.out.contains("RBAC: access denied"))
            #expect(
                body.out.lowercased().contains("x-weft-config: authorizationpolicy/bookinfo/productpage-viewer"),
                "\(body)")
            // The gateway's namespace may do everything.
            let gateway = try await command([
                "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:\(mesh.httpPort)/productpage",
            ])
            #expect(gateway.out == "200")
            try await reset(mesh)
        }

        @Test func canaryFollowsHeaderAndWeights() async throws {
            let mesh = try await LocalMesh.shared()
            try await mesh.deleteNamespaces("production")
            try await mesh.kubectl("create", "namespace", "production").checked()
            try await mesh.kubectl("label", "namespace", "production", "istio-injection=enabled").checked()
            for version in ["stable", "canary"] {
                try await mesh.apply(
                    Manifests.hello(name: "myapp-\(version)", app: "myapp", version: version, namespace: "production"))
            }
            try await mesh.apply(Manifests.service(name: "myapp", port: 80, namespace: "production"))
            try await mesh.apply(Manifests.client(namespace: "production"))
            try await mesh.applyLab("hands-on/canary-deployment.yaml")
            for name in ["myapp-stable", "myapp-canary", "client"] {
                try await mesh.waitForDeployment(name, namespace: "production")
            }
            func canaries(_ requests: Int, _ header: String) async throws -> (canary: Int, total: Int) {
                let result = try await mesh.exec(
                    "deploy/client", namespace: "production", container: "curl", "sh", "-c",
                    "for i in $(seq \(requests)); do curl -s \(header) http://myapp | grep 'Server name'; done",
                    timeout: 180)
                let names = result.out.split(separator: "\n")
                return (names.count { $0.contains("myapp-canary-") }, names.count)
            }
            try await eventually("the header always gets the canary") {
                try await canaries(20, "-H 'x-canary: true'") == (20, 20) ? true : nil
            }
            #expect(try await canaries(100, "-H 'x-canary: true'") == (100, 100))
            let rest = try await canaries(1_000, "")
            #expect(rest.total == 1_000)
            #expect(
                (20...80).contains(rest.canary),
                "\(rest.canary) of 1,000 went to the canary, expected 50 within 3 points")
            try await mesh.deleteNamespaces("production")
        }
    }
}
