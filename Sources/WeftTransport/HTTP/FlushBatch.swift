package import NIOCore

/// Flushes what one turn of an event loop has written, in one go at its end.
///
/// Loop-confined; one per event loop. Writes that follow each other closely find their readers awake, so the kernel
/// need not wake them once per message: under load that is a good part of what a write costs. A turn with one message
/// flushes it without delay.
package final class FlushBatch {
    private let eventLoop: any EventLoop
    private var waiting: [any BatchedFlush] = []
    /// The other half of a pair that takes turns, so that neither is allocated anew.
    private var running: [any BatchedFlush] = []
    private var isScheduled = false
    /// Output buffers that have been sent and wait for the next message.
    private var spare: [ByteBuffer] = []
    private static let spareLimit = 64
    /// What grew beyond this for a long message is not kept.
    private static let spareBytes = 4096

    package init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func add(_ one: any BatchedFlush) {
        waiting.append(one)
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
        swap(&waiting, &running)
        for one in running { one.flushNow() }
        running.removeAll(keepingCapacity: true)
    }
}

/// A codec that leaves its flushes to a ``FlushBatch``.
protocol BatchedFlush: AnyObject {
    func flushNow()
}
