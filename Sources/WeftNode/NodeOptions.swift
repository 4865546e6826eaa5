package import ArgumentParser

/// `weft-node run`: what the user may choose.
package struct NodeOptions: ParsableArguments, Sendable {
    @Option(help: "Folder of the node's state, kubeconfig and logs.")
    package var home: String

    @Option(help: "Port of the Kubernetes API on 127.0.0.1.")
    package var apiPort: UInt16 = 16443

    @Option(help: "Port of the ingress gateway's HTTP listener on 127.0.0.1.")
    package var httpPort: UInt16 = 8080

    @Option(help: "Port of the ingress gateway's HTTPS listener on 127.0.0.1.")
    package var httpsPort: UInt16 = 8443

    @Option(help: "Port of the dashboard on 127.0.0.1.")
    package var dashboardPort: UInt16 = 20001

    @Option(help: "Folder of Weft's executables; default: the folder of this one.")
    package var binDir: String?

    package init() {}
}

/// The command line of `weft-node`.
struct NodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weft-node", abstract: "The local node: a single-machine Kubernetes for the mesh.",
        discussion: "Started by `weft up`. Example: weft-node run --home ~/.weft", subcommands: [Run.self])

    struct Run: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Run the node until SIGTERM.")
        @OptionGroup var options: NodeOptions
    }
}
