import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// "What it must show" 1: the mesh that `dev/demo` has started in release mode, and `weft up` after it.
    ///
    /// `dev/check` runs `dev/demo` before the tests, because SwiftPM builds nothing while its tests run.
    @Suite(.serialized) struct DemoTests {
        @Test func theDemoServesBookinfo() async throws {
            let mesh = LocalMesh(name: "demo", firstPort: 26480, binaries: LocalMesh.releaseBinaries)
            let printed = try String(contentsOfFile: LocalMesh.root + ".build/demo.log", encoding: .utf8)
            #expect(printed.contains("127.0.0.1:\(mesh.httpPort)/productpage"), "what to try names the port")
            do {
                try await productPage(mesh)
                try await systemPodsRun(mesh)
                try await bookinfoIsMeshed(mesh)
                try await mesh.weft("down").checked()

                let begun = ContinuousClock.now
                try await mesh.weft("up", "--detach").checked()
                print("weft up returned after \(ContinuousClock.now - begun)")
                try await productPage(mesh)
                print("weft up to product page: \(ContinuousClock.now - begun)")
            } catch {
                _ = try? await mesh.weft("down", "--purge")
                throw error
            }
            try await mesh.weft("down", "--purge").checked()
        }

        private func productPage(_ mesh: LocalMesh) async throws {
            try await eventually("the product page") {
                let page = try await command([
                    "curl", "-s", "--max-time", "5", "http://127.0.0.1:\(mesh.httpPort)/productpage",
                ])
                return page.out.contains("Comedy of Errors") && page.out.contains("Reviewer") ? page : nil
            }
        }

        private func systemPodsRun(_ mesh: LocalMesh) async throws {
            let pods = try await mesh.pods(namespace: "istio-system")
            for app in ["istiod", "istio-ingressgateway", "istio-egressgateway"] {
                #expect(pods.contains { $0.name.hasPrefix(app + "-") && $0.status == "Running" }, "no \(app) runs")
            }
        }

        private func bookinfoIsMeshed(_ mesh: LocalMesh) async throws {
            try await eventually("every Bookinfo pod 2/2") {
                let pods = try await mesh.pods(namespace: "bookinfo")
                return pods.count >= 6 && pods.allSatisfy { $0.ready == "2/2" } ? pods.count : nil
            }
        }
    }
}
