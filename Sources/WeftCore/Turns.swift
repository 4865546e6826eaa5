/// Lets one caller after the other through, in the order of arrival. An actor alone lets others in while it waits.
package actor Turns {
    private var isTaken = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    package init() {}

    /// Returns when it is the caller's turn; ``leave()`` ends the turn.
    package func enter() async {
        guard isTaken else {
            isTaken = true
            return
        }
        await withCheckedContinuation { waiters.append($0) }
    }

    package func leave() {
        if waiters.isEmpty { isTaken = false } else { waiters.removeFirst().resume() }
    }
}
