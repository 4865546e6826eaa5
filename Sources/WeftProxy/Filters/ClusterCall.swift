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
    private var pool: HTTPPool?
    private var waiter: PoolWaiter?
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

    @discardableResult
    static func start(
        _ request: RequestHead, body: ByteBuffer? = nil, cluster name: String, on worker: Worker,
        timeoutMilliseconds: UInt64, limit: Int, completion: @escaping (Result<Answer, ClusterCallError>) -> Void
    ) -> ClusterCall {
        let call = ClusterCall(request, body: body, limit: limit, completion: completion)
        call.begin(name, worker, timeoutMilliseconds)
        return call
    }

    private func begin(_ name: String, _ worker: Worker, _ timeout: UInt64) {
        guard let cluster = worker.cluster(name) else { return finish(.failure(.noCluster(name))) }
        guard let host = cluster.pick(PickRequest()) else { return finish(.failure(.noEndpoint(name))) }
        // The timer keeps the call until it is over.
        timer = worker.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(clamping: max(1, timeout)))) {
            [self] in finish(.failure(.timeout))
        }
        let version: HTTPVersion = cluster.compiled.cluster.httpProtocol == .http2 ? .http2 : .http1
        let pool = cluster.pool(for: host, version: version)
        let waiter = PoolWaiter { [weak self] result in self?.connected(result) }
        self.pool = pool
        self.waiter = waiter
        pool.acquire(waiter)
    }

    private func connected(_ result: Result<UpstreamHTTPConnection, PoolFailureError>) {
        waiter = nil
        guard completion != nil else { return }
        guard case .success(let connection) = result, let stream = connection.open(self) else {
            return finish(.failure(.connect))
        }
        self.stream = stream
        stream.send(request, endStream: body == nil)
        if let body {
            stream.write(body: body)
            stream.writeEnd(trailers: nil)
        } else {
            stream.flush()
        }
    }

    /// Nobody wants the answer any more.
    func cancel() {
        completion = nil
        finish(.failure(.broken))
    }

    private func finish(_ result: Result<Answer, ClusterCallError>) {
        timer?.cancel()
        timer = nil
        if let waiter { pool?.cancel(waiter) }
        waiter = nil
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
