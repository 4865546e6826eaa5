import Testing

@testable import WeftControlPlane

@Suite struct DebounceMachineTests {
    private let start = ContinuousClock.now

    @Test func oneChangeIsPushedAfterQuiet() {
        var machine = DebounceMachine(quiet: .milliseconds(100), limit: .seconds(10))
        #expect(machine.deadline == nil)
        machine.changed(at: start)
        #expect(machine.take(at: start + .milliseconds(99)) == nil)
        #expect(machine.take(at: start + .milliseconds(100)) == 1)
        #expect(machine.deadline == nil)
        #expect(machine.take(at: start + .seconds(60)) == nil)
    }

    /// Endpoints: due with the change itself.
    @Test func withoutQuietNothingWaits() {
        var machine = DebounceMachine(quiet: .zero, limit: .zero)
        let start = ContinuousClock.now
        machine.changed(at: start)
        machine.changed(at: start)
        #expect(machine.deadline == start)
        #expect(machine.take(at: start) == 2)
        #expect(machine.deadline == nil)
    }

    @Test func everyChangeMovesTheDeadline() {
        var machine = DebounceMachine(quiet: .milliseconds(100), limit: .seconds(10))
        for step in 0..<5 { machine.changed(at: start + .milliseconds(80 * step)) }
        #expect(machine.deadline == start + .milliseconds(420))
        #expect(machine.take(at: start + .milliseconds(420)) == 5)
    }

    @Test func aStreamOfChangesIsPushedAtTheLimit() {
        var machine = DebounceMachine(quiet: .milliseconds(100), limit: .seconds(1))
        for step in 0..<20 { machine.changed(at: start + .milliseconds(50 * step)) }
        #expect(machine.deadline == start + .seconds(1))
        #expect(machine.take(at: start + .seconds(1)) == 20)
    }
}
