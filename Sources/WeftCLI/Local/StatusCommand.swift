import ArgumentParser
import WeftConfig
import WeftCore
import WeftKubernetes

/// `weft status`: the local mesh at a glance.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the state of the local mesh: node, API, control plane, gateways, proxies.",
        discussion: """
            Example:
              weft status
              weft status -o json
            """)

    @Option(name: [.short, .long], help: "Output: table, json or yaml.")
    var output = OutputFormat.table
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let home = LocalHome.current()
        guard let pid = home.runningNode else {
            throw CommandFailure("No local mesh is running for \(home.path). Start it with 'weft up'.")
        }
        guard let ports = LocalPorts.read(from: LocalHome.arguments(of: pid)) else {
            throw CommandFailure(
                "cannot read the ports of weft-node (pid \(pid)); restart it with 'weft down' and 'weft up'.")
        }
        var table = Table(["COMPONENT", "STATE", "DETAILS"])
        table.rows.append(["node", "running", "pid \(pid), home \(home.path)"])
        let configuration = try KubernetesConfiguration.standard(
            kubeconfig: global.kubeconfig ?? home.kubeconfig, context: global.context, environment: [:])
        table.rows += try await GlobalOptions.withClient(configuration) { try await rows($0, ports) }
        for (option, port) in ports.all {
            table.rows.append(["port", String(port), "127.0.0.1 (\(option.dropFirst(2)))"])
        }
        print(output.text(table.json) ?? table.text)
    }

    private func rows(_ client: KubernetesClient, _ ports: LocalPorts) async throws -> [[String]] {
        let version = try await client.serverVersion()["gitVersion"]?.stringValue ?? "?"
        var rows = [["api", "ready", "\(version) at https://127.0.0.1:\(ports.apiPort)"]]
        for deployment in try await client.list(.deployments, namespace: global.istioNamespace).items {
            let wanted = deployment.json[path: "spec", "replicas"]?.intValue ?? 1
            let ready = deployment.json[path: "status", "readyReplicas"]?.intValue ?? 0
            rows.append([deployment.name, ready >= wanted ? "ready" : "not ready", "\(ready)/\(wanted) replicas"])
        }
        let proxies = (try? await ControlPlane(client: client, namespace: global.istioNamespace).syncz()) ?? []
        let synced = proxies.filter(\.isSynced).count
        rows.append(["proxies", synced == proxies.count ? "synced" : "stale", "\(synced)/\(proxies.count) synced"])
        return rows
    }
}
