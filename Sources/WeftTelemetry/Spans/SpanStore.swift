package import Logging
import Synchronization

/// How many spans a store keeps.
package struct SpanStoreSettings: Sendable, Hashable {
    /// The folder; `nil` keeps everything in memory.
    package var folder: String?
    /// Microseconds of traces that are kept.
    package var retention: Int64 = 86_400_000_000
    /// Spans that memory holds.
    package var spanLimit = 50_000
    /// Bytes that they take, about: their texts, tags and what they stand in.
    package var memoryLimit = 64 << 20
    package var spansPerTrace = 5_000
    /// Bytes of span files on disk; the oldest go first.
    package var diskLimit = 1 << 30
    /// Of the traces that have to go before their time, those with an error or slower than this stay longest.
    package var slowMicroseconds: Int64 = 1_000_000

    package init(folder: String? = nil) { self.folder = folder }
}

/// All spans of one trace that have come.
package struct Trace: Sendable {
    package var id: String
    package var spans: [Span]
    /// Microseconds since 1970.
    package var start: Int64
    package var end: Int64
    package var hasError: Bool
    /// Bytes that its spans take in memory, about.
    fileprivate(set) var bytes = 0

    package init(id: String, spans: [Span], start: Int64, end: Int64, hasError: Bool) {
        self.id = id
        self.spans = spans
        self.start = start
        self.end = end
        self.hasError = hasError
    }

    package var duration: Int64 { end - start }
}

/// Texts that many spans have, each held once: names of tags, hosts, versions. A span is mostly such texts.
struct SharedTexts: Sendable {
    /// When so many are known, most of them are of one span alone, such as request ids.
    static let limit = 16_384
    /// Longer ones are of one span alone most of the time; so the texts together are few megabytes at most.
    static let longest = 256
    private var known: Set<String> = []
    private var resources: Set<[SpanTag]> = []
    private static let resourceLimit = 1024

    /// - Returns: the span with shared texts, and the bytes that it adds to memory, about.
    mutating func shared(_ span: Span) -> (span: Span, bytes: Int) {
        var span = span
        var bytes = MemoryLayout<Span>.stride * 3 / 2 + 4 * Self.block
        span.service = shared(span.service, &bytes)
        span.operation = shared(span.operation, &bytes)
        for index in span.tags.indices { share(&span.tags[index], &bytes) }
        bytes +=
            Self.cost(span.spanID) + Self.cost(span.parentID ?? "") + span.tags.count * MemoryLayout<SpanTag>.stride
        for event in span.events {
            bytes += MemoryLayout<SpanEvent>.stride + Self.block + event.tags.count * MemoryLayout<SpanTag>.stride
            for tag in event.tags { bytes += Self.cost(tag) }
        }
        share(&span.resource, &bytes)
        return (span, bytes)
    }

    /// What a process says of itself is the same with all of its spans.
    private mutating func share(_ resource: inout [SpanTag], _ bytes: inout Int) {
        if let index = resources.firstIndex(of: resource) {
            resource = resources[index]
            return
        }
        for index in resource.indices { share(&resource[index], &bytes) }
        bytes += resource.count * MemoryLayout<SpanTag>.stride
        if resources.count >= Self.resourceLimit { resources.removeAll(keepingCapacity: true) }
        resources.insert(resource)
    }

    private mutating func share(_ tag: inout SpanTag, _ bytes: inout Int) {
        tag.key = shared(tag.key, &bytes)
        if case .string(let text) = tag.value { tag.value = .string(shared(text, &bytes)) }
    }

    /// A text that is equal, and the same in memory for all who ask.
    mutating func shared(_ text: String, _ bytes: inout Int) -> String {
        // Short ones need no memory of their own.
        guard text.utf8.count > 15 else { return text }
        guard text.utf8.count <= Self.longest else {
            bytes += Self.cost(text)
            return text
        }
        if known.count >= Self.limit { known.removeAll(keepingCapacity: true) }
        let (isNew, held) = known.insert(text)
        if isNew { bytes += Self.cost(text) }
        return held
    }

