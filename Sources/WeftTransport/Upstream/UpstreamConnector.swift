package import NIOCore
import NIOPosix
package import NIOSSL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// How to reach one endpoint: address, optional TLS, optional local address. Made once per snapshot and host.
package struct UpstreamTarget: Sendable {
    package var address: SocketAddress
    package var tls: UpstreamTLSContext?
    package var bindAddress: SocketAddress?
    package var connectTimeout: TimeAmount
    package var keepAlive: Bool
    /// Bytes that may wait to be sent before whoever brings them is no longer read from; `nil` is 256 KiB.
    package var bufferLimit: Int?
    /// Goes out first when no client stands behind the connection: the PROXY header of the proxy itself.
    package var ownHeader: ByteBuffer?
    /// Probes before giving up, and seconds before the first one and between them; `nil` is the system's.
    package var keepAliveProbes: UInt32?
    package var keepAliveTime: UInt32?
    package var keepAliveInterval: UInt32?

    package init(
        address: SocketAddress, tls: UpstreamTLSContext? = nil, bindAddress: SocketAddress? = nil,
        connectTimeout: TimeAmount = .seconds(5), keepAlive: Bool = false, bufferLimit: Int? = nil,
        ownHeader: ByteBuffer? = nil
    ) {
        self.bufferLimit = bufferLimit
        self.ownHeader = ownHeader
        self.address = address
        self.tls = tls
        self.bindAddress = bindAddress
        self.connectTimeout = connectTimeout
        self.keepAlive = keepAlive
    }
}

extension UpstreamTarget {
    fileprivate var waterMark: ChannelOptions.Types.WriteBufferWaterMark {
        let high = max(2, bufferLimit ?? 256 << 10)
        return .init(low: bufferLimit == nil ? 64 << 10 : high / 2, high: high)
    }
}

/// A TLS client context with what must be true of the peer.
package struct UpstreamTLSContext: Sendable {
    package var context: NIOSSLContext
    /// Empty sends no server name.
    package var serverName: String
    /// True when the peer's names are acceptable; asked before a byte is sent to it.
    package var accepts: @Sendable (PeerIdentity?) -> Bool
    /// The same where the certificate must be for one name.
    package var acceptsName: @Sendable (PeerIdentity?, String) -> Bool
    /// The certificate must be for ``serverName``, or for ``expectedName`` if there is one.
    package var validatesServerName = false
    package var expectedName: String?

    package init(
        context: NIOSSLContext, serverName: String, accepts: @escaping @Sendable (PeerIdentity?) -> Bool,
        acceptsName: @escaping @Sendable (PeerIdentity?, String) -> Bool = { _, _ in false }
    ) {
        self.context = context
        self.serverName = serverName
        self.accepts = accepts
        self.acceptsName = acceptsName
    }

    fileprivate func isAcceptable(_ peer: PeerIdentity?) -> Bool {
        if let expectedName { return acceptsName(peer, expectedName) }
        return validatesServerName && !serverName.isEmpty ? acceptsName(peer, serverName) : accepts(peer)
    }
}

/// Why no upstream connection came about.
package enum UpstreamConnectError: Error {
    case connect(any Error)
    case timeout
    case tls(any Error)
    case peerNameRefused
}

/// What is known about an upstream connection that stands.
package struct UpstreamConnected {
    package var channel: any Channel
    package var applicationProtocol: String?
    package var peer: PeerIdentity?
}

/// Opens upstream connections on one event loop, TLS handshake and peer check included.
package enum UpstreamConnector {
    /// The channel comes with reading off: the owner adds its handlers and then turns `autoRead` on.
    /// - Parameter preamble: Goes out first, before TLS too, in place of the target's own header.
    package static func connect(
        to target: UpstreamTarget, preamble: ByteBuffer? = nil, on eventLoop: any EventLoop,
        completion: @escaping (Result<UpstreamConnected, UpstreamConnectError>) -> Void
    ) {
        var bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(target.connectTimeout)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.autoRead, value: false)
            .channelOption(.writeBufferWaterMark, value: target.waterMark)
        // A Unix socket does not know the option.
        if target.address.port != nil { bootstrap = bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1) }
        if target.keepAlive { bootstrap = keptAlive(bootstrap, target) }
        if let local = target.bindAddress { bootstrap = bootstrap.bind(to: local) }
        bootstrap.connect(to: target.address).hop(to: eventLoop).assumeIsolated().whenComplete { result in
            switch result {
            case .failure(let error):
                if case .connectTimeout? = error as? ChannelError { return completion(.failure(.timeout)) }
                completion(.failure(.connect(error)))
            case .success(let channel):
                if let preamble = preamble ?? target.ownHeader { channel.writeAndFlush(preamble, promise: nil) }
                guard let tls = target.tls else {
                    return completion(.success(UpstreamConnected(channel: channel)))
                }
                secure(channel, tls, timeout: target.connectTimeout, completion)
            }
        }
    }

    private static func keptAlive(_ bootstrap: ClientBootstrap, _ target: UpstreamTarget) -> ClientBootstrap {
        var bootstrap = bootstrap.channelOption(.socketOption(.so_keepalive), value: 1)
        let values = [
            (TCP_KEEPIDLE, target.keepAliveTime), (TCP_KEEPINTVL, target.keepAliveInterval),
            (TCP_KEEPCNT, target.keepAliveProbes),
        ]
        for case (let name, let value?) in values {
            bootstrap = bootstrap.channelOption(
                .tcpOption(NIOBSDSocket.Option(rawValue: name)), value: Int(value))
        }
        return bootstrap
    }

    private static func secure(
        _ channel: any Channel, _ tls: UpstreamTLSContext, timeout: TimeAmount,
        _ completion: @escaping (Result<UpstreamConnected, UpstreamConnectError>) -> Void
    ) {
        let timer = channel.eventLoop.assumeIsolated().scheduleTask(in: timeout) { channel.close(promise: nil) }
        let handshake = TLSHandshakeHandler { channel, outcome in
            timer.cancel()
            switch outcome {
            case .failed(let error): completion(.failure(.tls(error)))
            case .established(let name, let peer):
                guard tls.isAcceptable(peer) else {
                    channel.close(promise: nil)
                    return completion(.failure(.peerNameRefused))
                }
                try? channel.syncOptions?.setOption(.autoRead, value: false)
                completion(.success(UpstreamConnected(channel: channel, applicationProtocol: name, peer: peer)))
            }
        }
        do {
            let handler = try NIOSSLClientHandler(
                context: tls.context, serverHostname: tls.serverName.isEmpty ? nil : tls.serverName)
            try channel.pipeline.syncOperations.addHandlers([TLSOutputHandler(), handler, handshake])
            try channel.syncOptions?.setOption(.autoRead, value: true)
            channel.read()
        } catch {
            timer.cancel()
            channel.close(promise: nil)
            completion(.failure(.tls(error)))
        }
    }
}
