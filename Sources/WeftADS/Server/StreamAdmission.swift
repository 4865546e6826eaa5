import Synchronization

/// How many streams may be opened in a while: all proxies come back at once when a control plane restarts, and each
/// costs a first answer.
///
/// Streams beyond the rate wait for their turn; those that would wait too long are refused, and try again later by
/// themselves. Safe to use from anywhere.
package final class StreamAdmission: Sendable {
    private let machine: Mutex<AdmissionMachine>

    /// - Parameter rate: streams a second, on average.
    package init(rate: Int = 100, patience: Duration = .seconds(2)) {
        machine = Mutex(AdmissionMachine(rate: rate, patience: patience, now: .now))
    }

    /// Returns when it is the caller's turn.
    /// - Returns: false if that would take too long.
    /// - Throws: `CancellationError`.
    func admit() async throws -> Bool {
        guard let turn = machine.withLock({ $0.turn(at: .now) }) else { return false }
        if turn > .now { try await Task.sleep(until: turn) }
        return true
    }
}

/// A token bucket that hands out turns in the future. Pure.
struct AdmissionMachine: Sendable {
    typealias Instant = ContinuousClock.Instant
    private let interval: Duration
    private let burst: Duration
    private let patience: Duration
    /// When the next turn would be if there were no burst; lies behind now while turns are unused.
    private var next: Instant

    /// - Parameter rate: turns a second; as many may be used at once after a quiet second.
    init(rate: Int, patience: Duration, now: Instant) {
        interval = .seconds(1) / max(1, rate)
        burst = .seconds(1)
        self.patience = patience
        next = now - burst
    }

    /// - Returns: when the caller may go on; `nil` if that is further off than anybody should wait.
    mutating func turn(at now: Instant) -> Instant? {
        next = max(next, now - burst)
        guard next - now <= patience else { return nil }
        next += interval
        return max(next - interval, now)
    }
}
