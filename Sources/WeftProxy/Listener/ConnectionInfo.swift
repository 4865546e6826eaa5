import NIOCore
import WeftTransport

/// What is known about a downstream connection; a request reads it, nobody changes it after the handshake.
struct ConnectionInfo {
    /// Counts the connections of this process.
    var id: UInt64 = 0
    var filterChainName = ""
    var localIP = ""
    var localPort: UInt16 = 0
    var remoteIP = ""
    var remotePort: UInt16 = 0
    /// Where the client was heading; the local address when nothing was redirected.
    var destination: SocketAddress?
    var destinationIP = ""
    var destinationPort: UInt16 = 0
    var serverName = ""
    var isTLS = false
    var peer: PeerIdentity?

    init(_ channel: any Channel, original: SocketAddress?) {
        localIP = channel.localAddress?.ipAddress ?? ""
        localPort = UInt16(channel.localAddress?.port ?? 0)
        remoteIP = channel.remoteAddress?.ipAddress ?? ""
        remotePort = UInt16(channel.remoteAddress?.port ?? 0)
        destination = original ?? channel.localAddress
        destinationIP = destination?.ipAddress ?? ""
        destinationPort = UInt16(destination?.port ?? 0)
    }
}
