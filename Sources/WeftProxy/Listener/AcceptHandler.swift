import NIOCore
import Synchronization
import WeftIR

/// Where the connections of one listener come in. Thread-safe.
struct Entrance: Sendable {
    let gate: ConnectionGate
    let listener: String
    let counts: ListenerCounts
    private let limit: Int?

    init(gate: ConnectionGate, listener: String) {
        self.gate = gate
        self.listener = listener
        counts = gate.counts(of: listener)
        limit = gate.limits.byListener[listener]
    }

    func enter(isExempt: Bool) -> Bool { gate.enter(counts, limit: limit, isExempt: isExempt) }
    func leave(isExempt: Bool) { gate.leave(counts, isExempt: isExempt) }
}

/// Starts a ``DownstreamConnection`` when its channel becomes active, then leaves the pipeline; closes what is too much.
final class AcceptHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    private let worker: Worker
    private let owner: SocketOwner

    init(worker: Worker, owner: SocketOwner) {
        self.worker = worker
        self.owner = owner
    }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        let entrance = owner.entrance
        guard admit(channel, entrance) else { return channel.close(promise: nil) }
        DownstreamConnection(worker: worker, channel: channel).start(acceptedBy: owner.listener(in: worker.snapshot))
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    private func admit(_ channel: any Channel, _ entrance: Entrance) -> Bool {
        let overload = worker.overload
        if overload.anything.load(ordering: .relaxed), overload.rejectsConnection(worker.decisions.next()) {
            entrance.counts.overloadRejects.wrappingAdd(1, ordering: .relaxed)
            return false
        }
        let isExempt =
            worker.snapshot.configuration.listeners[entrance.listener]?.ignoresGlobalConnectionLimit ?? false
        guard entrance.enter(isExempt: isExempt) else { return false }
        channel.closeFuture.whenComplete { _ in entrance.leave(isExempt: isExempt) }
        return true
    }
}
