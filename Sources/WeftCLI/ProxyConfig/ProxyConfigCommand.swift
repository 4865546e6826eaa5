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
            AllCommand.self, BootstrapCommand.self, LogCommand.self,
        ], aliases: ["pc"])

    /// The configuration of one kind of resource: all that differs is in the arguments.
    static func subcommand(_ name: String, _ abstract: String, example: String, aliases: [String])
        -> CommandConfiguration
    {
        CommandConfiguration(
            commandName: name, abstract: abstract, discussion: "Example:\n  weft proxy-config \(example)",
            aliases: aliases)
    }
}

/// Which proxy to ask, and how to print the answer.
struct ProxySelection: ParsableArguments {
    @Argument(help: "POD[.NAMESPACE] or deploy/NAME[.NAMESPACE].")
    var workload: String
    @Option(name: [.short, .long], help: "Output: table, short, json or yaml.")
    var output = OutputFormat.table
    @OptionGroup var global: GlobalOptions

    func withProxy<Value>(_ body: (ProxyAdmin) async throws -> Value) async throws -> Value {
        let reference = try WorkloadReference(workload)
        return try await global.withClient { client in
            let pod = try await reference.pod(client, defaultNamespace: global.chosenNamespace(client))
            return try await body(try ProxyAdmin(client: client, pod: pod))
        }
    }
}

/// Something that a proxy has: for people a table, for programs the resources as the proxy has them.
struct ProxyView {
    var tables: [Table]
    var raw: JSONValue

    init(_ table: Table, raw: [JSONValue]) {
        tables = [table]
        self.raw = .array(raw)
    }

    init(_ tables: [Table], raw: JSONValue) {
        self.tables = tables
        self.raw = raw
    }

    func text(_ output: OutputFormat) -> String {
        guard let structured = output.text(raw) else {
            let isEmpty = tables.allSatisfy(\.rows.isEmpty)
            return isEmpty && !tables.isEmpty
                ? "Nothing matches; without filters the command lists everything."
                : tables.isEmpty ? raw.text(pretty: true) : tables.map(\.text).joined(separator: "\n\n")
        }
        return structured
    }
}

/// A subcommand that asks one proxy and prints one view of the answer.
protocol ProxyViewCommand: AsyncParsableCommand {
    var selection: ProxySelection { get }
    func view(_ proxy: ProxyAdmin) async throws -> ProxyView
}

extension ProxyViewCommand {
    func run() async throws {
        print(try await selection.withProxy { try await view($0) }.text(selection.output))
    }
}

extension ProxyConfigCommand {
    /// `proxy-config clusters`.
    struct ClustersCommand: ProxyViewCommand {
        static let configuration = subcommand(
            "clusters", "Show clusters: the upstream services.",
            example: "clusters deploy/frontend.dev --fqdn backend.dev.svc.cluster.local", aliases: ["cluster", "c"])
        @OptionGroup var selection: ProxySelection
        @Option(help: "Only this service name.")
        var fqdn: String?
        @Option(help: "Only this port.")
        var port: Int?
        @Option(help: "Only this subset.")
        var subset: String?
        @Option(help: "Only this direction: inbound or outbound.")
        var direction: String?

        func view(_ proxy: ProxyAdmin) async throws -> ProxyView {
            let filter = ProxyTables.ClusterFilter(fqdn: fqdn, port: port, subset: subset, direction: direction)
            let dump = try await proxy.dump()
            return ProxyView(
                ProxyTables.clusters(dump, filter: filter),
                raw: dump.clusters.filter { filter.matches($0["name"]?.stringValue ?? "") })
        }
    }

    /// `proxy-config listeners`.
    struct ListenersCommand: ProxyViewCommand {
        static let configuration = subcommand(
            "listeners", "Show listeners and their filter chains.",
            example: "listeners deploy/frontend.dev --port 15006", aliases: ["listener", "l"])
        @OptionGroup var selection: ProxySelection
        @Option(help: "Only this port.")
        var port: Int?
        @Option(help: "Only this address.")
        var address: String?

        func view(_ proxy: ProxyAdmin) async throws -> ProxyView {
            let dump = try await proxy.dump()
            let raw = dump.listeners.filter { listener in
                let socket = listener.field(path: "address", "socket_address")
                return (port == nil || socket?.field("port_value")?.intValue == port)
                    && (address == nil || socket?["address"]?.stringValue == address)
            }
            return ProxyView(ProxyTables.listeners(dump, port: port, address: address), raw: raw)
        }
    }

