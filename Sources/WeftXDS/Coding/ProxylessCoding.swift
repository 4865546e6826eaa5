package import SwiftProtobuf
package import WeftIR
import WeftProto

/// TLS and listeners in the form that gRPC's own xDS client and server read (gRFC A29, A36, A41).
///
/// gRPC has no SDS: certificates come from a provider that the bootstrap names. What of TLS it does not know (versions,
/// ciphers, protocols) it refuses, so that is left out.
extension XDSEncoder {
    /// The provider of the bootstrap that Istio's agent writes, and what it is asked for.
    private static let provider = "default"

    /// A cluster whose ``Cluster/tls`` is the mesh's own.
    package func encodeProxyless(_ cluster: Cluster) throws -> Google_Protobuf_Any {
        var wire = try cluster.wire(target)
        if let tls = cluster.tls {
            var context = WireUpstreamTLS()
            context.commonTlsContext = Self.common(tls.common, namesPeers: true)
            wire.transportSocket = try Self.socket(context)
        }
        return try pack(wire)
    }

    /// A listener of a gRPC server: its chains have one connection manager each, whose filters are all that counts. The
    /// server answers by itself whatever they let pass.
    package func encodeProxyless(_ listener: Listener) throws -> Google_Protobuf_Any {
        var wire = try listener.wire(target)
        for (index, chain) in listener.filterChains.enumerated() {
            wire.filterChains[index].filters = try chain.filters.map { try Self.serverFilter($0, target) }
            guard let tls = chain.tls else { continue }
            var context = WireDownstreamTLS()
            context.commonTlsContext = Self.common(tls.common, namesPeers: false)
            context.requireClientCertificate = .init(tls.requireClientCertificate)
            wire.filterChains[index].transportSocket = try Self.socket(context)
        }
        return try pack(wire)
    }

    private static func common(_ tls: CommonTLS, namesPeers: Bool) -> WireCommonTLS {
        var wire = WireCommonTLS()
        wire.tlsCertificateProviderInstance.instanceName = provider
        wire.tlsCertificateProviderInstance.certificateName = "default"
        wire.validationContext.caCertificateProviderInstance.instanceName = provider
        wire.validationContext.caCertificateProviderInstance.certificateName = "ROOTCA"
        // A server refuses names here: who may call is for its access rules to say.
        if namesPeers {
            // Some implementations read the old field alone, some the new one first.
            wire.validationContext.matchSubjectAltNames = tls.subjectAltNames.map { $0.matcher.wire() }
            wire.validationContext.matchTypedSubjectAltNames = tls.rules.wire().matchTypedSubjectAltNames
        }
        return wire
    }

    private static func socket(_ context: some Message) throws -> Core.TransportSocket {
        var socket = Core.TransportSocket()
        socket.name = "envoy.transport_sockets.tls"
        socket.typedConfig = try pack(context)
        return socket
    }

    private static func serverFilter(_ filter: NetworkFilter, _ target: Target) throws
        -> Envoy_Config_Listener_V3_Filter
    {
        guard case .httpConnectionManager(let manager) = filter, var wire = try filter.wire(target) else {
            throw XDSDecodingError(resource: "listener", field: "filters", reason: "gRPC servers have HTTP alone")
        }
        var settings = WireManager()
        settings.statPrefix = manager.statPrefix
        settings.httpFilters = try manager.filters.compactMap { try $0.wire(target) }
        var route = WireRoute.Route()
        route.match.prefix = "/"
        route.nonForwardingAction = .init()
        var host = WireRoute.VirtualHost()
        host.name = "inbound"
        host.domains = ["*"]
        host.routes = [route]
        settings.routeConfig.name = manager.statPrefix
        settings.routeConfig.virtualHosts = [host]
        wire.typedConfig = try pack(settings)
        return wire
    }
}
