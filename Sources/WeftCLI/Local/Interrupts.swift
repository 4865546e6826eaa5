import Dispatch
import Foundation
import Glibc

/// Ctrl-C and SIGTERM as something that work can be raced against, from the moment that this is made.
final class Interrupts {
    private let arrivals: AsyncStream<Void>
    private let sources: [any DispatchSourceSignal]

    init() {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        arrivals = stream
        sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { continuation.yield() }
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
            let arrivals = arrivals
            group.addTask {
                for await _ in arrivals { return false }
                // Cancelled: the work has ended.
                return true
            }
            defer { group.cancelAll() }
            let isFinished = try await group.next() ?? true
            guard !isFinished else { return true }
            group.cancelAll()
            // What the work says about its cancellation does not matter.
            while await group.nextResult() != nil {}
            return false
        }
    }
}
