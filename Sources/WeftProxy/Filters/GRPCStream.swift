import NIOCore
import WeftHTTP
import WeftTransport

/// A gRPC stream in both directions through one of the proxy's clusters, for a filter.
///
/// Loop-confined. ``onMessage`` hears each message in order, ``onClose`` once at the end, unless the stream was given up.
/// Messages that are sent before the connection stands wait for it.
final class GRPCStream: ResponseReceiver {
    var onMessage: ((ByteBuffer) -> Void)?
    /// `nil` is status OK.
    var onClose: ((GRPCCallFailure?) -> Void)?
    private let way = ClusterStream()
    private var stream: UpstreamStream?
    private var waiting: [ByteBuffer] = []
    private var deframer = GRPCDeframer(limit: GRPCAnswer.limit)
    private var head: ResponseHead?
    private var isOver = false
    /// Ends with the messages that wait.
    private var endsWhenSent = false

    func start(_ request: RequestHead, cluster: String, on worker: Worker) {
        way.open(cluster: cluster, on: worker, isGRPC: true, receiver: self) { [self] result in
            switch result {
            case .failure(let error): close(.init(code: GRPCCallFailure.unavailable, message: "\(error)"))
            case .success(let stream):
                guard !isOver else { return stream.reset() }
                self.stream = stream
                stream.send(request, endStream: false)
                for message in waiting { stream.write(body: message) }
                waiting = []
                if endsWhenSent { stream.writeEnd(trailers: nil) } else { stream.flush() }
            }
        }
    }

    func send(_ message: [UInt8]) {
        guard !isOver else { return }
        let frame = GRPCFrame.frame(message)
        guard let stream else { return waiting.append(frame) }
        stream.write(body: frame)
        stream.flush()
    }

    /// Nothing more is wanted or sent.
    func giveUp() {
        onMessage = nil
        onClose = nil
        guard !isOver else { return }
        isOver = true
        way.cancel()
        stream?.writeEnd(trailers: nil)
        stream?.reset()
        stream = nil
    }

    /// Nothing more is sent or wanted; the peer has some time to read what was.
    func end(within patience: TimeAmount, on eventLoop: any EventLoop) {
        onMessage = nil
        onClose = nil
        guard !isOver else { return }
        endsWhenSent = true
        stream?.writeEnd(trailers: nil)
        eventLoop.assumeIsolated().scheduleTask(in: patience) { self.giveUp() }
    }

    private func close(_ failure: GRPCCallFailure?) {
        guard !isOver else { return }
        isOver = true
        stream = nil
        let callback = onClose
        onMessage = nil
        onClose = nil
        callback?(failure)
    }

    func receive(informational head: ResponseHead) {}

    func receive(head: ResponseHead, endStream: Bool) {
        self.head = head
        if endStream || head.status != 200 {
            if !endStream { stream?.reset() }
            close(GRPCAnswer.failure(head, trailers: nil))
        }
    }

    func receive(body: ByteBuffer) {
        guard !isOver else { return }
        deframer.append(body)
        do {
            while !isOver, let message = try deframer.next() { onMessage?(message) }
        } catch {
            stream?.reset()
            close(.init(code: GRPCCallFailure.internalError, message: "\(error)"))
        }
    }

    func receiveEnd(trailers: HeaderBlock?) {
        guard let head else { return }
        close(GRPCAnswer.failure(head, trailers: trailers))
    }

    func receive(reset: StreamReset) {
        close(.init(code: GRPCCallFailure.unavailable, message: "the stream was reset"))
    }

    func writabilityChanged(_ isWritable: Bool) {}
}
