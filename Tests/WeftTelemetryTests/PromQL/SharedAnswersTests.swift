import Dispatch
import Synchronization
import Testing

@testable import WeftTelemetry

/// What many ask in the same second is answered once.
@Suite struct SharedAnswersTests {
    private final class Kitchen: Sendable {
        let made = Mutex(0)
        func cook(_ status: Int) -> APIResponse {
            made.withLock { made in
                made += 1
                return APIResponse(status: status, body: [UInt8(made)])
            }
        }
    }

    @Test(
        arguments: [
            (["a"], 10, 200, 1), (["b"], 10, 200, 2), (["a"], 11, 200, 2), (["a"], 9, 200, 2),
        ] as [([String], Int64, Int, Int)])
    func aSecondQuestionIsAnsweredFromTheFirst(
        _ questions: [String], _ second: Int64, _ status: Int, _ expected: Int
    ) {
        let (answers, kitchen) = (SharedAnswers(), Kitchen())
        let first = answers.answer(to: ["a"], second: 10) { kitchen.cook(200) }
        let other = answers.answer(to: questions, second: second) { kitchen.cook(status) }
        #expect(kitchen.made.withLock { $0 } == expected)
        #expect((first.body == other.body) == (expected == 1))
    }

    @Test func aFailureIsNotKept() {
        let (answers, kitchen) = (SharedAnswers(), Kitchen())
        #expect(answers.answer(to: ["a"], second: 1) { kitchen.cook(503) }.status == 503)
        #expect(answers.answer(to: ["a"], second: 1) { kitchen.cook(200) }.status == 200)
        #expect(answers.answer(to: ["a"], second: 1) { kitchen.cook(503) }.status == 200)
    }

    @Test func whoComesMeanwhileWaits() {
        let (answers, kitchen) = (SharedAnswers(), Kitchen())
        DispatchQueue.concurrentPerform(iterations: 16) { _ in
            #expect(answers.answer(to: ["a"], second: 1) { kitchen.cook(200) }.body == [1])
        }
        #expect(kitchen.made.withLock { $0 } == 1)
    }
}
