import NIOCore
package import WeftADS
import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting

/// Tells one worker's finished requests to those who watch. Loop-confined.
///
/// Made when somebody begins to watch and let go when nobody does. Each viewer has a rate; what is beyond it is counted
/// and told, not sent.
final class TapRecorder {
    private struct Watch {
        let order: TapOrder
        var left: Int
        var lost = 0
    }
    private var watches: [Watch]
    private var renewed = NIODeadline.now()
    private let tell: @Sendable (TapMessage) -> Bool

    init(_ orders: [TapOrder], tell: @escaping @Sendable (TapMessage) -> Bool) {
        watches = orders.map { Watch(order: $0, left: $0.filter.rate) }
        self.tell = tell
    }

    func exchangeFinished(_ exchange: Exchange) {
        let record = TapRecord(exchange)
        renew()
        var viewers: [Int] = []
        for index in watches.indices where watches[index].order.filter.accepts(record) {
            guard watches[index].left > 0 else {
                watches[index].lost += 1
                continue
            }
            watches[index].left -= 1
            viewers.append(watches[index].order.id)
        }
        guard !viewers.isEmpty else { return }
        let lost = takeLost()
        guard !tell(TapMessage(viewers: viewers, entry: record.json, lost: lost)) else { return }
        for index in watches.indices {
            let id = watches[index].order.id
            watches[index].lost += (viewers.contains(id) ? 1 : 0) + (lost[id] ?? 0)
        }
    }

    /// Tells what was left out, when no request came that could have.
    func flush() {
        let lost = takeLost()
        guard !lost.isEmpty, !tell(TapMessage(viewers: [], entry: nil, lost: lost)) else { return }
        for index in watches.indices { watches[index].lost += lost[watches[index].order.id] ?? 0 }
    }

    private func renew() {
        let now = NIODeadline.now()
        guard now - renewed >= .seconds(1) else { return }
        renewed = now
        for index in watches.indices { watches[index].left = watches[index].order.filter.rate }
    }

    private func takeLost() -> [Int: Int] {
        var lost: [Int: Int] = [:]
        for index in watches.indices where watches[index].lost > 0 {
            lost[watches[index].order.id] = watches[index].lost
            watches[index].lost = 0
        }
        return lost
    }
}

extension Exchange {
    /// The object of the configuration that decided, and which rule of it: `VirtualService shop/cart rule 0`. `nil` where the
    /// configuration does not say where it comes from.
    var decidedBy: String? {
        let origin = record.extras?.provenance ?? decision?.route.provenance
        return origin.map { "\($0.resource)" + ($0.rule.map { " rule \($0)" } ?? "") }
    }
}

extension TapRecord {
    /// Bytes of a text that a client or a server chose.
    private static let textLimit = 512

    init(_ exchange: Exchange) {
        self.init()
        let context = LogContext(exchange)
        let record = exchange.record
        func text(_ name: FormatOperatorName) -> String { Self.cut(context.value(name).string) }
        time = context.startedAt / 1_000_000
        method = Self.cut(exchange.original.method.description)
        path = Self.cut(String(exchange.original.target.prefix { $0 != "?" && $0 != "#" }))
        host = Self.cut(exchange.original.host)
        protocolName = "\(exchange.original.version.name)"
        status = record.status
        grpcStatus = exchange.original.isGRPC ? context.grpcStatus.map(Int.init) : nil
        flags = record.flag
        details = text(.responseCodeDetails)
        route = text(.routeName)
        routeConfig = exchange.decidedBy.map { Self.cut($0) } ?? ""
        cluster = Self.cut(context.cluster)
        upstream = Self.cut(context.upstreamHost)
        attempts = exchange.attemptCount
        milliseconds = Double((context.now - context.started).nanoseconds) / 1_000_000
        requestBytes = record.bytesReceived
        responseBytes = record.bytesSent
        requestID = text(.streamID)
        traceID = text(.traceID)
        readParties(exchange)
        source.address = text(.downstreamRemoteAddress)
    }

    private mutating func readParties(_ exchange: Exchange) {
        let manager = exchange.connection.manager
        let side = manager.stats ?? (manager.direction == .inbound ? .destination : .source)
        reporter = side.rawValue
        let host = exchange.record.host
        let labels = exchange.worker.metrics.labels(
            side, exchange.metricsCluster, host, peer: exchange.record.peer, authority: self.host.lowercased())
        source.workload = labels.source.workload
        source.namespace = labels.source.namespace
        source.principal = labels.sourcePrincipal
        destination.workload = labels.destination.workload
        destination.namespace = labels.destination.namespace
        destination.principal = labels.destinationPrincipal
        destination.service = labels.service
        if side == .destination {
            isMutualTLS = exchange.connection.hasPeer
        } else if host != nil {
            isMutualTLS = !labels.sourcePrincipal.isEmpty
        }
    }

    private static func cut(_ text: String?) -> String { text.map { String($0.cut(toBytes: textLimit)) } ?? "" }
}

extension DataPlane: TapSource {
    package func serve(_ orders: [TapOrder], tell: @escaping @Sendable (TapMessage) -> Bool) {
        for worker in workers {
            worker.eventLoop.execute { worker.logs.tap = orders.isEmpty ? nil : TapRecorder(orders, tell: tell) }
        }
    }

    package func resolve(_ ask: (@Sendable (_ address: String) -> Bool)?) {
        for worker in workers { worker.eventLoop.execute { worker.metrics.resolve(ask) } }
    }

    package func learn(_ answer: ClientAnswer) {
        for worker in workers { worker.eventLoop.execute { worker.metrics.learn(answer) } }
    }
}
