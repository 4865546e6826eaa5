import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// `install`, `verify-install` and `uninstall` on a node that has no mesh yet.
    @Suite(.serialized) struct InstallTests {
        /// What of ours is in the cluster, by name; the namespaces' own objects count too.
        private func traces(_ mesh: LocalMesh) async throws -> [String] {
            let ours = [
                "namespaces,customresourcedefinitions,mutatingwebhookconfigurations,validatingwebhookconfigurations",
                "clusterroles,clusterrolebindings",
            ]
            var found: [String] = []
            for kinds in ours { found += try await names(mesh, "get", kinds, "-o", "name") }
            found += try await names(
                mesh, "get", "configmaps,secrets,services,deployments,pods,leases", "-A", "-o", "name")
            return found.filter { name in ["istio", "weft"].contains { name.contains($0) } }
        }

        private func names(_ mesh: LocalMesh, _ arguments: String...) async throws -> [String] {
            try await mesh.kubectl(arguments).checked().out.split(separator: "\n").map(String.init)
        }

        private func startBareNode(_ mesh: LocalMesh) async throws {
            try await mesh.weft("down", "--purge")
            try FileManager.default.createDirectory(atPath: mesh.home + "/logs", withIntermediateDirectories: true)
            let script = "exec setsid --fork \"$0\" \"$@\" >\(mesh.home)/logs/node.log 2>&1 </dev/null"
            let node = [LocalMesh.testedBinaries + "/weft-node", "run", "--home", mesh.home]
            try await command(["sh", "-c", script] + node + mesh.ports).checked()
            try await eventually("the API answers") {
                try await mesh.kubectl("get", "namespaces").succeeded ? true : nil
            }
        }

        @Test func everyProfileInstallsTwiceVerifiesAndGoesWithoutTrace() async throws {
            let mesh = LocalMesh(name: "install", firstPort: 26460)
            try await startBareNode(mesh)
            let none = try await mesh.weft("verify-install")
            #expect(none.status == 1)
            #expect(none.err.contains("install one with 'install -y'"), "\(none)")
            let clean = try await traces(mesh)
            #expect(clean.isEmpty, "\(clean)")
            for (profile, gateways) in [
                ("minimal", [] as [String]), ("default", ["istio-ingressgateway"]),
                ("demo", ["istio-ingressgateway", "istio-egressgateway"]),
            ] {
                try await mesh.weft("install", "--set", "profile=\(profile)", "-y", timeout: 150).checked()
                let deployments = ["get", "deployments", "-n", "istio-system", "-o"]
                let state = "jsonpath={range .items[*]}{.metadata.name} {.metadata.generation} {.metadata.uid}\n{end}"
                let first = try await mesh.kubectl(deployments + [state]).checked().out
                for name in ["istiod"] + gateways { #expect(first.contains("\(name) "), "\(profile): \(first)") }
                #expect(first.split(separator: "\n").count == 1 + gateways.count, "\(profile): \(first)")
                let pods = try await names(mesh, "get", "pods", "-n", "istio-system", "-o", "name")

                // Again: nothing changes.
                try await mesh.weft("install", "--set", "profile=\(profile)", "-y", timeout: 150).checked()
                #expect(try await mesh.kubectl(deployments + [state]).checked().out == first)
                #expect(try await names(mesh, "get", "pods", "-n", "istio-system", "-o", "name") == pods)

                let verified = try await mesh.weft("verify-install").checked()
                #expect(verified.out.contains("✔ Installation is complete"), "\(verified)")
                #expect(try await mesh.weft("verify-install", "--set", "profile=\(profile)").succeeded)

                // Without an answer nothing is removed.
                let asked = try await mesh.weft("uninstall", "--purge")
                #expect(asked.status == 1)
                #expect(asked.err.contains("give -y"), "\(asked)")
                #expect(try await mesh.weft("verify-install").succeeded)

                let removed = try await mesh.weft("uninstall", "--purge", "-y", timeout: 150).checked()
                #expect(removed.out.contains("✔ Uninstall complete"))
                let left = try await traces(mesh)
                #expect(left.isEmpty, "\(profile) leaves \(left)")
            }
            let empty = try await mesh.weft("uninstall", "--purge", "-y").checked()
            #expect(empty.out.contains("Nothing of the mesh was found"))
            try await mesh.weft("down", "--purge").checked()
        }

        @Test func aMissingPartIsNamedAndRepaired() async throws {
            let mesh = LocalMesh(name: "install", firstPort: 26460)
            try await startBareNode(mesh)
            try await mesh.weft("install", "--set", "profile=default", "-y", timeout: 150).checked()
            try await mesh.kubectl("delete", "service", "istio-ingressgateway", "-n", "istio-system").checked()
            let broken = try await mesh.weft("verify-install")
            #expect(broken.status == 1)
            #expect(broken.out.contains("✘ Service istio-system/istio-ingressgateway"), "\(broken)")
            #expect(broken.err.contains("repair with 'install -y'"), "\(broken)")
            try await mesh.weft("install", "-y", timeout: 150).checked()
            #expect(try await mesh.weft("verify-install").succeeded)

            // Without --purge the user's mesh objects outlive the mesh.
            try await mesh.apply(
                """
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: mine, namespace: default}
                spec: {hosts: [mine], http: [{directResponse: {status: 200}}]}
                """)
            try await mesh.weft("uninstall", "-y", timeout: 150).checked()
            #expect(try await mesh.pods(namespace: "istio-system").isEmpty)
            #expect(try await mesh.kubectl("get", "virtualservice", "mine").succeeded)
            let bad = try await mesh.weft("install", "--set", "profile=big", "-y")
            #expect(bad.status != 0)
            #expect(bad.err.contains("use one of default, demo, minimal, empty"), "\(bad)")
            try await mesh.weft("down", "--purge").checked()
        }
    }
}
