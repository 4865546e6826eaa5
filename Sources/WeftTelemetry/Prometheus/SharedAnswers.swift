import Synchronization

/// Answers that everybody gets who asks the same in the same second: a page that a team has on a wall and on ten desks
/// costs as much as one. Thread-safe; who comes while an answer is made waits for it.
final class SharedAnswers: Sendable {
    private final class Slot: Sendable {
        let second: Int64
        let answer = Mutex<APIResponse?>(nil)
        init(second: Int64) { self.second = second }
    }
    /// By what was asked; those of past seconds go with the next question.
    private let slots = Mutex<[[String]: Slot]>([:])

    /// - Parameters:
    ///   - second: Since 1970.
    ///   - make: Called once a second for what all ask; a failure is made anew for everybody.
    func answer(to questions: [String], second: Int64, _ make: () -> APIResponse) -> APIResponse {
        let slot = slots.withLock { slots in
            slots = slots.filter { $0.value.second == second }
            if let slot = slots[questions] { return slot }
            let slot = Slot(second: second)
            slots[questions] = slot
            return slot
        }
        return slot.answer.withLock { answer in
            if let answer { return answer }
            let made = make()
            if made.status == 200 { answer = made }
            return made
        }
    }
}
