package import NIOCore
import NIOSSL
import NIOTLS

/// Waits for the TLS handshake and then tells who the peer is; leaves the pipeline afterwards.
///
/// Sits right after the NIOSSL handler. Application bytes that come in the same flight wait until the owner has built
/// the rest of the pipeline in its callback.
package final class TLSHandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package enum Outcome {
        case established(applicationProtocol: String?, peer: PeerIdentity?)
        case failed(any Error)
    }

    private let wantsChain: Bool
    private var completion: ((any Channel, Outcome) -> Void)?

    /// - Parameter wantsChain: Fills ``PeerIdentity/chainPEM``.
    package init(wantsChain: Bool = false, completion: @escaping (any Channel, Outcome) -> Void) {
        self.wantsChain = wantsChain
        self.completion = completion
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .handshakeCompleted(let negotiated)? = event as? TLSUserEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        let handler = try? context.pipeline.syncOperations.handler(type: NIOSSLHandler.self)
        var peer = handler?.peerCertificate.map { PeerIdentity($0) }
        if wantsChain, let handler { peer?.chainPEM = handler.peerChainPEM }
        finish(context.channel, .established(applicationProtocol: negotiated, peer: peer))
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish(context.channel, .failed(error))
        context.close(promise: nil)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        finish(context.channel, .failed(ChannelError.eof))
        context.fireChannelInactive()
    }

    private func finish(_ channel: any Channel, _ outcome: Outcome) {
        let callback = completion
        completion = nil
        callback?(channel, outcome)
    }
}
