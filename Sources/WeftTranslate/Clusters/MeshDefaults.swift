import WeftConfig
import WeftIR

/// What MeshConfig says for clusters whose DestinationRule says nothing.
struct MeshDefaults {
    private let mesh: MeshConfig

    init(_ mesh: MeshConfig) { self.mesh = mesh }

    func apply(
        to cluster: inout Cluster, service: MeshService, port: MeshService.Port, policy: DestinationRule.TrafficPolicy
    ) {
        if cluster.tcpKeepalive == nil, let keepalive = mesh.tcpKeepalive {
            cluster.tcpKeepalive = Cluster.TCPKeepalive(keepalive)
        }
        switch cluster.discovery {
        case .strictDNS, .logicalDNS: cluster.dnsRefreshMilliseconds = mesh.dnsRefreshRate?.milliseconds ?? 60_000
        default: break
        }
        let pool = policy.connectionPool?.http
        let isFree = (pool?.h2UpgradePolicy ?? .default) == .default && pool?.useClientProtocol != true
        if mesh.h2UpgradePolicy == .upgrade, isFree, port.protocol == .http, !service.isExternal {
            cluster.httpProtocol = .http2
        }
    }
}

extension MeshConfig.TLSConfig {
    /// Lays the lower bound and the cipher suites on TLS settings that do not give them.
    func apply(to tls: inout CommonTLS) {
        switch minProtocolVersion {
        case .tls12: tls.minimumVersion = .v1_2
        case .tls13: tls.minimumVersion = .v1_3
        default: break
        }
        if tls.cipherSuites.isEmpty { tls.cipherSuites = cipherSuites ?? [] }
    }
}