    /// What an allocation costs besides what it holds.
    private static let block = 48
    private static func cost(_ text: String) -> Int { text.utf8.count > 15 ? block + text.utf8.count : 0 }
    private static func cost(_ tag: SpanTag) -> Int {
        if case .string(let text) = tag.value { return cost(tag.key) + cost(text) }
        return cost(tag.key)
    }
}

/// Traces of a day: the youngest in memory, found by service, operation, tags and time, and all on disk.
///
/// Thread-safe. When more come than it may hold, plain fast traces go first, then slow ones, then those with errors
/// (what is looked for after an incident is decided at the tail, not by chance).
package final class SpanStore: Sendable {
    private struct State {
        var traces: [String: Trace] = [:]
        var spanCount = 0
        /// What ``Trace/bytes`` of all come to.
        var bytes = 0
        var log: SpanLog?
        var received: UInt64 = 0
        var dropped: UInt64 = 0
        var hasWarned = false
        var newest: Int64 = 0
        /// Of traces that begin later, memory has every one.
        var completeAfter = Int64.min
        var texts = SharedTexts()
    }
    private let state: Mutex<State>
    private let settings: SpanStoreSettings
    private let logger: Logger

    /// Opens the folder and reads the spans in it.
    package init(settings: SpanStoreSettings = SpanStoreSettings(), logger: Logger) throws {
        self.settings = settings
        self.logger = logger
        var initial = State()
        if let folder = settings.folder {
            let log = try SpanLog(folder: folder, limit: settings.diskLimit, logger: logger)
            try log.replay { spans in
                Self.insert(spans, into: &initial, settings)
                Self.shrink(&initial, settings)
            }
            initial.log = log
        }
        state = Mutex(initial)
    }

    // MARK: - In

    /// Takes spans in; they are in the log when this returns.
    package func add(_ spans: [Span]) {
        guard !spans.isEmpty else { return }
        state.withLock { state in
            state.received += UInt64(spans.count)
            Self.insert(spans, into: &state, settings)
            Self.shrink(&state, settings)
            do {
                try state.log?.append(spans)
                state.hasWarned = false
            } catch {
                if !state.hasWarned { logger.error("spans are kept in memory alone: \(error)") }
                state.hasWarned = true
            }
        }
    }

    private static func insert(_ spans: [Span], into state: inout State, _ settings: SpanStoreSettings) {
        for span in spans {
            var trace =
                state.traces[span.traceID]
                ?? Trace(id: span.traceID, spans: [], start: span.start, end: span.end, hasError: false)
            guard trace.spans.count < settings.spansPerTrace else {
                state.dropped += 1
                continue
            }
            // A sender that tries again brings the same span twice.
            if trace.spans.contains(where: { $0.spanID == span.spanID && $0.kind == span.kind }) { continue }
            // The dictionary lets go of the array first, so that it grows in place.
            state.traces[span.traceID] = nil
            var (held, bytes) = state.texts.shared(span)
            if trace.spans.isEmpty { bytes += Self.traceBytes }
            held.traceID = trace.id
            trace.spans.append(held)
            trace.bytes += bytes
            state.bytes += bytes
            trace.start = min(trace.start, span.start)
            trace.end = max(trace.end, span.end)
            trace.hasError = trace.hasError || span.isError
            state.traces[span.traceID] = trace
            state.spanCount += 1
            state.newest = max(state.newest, span.start)
        }
    }

    /// A trace without its spans: its identifier and its place in the table.
    private static let traceBytes = 2 * MemoryLayout<Trace>.stride + 128

    /// Lets go of what is too old, and of a tenth of the rest when there is too much.
    private static func shrink(_ state: inout State, _ settings: SpanStoreSettings) {
        guard state.spanCount > settings.spanLimit || state.bytes > settings.memoryLimit else { return }
        let oldest = state.newest - settings.retention
        // A trace that is under way has time to become interesting.
        func rank(_ trace: Trace) -> Int {
            trace.start < oldest ? 0 : trace.hasError ? 3 : trace.duration >= settings.slowMicroseconds ? 2 : 1
        }
        let (spans, bytes) = (settings.spanLimit * 9 / 10, settings.memoryLimit / 10 * 9)
        for trace in state.traces.values.sorted(by: { (rank($0), $0.start) < (rank($1), $1.start) }) {
            guard state.spanCount > spans || state.bytes > bytes || trace.start < oldest else { return }
            state.traces[trace.id] = nil
            state.completeAfter = max(state.completeAfter, trace.start)
            state.spanCount -= trace.spans.count
            state.bytes -= trace.bytes
            state.dropped += UInt64(trace.spans.count)
        }
    }

    // MARK: - Out

    /// From memory, or from disk.
    package func trace(_ id: String) -> Trace? {
        let (held, archive) = state.withLock { state in
            let held = state.traces[id]
            return (held, held == nil ? state.log?.archive { $0.mayHold(trace: id) } : nil)
        }
        return held ?? archive.flatMap { gathered($0.spans(of: [id])).first }
    }

    /// The traces of which a span is taken, the youngest first; the disk is asked for those that memory has let go of.
    /// - Parameters:
    ///   - service: Of which one span has to be; `nil` is any.
    ///   - window: Microseconds since 1970 within which the span begins.
    package func traces(
        limit: Int, of service: String?, in window: ClosedRange<Int64>, where matches: (Span) -> Bool
    ) -> [Trace] {
        func isWanted(_ span: Span) -> Bool {
            (service == nil || span.service == service) && window.contains(span.start) && matches(span)
        }
        let (all, completeAfter, archive) = state.withLock { state in
            (
                state.traces.values.filter { $0.end >= window.lowerBound && $0.start <= window.upperBound },
                state.completeAfter, state.log?.archive { $0.holds(service, in: window) }
            )
        }
        let held = all.filter { $0.spans.contains(where: isWanted) }.sorted { $0.start > $1.start }
        let isEnough = held.prefix { $0.start > completeAfter }.count >= limit || completeAfter < window.lowerBound
        guard !isEnough, let archive else { return Array(held.prefix(limit)) }
        let known = Set(held.map(\.id))
        let more = Set(archive.traces(limit: limit, where: isWanted)).subtracting(known)
        let found = more.isEmpty ? [] : gathered(archive.spans(of: more))
        return Array((held + found).sorted { $0.start > $1.start }.prefix(limit))
    }

    private func gathered(_ spans: [Span]) -> [Trace] {
        var found = State()
        Self.insert(spans, into: &found, settings)
        return Array(found.traces.values)
    }

    package var services: [String] {
        state.withLock { state in
            Set(state.traces.values.lazy.flatMap(\.spans).map(\.service)).union(state.log?.services ?? []).sorted()
        }
    }

    /// Operations of a service with the kinds of their spans.
    package func operations(of service: String) -> [(name: String, kind: String)] {
        struct Key: Hashable {
            var name: String
            var kind: String
        }
        return state.withLock { state in
            Set(
                state.traces.values.lazy.flatMap(\.spans).filter { $0.service == service }.map {
                    Key(name: $0.operation, kind: $0.kind)
                })
        }.sorted { ($0.name, $0.kind) < ($1.name, $1.kind) }.map { ($0.name, $0.kind) }
    }

    /// How many spans of one service have a parent of another.
    /// - Parameters: Microseconds since 1970.
    package func dependencies(from: Int64, through: Int64) -> [(parent: String, child: String, calls: Int)] {
        var calls: [[String]: Int] = [:]
        let traces = state.withLock { state in
            state.traces.values.filter { $0.end >= from && $0.start <= through }
        }
        for trace in traces {
            let services = Dictionary(trace.spans.map { ($0.spanID, $0.service) }) { first, _ in first }
            for span in trace.spans {
                guard let parent = span.parentID.flatMap({ services[$0] }), parent != span.service else { continue }
                calls[[parent, span.service], default: 0] += 1
            }
        }
        return calls.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { ($0.key[0], $0.key[1], $0.value) }
    }

    /// Spans taken in, let go before their time, and held now, and the bytes that these take, about.
    package var counts: (received: UInt64, dropped: UInt64, held: Int, bytes: Int) {
        state.withLock { ($0.received, $0.dropped, $0.spanCount, $0.bytes) }
    }
}
