import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting

/// The collectors that one worker sends spans to, each with what waits for it.
///
/// Loop-confined. Spans go out every second, or when ``batch`` of them wait; they travel through the proxy's own cluster
/// pools. A collector that does not take them loses them, and that is counted: traffic never waits for a collector.
final class Tracers {
    private final class Buffer {
        var spans: [FinishedSpan] = []
        var open = 0
    }
    private static let batch = 256
    /// Requests to one collector that may be under way at a time.
    private static let openLimit = 8

    private unowned let worker: Worker
    private var buffers: [TracingProvider: Buffer] = [:]
    /// The buffer of the last span; a look here hashes no settings.
    private var recent: (tracing: CompiledTracing, buffer: Buffer)?
    private var routes: [ObjectIdentifier: (decision: RouteDecision, tracing: CompiledRouteTracing)] = [:]
    let counts: TracingCounts

    init(worker: Worker, counts: TracingCounts) {
        self.worker = worker
        self.counts = counts
    }

    /// What the route changes, compiled once.
    func route(_ decision: RouteDecision, _ settings: RouteTracing) -> CompiledRouteTracing {
        if let known = routes[ObjectIdentifier(decision)] { return known.tracing }
        if routes.count > 1_024 { routes = [:] }
        let made = CompiledRouteTracing(settings)
        routes[ObjectIdentifier(decision)] = (decision, made)
        return made
    }

    func add(_ span: FinishedSpan, of tracing: CompiledTracing) {
        guard let provider = tracing.settings.provider, provider.cluster != nil else { return }
        let buffer = buffer(tracing, provider)
        guard buffer.spans.count < provider.cacheSize else { return counts.dropped.add(1) }
        buffer.spans.append(span)
        if buffer.spans.count >= Self.batch { send(buffer, provider) }
    }

    private func buffer(_ tracing: CompiledTracing, _ provider: TracingProvider) -> Buffer {
        if let recent, recent.tracing === tracing { return recent.buffer }
        let buffer = buffers[provider] ?? Buffer()
        buffers[provider] = buffer
        recent = (tracing, buffer)
        return buffer
    }

    /// Every second, and at the end.
    func flush() {
        recent = nil
        for (provider, buffer) in buffers {
            if buffer.spans.isEmpty {
                if buffer.open == 0 { buffers[provider] = nil }
            } else {
                send(buffer, provider)
            }
        }
    }

    func count(_ reason: TraceReason, manager: CompiledManager) { manager.traceCounts.add(reason) }

    private func send(_ buffer: Buffer, _ provider: TracingProvider) {
        guard let cluster = provider.cluster, buffer.open < Self.openLimit else { return }
        let spans = buffer.spans
        guard let (request, body) = SpanRequest.make(spans, provider, node: worker.node) else { return }
        buffer.spans = []
        buffer.open += 1
        let counts = counts
        ClusterCall.start(
            request, body: body, cluster: cluster, on: worker, timeoutMilliseconds: provider.timeoutMilliseconds,
            limit: 64 << 10
        ) { result in
            buffer.open -= 1
            guard case .success(let answer) = result, (200...299).contains(answer.head.status),
                answer.grpcStatus ?? "0" == "0"
            else { return counts.failed.add(spans.count) }
            counts.sent.add(spans.count)
        }
    }
}

extension TracingProvider {
    fileprivate var cacheSize: Int {
        switch self {
        case .openTelemetry(let settings): Int(settings.maxCacheSize)
        case .zipkin: 1_024
        }
    }

    fileprivate var timeoutMilliseconds: UInt64 {
        switch self {
        case .openTelemetry(let settings): settings.exporter?.timeoutMilliseconds ?? 5_000
        case .zipkin: 5_000
        }
    }
}

/// Who this proxy says it is in spans and access log streams.
struct ObservedNode: Sendable {
    var id = ""
    var cluster = ""
    var zone = ""
}
