import ArgumentParser
import Foundation
import WeftCore
import WeftKubernetes

/// What rows are ordered by.
enum TrafficOrder: String, ExpressibleByArgument, CaseIterable {
    case rps, errors, p50, p95, p99, bytes

    func value(_ row: TrafficReport.Row) -> Double {
        switch self {
        case .rps: row.requestsPerSecond
        case .errors: row.failuresPerSecond
        case .p50, .p95, .p99: row.latency[rawValue] ?? -1
        case .bytes: row.bytesPerSecond
        }
    }
}

/// What the commands on traffic have in common.
struct TrafficOptions: ParsableArguments {
    @Option(name: [.customShort("w"), .long], help: "Time that rates are taken over, up to now: 30s, 5m, 1h.")
    var window = "1m"
    @Option(name: [.short, .long], help: "Output: table, json or yaml.")
    var output = OutputFormat.table
    @OptionGroup var global: GlobalOptions

    func report(_ view: TrafficReport.View, _ client: KubernetesClient) async throws -> TrafficReport {
        let queries = TrafficReport.queries(view, window: try TrafficWindow(window), namespace: global.namespace)
        let store = TrafficStore(client: client, namespace: global.istioNamespace)
        return TrafficReport(view, try await store.query(queries))
    }

    func show(_ report: TrafficReport) {
        guard output.text(report.json) == nil, report.rows.isEmpty else {
            return print(output.text(report.json) ?? report.table.text)
        }
        let place = global.namespace.map { " into namespace \($0)" } ?? ""
        print("No traffic\(place) in the last \(window).")
    }
}

/// `stat`: requests, failures and latency of what is called.
struct StatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stat",
        abstract: "Show requests, success, latency and mutual TLS of workloads, services or namespaces.",
        discussion: """
            Numbers come from the telemetry store of the control plane, for traffic that arrives. Success leaves out 5xx,
            requests without an answer, and failed gRPC calls.
            Examples:
              weft stat
              weft stat services -n bookinfo --window 5m
              weft stat namespaces -o json
            """)

    @Argument(help: "workloads, services or namespaces.")
    var kind = "workloads"
    @OptionGroup var options: TrafficOptions

    func run() async throws {
        let names = [
            "workloads": TrafficReport.View.workloads, "workload": .workloads, "deploy": .workloads,
            "services": .services, "service": .services, "svc": .services, "namespaces": .namespaces,
            "namespace": .namespaces, "ns": .namespaces,
        ]
        guard let view = names[kind.lowercased()] else {
            throw CommandFailure("\"\(kind)\" is not counted: use workloads, services or namespaces.")
        }
        try await options.global.withClient { options.show(try await options.report(view, $0)) }
    }
}

/// `edges`: who calls whom.
struct EdgesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edges", abstract: "Show who calls whom, with rate, success, latency and mutual TLS.",
        discussion: """
            With -n only calls into that namespace.
            Examples:
              weft edges
              weft edges -n bookinfo -o json
            """)

    @OptionGroup var options: TrafficOptions

    func run() async throws {
        try await options.global.withClient { options.show(try await options.report(.edges, $0)) }
    }
}

/// `top`: the busiest, again and again.
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Show the busiest, slowest or most failing workloads, and keep showing them.",
        discussion: """
            Ends with Ctrl-C. With -o json there is one answer.
            Examples:
              weft top
              weft top --sort p99 --count 5 -n bookinfo
              weft top --edges --once
            """)

    @Option(help: "Order: rps, errors, p50, p95, p99 or bytes.")
    var sort = TrafficOrder.rps
    @Option(help: "Rows.")
    var count = 20
    @Option(help: "Seconds between two looks.")
    var interval = 2.0
    @Flag(help: "Calls between workloads, not workloads.")
    var edges = false
    @Flag(help: "Look once.")
    var once = false
    @OptionGroup var options: TrafficOptions

    func validate() throws {
        guard count > 0 else { throw ValidationError("--count is \(count); show at least one row.") }
        guard (0.5...3600).contains(interval) else { throw ValidationError("--interval is from 0.5 to 3600 seconds.") }
    }

    func run() async throws {
        let view: TrafficReport.View = edges ? .edges : .workloads
        let isRepeated = !once && options.output.text(.null) == nil
        try await options.global.withClient { client in
            while true {
                let report = try await options.report(view, client).top(count, by: sort)
                // Home and clear to the end, as a terminal understands it; a pipe gets one table after the other.
                if isRepeated, isatty(1) == 1 { print("\u{1b}[H\u{1b}[J", terminator: "") }
                options.show(report)
                guard isRepeated else { return }
                fflush(nil)
                try await Task.sleep(for: .seconds(interval))
            }
        }
    }
}
