import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// One probe of one host: connects, asks, judges the answer. Loop-confined; reports exactly once.
final class HealthProbe: ResponseReceiver {
    typealias Completion = (HealthCheckState.Result, UpstreamHTTPConnection?) -> Void

    private let check: HealthCheck
    private let host: CompiledHost
    /// Other than the host's own when the check has TLS options.
    private let targets: HostTargets
    private let clusterName: String
    private let eventLoop: any EventLoop
    private var completion: Completion?
    private var timer: Scheduled<Void>?
    private var connection: UpstreamHTTPConnection?
    private var stream: UpstreamStream?
    private var channel: (any Channel)?
    private var head: ResponseHead?
    private var body: [UInt8] = []
    /// More of an answer is not looked at.
    static let maximumAnswer = 64 << 10

    /// The time was over before an answer came.
    private(set) var hasTimedOut = false
    /// The status of the answer; 0 without one.
    private(set) var status: UInt16 = 0

    /// - Parameter targets: Where to connect to, when it is not where requests go.
    init(
        _ check: HealthCheck, host: CompiledHost, targets: HostTargets? = nil, clusterName: String,
        eventLoop: any EventLoop
    ) {
        self.check = check
        self.host = host
        self.targets = targets ?? host.targets
        self.clusterName = clusterName
        self.eventLoop = eventLoop
    }

    func start(reusing known: UpstreamHTTPConnection?, _ completion: @escaping Completion) {
        self.completion = completion
        let limit = TimeAmount.milliseconds(Int64(clamping: max(1, check.timeoutMilliseconds)))
        timer = eventLoop.assumeIsolated().scheduleTask(in: limit) { [weak self] in
            self?.hasTimedOut = true
            self?.finish(.unreachable)
        }
        if let known, let stream = known.open(self) {
            connection = known
            return send(on: stream)
        }
        UpstreamConnector.connect(to: target, on: eventLoop) { [weak self] result in
            guard let self, self.completion != nil else {
                if case .success(let connected) = result { connected.channel.close(promise: nil) }
                return
            }
            switch result {
            case .failure: finish(.unreachable)
            case .success(let connected): self.connected(connected.channel)
            }
        }
    }

    /// Gives up without a report.
    func cancel() {
        completion = nil
        release(keep: false)
    }

    private var version: HTTPVersion {
        switch check.kind {
        case .grpc: .http2
        case .http(let http): http.usesHTTP2 ? .http2 : .http1
        case .tcp: .http1
        }
    }

    private var target: UpstreamTarget {
        var target =
            switch check.kind {
            case .tcp: targets.tcp
            case .http, .grpc: version == .http2 ? targets.http2 : targets.http1
            }
        if let port = host.endpoint.healthCheckPort { target.address.port = Int(port) }
        return target
    }

    private func connected(_ channel: any Channel) {
        self.channel = channel
        do {
            if case .tcp(let tcp) = check.kind {
                guard !tcp.receive.isEmpty else { return finish(.passed(degraded: false)) }
                let handler = AnswerHandler(
                    send: tcp.send, receive: tcp.receive, limit: Self.maximumAnswer
                ) { [weak self] isRight in self?.finish(isRight ? .passed(degraded: false) : .unreachable) }
                try channel.pipeline.syncOperations.addHandler(handler)
                try channel.syncOptions?.setOption(.autoRead, value: true)
                channel.read()
                return
            }
            let connection = try HTTPPipeline.configureUpstream(channel, version: version, maxStreams: 1)
            self.connection = connection
            try channel.syncOptions?.setOption(.autoRead, value: true)
            channel.read()
            guard let stream = connection.open(self) else { return finish(.unreachable) }
            send(on: stream)
        } catch { finish(.unreachable) }
    }

    private func send(on stream: UpstreamStream) {
        self.stream = stream
        switch check.kind {
        case .http(let http):
            stream.send(httpHead(http), endStream: http.send.isEmpty)
            if !http.send.isEmpty {
                stream.write(body: ByteBuffer(bytes: http.send))
                stream.writeEnd(trailers: nil)
            }
            stream.flush()
        case .grpc(let grpc):
            stream.send(grpcHead(grpc), endStream: false)
            stream.write(body: ByteBuffer(bytes: HealthCheckState.grpcRequest(service: grpc.serviceName)))
            stream.writeEnd(trailers: nil)
            stream.flush()
        case .tcp: finish(.unreachable)
        }
    }

