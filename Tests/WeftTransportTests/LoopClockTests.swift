import NIOCore
import Testing

@testable import WeftTransport

@Suite struct LoopClockTests {
    @Test func itStandsStillWhileAReadIsHandled() {
        let clock = LoopClock()
        let before = NIODeadline.now()
        clock.stop()
        let first = clock.now
        while NIODeadline.now() <= first {}
        #expect(clock.now == first)
        #expect(first >= before)
        clock.goOn()
        #expect(clock.now > first)
        clock.stop()
        #expect(clock.now > first)
    }
}
