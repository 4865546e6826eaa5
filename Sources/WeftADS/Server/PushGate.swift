/// Bounds how many large responses are under way at a time, from when they are made until the proxy has answered: what
/// waits in buffers for slow readers is what a push to everybody costs in memory.
///
/// First come, first served. A stream holds at most one permit, and none while it waits for one.
package actor PushGate {
    /// Responses below this many bytes need no permit.
    static let threshold = 64 * 1024
    /// A proxy that has not answered by then is counted no longer, so that dead ones do not stop the others.
    static let patience = Duration.seconds(5)

    private var free: Int
    private var waiters: [CheckedContinuation<Void, Never>] = []
    private var head = 0

    /// - Parameter limit: large responses at a time.
    package init(limit: Int = 32) { free = limit }

    /// Returns when a permit is free. It must be given back once.
    func enter() async -> Permit {
        if free > 0 { free -= 1 } else { await withCheckedContinuation { waiters.append($0) } }
        return Permit(gate: self)
    }

    fileprivate func leave() {
        guard head < waiters.count else {
            free += 1
            return
        }
        let next = waiters[head]
        head += 1
        if head > 64, head * 2 > waiters.count {
            waiters.removeFirst(head)
            head = 0
        }
        next.resume()
    }

    /// The right to have one large response under way; lapses after ``PushGate/patience``.
    actor Permit {
        private let gate: PushGate
        private var isOut = true
        private var timer: Task<Void, Never>?

        init(gate: PushGate) { self.gate = gate }

        func startTimer() {
            timer = Task {
                do { try await Task.sleep(for: PushGate.patience) } catch { return }
                await giveBack()
            }
        }

        func giveBack() async {
            timer?.cancel()
            guard isOut else { return }
            isOut = false
            await gate.leave()
        }
    }
}
