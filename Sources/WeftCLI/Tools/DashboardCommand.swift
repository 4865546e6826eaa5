import ArgumentParser
import Foundation
import Glibc
import NIOCore
import WeftConfig
import WeftCore
import WeftKubernetes

/// `dashboard`: opens the page of the mesh's dashboard that answers what another tool would.
struct DashboardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dashboard", abstract: "Open the dashboard: the live traffic of the mesh.",
        discussion: """
            The names that tutorials use open the real tool where it is installed and ready, found by its Service and
            reached through the API server until Ctrl-C; else the page that answers the same need: kiali the graph, grafana
            and prometheus the metrics, jaeger and zipkin the traces, envoy POD that pod's proxy, controlz the control
            plane. --own opens that page in any case. The address is printed in any case.
            Examples:
              weft dashboard
              weft dashboard jaeger --browser=false
              weft dashboard grafana -n monitoring --port 3001
              weft dashboard kiali --own
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
    @Option(
        name: .shortAndLong,
        help: "Port on 127.0.0.1 for what is reached through the API server; default: the tool's own if it is free.")
    var port: Int?
    @Flag(help: "Weft's own page, also where the tool is installed.")
    var own = false

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
        if let page, !own, InstalledTool.isTool(page), let tool = await installed(page) {
            do {
                return try await global.withClient { client in
                    try await show(
                        "\(page) of \(tool.namespace)/\(tool.service)", client, tool.namespace, tool.pod, tool.port,
                        local: tool.usualPort)
                }
            } catch let failure as CommandFailure {
                warn(
                    "\(page) is installed as \(tool.namespace)/\(tool.service), but cannot be reached: "
                        + "\(failure.description) Here is Weft's own page:")
            }
        }
        let place = try Self.place(page, workload: await owner())
        guard let pid = LocalHome.current().runningNode else { return try await throughTheServer(place) }
        let port = LocalPorts.read(from: LocalHome.arguments(of: pid))?.dashboardPort ?? 20001
        let url = "http://127.0.0.1:\(port)/\(place)"
        print(url)
        if browser, !noBrowser { Self.open(url) }
    }

    /// The tool in the cluster; `nil` where there is none, or where nobody may look.
    private func installed(_ page: String) async -> InstalledTool? {
        try? await global.withClient { client in
            let services = try await client.list(.services).items
            var pods: [KubernetesObject] = []
            for namespace in InstalledTool.namespaces(page, services: services) {
                pods += try await client.list(.pods, namespace: namespace).items
            }
            return InstalledTool.find(
                page, services: services, pods: pods,
                first: [global.namespace, global.istioNamespace].compactMap { $0 })
        }
    }

    /// The dashboard of a mesh that is not on this machine.
    private func throughTheServer(_ place: String) async throws {
        try await global.withClient { client in
            guard let pod = try await ControlPlane(client: client, namespace: global.istioNamespace).pods().first else {
                return
            }
            try await show(
                "the dashboard of \(global.istioNamespace)/\(pod)", client, global.istioNamespace, pod, 20001,
                local: 20001,
                place: place)
        }
    }

    /// Carries a port of this machine to the pod's, and opens it, until Ctrl-C.
    private func show(
        _ what: String, _ client: KubernetesClient, _ namespace: String, _ pod: String, _ target: Int, local: Int,
        place: String = ""
    ) async throws {
        let opens = browser && !noBrowser
        let carry: @Sendable (Int) async throws -> Void = { local in
            try await client.forward(
                namespace: namespace, pod: pod, port: target, from: local,
                listening: { port in
                    print("http://127.0.0.1:\(port)/\(place)")
                    print("This is \(what), through the API server; Ctrl-C ends it.")
                    // Who reads it from a pipe waits for it.
                    fflush(nil)
                    if opens { Self.open("http://127.0.0.1:\(port)/\(place)") }
                },
                failed: { FileHandle.standardError.write(Data("weft: \(what): \($0)\n".utf8)) })
        }
        let chosen = port
        _ = try await Interrupts().race {
            do {
                try await carry(chosen ?? local)
            } catch let error as IOError where error.errnoCode == EADDRINUSE && chosen == nil {
                try await carry(0)
            } catch let error as IOError where error.errnoCode == EADDRINUSE {
                throw CommandFailure("port \(chosen ?? local) of 127.0.0.1 is taken; choose another with --port.")
            }
        }
    }

    private func warn(_ text: String) { FileHandle.standardError.write(Data("weft: \(text)\n".utf8)) }

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
    private static func open(_ url: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/xdg-open")
        process.arguments = [url]
        process.standardError = FileHandle.nullDevice
        try? process.run()
    }
}
