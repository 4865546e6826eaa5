import ArgumentParser
import WeftConfig
import WeftCore
import WeftKubernetes

/// `proxy-config`: what a proxy has in force.
struct ProxyConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "proxy-config", abstract: "Show the configuration that a proxy has in force.",
        discussion: """
            Examples:
              weft proxy-config routes deploy/productpage-v1.bookinfo
              weft pc clusters productpage-v1-6b7f6db5c5-x2x8v.bookinfo -o json
            """,
        subcommands: [
            ClustersCommand.self, ListenersCommand.self, RoutesCommand.self, EndpointsCommand.self, SecretsCommand.self,
            AllCommand.self, BootstrapCommand.self,
        ], aliases: ["pc"])
}

/// Which proxy to ask, and how to print the answer.
struct ProxySelection: ParsableArguments {
    @Argument(help: "POD[.NAMESPACE] or deploy/NAME[.NAMESPACE].")
    var workload: String
    @Option(name: [.short, .long], help: "Output: table, short, json or yaml.")
    var output = OutputFormat.table
    @OptionGroup var global: GlobalOptions

    func withProxy(_ body: (ProxyAdmin) async throws -> Void) async throws {
        let reference = try WorkloadReference(workload)
        try await global.withClient { client in
            let pod = try await reference.pod(client, defaultNamespace: global.chosenNamespace(client))
            try await body(try ProxyAdmin(client: client, pod: pod))
        }
    }

    /// The table, or the raw resources as the proxy has them.
    func show(_ table: @autoclosure () -> Table, raw: @autoclosure () -> JSONValue) {
        switch output {
        case .json: print(raw().text(pretty: true))
        case .yaml: print(YAMLWriter.text(raw()), terminator: "")
        case .table, .short, .log:
            let table = table()
            print(table.rows.isEmpty ? "Nothing matches; without filters the command lists everything." : table.text)
        }
    }
}

