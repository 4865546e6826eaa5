import WeftConfig
import WeftCore
import WeftIR

/// Where traffic goes that is for no service of the registry (`outboundTrafficPolicy`).
extension Scope {
    /// A cluster, and the Sidecar that names it if one does.
    struct UnknownDestination {
        var cluster: String
        var provenance: Provenance?
    }

    /// The Sidecar's mode, else the mesh's, else ALLOW_ANY.
    var outboundMode: Sidecar.OutboundMode {
        sidecar?.spec.outboundTrafficPolicy?.mode ?? mesh.outboundTrafficPolicy?.mode ?? .allowAny
    }

    /// For connections, and for what is not HTTP.
    var unknownTCP: UnknownDestination {
        guard outboundMode != .registryOnly else { return UnknownDestination(cluster: ClusterName.blackHole) }
        if let egressProxy { return egressProxy }
        return UnknownDestination(
            cluster: knowsOriginalDestination ? ClusterName.passthrough : ClusterName.blackHole)
    }

    /// For requests, whose host says more than the connection's address.
    var unknownHTTP: UnknownDestination {
        if outboundMode == .allowAnyDynamicDNS, egressProxy == nil {
            return UnknownDestination(cluster: ClusterName.dynamicDNS)
        }
        return unknownTCP
    }

    /// `egressProxy`: the service that unknown traffic goes through.
    private var egressProxy: UnknownDestination? {
        guard let sidecar, let target = sidecar.spec.outboundTrafficPolicy?.egressProxy, let name = target.host else {
            return nil
        }
        let host = MeshSnapshot.resolve(host: name, namespace: sidecar.namespace)
        let only = service(host: host)?.ports
        let port = target.port?.number ?? (only?.count == 1 ? only?.first?.number : nil) ?? 0
        return UnknownDestination(
            cluster: ClusterName.outbound(port: port, subset: target.subset ?? "", host: host),
            provenance: Provenance(sidecar.resource))
    }
}
