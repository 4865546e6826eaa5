import FoundationEssentials
import Logging
import WeftADS
import WeftIR

/// `dynamic_resources` of a bootstrap: listeners, clusters and what they name, over delta ADS.
struct StandaloneDiscovery: Sendable {
    private let configuration: ADSClient.Configuration
    private let base: ProxyConfiguration

    /// - Returns: `nil` if everything is static.
    /// - Throws: ``BootstrapError`` for sources that are not supported.
    init?(_ bootstrap: Bootstrap) throws(BootstrapError) {
        guard bootstrap.ads != nil || bootstrap.listeners != nil || bootstrap.clusters != nil else { return nil }
        func unsupported(_ what: String) -> BootstrapError { BootstrapError(lines: ["dynamic_resources: \(what)"]) }
        guard let server = bootstrap.ads, bootstrap.listeners == .ads, bootstrap.clusters == .ads else {
            throw unsupported("only ads_config with both lds_config and cds_config from ads is supported")
        }
        guard server.isDelta else { throw unsupported("ads_config: use api_type DELTA_GRPC; GRPC is not supported") }
        guard server.metadata.isEmpty else { throw unsupported("ads_config: initial_metadata is not supported") }
        let cluster = bootstrap.configuration.clusters[server.cluster]
        guard cluster?.tls == nil, cluster?.transportSocketMatches.isEmpty != false else {
            throw unsupported("cluster \(server.cluster): TLS to the control plane is not supported")
        }
        switch cluster?.endpoints?.localities.first?.endpoints.first?.address {
        case .ip(let host, let port), .hostname(let host, let port):
            var node = ADSNode(id: bootstrap.node.id, cluster: bootstrap.node.cluster)
            node.metadata = bootstrap.node.metadata
            var configuration = ADSClient.Configuration(host: host, port: Int(port), node: node)
            configuration.serverName = host
            self.configuration = configuration
        case .unix, .internalListener, nil:
            throw unsupported("cluster \(server.cluster) needs an endpoint with an address and a port")
        }
        base = bootstrap.configuration
    }

    /// Runs until the task is cancelled.
    func run(_ plane: DataPlane, _ status: AgentStatus, _ logger: Logger) async {
        let receiver = ConfigurationReceiver(plane: plane, status: status, logger: logger, base: base)
        await ADSClient(configuration, delegate: receiver, logger: logger).run()
    }
}
