import Synchronization
import WeftIR

/// Counts the connections that one `connection_limit` filter has let through, on all workers. Thread-safe; outlives
/// the snapshots in which the filter stays.
final class ConnectionLimiter: Sendable {
    let limit: ConnectionLimit
    let active = Atomic<Int>(0)
    let limited = Atomic<Int>(0)

    init(_ limit: ConnectionLimit) { self.limit = limit }

    /// - Returns: False when there is no room. What was acquired is to be released once.
    func acquire() -> Bool {
        guard limit.isEnabled else {
            active.wrappingAdd(1, ordering: .relaxed)
            return true
        }
        let now = active.wrappingAdd(1, ordering: .relaxed).newValue
        guard now > limit.maximum else { return true }
        active.wrappingSubtract(1, ordering: .relaxed)
        limited.wrappingAdd(1, ordering: .relaxed)
        return false
    }

    func release() { active.wrappingSubtract(1, ordering: .relaxed) }
}
