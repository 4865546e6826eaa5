import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// What metrics need of the data plane's parts.
extension Exchange {
    /// The cluster this request went to, or would have gone to had nothing refused it before.
    var metricsCluster: CompiledCluster? {
        if let cluster { return cluster.compiled }
        guard case .forward(let action)? = resolveRoute()?.route.action, case .cluster(let name) = action.cluster else {
            return nil
        }
        return worker.snapshot.clusters[name]
    }

    /// Before any filter: the client's metadata is for the proxy, not for the application.
    func takePeerMetadata() {
        record.peer = worker.metrics.peers.take(
            from: &head.headers, principal: connection.connection.info.peer?.uriNames.first,
            recent: &connection.recentPeer)
        guard case .destination? = connection.manager.stats, worker.metrics.peers.isNameless(record.peer) else {
            return
        }
        let (told, metrics) = (record.peer, worker.metrics)
        if let known = connection.addressPeer, known.told == told, known.epoch == metrics.addressEpoch {
            record.peer = known.index
            return
        }
        let info = connection.connection.info
        record.peer = metrics.peer(at: info.remoteIP, principal: info.peer?.uriNames.first, in: worker.snapshot)
        connection.addressPeer = (told, metrics.addressEpoch, record.peer)
    }

    /// Introduces this proxy to a peer inside the mesh, and to nobody else.
    func addPeerMetadata(to head: inout RequestHead, host: CompiledHost?) {
        guard worker.metrics.introducesItself, let host, cluster?.compiled.isMeshPeer(host) == true else {
            // An earlier try may have gone to a peer inside.
            if attemptCount > 1 {
                head.headers.remove(PeerMetadata.idHeader)
                head.headers.remove(PeerMetadata.header)
            }
            return
        }
        head.headers.set(PeerMetadata.idHeader, worker.metrics.node.id)
        head.headers.set(PeerMetadata.header, worker.metrics.node.header)
    }
}

extension CompiledCluster {
    /// Whether connections to `host` have the mesh's own TLS.
    func isMeshPeer(_ host: CompiledHost) -> Bool {
        host.index.map { meshPeers[$0] } ?? (Self.meshTLS(for: host, of: cluster) != nil)
    }

    func meshTLS(for host: CompiledHost) -> UpstreamTLS? { Self.meshTLS(for: host, of: cluster) }

    /// The TLS of connections to `host` when it is the mesh's own, with the workload certificate.
    static func meshTLS(for host: CompiledHost, of cluster: Cluster) -> UpstreamTLS? {
        guard host.targets.http1.tls != nil else { return nil }
        let metadata = host.endpoint.transportSocketMatch
        let match = cluster.transportSocketMatches.first { $0.match.allSatisfy { metadata[$0.key] == $0.value } }
        let tls = match.map(\.tls) ?? cluster.tls
        return tls?.common.certificates.contains(.workloadCertificate) == true ? tls : nil
    }
}

extension FilterChain {
    /// The filter that asks for metrics of plain connections.
    var statsFilter: StatsFilter? {
        for case .stats(let filter) in filters { return filter }
        return nil
    }
}
