import ArgumentParser
import Foundation

/// `dashboard`: opens the mesh's dashboard.
struct DashboardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dashboard", abstract: "Open the dashboard: the live traffic of the mesh.",
        discussion: """
            The names that tutorials use (kiali, grafana, prometheus, jaeger) open the same dashboard.
            Example:
              weft dashboard --no-browser
            """, aliases: ["dash", "d"])

    @Argument(help: "kiali, grafana, prometheus, jaeger: all open Weft's own dashboard.")
    var page: String?
    @OptionGroup var global: GlobalOptions
    @Flag(inversion: .prefixedNo, help: "Open the browser.")
    var browser = true

    func run() async throws {
        let known = ["kiali", "grafana", "prometheus", "jaeger", "controlz", "weft"]
        if let page, !known.contains(page) {
            throw CommandFailure("unknown dashboard \"\(page)\": use one of \(known.joined(separator: ", ")), or none.")
        }
        guard let pid = LocalHome.current().runningNode else {
            throw CommandFailure(
                "no local mesh is running. Start it with 'weft up'; on another cluster run 'kubectl port-forward -n "
                    + "\(global.istioNamespace) deploy/istiod 20001' and open http://127.0.0.1:20001.")
        }
        let port = LocalPorts.read(from: LocalHome.arguments(of: pid))?.dashboardPort ?? 20001
        let url = "http://127.0.0.1:\(port)/"
        print(url)
        if browser { open(url) }
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
