import ArgumentParser
import WeftConfig

/// `proxy-status`: whether every proxy has what the control plane sent.
struct ProxyStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "proxy-status", abstract: "Show which proxies are in sync with the control plane.",
        discussion: """
            SYNCED: the proxy has accepted what was sent last. STALE: not yet. REJECTED: it refused it; 'kubectl describe' of
            the object that caused it says why. IGNORED: there is nothing of this type for the proxy.
            Examples:
              weft proxy-status
              weft proxy-status deploy/productpage-v1.bookinfo
            """, aliases: ["ps"])

    @Argument(help: "Only this workload: POD[.NAMESPACE] or deploy/NAME[.NAMESPACE].")
    var workload: String?
    @Option(name: [.short, .long], help: "Output: table, json or yaml.")
    var output = OutputFormat.table
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        try await global.withClient { client in
            var proxies = try await ControlPlane(client: client, namespace: global.istioNamespace).syncz()
            if let workload {
                let namespace = global.chosenNamespace(client)
                let pod = try await WorkloadReference(workload).pod(client, defaultNamespace: namespace)
                proxies = proxies.filter { $0.name == "\(pod.name).\(pod.namespace)" }
            } else if let namespace = global.namespace {
                proxies = proxies.filter { $0.name.hasSuffix(".\(namespace)") }
            }
            guard !proxies.isEmpty else {
                throw CommandFailure("no such proxy is connected to the control plane; see 'kubectl get pods -A'.")
            }
            let table = ProxySync.table(proxies)
            print(output.text(table.json) ?? table.text)
        }
    }
}
