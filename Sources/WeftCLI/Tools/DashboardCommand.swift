import ArgumentParser
import Foundation
import WeftConfig
import WeftCore
import WeftKubernetes

/// `dashboard`: opens the page of the mesh's dashboard that answers what another tool would.
struct DashboardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dashboard", abstract: "Open the dashboard: the live traffic of the mesh.",
        discussion: """
            The names that tutorials use open the page that answers the same need: kiali the graph, grafana and prometheus
            the metrics, jaeger and zipkin the traces, envoy POD that pod's proxy, controlz the control plane. The address is
            printed in any case.
            Examples:
              weft dashboard
              weft dashboard jaeger --browser=false
              weft dashboard envoy deploy/reviews-v1.bookinfo
            """, aliases: ["dash", "d"])

    @Argument(help: "kiali, grafana, prometheus, jaeger, zipkin, envoy, controlz; without one the graph.")
    var page: String?
    @Argument(help: "For envoy: POD[.NAMESPACE] or deploy/NAME[.NAMESPACE].")
    var workload: String?
    @OptionGroup var global: GlobalOptions
    @Option(help: "Open the browser: true or false.")
    var browser = true
    @Flag(help: "As --browser=false.")
    var noBrowser = false

    /// The place in the dashboard by tool.
    static let pages = [
        "weft": "graph", "kiali": "graph", "grafana": "metrics", "prometheus": "metrics", "jaeger": "traces",
        "zipkin": "traces", "skywalking": "traces", "controlz": "mesh", "istiod-debug": "mesh", "envoy": "workloads",
        "proxy": "workloads",
    ]

    /// The part of an address behind `#`.
    /// - Parameter workload: Namespace and name of the workload whose proxy is wanted.
    static func place(_ page: String?, workload: (namespace: String, name: String)? = nil) throws -> String {
        guard let page else { return "" }
        guard let place = pages[page] else {
            throw CommandFailure(
                "unknown dashboard \"\(page)\": use one of kiali, grafana, prometheus, jaeger, zipkin, envoy POD, controlz, "
                    + "or none.")
        }
        guard let workload, place == "workloads" else { return "#/\(place)" }
        return "#/workloads/\(workload.namespace)/\(workload.name)/proxy"
    }

    func validate() throws {
        if workload != nil, page != "envoy", page != "proxy" {
            throw ValidationError("only 'dashboard envoy' takes a pod.")
        }
        if workload == nil, page == "envoy" || page == "proxy" {
            throw ValidationError("say whose proxy: dashboard envoy POD[.NAMESPACE], or deploy/NAME[.NAMESPACE].")
        }
    }

    func run() async throws {
        _ = try Self.place(page)
        guard let pid = LocalHome.current().runningNode else {
            throw CommandFailure(
                "no local mesh is running. Start it with 'weft up'; on another cluster run 'kubectl port-forward -n "
                    + "\(global.istioNamespace) deploy/istiod 20001' and open http://127.0.0.1:20001/"
                    + "\((try? Self.place(page)) ?? "").")
        }
        let port = LocalPorts.read(from: LocalHome.arguments(of: pid))?.dashboardPort ?? 20001
        let url = "http://127.0.0.1:\(port)/\(try Self.place(page, workload: await owner()))"
        print(url)
        if browser, !noBrowser { open(url) }
    }

    /// The workload that the pod belongs to, which is what the dashboard has a page for.
    private func owner() async throws -> (namespace: String, name: String)? {
        guard let workload else { return nil }
        return try await global.withClient { client in
            let reference = try WorkloadReference(workload)
            let pod = try await reference.pod(client, defaultNamespace: global.chosenNamespace(client))
            if reference.kind == .deployment { return (pod.namespace, reference.name) }
            // A ReplicaSet's pods: NAME-HASH-RANDOM.
            guard pod.json[path: "metadata", "ownerReferences"]?[0]?["kind"]?.stringValue == "ReplicaSet" else {
                return (
                    pod.namespace, pod.json[path: "metadata", "ownerReferences"]?[0]?["name"]?.stringValue ?? pod.name
                )
            }
            return (pod.namespace, pod.name.split(separator: "-").dropLast(2).joined(separator: "-"))
        }
    }

    /// A machine without a desktop has no browser; the URL is printed in any case.
    private func open(_ url: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/xdg-open")
        process.arguments = [url]
        process.standardError = FileHandle.nullDevice
        try? process.run()
    }
}
