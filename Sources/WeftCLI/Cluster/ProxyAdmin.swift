import Foundation
import WeftConfig
import WeftCore
import WeftKubernetes

/// The admin port of one pod's proxy, reached by a command in its container `istio-proxy`.
struct ProxyAdmin {
    let client: KubernetesClient
    let pod: KubernetesObject

    init(client: KubernetesClient, pod: KubernetesObject) throws {
        self.client = client
        self.pod = pod
        let containers = ["containers", "initContainers"].flatMap { pod.json[path: "spec", $0]?.arrayValue ?? [] }
        guard containers.contains(where: { $0["name"]?.stringValue == "istio-proxy" }) else {
            throw CommandFailure(
                "pod \(pod.namespace)/\(pod.name) has no container istio-proxy: label its namespace with "
                    + "istio-injection=enabled and restart it.")
        }
    }

    /// Envoy's `config_dump`.
    func dump() async throws -> ProxyDump {
        ProxyDump(
            json: try await ask("GET", "/config_dump?include_eds") { try? JSONValue(parsing: $0.utf8) })
    }

    /// The state of the clusters' hosts.
    func clusters() async throws -> JSONValue {
        try await ask("GET", "/clusters?format=json") { try? JSONValue(parsing: $0.utf8) }
    }

    /// - Returns: what the proxy says, as text.
    func post(_ path: String) async throws -> String {
        try await ask("POST", path) { $0.hasSuffix("\n") ? String($0.dropLast()) : $0 }
    }

    private func ask<Value>(_ method: String, _ path: String, _ read: (String) -> Value?) async throws -> Value {
        var problem = ""
        for command in ProxyAdminCommand.all(method, path, agent: LocalHome.executable("weft-proxy")) {
            do {
                let result = try await client.exec(
                    namespace: pod.namespace, pod: pod.name, container: ProxyAdminCommand.container,
                    command: command)
                if result.exitCode == 0, let value = read(result.output) { return value }
                let said = [result.errorOutput, result.output].first { !$0.isEmpty } ?? ""
                problem = said.isEmpty ? "exit status \(result.exitCode)" : said
                // An answer that says no is an answer: another client would get the same.
                if result.exitCode == 1, !result.output.isEmpty { break }
            } catch let error as KubernetesError {
                problem = error.message
            }
        }
        throw CommandFailure(
            "the proxy of \(pod.namespace)/\(pod.name) does not answer \(method) \(path): "
                + problem.trimmingCharacters(in: .whitespacesAndNewlines)
                + ". See 'kubectl logs -n \(pod.namespace) \(pod.name) -c istio-proxy'.")
    }
}
