import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// Why a call of the proxy itself got no answer.
enum ClusterCallError: Error, CustomStringConvertible {
    case noCluster(String)
    case noEndpoint(String)
    case connect
    case timeout
    case broken
    case tooLarge

    var description: String {
        switch self {
        case .noCluster(let name): "cluster \(name) does not exist"
        case .noEndpoint(let name): "cluster \(name) has no usable endpoint"
        case .connect: "no connection"
        case .timeout: "no answer in time"
        case .broken: "the connection broke before the answer was complete"
        case .tooLarge: "the answer is too large"
        }
    }
}

/// A request that the proxy makes by itself through one of its clusters: a filter's call to a service.
///
/// Loop-confined. Calls back exactly once, unless it is cancelled. The answer is bounded by `limit` bytes.
final class ClusterCall: ResponseReceiver {
    struct Answer {
        var head: ResponseHead
        var body: ByteBuffer
        var trailers: HeaderBlock?
        /// As the trailers or, of an answer without a body, the headers say.
        var grpcStatus: String? { (trailers ?? head.headers).string(.grpcStatus) }
    }
    private let request: RequestHead
    private let body: ByteBuffer?
    private let limit: Int
    private var completion: ((Result<Answer, ClusterCallError>) -> Void)?
    private let way = ClusterStream()
    private var stream: UpstreamStream?
    private var timer: Scheduled<Void>?
    private var answer: Answer?

    private init(
        _ request: RequestHead, body: ByteBuffer?, limit: Int,
        completion: @escaping (Result<Answer, ClusterCallError>) -> Void
    ) {
        self.request = request
        self.body = body
        self.limit = limit
        self.completion = completion
    }

    /// - Parameter isGRPC: Speaks HTTP/2 whatever the cluster says.
    @discardableResult
    static func start(
        _ request: RequestHead, body: ByteBuffer? = nil, cluster name: String, on worker: Worker,
        timeoutMilliseconds: UInt64, limit: Int, isGRPC: Bool = false,
        completion: @escaping (Result<Answer, ClusterCallError>) -> Void
    ) -> ClusterCall {
        let call = ClusterCall(request, body: body, limit: limit, completion: completion)
        call.begin(name, worker, timeoutMilliseconds, isGRPC)
        return call
    }

    private func begin(_ name: String, _ worker: Worker, _ timeout: UInt64, _ isGRPC: Bool) {
        if timeout > 0 {
            let span = TimeAmount.milliseconds(Int64(clamping: timeout))
            timer = worker.eventLoop.assumeIsolated().scheduleTask(in: span) { [self] in finish(.failure(.timeout)) }
        }
        // The connection, or the wait for one, keeps the call until it is over.
        way.open(cluster: name, on: worker, isGRPC: isGRPC, receiver: self) { [self] result in
            switch result {
            case .failure(let error): finish(.failure(error))
            case .success(let stream): send(on: stream)
            }
        }
    }

    private func send(on stream: UpstreamStream) {
        guard completion != nil else { return stream.reset() }
        self.stream = stream
        stream.send(request, endStream: body == nil)
        if let body {
            stream.write(body: body)
            stream.writeEnd(trailers: nil)
        }
        stream.flush()
    }

    /// Nobody wants the answer any more.
    func cancel() {
        completion = nil
        finish(.failure(.broken))
    }

    private func finish(_ result: Result<Answer, ClusterCallError>) {
        timer?.cancel()
        timer = nil
        way.cancel()
        if case .failure = result { stream?.reset() }
        stream = nil
        let callback = completion
        completion = nil
        callback?(result)
    }

    func receive(informational head: ResponseHead) {}

    func receive(head: ResponseHead, endStream: Bool) {
        answer = Answer(head: head, body: ByteBuffer())
        if endStream { receiveEnd(trailers: nil) }
    }

    func receive(body: ByteBuffer) {
        guard completion != nil else { return }
        answer?.body.writeImmutableBuffer(body)
        if let count = answer?.body.readableBytes, count > limit { finish(.failure(.tooLarge)) }
    }

    func receiveEnd(trailers: HeaderBlock?) {
        guard completion != nil else { return }
        answer?.trailers = trailers
        finish(answer.map { .success($0) } ?? .failure(.broken))
    }

    func receive(reset: StreamReset) { if completion != nil { finish(.failure(.broken)) } }

    func writabilityChanged(_ isWritable: Bool) {}
}
