import Testing

@testable import WeftADS

@Suite struct AdmissionTests {
    private let start = ContinuousClock.now

    @Test func aBurstGoesInAndTheRestWaitsItsTurn() throws {
        var machine = AdmissionMachine(rate: 10, patience: .milliseconds(500), now: start)
        // Ten at once after a quiet second, and one that is just due.
        for _ in 0..<11 { #expect(machine.turn(at: start) == start) }
        for step in 1...5 { #expect(machine.turn(at: start) == start + .milliseconds(100) * step) }
        #expect(machine.turn(at: start) == nil, "it would wait longer than anybody should")
        #expect(machine.wait(at: start) > .milliseconds(500))
        #expect(machine.turn(at: start + .milliseconds(100)) == start + .milliseconds(600))
    }

    @Test func unusedTurnsAreNotSavedUpForever() {
        var machine = AdmissionMachine(rate: 10, patience: .zero, now: start)
        let later = start + .seconds(3_600)
        var admitted = 0
        while machine.turn(at: later) != nil { admitted += 1 }
        #expect(admitted == 11)
    }

    /// One stream's permit is another's turn, in the order of arrival; giving back twice gives back once.
    @Test(.timeLimit(.minutes(1))) func theGateLetsOneThroughForEachThatLeaves() async {
        let gate = PushGate(limit: 1)
        let first = await gate.enter()
        async let second = gate.enter()
        await first.giveBack()
        await first.giveBack()
        let permit = await second
        async let third = gate.enter()
        await permit.giveBack()
        await third.giveBack()
    }
}
