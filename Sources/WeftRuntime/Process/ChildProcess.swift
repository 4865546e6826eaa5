import CWeftLinux
import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#endif

/// A launcher that the node started: its status lines, its signals, its end.
///
/// Holding the object keeps the liveness pipe open; the launcher kills what it runs when that pipe closes.
final class ChildProcess: Sendable {
    let pid: pid_t
    /// What the launcher says, line by line; ends with the launcher.
    let lines: AsyncStream<String>
    private let liveness: Int32

    /// - Parameter standard: descriptors 0–2 of the child, closed here after the start; -1 is /dev/null.
    /// - Parameter inherited: descriptors 5… of the child.
    init(_ subcommand: String, spec: String, standard: [Int32], inherited: [Int32] = []) async throws {
        let alive = try Self.pipe()
        let status = try Self.pipe()
        let descriptors = standard + [alive.read, status.write] + inherited
        let pid = withCStrings(["weft-node", subcommand, spec]) {
            weft_spawn("/proc/self/exe", $0, descriptors, descriptors.count)
        }
        for descriptor in standard + [alive.read, status.write] where descriptor >= 0 { close(descriptor) }
        guard pid > 0 else {
            close(alive.write)
            close(status.read)
            throw RuntimeError("cannot start the launcher: \(String(cString: strerror(-pid)))")
        }
        self.pid = pid
        self.liveness = alive.write
        let (lines, continuation) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingOldest(64))
        self.lines = lines
        try await Pipes.read(
            status.read, splitLines: true,
            onBytes: { continuation.yield(String(decoding: $0.readableBytesView, as: UTF8.self)) },
            onEnd: { continuation.finish() })
    }

    deinit { close(liveness) }

    func signal(_ number: Int32) { kill(pid, number) }

    /// Collects the launcher after its lines have ended. Returns the container's status.
    func collect() async -> Int {
        let pid = self.pid
        let status = try? await NIOThreadPool.singleton.runIfActive { Int(weft_wait(pid)) }
        return status ?? 128
    }

    static func pipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard weft_pipe(&ends) == 0 else { throw RuntimeError("cannot create a pipe: too many open files") }
        return (ends[0], ends[1])
    }
}

/// Descriptors on the event loops.
enum Pipes {
    /// Reads the descriptor to its end and closes it.
    @discardableResult
    static func read(
        _ descriptor: Int32, splitLines: Bool = false, onBytes: @escaping @Sendable (ByteBuffer) -> Void,
        onEnd: @escaping @Sendable () -> Void
    ) async throws -> any Channel {
        try await NIOPipeBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        PipeHandler(splitLines: splitLines, onBytes: onBytes, onEnd: onEnd))
                }
            }
            .takingOwnershipOfDescriptor(input: descriptor).get()
    }

    static func writer(_ descriptor: Int32) async throws -> any Channel {
        try await NIOPipeBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .takingOwnershipOfDescriptor(output: descriptor).get()
    }
}

/// Hands bytes, or lines without their end, to a closure.
private final class PipeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let splitLines: Bool
    private let onBytes: @Sendable (ByteBuffer) -> Void
    private let onEnd: @Sendable () -> Void
    private var pending = ByteBuffer()

    init(splitLines: Bool, onBytes: @escaping @Sendable (ByteBuffer) -> Void, onEnd: @escaping @Sendable () -> Void) {
        self.splitLines = splitLines
        self.onBytes = onBytes
        self.onEnd = onEnd
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        guard splitLines else { return onBytes(bytes) }
        pending.writeBuffer(&bytes)
        while let end = pending.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
            if let line = pending.readSlice(length: end - pending.readerIndex) { onBytes(line) }
            pending.moveReaderIndex(forwardBy: 1)
        }
        if pending.readableBytes > 16384 { flushPending() }
        pending.discardReadBytes()
    }

    private func flushPending() {
        if pending.readableBytes > 0 { onBytes(pending) }
        pending.clear()
    }

    func channelInactive(context: ChannelHandlerContext) {
        flushPending()
        onEnd()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
