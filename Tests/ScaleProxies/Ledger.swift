import Glibc
import Synchronization

/// What the proxies have seen, for whoever waits for it. Safe to use from anywhere.
final class Ledger: Sendable {
    private struct State {
        var bytes = 0
        var unsynced: Set<Int> = []
        var lastSync = 0.0
        var syncWaiter: CheckedContinuation<Void, Never>?
        var expected: (typeURL: String, count: Int)?
        var arrivals: [Int: Double] = [:]
        var arrivalWaiter: CheckedContinuation<Void, Never>?
    }
    private let state = Mutex(State())

    /// Seconds of the monotonic clock, which other processes on this machine read alike.
    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    var bytes: Int { state.withLock { $0.bytes } }
    var lastSync: Double { state.withLock { $0.lastSync } }

    func received(_ bytes: Int) { state.withLock { $0.bytes += bytes } }

    // MARK: - In step

    func isBehind(_ index: Int) { state.withLock { _ = $0.unsynced.insert(index) } }

    func isSynced(_ index: Int) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.unsynced.remove(index) != nil else { return nil }
            state.lastSync = Self.now
            guard state.unsynced.isEmpty else { return nil }
            defer { state.syncWaiter = nil }
            return state.syncWaiter
        }
        waiter?.resume()
    }

    func waitForSync() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if !state.unsynced.isEmpty { state.syncWaiter = continuation }
                return state.unsynced.isEmpty
            }
            if isDone { continuation.resume() }
        }
    }

    // MARK: - One change

    func expect(_ typeURL: String, count: Int) {
        state.withLock { state in
            state.expected = (typeURL, count)
            state.arrivals = [:]
        }
    }

    func arrived(_ index: Int, _ typeURL: String) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard let expected = state.expected, expected.typeURL == typeURL else { return nil }
            if state.arrivals[index] == nil { state.arrivals[index] = Self.now }
            guard state.arrivals.count >= expected.count else { return nil }
            defer { state.arrivalWaiter = nil }
            return state.arrivalWaiter
        }
        waiter?.resume()
    }

    /// When each of the expected proxies had its response.
    func waitForArrivals() async -> [Double] {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                let isDone = state.arrivals.count >= state.expected?.count ?? 0
                if !isDone { state.arrivalWaiter = continuation }
                return isDone
            }
            if isDone { continuation.resume() }
        }
        return state.withLock { state in
            defer { state.expected = nil }
            return state.arrivals.values.sorted()
        }
    }
}
