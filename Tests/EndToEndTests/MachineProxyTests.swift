import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Machines with a proxy of their own (WorkloadGroup): started from the files of `workload entry configure`, registered
    /// when they connect, probed, and forgotten when they go.
    @Suite(.serialized) struct MachineProxyTests {
        private static let namespace = "vms"

        private static let start = Task {
            let mesh = try await LocalMesh.shared()
            let accounts = ["shop-vm", "caller"].map {
                "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: \($0), namespace: vms}"
            }
            try await mesh.start(
                namespace: namespace,
                accounts + [
                    Manifests.client(namespace: namespace, name: "caller", serviceAccount: "caller"),
                    Manifests.client(namespace: namespace, name: "stranger"),
                    Manifests.sample(
                        name: "inside", app: "inside", version: "v1", namespace: namespace,
                        arguments: ["echo", "--port", "9080"]),
                    Manifests.service(name: "inside", port: 80, targetPort: 9080, namespace: namespace),
                    Manifests.service(name: "shop", port: 80, targetPort: 9080, namespace: namespace),
                    policy("shop", callers: "caller"), policy("inside", callers: "shop-vm"),
                    """
                    apiVersion: security.istio.io/v1
                    kind: PeerAuthentication
                    metadata: {name: default, namespace: vms}
                    spec: {mtls: {mode: STRICT}}
                    """,
                ])
            return mesh
        }

        /// Only one account may call the workloads of an app.
        private static func policy(_ app: String, callers account: String) -> String {
            """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: \(app), namespace: vms}
            spec:
              selector: {matchLabels: {app: \(app)}}
              rules:
              - from: [{source: {principals: [cluster.local/ns/vms/sa/\(account)]}}]
            """
        }

        private func status(of name: String, _ mesh: LocalMesh, from caller: String) async throws -> String {
            try await mesh.status(
                from: "deploy/\(caller)", namespace: Self.namespace, container: "curl", "http://\(name).vms/")
        }

        /// Writes the group, and the files for a machine of it.
        private func configure(_ machine: Machine, group: String = "shop", account: String = "shop-vm") async throws {
            let mesh = machine.mesh
            let text = try await mesh.istioctl(
                "x", "workload", "group", "create", "--name", group, "--namespace", Self.namespace, "--labels",
                "app=shop", "--ports", "http=9080", "--serviceAccount", account
            ).checked().out
            let probe = """
                  probe:
                    periodSeconds: 1
                    failureThreshold: 2
                    exec: {command: [test, -e, \(machine.folder)/well]}

                """
            let file = machine.folder + "/group.yaml"
            try (text + probe).write(toFile: file, atomically: true, encoding: .utf8)
            try await mesh.kubectl("apply", "-f", file).checked()
            let istiod = try await mesh.kubectl(
                "get", "service", "istiod", "-n", "istio-system", "-o", "jsonpath={.spec.clusterIP}"
            ).checked().out
            try await mesh.istioctl(
                "x", "workload", "entry", "configure", "-f", file, "--output", machine.folder + "/files",
                "--autoregister", "--ingressIP", istiod, "--internalIP", machine.address
            ).checked()
        }

        /// An entry as JSON; `nil` where there is none.
        private func entry(_ mesh: LocalMesh, _ name: String) async throws -> String? {
            let found = try await mesh.kubectl(
                "get", "workloadentry", name, "-n", Self.namespace, "--ignore-not-found", "-o", "json"
            ).checked()
            return found.out.isEmpty ? nil : found.out
        }

        private func object(_ text: String) throws -> [String: Any] {
            try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        }

        private func health(_ mesh: LocalMesh, _ name: String) async throws -> String? {
            guard let text = try await entry(mesh, name) else { return nil }
            let status = try object(text)["status"] as? [String: Any]
            let conditions = status?["conditions"] as? [[String: Any]] ?? []
            return conditions.first { $0["type"] as? String == "Healthy" }?["status"] as? String
        }

        @Test func aMachineJoinsServesCallsAndLeaves() async throws {
            let mesh = try await Self.start.value
            let machine = try await Machine.start(mesh, number: 1)
            defer { machine.stop() }
            try await configure(machine)
            _ = try machine.start("weft-samples", "echo", "--port", "9080")
            let proxy = try machine.start("weft-proxy", "machine", "--from", machine.folder + "/files")
            let name = "shop-\(machine.address)"

            let text = try await eventually("the machine registers itself; \(machine.log("weft-proxy"))") {
                try await entry(mesh, name)
            }
            let registered = try object(text)
            let metadata = try #require(registered["metadata"] as? [String: Any])
            let annotations = try #require(metadata["annotations"] as? [String: String])
            #expect(annotations["istio.io/autoRegistrationGroup"] == "shop")
            #expect((metadata["ownerReferences"] as? [[String: Any]])?.first?["kind"] as? String == "WorkloadGroup")
            #expect((registered["spec"] as? [String: Any])?["address"] as? String == machine.address)

            // Nobody has said that the application is well.
            try await eventually("the probe fails") { try await health(mesh, name) == "False" ? true : nil }
            #expect(try await status(of: "shop", mesh, from: "caller") == "503")
            try "".write(toFile: machine.folder + "/well", atomically: true, encoding: .utf8)
            try await eventually("a pod reaches the machine; \(machine.log("weft-proxy"))") {
                try await status(of: "shop", mesh, from: "caller") == "200" ? true : nil
            }
            #expect(try await health(mesh, name) == "True")

            // STRICT: its own proxy decides by the caller's identity, and takes nothing in plain text.
            let seen = try await mesh.exec(
                "deploy/caller", namespace: Self.namespace, container: "curl", "curl", "-s", "http://shop.vms/")
            #expect(seen.out.contains("URI=spiffe://cluster.local/ns/vms/sa/caller"), "\(seen)")
            #expect(seen.out.contains("By=spiffe://cluster.local/ns/vms/sa/shop-vm"), "\(seen)")
            #expect(try await status(of: "shop", mesh, from: "stranger") == "403")
            let plain = try await mesh.status(
                from: "deploy/caller", namespace: Self.namespace, container: "istio-proxy",
                "http://\(machine.address):9080/")
            #expect(plain == "000", "STRICT takes no plain text")

            // And it calls, by a name that its own proxy answers for, with the identity of its account.
            try await eventually("the machine reaches a pod; \(machine.log("weft-proxy"))") {
                let answer = try await machine.shell("curl -s --max-time 10 http://inside.vms.svc.cluster.local/")
                return answer.out.contains("URI=spiffe://cluster.local/ns/vms/sa/shop-vm") ? true : nil
            }
            #expect(try await status(of: "inside", mesh, from: "caller") == "403")

            try FileManager.default.removeItem(atPath: machine.folder + "/well")
            try await eventually("an application that is not well gets no requests") { () -> Bool? in
                guard try await health(mesh, name) == "False" else { return nil }
                return try await status(of: "shop", mesh, from: "caller") == "503" ? true : nil
            }

            proxy.stop(within: 30)
            let rules = try await machine.shell("nft list tables").checked()
            #expect(!rules.out.contains("weft_capture"), "\(rules)")
            try await eventually("the machine's entry goes") { try await entry(mesh, name) == nil ? true : nil }
        }

        /// The proxy is told why, and is taken as soon as the group is there.
        @Test func aMachineWithoutItsGroupIsToldSo() async throws {
            let mesh = try await Self.start.value
            let machine = try await Machine.start(mesh, number: 2)
            defer { machine.stop() }
            try await configure(machine, group: "late")
            try await mesh.kubectl("delete", "workloadgroup", "late", "-n", Self.namespace).checked()
            _ = try machine.start("weft-proxy", "machine", "--from", machine.folder + "/files")
            try await eventually("the proxy's log names the group") {
                machine.log("weft-proxy").contains("there is no WorkloadGroup vms/late") ? true : nil
            }
            try await mesh.kubectl("apply", "-f", machine.folder + "/group.yaml").checked()
            try await eventually("the proxy tries again") {
                try await entry(mesh, "late-\(machine.address)") == nil ? nil : true
            }
            try await mesh.kubectl("delete", "workloadgroup", "late", "-n", Self.namespace).checked()
        }
    }
}
