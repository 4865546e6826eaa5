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

    func get(_ path: String) async throws -> JSONValue {
        var problem = ""
        for command in commands(path) {
            do {
                let result = try await client.exec(
                    namespace: pod.namespace, pod: pod.name, container: "istio-proxy", command: command)
                if result.exitCode == 0, let json = try? JSONValue(parsing: result.output.utf8) { return json }
                problem = result.errorOutput.isEmpty ? "exit status \(result.exitCode)" : result.errorOutput
            } catch let error as KubernetesError {
                problem = error.message
            }
        }
        throw CommandFailure(
            "the proxy of \(pod.namespace)/\(pod.name) does not answer GET \(path): \(problem) "
                + "See 'kubectl logs -n \(pod.namespace) \(pod.name) -c istio-proxy'.")
    }

    /// The agent's own client first, under both its names; in a local pod also where this build keeps it; else curl.
    private func commands(_ path: String) -> [[String]] {
        [
            ["weft-proxy", "request", "GET", path], [LocalHome.executable("weft-proxy"), "request", "GET", path],
            ["pilot-agent", "request", "GET", path],
            ["curl", "-sSf", "http://127.0.0.1:15000\(path.hasPrefix("/") ? "" : "/")\(path)"],
        ]
    }
}
