import Synchronization
import WeftIR

/// What overload protection asks of the workers now. Thread-safe; a request pays for one load of ``anything``.
final class OverloadState: Sendable {
    /// Whether any measure is taken at all.
    let anything = Atomic<Bool>(false)
    // Levels in millionths, so that a draw below decides.
    private let refusedRequests = Atomic<Int>(0)
    private let keepAlive = Atomic<Int>(0)
    private let rejectedConnections = Atomic<Int>(0)
    private let sessions = Atomic<Int>(0)

    // What was done about it, for statistics.
    let requestsClosed = Atomic<Int>(0)
    let keepAlivesDisabled = Atomic<Int>(0)
    let streamsReset = Atomic<Int>(0)
    private let shown = Mutex<(pressures: [String: Int], levels: [Overload.Measure: Double], failures: [String: Int])>(
        ([:], [:], [:]))

    static let whole = 1_000_000

    /// Pressures in percent, levels of measures and failed looks at a resource, for statistics.
    var report: (pressures: [String: Int], levels: [Overload.Measure: Double], failures: [String: Int]) {
        shown.withLock { $0 }
    }

    func failed(_ monitor: String) { shown.withLock { $0.failures[monitor, default: 0] += 1 } }

    func set(_ levels: [Overload.Measure: Double], pressures: [String: Double]) {
        func level(_ first: Overload.Measure, _ second: Overload.Measure? = nil) -> Int {
            let strongest = max(levels[first] ?? 0, second.flatMap { levels[$0] } ?? 0)
            return Int(strongest * Double(Self.whole))
        }
        // The action is on or off; only the load-shed point turns away a share.
        let stops = (levels[.stopAcceptingRequests] ?? 0) >= 1 ? Self.whole : 0
        refusedRequests.store(max(stops, level(.shedRequests)), ordering: .relaxed)
        keepAlive.store(level(.disableKeepAlive), ordering: .relaxed)
        rejectedConnections.store(level(.rejectIncomingConnections, .shedConnections), ordering: .relaxed)
        sessions.store(level(.shedSessions), ordering: .relaxed)
        anything.store(levels.values.contains { $0 > 0 }, ordering: .relaxed)
        shown.withLock { shown in
            shown.pressures = pressures.mapValues { Int(max(0, min($0, 1_000)) * 100) }
            shown.levels = levels
        }
    }

    // Each takes a random number; its draw is one of a million.

    func refusesRequest(_ random: UInt64) -> Bool { Self.hits(refusedRequests, random) }
    func disablesKeepAlive(_ random: UInt64) -> Bool { Self.hits(keepAlive, random) }
    func rejectsConnection(_ random: UInt64) -> Bool { Self.hits(rejectedConnections, random) }
    func endsSession(_ random: UInt64) -> Bool { Self.hits(sessions, random) }

    private static func hits(_ level: borrowing Atomic<Int>, _ random: UInt64) -> Bool {
        let level = level.load(ordering: .relaxed)
        return level > 0 && Int(random % UInt64(whole)) < level
    }
}
