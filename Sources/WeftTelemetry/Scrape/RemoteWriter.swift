package import Logging
import Synchronization

/// Sends all samples on to another Prometheus, in its remote-write protocol 1.0.
///
/// The store is the queue: what has not been accepted is read again, for as long as the store keeps it, so a receiver
/// may be away for hours. Refused requests (status 4xx but 429) are told of and left out, since they would be refused
/// for ever.
package final class RemoteWriter: Sendable {
    private let source: any SeriesSource
    private let logger: Logger
    private let now: @Sendable () -> Int64
    private let send: @Sendable ([UInt8]) async throws -> Int
    /// Samples up to this time have been accepted, milliseconds since 1970.
    private let sentThrough: Mutex<Int64>
    /// Scrapes may come in this much late, milliseconds.
    static let lag: Int64 = 20_000
    static let samplesPerRequest = 2000

    /// - Parameters:
    ///   - now: Milliseconds since 1970; what is older than the start is not sent.
    ///   - send: Posts a body, gives the status.
    package init(
        source: any SeriesSource, logger: Logger, now: @escaping @Sendable () -> Int64,
        send: @escaping @Sendable ([UInt8]) async throws -> Int
    ) {
        self.source = source
        self.logger = logger
        self.now = now
        self.send = send
        sentThrough = Mutex(now() - Self.lag)
    }

    /// Runs until the task is cancelled.
    package func run() async {
        var pause = Duration.seconds(5)
        while !Task.isCancelled {
            try? await Task.sleep(for: pause)
            do {
                try await sendNew()
                pause = .seconds(5)
            } catch {
                if !Task.isCancelled { logger.warning("remote write is tried again in \(pause * 2): \(error)") }
                pause = min(pause * 2, .seconds(120))
            }
        }
    }

    /// The receiver cannot take anything now.
    struct Unavailable: Error, CustomStringConvertible {
        var status: Int
        var description: String { "the receiver answered \(status)" }
    }

    /// Sends what is new since the last time, in steps of a minute, so that a long absence is no large body.
    package func sendNew() async throws {
        let end = now() - Self.lag
        while true {
            let start = sentThrough.withLock { $0 }
            guard start < end else { return }
            let through = min(end, start + 60_000)
            for body in try Self.bodies(source, after: start, through: through) {
                let status = try await send(body)
                if status == 429 || status >= 500 { throw Unavailable(status: status) }
                if status >= 300 {
                    logger.error("remote write: a request is left out, the receiver answered \(status)")
                }
            }
            sentThrough.withLock { $0 = through }
        }
    }

    /// The requests for the samples of a time, `after` excluded.
    static func bodies(_ source: any SeriesSource, after: Int64, through: Int64) throws -> [[UInt8]] {
        let all = try LabelMatcher(.notEqual, Labels.metricName, "")
        var bodies: [[UInt8]] = []
        var request = ProtobufWriter()
        var count = 0
        var buffer = SampleBuffer()
        for series in try source.select([all], from: after + 1, through: through) {
            buffer.clear()
            series.read(from: after + 1, through: through, keepingStale: true, into: &buffer)
            guard buffer.count > 0 else { continue }
            request.message(1, message(series.labels, buffer))
            count += buffer.count
            if count >= samplesPerRequest {
                bodies.append(Snappy.compress(request.bytes))
                request = ProtobufWriter()
                count = 0
            }
        }
        if count > 0 { bodies.append(Snappy.compress(request.bytes)) }
        return bodies
    }

    private static func message(_ labels: Labels, _ buffer: SampleBuffer) -> [UInt8] {
        var series = ProtobufWriter()
        for label in labels.pairs {
            var pair = ProtobufWriter()
            pair.string(1, label.name)
            pair.string(2, label.value)
            series.message(1, pair.bytes)
        }
        for index in 0..<buffer.count {
            var sample = ProtobufWriter()
            sample.double(1, buffer.values[index])
            sample.varint(2, UInt64(bitPattern: buffer.times[index]))
            series.message(2, sample.bytes)
        }
        return series.bytes
    }
}
