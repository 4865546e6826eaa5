package import NIOCore

/// Flushes what one turn of an event loop has written, in one go at its end.
///
/// Loop-confined; one per event loop. Writes that follow each other closely find their readers awake, so the kernel
/// need not wake them once per message: under load that is a good part of what a write costs. A turn with one message
/// flushes it without delay.
package final class FlushBatch {
    private let eventLoop: any EventLoop
    /// Those that wait, in the order in which they came; each holds the next one.
    private var first: BatchedFlush?
    private unowned(unsafe) var last: BatchedFlush?
    private var isScheduled = false
    /// Output buffers that have been sent and wait for the next message.
    private var spare: [ByteBuffer] = []
    private static let spareLimit = 64
    /// What grew beyond this for a long message is not kept.
    private static let spareBytes = 4096

    package init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func add(_ one: BatchedFlush) {
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
        var current = first.take()
        last = nil
        while let one = current {
            current = one.next.take()
            one.flushNow()
        }
    }
}

/// A codec that leaves its flushes to a ``FlushBatch``. Abstract; waits at most once at a time.
class BatchedFlush {
    fileprivate var next: BatchedFlush?
    func flushNow() {}
}