    private func authority(_ configured: String) -> String {
        if !configured.isEmpty { return configured }
        return host.endpoint.healthCheckHostname.isEmpty ? clusterName : host.endpoint.healthCheckHostname
    }

    private func httpHead(_ http: HealthCheck.HTTP) -> RequestHead {
        // Applications tell probes by this agent, so it is the one that they know.
        var fields = [("user-agent", "Envoy/HC")]
        fields += http.requestHeaders.append.map { ($0.name.lowercased(), $0.value) }
        if !http.send.isEmpty { fields.append(("content-length", String(http.send.count))) }
        fields.removeAll { field in http.requestHeaders.remove.contains { $0.lowercased() == field.0 } }
        return RequestHead(
            method: HTTPMethod(name: http.method), path: ByteBuffer(string: http.path),
            authority: ByteBuffer(string: authority(http.host)), headers: HeaderBlock(fields),
            framing: http.send.isEmpty ? .none : .length(UInt64(http.send.count)))
    }

    private func grpcHead(_ grpc: HealthCheck.GRPC) -> RequestHead {
        var fields = [("content-type", "application/grpc"), ("te", "trailers"), ("user-agent", "Envoy/HC")]
        fields += grpc.requestHeaders.append.map { ($0.name.lowercased(), $0.value) }
        return RequestHead(
            method: .post, path: ByteBuffer(string: "/grpc.health.v1.Health/Check"),
            authority: ByteBuffer(string: authority(grpc.authority)), version: .http2, headers: HeaderBlock(fields))
    }

    // MARK: answer

    func receive(informational head: ResponseHead) {}

    func receive(head: ResponseHead, endStream: Bool) {
        self.head = head
        if endStream { judge(trailers: nil) }
    }

    func receive(body bytes: ByteBuffer) {
        var limit = Self.maximumAnswer
        if case .http(let http) = check.kind {
            if http.receive.isEmpty { return }
            if http.maxAnswerBytes > 0 { limit = Int(clamping: http.maxAnswerBytes) }
        }
        if body.count < limit { body += bytes.readableBytesView.prefix(limit - body.count) }
    }

    func receiveEnd(trailers: HeaderBlock?) { judge(trailers: trailers) }
    func receive(reset: StreamReset) { finish(.unreachable) }
    func writabilityChanged(_ isWritable: Bool) {}

    private func judge(trailers: HeaderBlock?) {
        guard let head else { return finish(.unreachable) }
        switch check.kind {
        case .tcp: finish(.unreachable)
        case .http(let http):
            status = head.status
            finish(
                HealthCheckState.judge(
                    http, status: head.status, degraded: head.headers.first("x-envoy-degraded") != nil,
                    cluster: head.headers.first("x-envoy-upstream-healthchecked-cluster"), body: body),
                keep: head.keepAlive)
        case .grpc:
            let status = trailers?.first("grpc-status") ?? head.headers.first("grpc-status")
            finish(
                head.status == 200
                    ? HealthCheckState.judge(grpc: body, status: status.flatMap { Int($0) })
                    : .failed(retriable: false),
                keep: true)
        }
    }

    private func finish(_ result: HealthCheckState.Result, keep: Bool = false) {
        guard let completion else { return }
        self.completion = nil
        let kept = keep ? connection : nil
        release(keep: keep)
        completion(result, kept)
    }

    private func release(keep: Bool) {
        timer?.cancel()
        guard !keep else { return }
        stream?.reset()
        stream = nil
        connection?.close()
        if connection == nil { channel?.close(promise: nil) }
        connection = nil
    }
}

/// Sends bytes and waits for others.
private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let send: [UInt8]
    private let receive: [[UInt8]]
    private let limit: Int
    private let completion: (Bool) -> Void
    private var answer: [UInt8] = []

    init(send: [UInt8], receive: [[UInt8]], limit: Int, completion: @escaping (Bool) -> Void) {
        self.send = send
        self.receive = receive
        self.limit = limit
        self.completion = completion
    }

    func handlerAdded(context: ChannelHandlerContext) {
        guard !send.isEmpty else { return }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: send)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        answer += unwrapInboundIn(data).readableBytesView
        if HealthCheckState.holds(answer, inOrder: receive) { return completion(true) }
        if answer.count > limit { completion(false) }
    }

    func channelInactive(context: ChannelHandlerContext) { completion(false) }
}
