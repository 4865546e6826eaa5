import Foundation
import TestSupport

extension LocalMesh {
    /// The document `mesh` of ConfigMap `istio`.
    func readMeshConfig() async throws -> String {
        try await kubectl("get", "configmap", "istio", "-n", "istio-system", "-o", "jsonpath={.data.mesh}").checked()
            .out
    }

    func writeMeshConfig(_ text: String) async throws {
        let patch = try JSONSerialization.data(withJSONObject: ["data": ["mesh": text]])
        try await kubectl(
            "patch", "configmap", "istio", "-n", "istio-system", "--type=merge", "-p",
            String(decoding: patch, as: UTF8.self)
        ).checked()
    }

    /// Runs with more lines in the mesh configuration, and puts back what was there, whatever happens.
    func withMeshConfig(_ lines: String, _ body: () async throws -> Void) async throws {
        let before = try await readMeshConfig()
        try await writeMeshConfig(before + "\n" + lines + "\n")
        do {
            try await body()
        } catch {
            try await writeMeshConfig(before)
            throw error
        }
        try await writeMeshConfig(before)
    }
}
