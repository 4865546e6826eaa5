import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// WorkloadEntries: machines beside the pods of the mesh, behind the host of a ServiceEntry that selects them.
    @Suite(.serialized) struct MachineTests {
        private static let caller = Task {
            let mesh = try await LocalMesh.shared()
            func machine(_ name: String) -> String {
                Manifests.sample(
                    name: name, app: name, version: "v1", namespace: "basement", arguments: ["echo", "--port", "9080"])
            }
            try await mesh.start(namespace: "basement", injected: false, [machine("one"), machine("two")])
            var entries: [String] = []
            for name in ["one", "two"] {
                let address = try await mesh.kubectl(
                    "get", "pods", "-n", "basement", "-l", "app=\(name)", "-o", "jsonpath={.items[0].status.podIP}"
                ).checked().out
                entries.append(entry(name, address))
            }
            try await mesh.start(namespace: "machines", [Manifests.client(namespace: "machines"), service] + entries)
            let caller = Caller(mesh: mesh, namespace: "machines")
            try await eventually("both machines serve", within: 90) {
                try await servers(caller) == ["one", "two"] ? true : nil
            }
            return caller
        }

        private static let service = """
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: vm, namespace: machines}
            spec:
              hosts: [vm.example]
              addresses: [192.0.2.88]
              ports: [{number: 80, name: http, protocol: HTTP}]
              location: MESH_INTERNAL
              resolution: STATIC
              workloadSelector: {labels: {app: vm}}
            """

        private static func entry(_ name: String, _ address: String) -> String {
            """
            apiVersion: networking.istio.io/v1
            kind: WorkloadEntry
            metadata: {name: \(name), namespace: machines}
            spec: {address: \(address), labels: {app: vm}, ports: {http: 9080}}
            """
        }

        /// Which machines answered twenty requests; empty unless every one was answered.
        private static func servers(_ caller: Caller) async throws -> Set<String> {
            let text = try await caller.shell(
                "curl -s -f --max-time 60 --resolve vm.example:80:192.0.2.88 'http://vm.example/?n=[1-20]'")
            let lines = text.split(separator: "\n").filter { $0.contains("\"hostname\"") }
            guard lines.count == 20 else { return [] }
            return Set(["one", "two"].filter { name in lines.contains { $0.contains("\"\(name)-") } })
        }

        /// Writes what a prober finds, as Istio's condition has it.
        private func tellHealth(_ name: String, _ isHealthy: Bool) async throws {
            let patch = #"{"status":{"conditions":[{"type":"Healthy","status":"\#(isHealthy ? "True" : "False")"}]}}"#
            try await Self.caller.value.mesh.kubectl(
                "patch", "workloadentry", name, "-n", "machines", "--subresource=status", "--type=merge", "-p", patch
            ).checked()
        }

        @Test func requestsGoToMachinesThatAreHealthy() async throws {
            let caller = try await Self.caller.value
            try await tellHealth("one", false)
            try await eventually("the unhealthy machine is left out") {
                try await Self.servers(caller) == ["two"] ? true : nil
            }
            try await tellHealth("one", true)
            try await eventually("it is back") { try await Self.servers(caller) == ["one", "two"] ? true : nil }
        }

        @Test func aMachineThatGoesIsForgotten() async throws {
            let caller = try await Self.caller.value
            let mesh = caller.mesh
            let entry = try await mesh.kubectl("get", "workloadentry", "two", "-n", "machines", "-o", "json").checked()
            try await mesh.kubectl("delete", "workloadentry", "two", "-n", "machines").checked()
            try await eventually("one machine is left") { try await Self.servers(caller) == ["one"] ? true : nil }
            var object = try #require(try JSONSerialization.jsonObject(with: Data(entry.out.utf8)) as? [String: Any])
            object["metadata"] = ["name": "two", "namespace": "machines"]
            object["status"] = nil
            try await mesh.apply(String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self))
            try await eventually("it serves again") { try await Self.servers(caller) == ["one", "two"] ? true : nil }
        }
    }
}
