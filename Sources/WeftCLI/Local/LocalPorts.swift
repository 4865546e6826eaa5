import ArgumentParser

/// The ports that a local mesh takes on 127.0.0.1.
struct LocalPorts: ParsableArguments {
    @Option(help: "Port of the Kubernetes API on 127.0.0.1.")
    var apiPort: UInt16 = 16443

    @Option(help: "Port of the ingress gateway's HTTP listener on 127.0.0.1.")
    var httpPort: UInt16 = 8080

    @Option(help: "Port of the ingress gateway's HTTPS listener on 127.0.0.1.")
    var httpsPort: UInt16 = 8443

    @Option(help: "Port of the dashboard on 127.0.0.1.")
    var dashboardPort: UInt16 = 20001

    /// The ports in a running node's command line; the defaults for those that it does not name.
    static func read(from arguments: [String]) -> LocalPorts? {
        let options = ["--api-port", "--http-port", "--https-port", "--dashboard-port"]
        var chosen: [String] = []
        for (name, value) in zip(arguments, arguments.dropFirst()) where options.contains(name) {
            chosen += [name, value]
        }
        return try? LocalPorts.parse(chosen)
    }

    var arguments: [String] {
        [
            "--api-port", String(apiPort), "--http-port", String(httpPort), "--https-port", String(httpsPort),
            "--dashboard-port", String(dashboardPort),
        ]
    }

    /// Each port with the option that changes it.
    var all: [(option: String, port: UInt16)] {
        [
            ("--api-port", apiPort), ("--http-port", httpPort), ("--https-port", httpsPort),
            ("--dashboard-port", dashboardPort),
        ]
    }
}
