import GRPCCore
import Synchronization

/// How many streams may be opened in a while: all proxies come back at once when a control plane restarts, and each
/// costs a first answer.
///
/// Streams beyond the rate wait for their turn; those that would wait too long are refused, and told when to try again.
/// Safe to use from anywhere.
package final class StreamAdmission: Sendable {
    /// Whether a stream may be opened.
    enum Answer: Sendable, Hashable {
        case admitted
        /// Not before this time there is a turn.
        case refused(retryAfter: Duration)
    }

    private let machine: Mutex<AdmissionMachine>

    /// - Parameter rate: streams a second, on average.
    package init(rate: Int = 100, patience: Duration = .seconds(2)) {
        machine = Mutex(AdmissionMachine(rate: rate, patience: patience, now: .now))
    }

    /// Returns when it is the caller's turn, or at once with a refusal.
    /// - Throws: `CancellationError`.
    func admit() async throws -> Answer {
        let (turn, wait) = machine.withLock { machine in
            let now = AdmissionMachine.Instant.now
            return (machine.turn(at: now), machine.wait(at: now))
        }
        // Whoever was refused with others is not to come back with all of them.
        guard let turn else { return .refused(retryAfter: wait * Double.random(in: 1...2)) }
        if turn > .now { try await Task.sleep(until: turn) }
        return .admitted
    }
}

/// `grpc-retry-pushback-ms`: how long a refused client is to wait (gRFC A6, "Pushback").
enum RetryPushback {
    static let key = "grpc-retry-pushback-ms"

    static func metadata(_ wait: Duration) -> Metadata {
        var metadata = Metadata()
        metadata.addString(String(Int(wait / .milliseconds(1))), forKey: key)
        return metadata
    }

    /// What a server asks for; `nil` when it says nothing, or nothing that is a time.
    static func wait(_ metadata: Metadata) -> Duration? {
        metadata[stringValues: key].compactMap { Int($0) }.first { $0 >= 0 }.map { .milliseconds(min($0, 60_000)) }
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

    /// How long the queue of turns that are given out is.
    func wait(at now: Instant) -> Duration { max(next - now, .zero) }
}
