import Synchronization

/// Counts of what went wrong on HTTP/2 connections, by reason. Shared by threads; touched on rare paths only.
package final class HTTP2Statistics: Sendable {
    private let counts = Mutex<[HTTP2Reason: Int]>([:])

    package init() {}

    package func count(_ reason: HTTP2Reason) { counts.withLock { $0[reason, default: 0] += 1 } }

    package subscript(reason: HTTP2Reason) -> Int { counts.withLock { $0[reason] ?? 0 } }
}
