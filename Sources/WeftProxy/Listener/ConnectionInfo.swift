import NIOCore
import WeftIR
import WeftTransport

/// What is known about a downstream connection; a request reads it, nobody changes it after the handshake.
struct ConnectionInfo {
    /// Counts the connections of this process.
    var id: UInt64 = 0
    var filterChainName = ""
    var localIP = ""
    var localPort: UInt16 = 0
    /// The client, as a PROXY header names it if there was one.
    var remoteIP = ""
    var remotePort: UInt16 = 0
    var remote: SocketAddress?
    /// Who the bytes came from, whatever they said.
    var directRemoteIP = ""
    /// Where the client was heading; the local address when nothing was redirected.
    var destination: SocketAddress?
    var destinationIP = ""
    var destinationPort: UInt16 = 0
    var serverName = ""
    var isTLS = false
    var peer: PeerIdentity?
    /// URI names of the certificate that the client was shown.
    var ownNames: [String] = []
    /// What of a PROXY header may go on to upstreams.
    var proxyValues: [ProxyProtocolTLV] = []

    init(_ channel: any Channel, original: SocketAddress?) {
        localIP = channel.localAddress?.ipAddress ?? ""
        localPort = UInt16(channel.localAddress?.port ?? 0)
        remote = channel.remoteAddress
        remoteIP = remote?.ipAddress ?? ""
        remotePort = UInt16(remote?.port ?? 0)
        directRemoteIP = remoteIP
        destination = original ?? channel.localAddress
        destinationIP = destination?.ipAddress ?? ""
        destinationPort = UInt16(destination?.port ?? 0)
    }

    /// Takes over whom the sender forwards for.
    mutating func apply(_ header: ProxyHeader, passing selection: ProxyProtocolSelection?) {
        if let selection { proxyValues = header.values.filter { selection.includes($0.type) } }
        guard let ends = header.ends else { return }
        remote = ends.source
        remoteIP = ends.source.ipAddress ?? ""
        remotePort = UInt16(ends.source.port ?? 0)
        destination = ends.destination
        destinationIP = ends.destination.ipAddress ?? ""
        destinationPort = UInt16(ends.destination.port ?? 0)
        localIP = destinationIP
        localPort = destinationPort
    }

    /// The header for an upstream connection that this one needs.
    func proxyHeader(_ settings: UpstreamProxyProtocol) -> ByteBuffer {
        var header = ProxyHeader(version: settings.version)
        if let remote, let destination, remote.ipAddress != nil, destination.ipAddress != nil {
            header.ends = .init(source: remote, destination: destination)
        }
        let added = Set(settings.added.map(\.type))
        let passed = settings.passThrough.map { selection in
            proxyValues.filter { selection.includes($0.type) && !added.contains($0.type) }
        }
        header.values = settings.added + (passed ?? [])
        return header.encoded()
    }
}
