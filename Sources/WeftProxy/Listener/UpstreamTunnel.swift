import NIOCore
import WeftCore
import WeftHTTP
import WeftIR
import WeftTransport

/// The request that asks an HTTP proxy for a tunnel.
struct TunnelRequest {
    let head: RequestHead

    init(_ tunnel: TCPProxy.Tunnel, _ info: ConnectionInfo, _ worker: Worker) {
        func expand(_ text: String) -> String {
            guard text.contains("%"), let template = worker.formats.template(text) else { return text }
            return LogContext(info, ConnectionRecord()).expand(template, missing: "")
        }
        let path = tunnel.postPath.isEmpty ? "/" : tunnel.postPath
        var head = RequestHead(
            method: tunnel.usesPost ? .post : .connect, path: ByteBuffer(string: tunnel.usesPost ? path : ""),
            authority: ByteBuffer(string: expand(tunnel.hostname)), framing: tunnel.usesPost ? .chunked : .tunnel)
        for entry in tunnel.headers.append {
            let value = expand(entry.value)
            guard !value.isEmpty || entry.keepsEmpty else { continue }
            switch entry.action {
            case .appendIfExistsOrAdd: head.headers.append(entry.name, value)
            case .addIfAbsent: if head.headers.first(entry.name) == nil { head.headers.append(entry.name, value) }
            case .overwriteIfExistsOrAdd: head.headers.set(entry.name, value)
            case .overwriteIfExists: if head.headers.first(entry.name) != nil { head.headers.set(entry.name, value) }
            }
        }
        self.head = head
    }
}

/// The upstream half of a TCP connection that goes through an HTTP proxy: a stream that CONNECT (or POST) has opened.
///
/// Loop-confined. Bytes of the client wait in its ``RelayHandler`` until the proxy has said 2xx.
final class UpstreamTunnel: ResponseReceiver, RelayPeer {
    enum Outcome {
        /// - Parameter local: `address:port` of our end.
        case opened(local: String?)
        case failed(String)
    }
    private let request: TunnelRequest
    private weak var downstream: RelayHandler?
    private var completion: ((Outcome) -> Void)?
    private var pool: HTTPPool?
    private var waiter: PoolWaiter?
    private var stream: UpstreamStream?
    private var localName: String?
    private var isOpen = false
    private(set) var bytesReceived: UInt64 = 0
    private(set) var lastActivity = NIODeadline.now()

    init(_ request: TunnelRequest, downstream: RelayHandler, completion: @escaping (Outcome) -> Void) {
        self.request = request
        self.downstream = downstream
        self.completion = completion
    }

    func open(on pool: HTTPPool) {
        self.pool = pool
        let waiter = PoolWaiter { [weak self] result in
            guard let self else { return }
            self.waiter = nil
            switch result {
            case .failure(let error):
                switch error.failure {
                case .overflow: finish(.failed("overflow"))
                case .connect(let why): finish(.failed(UpstreamAttempt.text(why)))
                }
            case .success(let connection):
                guard let stream = connection.open(self) else { return finish(.failed("connection termination")) }
                self.stream = stream
                localName = connection.localName
                stream.send(request.head, endStream: false)
                stream.flush()
            }
        }
        self.waiter = waiter
        pool.acquire(waiter)
    }

    /// Gives the tunnel up; nothing more is reported.
    func abandon() {
        completion = nil
        if let waiter { pool?.cancel(waiter) }
        waiter = nil
        stream?.reset()
        stream = nil
    }

    private func finish(_ outcome: Outcome) {
        let callback = completion
        completion = nil
        callback?(outcome)
    }

    // MARK: from the proxy

    func receive(informational head: ResponseHead) {}

    func receive(head: consuming ResponseHead, endStream: Bool) {
        guard (200...299).contains(head.status), !endStream else {
            let status = head.status
            stream?.reset()
            stream = nil
            return finish(.failed("the proxy answered \(status)"))
        }
        isOpen = true
        if request.head.method.isConnect { stream?.startTunnel() }
        finish(.opened(local: localName))
        downstream?.join(self)
    }

    func receive(body: ByteBuffer) {
        bytesReceived += UInt64(body.readableBytes)
        lastActivity = .now()
        guard let downstream else { return }
        downstream.send(body)
        if stream?.batchesReads != true { downstream.flush() }
        if !downstream.isWritable { stream?.setReading(false) }
    }

    func readComplete() { downstream?.flush() }

    func receiveEnd(trailers: HeaderBlock?) {
        downstream?.flush()
        downstream?.closeOutput()
    }

    func receive(reset: StreamReset) {
        stream = nil
        if isOpen { downstream?.partnerGone() } else { finish(.failed("the proxy closed the connection")) }
    }

    // MARK: from the client

    func send(_ bytes: ByteBuffer) {
        lastActivity = .now()
        stream?.write(body: bytes)
    }
    func flush() { stream?.flush() }
    func closeOutput() { stream?.writeEnd(trailers: nil) }
    func closeAll() { abandon() }
    func partnerGone() { abandon() }
    var isWritable: Bool { stream?.isWritable ?? true }

    /// Of the stream towards the proxy: the client is read as far as it takes bytes. And of the client, towards the proxy.
    func writabilityChanged(_ isWritable: Bool) {
        downstream?.setReading(isWritable)
        stream?.setReading(downstream?.isWritable ?? true)
    }
}
