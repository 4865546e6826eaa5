import NIOCore
import NIOHPACK
import NIOHTTP2

/// The gRPC stream of one simulated proxy: puts messages together, has the proxy answer them.
final class ProxyStream: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload
    private static let path = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"

    private let proxy: SimulatedProxy
    private let ledger: Ledger
    private var buffer = ByteBuffer()

    init(_ proxy: SimulatedProxy, ledger: Ledger) {
        self.proxy = proxy
        self.ledger = ledger
    }

    func channelActive(context: ChannelHandlerContext) {
        let headers: HPACKHeaders = [
            ":method": "POST", ":scheme": "http", ":authority": "istiod", ":path": Self.path,
            "content-type": "application/grpc", "te": "trailers",
        ]
        context.write(wrapOutboundOut(.headers(.init(headers: headers))), promise: nil)
        for request in proxy.opening() { send(request, context) }
        context.flush()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .data(let frame):
            guard case .byteBuffer(let bytes) = frame.data else { return }
            ledger.received(bytes.readableBytes)
            buffer.writeImmutableBuffer(bytes)
            while let message = nextMessage() { take(message, context) }
            buffer.discardReadBytes()
            if frame.endStream { context.close(promise: nil) }
        // Trailers: the stream was refused or has ended.
        case .headers(let frame) where frame.endStream: context.close(promise: nil)
        default: break
        }
    }

    private func nextMessage() -> ByteBuffer? {
        guard let length: UInt32 = buffer.getInteger(at: buffer.readerIndex + 1) else { return nil }
        guard buffer.readableBytes >= Int(length) + 5 else {
            buffer.reserveCapacity(minimumWritableBytes: Int(length) + 5 - buffer.readableBytes)
            return nil
        }
        buffer.moveReaderIndex(forwardBy: 5)
        return buffer.readSlice(length: Int(length))
    }

    private func take(_ message: ByteBuffer, _ context: ChannelHandlerContext) {
        guard let response = DeltaWire.Response(message) else {
            context.close(promise: nil)
            return
        }
        let (requests, isSynced) = proxy.take(response)
        for request in requests { send(request, context) }
        context.flush()
        ledger.arrived(proxy.index, response.typeURL)
        if isSynced { ledger.isSynced(proxy.index) }
    }

    private func send(_ request: DeltaWire.Request, _ context: ChannelHandlerContext) {
        let message = request.framed(context.channel.allocator)
        context.write(wrapOutboundOut(.data(.init(data: .byteBuffer(message)))), promise: nil)
    }
}