    /// `proxy-config routes`.
    struct RoutesCommand: ProxyViewCommand {
        static let configuration = subcommand(
            "routes", "Show route configurations and the VirtualServices behind them.",
            example: "routes deploy/productpage-v1.bookinfo --name 9080", aliases: ["route", "r"])
        @OptionGroup var selection: ProxySelection
        @Option(help: "Only the route configuration of this name.")
        var name: String?

        func view(_ proxy: ProxyAdmin) async throws -> ProxyView {
            let dump = try await proxy.dump()
            return ProxyView(
                ProxyTables.routes(dump, name: name),
                raw: dump.routes.filter { name == nil || $0["name"]?.stringValue == name })
        }
    }

    /// `proxy-config endpoints`.
    struct EndpointsCommand: ProxyViewCommand {
        static let configuration = subcommand(
            "endpoints", "Show endpoints and their health.",
            example: "endpoints deploy/frontend.dev --status unhealthy", aliases: ["endpoint", "ep"])
        @OptionGroup var selection: ProxySelection
        @Option(help: "Only this cluster, e.g. 'outbound|80||backend.dev.svc.cluster.local'.")
        var cluster: String?
        @Option(help: "Only this port.")
        var port: Int?
        @Option(help: "Only this health: healthy or unhealthy.")
        var status: String?

        func view(_ proxy: ProxyAdmin) async throws -> ProxyView {
            let clusters = try await proxy.clusters()
            let all = clusters.field("cluster_statuses")?.arrayValue ?? []
            return ProxyView(
                ProxyTables.endpoints(clusters, cluster: cluster, port: port, status: status),
                raw: all.filter { cluster == nil || $0["name"]?.stringValue == cluster })
        }
    }

    /// `proxy-config secret`.
    struct SecretsCommand: ProxyViewCommand {
        static let configuration = subcommand(
            "secret", "Show certificates and trust bundles; never a private key.",
            example: "secret deploy/frontend.dev",
            aliases: ["secrets", "s"])
        @OptionGroup var selection: ProxySelection

        func view(_ proxy: ProxyAdmin) async throws -> ProxyView {
            let dump = try await proxy.dump()
            return ProxyView(ProxyTables.secrets(dump), raw: dump.secrets.map(\.entry))
        }
    }

    /// `proxy-config all`.
    struct AllCommand: ProxyViewCommand {
        static let configuration = subcommand(
            "all", "Show everything: clusters, listeners, routes, endpoints, secrets.",
            example: "all deploy/frontend.dev -o json", aliases: ["a"])
        @OptionGroup var selection: ProxySelection

        func view(_ proxy: ProxyAdmin) async throws -> ProxyView {
            let dump = try await proxy.dump()
            let clusters = try await proxy.clusters()
            let tables = [
                ProxyTables.clusters(dump, filter: ProxyTables.ClusterFilter()),
                ProxyTables.listeners(dump, port: nil, address: nil), ProxyTables.routes(dump, name: nil),
                ProxyTables.endpoints(clusters, cluster: nil, port: nil, status: nil), ProxyTables.secrets(dump),
            ]
            return ProxyView(tables, raw: dump.json)
        }
    }

    /// `proxy-config bootstrap`.
    struct BootstrapCommand: ProxyViewCommand {
        static let configuration = subcommand(
            "bootstrap", "Show what the proxy was started with.", example: "bootstrap deploy/frontend.dev -o yaml",
            aliases: ["b"])
        @OptionGroup var selection: ProxySelection

        func view(_ proxy: ProxyAdmin) async throws -> ProxyView {
            guard let bootstrap = try await proxy.dump().bootstrap else {
                throw CommandFailure(
                    "the proxy's config_dump has no bootstrap section; see 'proxy-config all -o json'.")
            }
            return ProxyView([], raw: bootstrap)
        }
    }

    /// `proxy-config log`.
    struct LogCommand: AsyncParsableCommand {
        static let configuration = subcommand(
            "log", "Show or set the level of the proxy's own log.", example: "log deploy/frontend.dev --level debug",
            aliases: ["o"])
        @OptionGroup var selection: ProxySelection
        @Option(help: "trace, debug, info, warning, error or critical; LOGGER:LEVEL for one of Envoy's loggers.")
        var level: String?

        func run() async throws {
            let query = level.map { ($0.contains(":") ? "?paths=" : "?level=") + $0 } ?? ""
            print(try await selection.withProxy { try await $0.post("/logging\(query)") })
        }
    }
}
