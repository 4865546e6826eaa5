import Synchronization

/// Gathers changes from many informers and hands them on when they have calmed down.
final class ChangeSignal: Sendable {
    private let machine: Mutex<DebounceMachine>
    private let reasons = Mutex<Set<String>>([])
    private let wake: AsyncStream<Void>
    private let waker: AsyncStream<Void>.Continuation

    init(machine: DebounceMachine = DebounceMachine()) {
        self.machine = Mutex(machine)
        (wake, waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Something of this kind changed.
    func notify(_ reason: String) {
        reasons.withLock { _ = $0.insert(reason) }
        machine.withLock { $0.changed(at: .now) }
        waker.yield()
    }

    /// Calls `body` once for each calmed burst, with the kinds that changed. Runs until the task is cancelled.
    func run(_ body: (_ changes: Int, _ reasons: [String]) async -> Void) async {
        for await _ in wake {
            while let deadline = machine.withLock({ $0.deadline }) {
                do { try await Task.sleep(until: deadline) } catch { return }
                guard let changes = machine.withLock({ $0.take(at: .now) }) else { continue }
                let kinds = reasons.withLock { reasons in
                    defer { reasons = [] }
                    return reasons.sorted()
                }
                await body(changes, kinds)
            }
        }
    }
}
