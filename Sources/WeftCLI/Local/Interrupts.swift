import Dispatch
import Foundation
import Glibc
import Synchronization

/// Ctrl-C and SIGTERM as something that work can be raced against, from the moment that this is made.
final class Interrupts {
    /// Set for ever once a signal came. Shared with the signal handlers' queue.
    private final class Arrival: Sendable {
        private let state = Atomic(false)
        var isThere: Bool { state.load(ordering: .acquiring) }
        func set() { state.store(true, ordering: .releasing) }
    }

    private let arrival = Arrival()
    private let sources: [any DispatchSourceSignal]

    init() {
        let arrival = arrival
        sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { arrival.set() }
            source.resume()
            return source
        }
    }

    deinit { for source in sources { source.cancel() } }

    /// Runs `work` until it ends or a signal comes; then it is cancelled and waited for.
    /// - Returns: whether it came to its end.
    func race(_ work: @escaping @Sendable () async throws -> Void) async throws -> Bool {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await work()
                return true
            }
            let arrival = arrival
            group.addTask {
                while !arrival.isThere { try await Task.sleep(for: .milliseconds(50)) }
                return false
            }
            let isFinished = try await group.next() ?? true
            group.cancelAll()
            // What the other one says about its cancellation does not matter.
            while await group.nextResult() != nil {}
            return isFinished
        }
    }
}
