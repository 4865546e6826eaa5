import Synchronization
import WeftRouting

/// How spans and the entries of access log services fared, of all workers. Thread-safe.
final class TracingCounts: Sendable {
    let logEntriesWritten = Counter()
    let logEntriesDropped = Counter()
    /// Lines that no access log file took in time.
    let logLinesDropped = Counter()
    /// Spans that a collector took.
    let sent = Counter()
    /// The collector did not take them.
    let failed = Counter()
    /// There was no room to wait.
    let dropped = Counter()
}

/// A number that any worker may add to. Thread-safe; for what happens seldom.
final class Counter: Sendable {
    private let value = Atomic<Int>(0)
    func add(_ amount: Int) { value.wrappingAdd(amount, ordering: .relaxed) }
    var count: Int { value.load(ordering: .relaxed) }
}

/// Why requests of one connection manager were traced or not (`http.PREFIX.tracing.…`). Thread-safe.
final class TraceReasonCounts: Sendable {
    let sampled = Counter()
    let serviceForced = Counter()
    let clientForced = Counter()
    let notTraceable = Counter()

    func add(_ reason: TraceReason) {
        switch reason {
        case .sampled: sampled.add(1)
        case .serviceForced: serviceForced.add(1)
        case .clientForced: clientForced.add(1)
        case .notTraceable: notTraceable.add(1)
        }
    }
}
