import ArgumentParser
import WeftConfig
import WeftCore

/// `version`: client, control plane, data plane.
struct VersionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Show the versions of the client, the control plane and the proxies.",
        discussion: """
            Example:
              weft version -o json
            """)

    @OptionGroup var global: GlobalOptions
    @Flag(name: [.short, .long], help: "Numbers only.")
    var short = false
    @Flag(inversion: .prefixedNo, help: "Also ask the cluster.")
    var remote = true
    @Option(name: [.short, .long], help: "Output: table, json or yaml.")
    var output = OutputFormat.table

    func run() async throws {
        var report = VersionReport(client: WeftVersion.current)
        if remote {
            let found = try? await global.withClient { client in
                let plane = ControlPlane(client: client, namespace: global.istioNamespace)
                return (try await plane.versions(), try await plane.syncz().map(\.version))
            }
            report.controlPlane = found?.0
            report.dataPlane = found?.1 ?? []
        }
        print(output.text(report.json) ?? (short ? report.numbers : report.text))
    }
}

/// The versions found. Pure.
struct VersionReport {
    var client: String
    /// `nil` when no control plane answered.
    var controlPlane: [String]?
    /// The version of every connected proxy.
    var dataPlane: [String] = []

    private var proxies: [(version: String, count: Int)] {
        Dictionary(grouping: dataPlane) { $0 }.map { ($0.key, $0.value.count) }.sorted { $0.version < $1.version }
    }

    var text: String {
        var lines = ["client version: \(client)"]
        if let controlPlane {
            lines.append("control plane version: \(controlPlane.joined(separator: ", "))")
            let counts = proxies.map { "\($0.version) (\($0.count) \($0.count == 1 ? "proxy" : "proxies"))" }
            lines.append("data plane version: \(counts.isEmpty ? "none" : counts.joined(separator: ", "))")
        } else {
            lines.append("control plane version: none found ('weft up' or 'weft install' starts one)")
        }
        return lines.joined(separator: "\n")
    }

    /// The versions alone, one a line: client, control plane, proxies.
    var numbers: String {
        ([client] + (controlPlane ?? []) + proxies.map(\.version)).joined(separator: "\n")
    }

    var json: JSONValue {
        var value: JSONValue = ["clientVersion": ["version": .string(client)]]
        if let controlPlane {
            value["meshVersion"] = .array(
                controlPlane.map { ["Component": "pilot", "Info": ["version": .string($0)]] })
        }
        value["dataPlaneVersion"] = .array(
            proxies.map { ["IstioVersion": .string($0.version), "count": .int(Int64($0.count))] })
        return value
    }
}