extension ProxyConfigCommand {
    /// `proxy-config clusters`.
    struct ClustersCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "clusters", abstract: "Show clusters: the upstream services.",
            discussion:
                "Example:\n  weft proxy-config clusters deploy/frontend.dev --fqdn backend.dev.svc.cluster.local",
            aliases: ["cluster", "c"])
        @OptionGroup var selection: ProxySelection
        @Option(help: "Only this service name.")
        var fqdn: String?
        @Option(help: "Only this port.")
        var port: Int?
        @Option(help: "Only this subset.")
        var subset: String?
        @Option(help: "Only this direction: inbound or outbound.")
        var direction: String?

        func run() async throws {
            let filter = ProxyTables.ClusterFilter(fqdn: fqdn, port: port, subset: subset, direction: direction)
            try await selection.withProxy { proxy in
                let dump = ProxyDump(json: try await proxy.get("/config_dump"))
                selection.show(
                    ProxyTables.clusters(dump, filter: filter),
                    raw: .array(dump.clusters.filter { filter.matches($0["name"]?.stringValue ?? "") }))
            }
        }
    }

    /// `proxy-config listeners`.
    struct ListenersCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "listeners", abstract: "Show listeners and their filter chains.",
            discussion: "Example:\n  weft proxy-config listeners deploy/frontend.dev --port 15006",
            aliases: ["listener", "l"])
        @OptionGroup var selection: ProxySelection
        @Option(help: "Only this port.")
        var port: Int?
        @Option(help: "Only this address.")
        var address: String?

        func run() async throws {
            try await selection.withProxy { proxy in
                let dump = ProxyDump(json: try await proxy.get("/config_dump"))
                let raw = dump.listeners.filter { listener in
                    let socket = listener.field(path: "address", "socket_address")
                    return (port == nil || socket?.field("port_value")?.intValue == port)
                        && (address == nil || socket?["address"]?.stringValue == address)
                }
                selection.show(ProxyTables.listeners(dump, port: port, address: address), raw: .array(raw))
            }
        }
    }

    /// `proxy-config routes`.
    struct RoutesCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "routes", abstract: "Show route configurations and the VirtualServices behind them.",
            discussion: "Example:\n  weft proxy-config routes deploy/productpage-v1.bookinfo --name 9080",
            aliases: ["route", "r"])
        @OptionGroup var selection: ProxySelection
        @Option(help: "Only the route configuration of this name.")
        var name: String?

        func run() async throws {
            try await selection.withProxy { proxy in
                let dump = ProxyDump(json: try await proxy.get("/config_dump"))
                selection.show(
                    ProxyTables.routes(dump, name: name),
                    raw: .array(dump.routes.filter { name == nil || $0["name"]?.stringValue == name }))
            }
        }
    }

    /// `proxy-config endpoints`.
    struct EndpointsCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "endpoints", abstract: "Show endpoints and their health.",
            discussion: "Example:\n  weft proxy-config endpoints deploy/frontend.dev --status unhealthy",
            aliases: ["endpoint", "ep"])
        @OptionGroup var selection: ProxySelection
        @Option(help: "Only this cluster, e.g. 'outbound|80||backend.dev.svc.cluster.local'.")
        var cluster: String?
        @Option(help: "Only this port.")
        var port: Int?
        @Option(help: "Only this health: healthy or unhealthy.")
        var status: String?

        func run() async throws {
            try await selection.withProxy { proxy in
                let clusters = try await proxy.get("/clusters?format=json")
                let all = clusters.field("cluster_statuses")?.arrayValue ?? []
                selection.show(
                    ProxyTables.endpoints(clusters, cluster: cluster, port: port, status: status),
                    raw: .array(all.filter { cluster == nil || $0["name"]?.stringValue == cluster }))
            }
        }
    }

    /// `proxy-config secret`.
    struct SecretsCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "secret", abstract: "Show certificates and trust bundles; never a private key.",
            discussion: "Example:\n  weft proxy-config secret deploy/frontend.dev", aliases: ["secrets", "s"])
        @OptionGroup var selection: ProxySelection

        func run() async throws {
            try await selection.withProxy { proxy in
                let dump = ProxyDump(json: try await proxy.get("/config_dump"))
                let certificates = try? await proxy.get("/certs")
                selection.show(
                    ProxyTables.secrets(dump, certificates: certificates), raw: .array(dump.secrets.map(\.entry)))
            }
        }
    }

    /// `proxy-config all`.
    struct AllCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "all", abstract: "Show everything: clusters, listeners, routes, endpoints, secrets.",
            discussion: "Example:\n  weft proxy-config all deploy/frontend.dev -o json", aliases: ["a"])
        @OptionGroup var selection: ProxySelection

        func run() async throws {
            try await selection.withProxy { proxy in
                let dump = ProxyDump(json: try await proxy.get("/config_dump"))
                guard selection.output == .table || selection.output == .short else {
                    return selection.show(Table([]), raw: dump.json)
                }
                let clusters = try await proxy.get("/clusters?format=json")
                let certificates = try? await proxy.get("/certs")
                let tables = [
                    ProxyTables.clusters(dump, filter: ProxyTables.ClusterFilter()),
                    ProxyTables.listeners(dump, port: nil, address: nil), ProxyTables.routes(dump, name: nil),
                    ProxyTables.endpoints(clusters, cluster: nil, port: nil, status: nil),
                    ProxyTables.secrets(dump, certificates: certificates),
                ]
                print(tables.map(\.text).joined(separator: "\n\n"))
            }
        }
    }

    /// `proxy-config bootstrap`.
    struct BootstrapCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "bootstrap", abstract: "Show what the proxy was started with.",
            discussion: "Example:\n  weft proxy-config bootstrap deploy/frontend.dev -o yaml", aliases: ["b"])
        @OptionGroup var selection: ProxySelection

        func run() async throws {
            try await selection.withProxy { proxy in
                let dump = ProxyDump(json: try await proxy.get("/config_dump"))
                guard let bootstrap = dump.bootstrap else {
                    throw CommandFailure(
                        "the proxy's config_dump has no bootstrap section; see 'proxy-config all -o json'.")
                }
                if selection.output == .yaml {
                    print(YAMLWriter.text(bootstrap), terminator: "")
                } else {
                    print(bootstrap.text(pretty: true))
                }
            }
        }
    }
}
