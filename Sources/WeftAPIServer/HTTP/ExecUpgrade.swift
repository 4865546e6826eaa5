import Logging
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import NIOWebSocket
import WeftCore

/// `exec` and `attach` over WebSocket, in Kubernetes' channel protocols v4 and v5.
enum ExecUpgrade {
    private static let protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"]

    static func upgrader(_ router: RequestRouter) -> NIOWebSocketServerUpgrader {
        NIOWebSocketServerUpgrader(
            maxFrameSize: 1 << 20, automaticErrorHandling: true,
            shouldUpgrade: { channel, head in
                channel.eventLoop.makeFutureWithTask { await accept(router, channel, head) }
            },
            upgradePipelineHandler: { channel, head in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ExecSocketHandler(router: router, head: head))
                }
            })
    }

    /// The headers of the upgrade; `nil` leaves the request to be answered with an error.
    private static func accept(_ router: RequestRouter, _ channel: any Channel, _ head: HTTPRequestHead) async
        -> HTTPHeaders?
    {
        let request = APIRequest(head: head, body: ByteBuffer())
        let offered = head.headers[canonicalForm: "sec-websocket-protocol"].map(String.init)
        guard let target = ResourceTarget(request.path), target.resource == .pods, let name = target.name,
            let sub = target.rest.first, ["exec", "attach"].contains(sub), router.backend != nil,
            let chosen = protocols.first(where: offered.contains),
            let user = try? await router.authenticate(request, channel),
            router.engine.authorizer.isAllowed(AccessRequest(request, target), for: user),
            (try? PodTarget.resolve(router.engine, target.namespace ?? "", name, request)) != nil
        else { return nil }
        return ["sec-websocket-protocol": chosen]
    }
}

/// One exec session: frames in, frames out. Loop-confined; the session's task reaches the channel only through `Channel`.
final class ExecSocketHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let router: RequestRouter
    private let head: HTTPRequestHead
    private var stdin: AsyncStream<ByteBuffer>.Continuation?
    private var resizes: AsyncStream<TerminalSize>.Continuation?
    private var task: Task<Void, Never>?

    init(router: RequestRouter, head: HTTPRequestHead) {
        self.router = router
        self.head = head
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let request = APIRequest(head: head, body: ByteBuffer())
        guard let target = ResourceTarget(request.path), let name = target.name, let backend = router.backend,
            let container = try? PodTarget.resolve(router.engine, target.namespace ?? "", name, request)
        else { return context.close(promise: nil) }
        var exec = PodExecRequest(
            namespace: target.namespace ?? "", pod: name, container: container, command: request.all("command"))
        exec.tty = request.flag("tty")
        exec.stdin = request.flag("stdin")
        exec.stdout = request.flag("stdout")
        exec.stderr = request.flag("stderr")
        let (input, inputEnd) = AsyncStream.makeStream(of: ByteBuffer.self, bufferingPolicy: .bufferingOldest(4096))
        let (sizes, sizesEnd) = AsyncStream.makeStream(of: TerminalSize.self, bufferingPolicy: .bufferingNewest(1))
        if exec.stdin { stdin = inputEnd } else { inputEnd.finish() }
        resizes = sizesEnd
        let channel = context.channel
        let streams = ExecStreams(
            stdin: input, resizes: sizes, stdout: { try await ExecSocketHandler.send(channel, 1, $0) },
            stderr: { try await ExecSocketHandler.send(channel, 2, $0) })
        let attach = target.rest.first == "attach"
        let command = exec
        let logger = router.logger
        task = Task {
            await ExecSocketHandler.session(
                command, attach: attach, backend: backend, streams: streams, channel: channel, logger: logger)
        }
    }

    private static func session(
        _ command: PodExecRequest, attach: Bool, backend: any PodBackend, streams: ExecStreams, channel: any Channel,
        logger: Logger
    ) async {
        var outcome = ExecOutcome.exited(code: 0)
        do {
            if attach {
                outcome = try await backend.attach(command, streams: streams)
            } else {
                outcome = try await backend.exec(command, streams: streams)
            }
        } catch {
            logger.info("exec in \(command.namespace)/\(command.pod) failed: \(error)")
            outcome = .failed(message: "\(error)")
        }
        try? await send(channel, 3, ByteBuffer(bytes: status(outcome).serialized()))
        var close = ByteBuffer()
        close.write(webSocketErrorCode: .normalClosure)
        try? await channel.writeAndFlush(WebSocketFrame(fin: true, opcode: .connectionClose, data: close))
        try? await channel.close()
    }

    private static func status(_ outcome: ExecOutcome) -> JSONValue {
        switch outcome {
        case .exited(0): return ["metadata": [:], "status": "Success"]
        case .exited(let code):
            return [
                "metadata": [:], "status": "Failure", "reason": "NonZeroExitCode",
                "message": .string("command terminated with non-zero exit code: exit status \(code)"),
                "details": ["causes": [["reason": "ExitCode", "message": .string(String(code))]]],
            ]
        case .failed(let message): return APIError.internalError(message).status
        }
    }

    private static func send(_ channel: any Channel, _ stream: UInt8, _ bytes: ByteBuffer) async throws {
        var data = ByteBuffer()
        data.writeInteger(stream)
        data.writeImmutableBuffer(bytes)
        try await channel.writeAndFlush(WebSocketFrame(fin: true, opcode: .binary, data: data))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        var payload = frame.unmaskedData
        switch frame.opcode {
        case .binary, .text, .continuation: receive(&payload)
        case .ping:
            context.writeAndFlush(
                wrapOutboundOut(WebSocketFrame(fin: true, opcode: .pong, data: payload)), promise: nil)
        case .connectionClose: context.close(promise: nil)
        default: break
        }
    }

    private func receive(_ payload: inout ByteBuffer) {
        switch payload.readInteger(as: UInt8.self) {
        case 0: if payload.readableBytes > 0 { stdin?.yield(payload) }
        case 4:
            if let json = try? JSONValue(parsing: payload.readableBytesView),
                let size = try? json.decode(TerminalSize.self)
            {
                resizes?.yield(size)
            }
        case 255: if payload.readInteger(as: UInt8.self) == 0 { stdin?.finish() }
        default: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        stdin?.finish()
        resizes?.finish()
        task?.cancel()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
