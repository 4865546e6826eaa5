import FoundationEssentials
import Logging
import WeftADS
import WeftIR
import WeftXDS

/// What of a bootstrap comes from a management server: listeners, clusters and what they or static ones name, over ADS.
struct StandaloneDiscovery: Sendable {
    private var configuration: ADSClient.Configuration
    private let base: ProxyConfiguration
    /// The static cluster that the server is reached through.
    private let cluster: String

    /// - Returns: `nil` if everything is static or in files.
    /// - Throws: ``BootstrapError`` for sources that are not supported.
    init?(_ bootstrap: Bootstrap) throws(BootstrapError) {
        func unsupported(_ what: String) -> BootstrapError { BootstrapError(lines: ["dynamic_resources: \(what)"]) }
        if bootstrap.listeners?.isOwnServer == true || bootstrap.clusters?.isOwnServer == true {
            throw unsupported("api_config_source for listeners or clusters alone is not supported; use ads or a file")
        }
        guard let server = bootstrap.ads else {
            let wanted = bootstrap.configuration.references.filter { !$0.value.isEmpty }
            guard let (type, names) = wanted.min(by: { $0.key < $1.key }) else { return nil }
            throw unsupported("ads_config is missing, and \(type.shortName) of \(names.sorted()[0]) comes by ads")
        }
        let cluster = bootstrap.configuration.clusters[server.cluster]
        guard case let (host, port)? = cluster?.endpoints?.localities.first?.endpoints.first?.address.hostAndPort else {
            throw unsupported("cluster \(server.cluster) needs an endpoint with an address and a port")
        }
        if cluster?.transportSocketMatches.isEmpty == false {
            throw unsupported("cluster \(server.cluster): transport_socket_matches to the server are not supported")
        }
        var node = ADSNode(id: bootstrap.node.id, cluster: bootstrap.node.cluster)
        node.metadata = bootstrap.node.metadata
        configuration = ADSClient.Configuration(host: host, port: Int(port), node: node)
        configuration.serverName = host
        configuration.isDelta = server.isDelta
        configuration.headers = server.metadata
        configuration.base = bootstrap.configuration
        configuration.runtime = RuntimeValues(bootstrap.runtime)
        configuration.wildcards = [
            bootstrap.clusters == .ads ? .cluster : nil, bootstrap.listeners == .ads ? .listener : nil,
        ].compactMap { $0 }
        base = bootstrap.configuration
        self.cluster = server.cluster
        if let tls = cluster?.tls { try useNames(of: tls) }
    }

    /// - Throws: ``BootstrapError`` for names that the client cannot check.
    private mutating func useNames(of tls: UpstreamTLS) throws(BootstrapError) {
        if !tls.sni.isEmpty { configuration.serverName = tls.sni }
        guard tls.common.validation != nil else {
            throw BootstrapError(lines: [
                "cluster \(cluster): TLS to the management server needs a validation_context with trusted_ca"
            ])
        }
        configuration.verifiesName = false
        switch tls.common.subjectAltNames.count {
        case 0: return
        case 1:
            if case .exact(let name) = tls.common.subjectAltNames[0].matcher.pattern,
                tls.common.subjectAltNames[0].kind == .dns, tls.sni.isEmpty || tls.sni == name
            {
                configuration.serverName = name
                configuration.verifiesName = true
                return
            }
        default: break
        }
        throw BootstrapError(lines: [
            "cluster \(cluster): of the management server's certificate one exact DNS name that equals sni can be matched"
        ])
    }

    /// The static configuration without the listeners that wait for what comes from the server.
    func startingConfiguration(_ all: ProxyConfiguration) -> ProxyConfiguration {
        var result = all
        result.listeners = all.listeners.filter { _, listener in
            var alone = ProxyConfiguration()
            alone.listeners[listener.name] = listener
            let references = alone.references
            return references[.route]?.isEmpty != false && references[.scope] == nil
        }
        return result
    }

    /// Runs until the task is cancelled.
    func run(_ plane: DataPlane, _ status: AgentStatus, _ logger: Logger) async {
        let receiver = ConfigurationReceiver(
            plane: plane, status: status, logger: logger, base: base, needs: Set(configuration.wildcards))
        var configuration = configuration
        if base.clusters[cluster]?.tls != nil { useSecrets(of: plane, &configuration) }
        await ADSClient(configuration, delegate: receiver, logger: logger).run()
    }

    /// Certificates are taken from the configuration in force at each connect, so that renewed ones are in use then.
    private func useSecrets(of plane: DataPlane, _ configuration: inout ADSClient.Configuration) {
        @Sendable func content(_ reference: SecretReference?) throws -> Secret.Content {
            guard let reference, let secret = plane.snapshot.configuration.secrets[reference.name] else {
                throw BootstrapError(lines: ["cluster \(cluster): secret \(reference?.name ?? "") is not there"])
            }
            return secret.content
        }
        @Sendable func tls() -> CommonTLS? { plane.snapshot.configuration.clusters[cluster]?.tls?.common }
        configuration.roots = {
            guard case .validation(let pem, _, _) = try content(tls()?.validation) else { return "" }
            return pem
        }
        guard base.clusters[cluster]?.tls?.common.certificates.isEmpty == false else { return }
        configuration.identity = {
            guard case .certificate(let chain, let key) = try content(tls()?.certificates.first) else {
                return ("", "")
            }
            return (chain, String(decoding: key.bytes, as: UTF8.self))
        }
    }
}

extension Bootstrap.Source {
    fileprivate var isOwnServer: Bool { if case .server = self { true } else { false } }
    /// The file, for sources that are one.
    var file: String? { if case .path(let path) = self { path } else { nil } }
}

extension Address {
    fileprivate var hostAndPort: (String, UInt16)? {
        switch self {
        case .ip(let host, let port), .hostname(let host, let port): (host, port)
        case .unix, .internalListener: nil
        }
    }
}
