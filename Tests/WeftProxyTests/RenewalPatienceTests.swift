import Foundation
import Testing

@testable import WeftProxy

@Suite struct RenewalPatienceTests {
    /// Life of the certificate, its age, seconds for an attempt, seconds between attempts at most.
    @Test(
        arguments: [
            (86_400, 40_000, 10, 15), (16, 7, 2.25, 2), (16, 15, 1, 2), (16, 60, 1, 2), (2, 1, 1, 1),
            (600, 599, 10, 15),
        ] as [(Double, Double, Double, Double)])
    func anAttemptLeavesTimeForOthers(_ life: Double, _ age: Double, _ attempt: Double, _ pause: Double) {
        let begin = Date(timeIntervalSince1970: 1_000_000)
        let patience = RenewalPatience(end: begin.addingTimeInterval(life), obtained: begin)
        #expect(patience.attempt(at: begin.addingTimeInterval(age)) == .seconds(attempt))
        #expect(patience.longestPause == .seconds(pause))
    }

    @Test func theFirstCertificateIsWaitedForAsLongAsEver() {
        #expect(RenewalPatience().attempt(at: Date()) == .seconds(10))
        #expect(RenewalPatience().longestPause == .seconds(15))
    }

    /// Whatever the life, two attempts that hang and the pauses after them are over before a certificate ends that was
    /// due at 48 % of its life.
    @Test(arguments: [16.0, 60, 300, 3600, 86_400])
    func twoHangingAttemptsAreSurvived(_ life: Double) {
        let begin = Date(timeIntervalSince1970: 1_000_000)
        let patience = RenewalPatience(end: begin.addingTimeInterval(life), obtained: begin)
        var now = begin.addingTimeInterval(life * 0.48)
        for pause in [0.5, 1.0] {
            now += patience.attempt(at: now) / .seconds(1) + min(pause, patience.longestPause / .seconds(1))
        }
        #expect(now < begin.addingTimeInterval(life))
    }
}
