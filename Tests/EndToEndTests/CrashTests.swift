import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
    /// "What it must show" 7: processes die, objects and traffic do not.
    @Suite(.serialized) struct CrashTests {
        /// Process ids of an executable among the node's own descendants: only these may be ended.
        private func processes(_ name: String, below node: Int32) throws -> [Int32] {
            try descendants(of: node).filter { pid in
                guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline"),
                    let first = data.split(separator: 0).first
                else { return false }
                return String(decoding: first, as: UTF8.self).hasSuffix("/" + name)
            }
        }

        private func node(_ mesh: LocalMesh) throws -> Int32 {
            let text = try String(contentsOfFile: mesh.home + "/node.pid", encoding: .utf8)
            return try #require(Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        }

        private func page(_ mesh: LocalMesh) async throws -> String {
            try await command([
                "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "10",
                "http://127.0.0.1:\(mesh.httpPort)/productpage",
            ]).out
        }

        @Test func controlPlaneDiesTrafficGoesOn() async throws {
            let mesh = try await LocalMesh.shared()
            try await eventually("the page answers") { try await page(mesh) == "200" ? true : nil }
            let before = try #require(try processes("weftd", below: node(mesh)).first)
            kill(before, SIGKILL)
            for _ in 0..<20 { #expect(try await page(mesh) == "200") }
            try await eventually("weftd is back", within: 60) {
                let now = try processes("weftd", below: node(mesh))
                return now.isEmpty || now.contains(before) ? nil : true
            }
            try await eventually("every proxy is SYNCED again", within: 90) {
                let status = try await mesh.istioctl("proxy-status").checked().out
                return status.contains("productpage") && !status.contains("STALE") && !status.contains("NOT SENT")
                    ? true : nil
            }
            // In sync means that changes arrive.
            try await mesh.apply(
                """
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: details, namespace: bookinfo}
                spec:
                  hosts: [details]
                  http: [{directResponse: {status: 418}}]
                """)
            try await eventually("a change arrives after the restart") {
                try await mesh.status(
                    from: "deploy/productpage-v1", namespace: "bookinfo", container: "productpage",
                    "http://details:9080/")
                    == "418" ? true : nil
            }
            try await mesh.kubectl("delete", "virtualservice", "details", "-n", "bookinfo").checked()
        }

        @Test func sidecarDiesItsPodRecovers() async throws {
            let mesh = try await LocalMesh.shared()
            let pod = try #require(try await mesh.pods(namespace: "bookinfo", selector: "app=details").first)
            // In the pod's own process namespace, the proxy is ended from inside its container.
            let killed = try await mesh.exec(
                "pod/\(pod.name)", namespace: "bookinfo", container: "istio-proxy", "sh", "-c", "kill -9 1; kill -9 -1")
            _ = killed
            try await eventually("the sidecar was restarted") {
                let count = try await mesh.kubectl(
                    "get", "pod", pod.name, "-n", "bookinfo", "-o",
                    "jsonpath={.status.initContainerStatuses[?(@.name=='istio-proxy')].restartCount}")
                return (Int(count.out) ?? 0) >= 1 ? true : nil
            }
            try await eventually("the pod is 2/2 again") {
                try await mesh.pods(namespace: "bookinfo", selector: "app=details").first?.ready == "2/2" ? true : nil
            }
            try await eventually("details answers") {
                try await mesh.status(
                    from: "deploy/productpage-v1", namespace: "bookinfo", container: "productpage",
                    "http://details:9080/details/0") == "200" ? true : nil
            }
        }

        @Test func everythingDiesAndComesBackThenGoesWithoutTrace() async throws {
            let mesh = LocalMesh(name: "crash", firstPort: 26450)
            try await mesh.weft("down", "--purge")
            let rules = try await command(["sh", "-c", "nft list ruleset; ip link; ip netns; mount | wc -l"]).out
            try await mesh.weft("up", "--detach", "--demo", "bookinfo", timeout: 180).checked()
            let first = try node(mesh)
            try await mesh.kubectl("create", "configmap", "keep", "--from-literal=a=b").checked()
            let children = try descendants(of: first)
            #expect(children.count > 10)
            for pid in [first] + children { kill(pid, SIGKILL) }
            try await eventually("nothing of it runs") { children.contains { alive($0) } ? nil : true }

            try await mesh.weft("up", "--detach", timeout: 180).checked()
            let kept = try await mesh.kubectl("get", "configmap", "keep", "-o", "jsonpath={.data.a}").checked()
            #expect(kept.out == "b")
            try await eventually("Bookinfo serves again", within: 90) { try await page(mesh) == "200" ? true : nil }

            let second = try node(mesh)
            let rest = try descendants(of: second)
            try await mesh.weft("down").checked()
            #expect(!alive(second))
            for pid in rest { #expect(!alive(pid), "process \(pid) is left") }
            let after = try await command(["sh", "-c", "nft list ruleset; ip link; ip netns; mount | wc -l"]).out
            #expect(after == rules, "namespaces, links, rules or mounts are left")
            try await mesh.weft("down", "--purge").checked()
            #expect(!FileManager.default.fileExists(atPath: mesh.home))
        }

        private func alive(_ pid: Int32) -> Bool {
            guard kill(pid, 0) == 0, let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else {
                return false
            }
            return !(stat.split(separator: ")").last?.hasPrefix(" Z") ?? true)
        }

        private func descendants(of root: Int32) throws -> [Int32] {
            let all = try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }
            var parents: [Int32: Int32] = [:]
            for pid in all {
                guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
                    let tail = stat.split(separator: ")").last
                else { continue }
                parents[pid] = Int32(tail.split(separator: " ")[1])
            }
            return all.filter { pid in
                var ancestor = parents[pid]
                while let current = ancestor, current > 1 {
                    if current == root { return true }
                    ancestor = parents[current]
                }
                return false
            }
        }
    }
}
