package import NIOCore
import WeftHTTP

/// Flushes what one turn of an event loop has written, in one go at its end.
///
/// Loop-confined; one per event loop. Writes that follow each other closely find their readers awake, so the kernel
/// need not wake them once per message: under load that is a good part of what a write costs. A turn with one message
/// flushes it without delay.
package final class FlushBatch {
    private let eventLoop: any EventLoop
    /// The time of the same loop, here because codecs and pools have the batch.
    package let clock = LoopClock()
    /// Those that wait, in the order in which they came; each holds the next one.
    private var first: BatchedFlush?
    private unowned(unsafe) var last: BatchedFlush?
    private var isScheduled = false
    /// How many messages the batch under way has, and how many batches before it had one alone.
    private var messages = 0
    private var lonely = 0
    /// Flushes at once since the last batch.
    private var early = 0
    /// So many batches of one message each, and what follows is not worth waiting for.
    private static let lonelyLimit = 8
    /// One in so many flushes still waits, to learn whether it has company.
    private static let probeInterval = 16
    /// Output buffers that have been sent and wait for the next message.
    private var spare: [ByteBuffer] = []
    private static let spareLimit = 64
    /// What grew beyond this for a long message is not kept.
    private static let spareBytes = 4096

    package init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// Whether a message better leaves now than at the end of the turn: lately each turn had one message alone, so waiting
    /// gathers nothing and costs a task of the event loop.
    func flushesNow() -> Bool {
        guard lonely >= Self.lonelyLimit, first == nil else { return false }
        early += 1
        guard early < Self.probeInterval else {
            early = 0
            return false
        }
        return true
    }

    /// Another message joins one of its own connection that waits.
    func noteMessage() { messages += 1 }

    func add(_ one: BatchedFlush) {
        messages += 1
        if let last { last.next = one } else { first = one }
        last = one
        guard !isScheduled else { return }
        isScheduled = true
        eventLoop.assumeIsolated().execute { [self] in run() }
    }

    /// An empty buffer for one message's output.
    func takeBuffer() -> ByteBuffer {
        guard var buffer = spare.popLast() else { return ByteBufferAllocator().buffer(capacity: 1024) }
        // When a channel still holds it, because its socket was full, this makes a new one.
        buffer.clear()
        return buffer
    }

    /// Takes back a buffer whose bytes have been flushed.
    func giveBack(_ buffer: ByteBuffer) {
        guard spare.count < Self.spareLimit, buffer.capacity <= Self.spareBytes else { return }
        spare.append(buffer)
    }

    private func run() {
        isScheduled = false
        lonely = messages == 1 ? min(lonely + 1, Self.lonelyLimit) : 0
        messages = 0
        var current = first.take()
        last = nil
        while let one = current {
            current = one.next.take()
            one.flushNow()
        }
    }
}

/// What an HTTP/1 codec writes: gathered until it is flushed, at the end of the event loop's turn or at once. Abstract;
/// loop-confined; waits in a ``FlushBatch`` at most once at a time.
class BatchedFlush {
    fileprivate var next: BatchedFlush?
    let flushes: FlushBatch?
    private(set) var isFlushPending = false
    /// Head and small bodies that go out together; taken from ``flushes`` when there is something to write.
    private var output: ByteBuffer?
    private var socket = SocketWriter()
    /// The channel has been given bytes that were not flushed.
    private var holdsUnflushed = false
    /// Larger bodies are sent from where they lie.
    private static let copyLimit = 4096

    init(flushes: FlushBatch?) { self.flushes = flushes }

    /// Where output goes; `nil` when the connection is gone.
    var outputContext: ChannelHandlerContext? { nil }

    /// Nothing between the codec and the socket changes what is written.
    final func writeDirectly(to channel: any Channel) { socket.attach(to: channel) }

    /// The connection is gone.
    final func dropSocket() { socket.detach() }

    @inline(__always) final func withOutput(_ write: (inout ByteBuffer) -> Void) {
        var buffer = output.take() ?? flushes?.takeBuffer() ?? ByteBuffer()
        write(&buffer)
        output = buffer
    }

    /// - Parameter chunked: Frames it as one chunk.
    final func writeBody(_ body: ByteBuffer, chunked: Bool) {
        let count = body.readableBytes
        if chunked { withOutput { HTTP1Serializer.writeChunkSize(count, into: &$0) } }
        if count <= Self.copyLimit {
            withOutput { $0.writeImmutableBuffer(body) }
        } else {
            if let bytes = output.take() { writeToChannel(bytes) }
            writeToChannel(body)
        }
        if chunked { withOutput { $0.writeStaticString("\r\n") } }
    }

    private func writeToChannel(_ bytes: ByteBuffer) {
        socket.noteChannelWrite()
        holdsUnflushed = true
        outputContext?.write(NIOAny(bytes), promise: nil)
    }

    /// - Parameter endsMessage: A message is complete, and is counted as one more of its batch.
    final func flush(endsMessage: Bool = false) {
        guard !isFlushPending else {
            if endsMessage { flushes?.noteMessage() }
            return
        }
        guard output != nil || holdsUnflushed else { return }
        isFlushPending = true
        guard let flushes else { return flushNow() }
        if flushes.flushesNow(), sendNow() { return }
        flushes.add(self)
    }

    /// Without the channel, and so without anything that it might call.
    /// - Returns: False when something is left.
    private func sendNow() -> Bool {
        guard !holdsUnflushed, let context = outputContext, var bytes = output.take() else { return false }
        guard socket.transmit(&bytes, context) else {
            output = bytes
            return false
        }
        isFlushPending = false
        flushes?.giveBack(bytes)
        return true
    }

    final func flushNow() {
        guard isFlushPending else { return }
        if sendNow() { return }
        isFlushPending = false
        guard let context = outputContext else {
            output = nil
            return
        }
        holdsUnflushed = false
        guard let bytes = output.take() else { return context.flush() }
        socket.noteChannelWrite()
        context.writeAndFlush(NIOAny(bytes), promise: nil)
        flushes?.giveBack(bytes)
    }
}
