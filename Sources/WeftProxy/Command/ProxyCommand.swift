import ArgumentParser
import CWeftLinux
import WeftCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The root command of `weft-proxy`.
struct ProxyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weft-proxy", abstract: "Weft's data plane: sidecar, ingress and egress gateway.",
        version: WeftVersion.current,
        subcommands: [
            BootstrapCommand.self, ProxyRun.self, MachineCommand.self, AdminRequestCommand.self, IstioIPTables.self,
        ],
        defaultSubcommand: BootstrapCommand.self)

}

/// Installs the redirect rules of a sidecar in the current network namespace.
struct IstioIPTables: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "istio-iptables",
        abstract: "Redirect the pod's traffic to the proxy. Takes Istio's flags, writes nftables rules.",
        discussion:
            "Example: weft-proxy istio-iptables -p 15001 -z 15006 -u 1337 -m REDIRECT -i '*' -b '*' -d 15090,15021,15020"
    )

    @Option(name: [.customShort("p"), .customLong("envoy-port")], help: "Port that takes outbound connections.")
    var outboundPort: UInt16 = 15001
    @Option(
        name: [.customShort("z"), .customLong("inbound-capture-port")], help: "Port that takes inbound connections.")
    var inboundPort: UInt16 = 15006
    @Option(
        name: [.customShort("u"), .customLong("proxy-uid")], help: "User of the proxy, whose own traffic is left alone."
    )
    var proxyUser: UInt32 = 1337
    @Option(name: [.customShort("g"), .customLong("proxy-gid")], help: "Group of the proxy.")
    var proxyGroup: UInt32 = 1337
    @Option(name: [.customShort("m"), .customLong("istio-inbound-interception-mode")], help: "REDIRECT.")
    var mode = "REDIRECT"
    @Option(
        name: [.customShort("i"), .customLong("istio-service-cidr")],
        help: "Ranges whose traffic is redirected, or '*'.")
    var includeOutbound = "*"
    @Option(name: [.customShort("x"), .customLong("istio-service-exclude-cidr")], help: "Ranges that are left alone.")
    var excludeOutbound = ""
    @Option(name: [.customShort("b"), .customLong("istio-inbound-ports")], help: "Inbound ports to redirect, or '*'.")
    var includeInbound = "*"
    @Option(name: [.customShort("d"), .customLong("istio-local-exclude-ports")], help: "Inbound ports to leave alone.")
    var excludeInbound = ""
    @Option(name: [.customShort("q"), .customLong("istio-outbound-ports")], help: "Outbound ports to redirect always.")
    var includeOutboundPorts = ""
    @Option(
        name: [.customShort("o"), .customLong("istio-local-outbound-ports-exclude")],
        help: "Outbound ports to leave alone.")
    var excludeOutboundPorts = ""
    @Flag(name: .customLong("redirect-dns"), help: "Redirect DNS questions to the proxy, on port 15053.")
    var redirectsDNS = false
    @Flag(name: .customLong("dry-run"), help: "Print the rules and change nothing.")
    var isDryRun = false
    @Flag(name: .customLong("cleanup"), help: "Remove the rules.")
    var isCleanup = false

    func run() throws {
        guard mode == "REDIRECT" else {
            throw ValidationError("interception mode \(mode) is not supported; use -m REDIRECT")
        }
        var rules = CaptureRules(
            outboundPort: outboundPort, inboundPort: inboundPort, proxyUser: proxyUser, proxyGroup: proxyGroup,
            includeOutboundRanges: includeOutbound, excludeOutboundRanges: excludeOutbound,
            includeInboundPorts: includeInbound,
            excludeInboundPorts: excludeInbound, includeOutboundPorts: includeOutboundPorts,
            excludeOutboundPorts: excludeOutboundPorts)
        if redirectsDNS { rules.dnsPort = UInt16(NameServer.standardPort) }
        let problems = rules.problems()
        guard problems.isEmpty else { throw ValidationError(problems.joined(separator: "\n")) }
        let script = isCleanup ? CaptureRules.removal : rules.script()
        if isDryRun { return print(script, terminator: "") }
        try NFTables.apply(script)
    }
}

/// What the executable calls.
package enum ProxyMain {
    package static func run() async {
        #if !DEBUG
        weft_stop_exclusivity_checks()
        #endif
        await ProxyCommand.main()
    }
}
