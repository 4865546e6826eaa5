import NIOCore
import SwiftProtobuf
import WeftHTTP
import WeftIR
import WeftProto
import WeftRouting
import WeftTransport

/// The access log services that one worker sends entries to.
///
/// Loop-confined. Entries wait until they fill the configured buffer or its time is over; then they go as one message on
/// a stream that stays open, through the proxy's own cluster pools. What a service cannot take is dropped and counted.
final class AccessLogServices {
    private unowned let worker: Worker
    private var buffers: [AccessLogService: Buffer] = [:]

    init(worker: Worker) { self.worker = worker }

    private final class Buffer {
        let service: AccessLogService
        let tags: [CompiledTag]
        var entries: [[UInt8]] = []
        var bytes = 0
        var since = NIODeadline.now()
        var timer: Scheduled<Void>?
        var stream: AccessLogStream?

        init(_ service: AccessLogService) {
            self.service = service
            tags = service.customTags.map(CompiledTag.init)
        }
    }

    func add(_ context: LogContext, to service: AccessLogService) {
        let buffer = buffers[service] ?? Buffer(service)
        buffers[service] = buffer
        let entry: [UInt8]?
        switch service.kind {
        case .http: entry = try? AccessLogEntry.http(context, service, buffer.tags).serializedBytes()
        case .tcp: entry = try? AccessLogEntry.tcp(context, buffer.tags).serializedBytes()
        }
        guard let entry else { return }
        buffer.entries.append(entry)
        buffer.bytes += entry.count
        if buffer.bytes >= Int(service.bufferBytes) { return send(buffer) }
        guard buffer.timer == nil else { return }
        let span = TimeAmount.milliseconds(Int64(clamping: max(1, service.flushMilliseconds)))
        buffer.timer = worker.eventLoop.assumeIsolated().scheduleTask(in: span) { [weak self] in self?.send(buffer) }
    }

    /// Sends what waits, at the end.
    func flush() { for buffer in buffers.values where !buffer.entries.isEmpty { send(buffer) } }

    private func send(_ buffer: Buffer) {
        buffer.timer?.cancel()
        buffer.timer = nil
        guard !buffer.entries.isEmpty else { return }
        let (entries, service) = (buffer.entries, buffer.service)
        buffer.entries = []
        buffer.bytes = 0
        if buffer.stream?.isOpen != true {
            buffer.stream = AccessLogStream(service, on: worker)
        }
        guard let stream = buffer.stream else { return worker.tracing.logEntriesDropped.add(entries.count) }
        stream.send(entries)
    }
}

/// One stream to an access log service (`envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs`).
///
/// Loop-confined. The first message says who this proxy is. A stream that ends is not opened again here: the next batch
/// of entries opens another.
private final class AccessLogStream: ResponseReceiver {
    private static let path = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs"
    /// Bytes that may wait for a connection or for the service to read.
    private static let limit = 1 << 20

    private let service: AccessLogService
    private unowned let worker: Worker
    private var stream: UpstreamStream?
    private var waiter: PoolWaiter?
    private var waiting: [(message: ByteBuffer, count: Int)] = []
    private var waitingBytes = 0
    private var isIdentified = false
    private(set) var isOpen = true

    /// - Returns: `nil` when the service's cluster has no usable endpoint.
    init?(_ service: AccessLogService, on worker: Worker) {
        guard let cluster = worker.cluster(service.cluster), let host = cluster.pick(.init()) else { return nil }
        self.service = service
        self.worker = worker
        let waiter = PoolWaiter { [weak self] result in self?.connected(result) }
        self.waiter = waiter
        cluster.pool(for: host, version: .http2).acquire(waiter)
    }

    private func connected(_ result: Result<UpstreamHTTPConnection, PoolFailureError>) {
        waiter = nil
        guard case .success(let connection) = result, let stream = connection.open(self) else { return fail() }
        self.stream = stream
        let head = GRPCMessage.head(
            Self.path, host: service.authority ?? service.cluster, metadata: service.metadata)
        stream.send(head, endStream: false)
        pass()
    }

    func send(_ entries: [[UInt8]]) {
        let message = GRPCMessage.framed(
            AccessLogEntry.message(entries, identifying: !isIdentified, service, worker.node))
        isIdentified = true
        guard waitingBytes + message.readableBytes <= Self.limit else {
            return worker.tracing.logEntriesDropped.add(entries.count)
        }
        waiting.append((message, entries.count))
        waitingBytes += message.readableBytes
        pass()
    }

    private func pass() {
        guard let stream else { return }
        while let first = waiting.first, stream.isWritable {
            waiting.removeFirst()
            waitingBytes -= first.message.readableBytes
            worker.tracing.logEntriesWritten.add(first.count)
            stream.write(body: first.message)
        }
        stream.flush()
    }

    private func fail() {
        guard isOpen else { return }
        isOpen = false
        stream = nil
        worker.tracing.logEntriesDropped.add(waiting.reduce(0) { $0 + $1.count })
        waiting = []
    }

    func receive(informational head: ResponseHead) {}
    func receive(head: ResponseHead, endStream: Bool) { if endStream { fail() } }
    func receive(body: ByteBuffer) {}
    func receiveEnd(trailers: HeaderBlock?) { fail() }
    func receive(reset: StreamReset) { fail() }
    func writabilityChanged(_ isWritable: Bool) { if isWritable { pass() } }
}
