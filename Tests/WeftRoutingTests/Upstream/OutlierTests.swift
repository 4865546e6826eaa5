import Synchronization
import Testing
import WeftHTTP
import WeftIR
import WeftRouting

private let second: Int64 = 1_000_000_000

/// A cluster of hosts under one detector, with a clock of its own.
private final class Rig {
    let detector: OutlierDetector
    let cluster = SharedCluster()
    let hosts: [SharedHost]
    var now = second
    var random = RandomStream(seed: 5)

    init(_ count: Int, _ edit: (inout OutlierDetection) -> Void) {
        var settings = OutlierDetection()
        settings.maxEjectionPercent = 100
        edit(&settings)
        detector = OutlierDetector(settings: settings)
        hosts = (0..<count).map { _ in SharedHost() }
    }

    func record(_ outcome: OutlierDetector.Outcome, _ host: Int = 0, times: Int = 1) {
        for _ in 0..<times {
            detector.record(outcome, of: hosts[host], in: cluster, hostCount: hosts.count, now: now, random: &random)
        }
    }

    func tick(after seconds: Int64 = 10) {
        now += seconds * second
        detector.tick(hosts, in: cluster, now: now, random: &random)
    }

    var ejected: [Int] { hosts.indices.filter { hosts[$0].isEjected } }
}

@Suite struct OutlierTests {
    @Test func fiveErrorsInARow() {
        let rig = Rig(2) { _ in }
        rig.record(.response(status: 500), times: 4)
        rig.record(.response(status: 404))
        rig.record(.response(status: 503), times: 4)
        #expect(rig.ejected.isEmpty)
        rig.record(.response(status: 500))
        #expect(rig.ejected == [0])
        #expect(rig.cluster.ejected.load(ordering: .relaxed) == 1)
    }

    @Test func gatewayErrorsAreCountedApart() {
        let rig = Rig(2) {
            $0.consecutive5xx = 100
            $0.consecutiveGatewayFailure = 3
            $0.enforcingConsecutiveGatewayFailurePercent = 100
        }
        for status in [502, 500, 503, 504] { rig.record(.response(status: status)) }
        #expect(rig.ejected.isEmpty)
        rig.record(.response(status: 502))
        #expect(rig.ejected == [0])
    }

    @Test func connectionsThatFailCountAsErrorsUnlessSplit() {
        let joined = Rig(2) { _ in }
        joined.record(.connectFailed, times: 3)
        joined.record(.timeout, times: 2)
        #expect(joined.ejected == [0])
        let split = Rig(2) {
            $0.splitExternalLocalOriginErrors = true
            $0.consecutiveLocalOriginFailure = 3
        }
        split.record(.connectFailed, times: 2)
        split.record(.connected)
        split.record(.response(status: 500), times: 4)
        split.record(.connectFailed, times: 2)
        #expect(split.ejected.isEmpty)
        split.record(.timeout)
        #expect(split.ejected == [0])
    }

    @Test func noMoreThanTheShareIsEjected() {
        let rig = Rig(10) { $0.maxEjectionPercent = 25 }
        for host in 0..<5 { rig.record(.response(status: 500), host, times: 5) }
        #expect(rig.ejected == [0, 1])
        #expect(rig.cluster.ejectionsOverflow.load(ordering: .relaxed) == 3)
        let none = Rig(3) { $0.maxEjectionPercent = 10 }
        none.record(.response(status: 500), times: 5)
        #expect(none.ejected.isEmpty)
        let one = Rig(3) {
            $0.maxEjectionPercent = 10
            $0.alwaysEjectsOneHost = true
        }
        one.record(.response(status: 500), 0, times: 5)
        one.record(.response(status: 500), 1, times: 5)
        #expect(one.ejected == [0])
    }

    @Test func notEnforcedIsNotEjected() {
        let rig = Rig(2) { $0.enforcingConsecutive5xxPercent = 0 }
        rig.record(.response(status: 500), times: 50)
        #expect(rig.ejected.isEmpty)
        var count = 0
        for seed in 0..<400 {
            let half = Rig(2) { $0.enforcingConsecutive5xxPercent = 50 }
            half.random = RandomStream(seed: UInt64(seed))
            half.record(.response(status: 500), times: 5)
            count += half.ejected.count
        }
        #expect(abs(count - 200) < 50)
    }

    /// Each time longer, up to the maximum; shorter again after a good time.
    @Test func ejectionTimeGrowsAndShrinks() {
        let rig = Rig(2) { $0.maxEjectionMilliseconds = 60_000 }
        func held() -> Int64 {
            rig.record(.response(status: 500), times: 5)
            let start = rig.now
            while rig.ejected == [0] { rig.tick() }
            return (rig.now - start) / second
        }
        #expect(held() == 30)
        #expect(held() == 60)
        #expect(held() == 60)
        for _ in 0..<10 { rig.tick() }
        #expect(held() == 30)
    }

    @Test func jitterIsBounded() {
        for seed in 0..<50 {
            let rig = Rig(2) { $0.maxEjectionJitterMilliseconds = 5_000 }
            rig.random = RandomStream(seed: UInt64(seed))
            rig.record(.response(status: 500), times: 5)
            let span = rig.hosts[0].ejectedFor.load(ordering: .relaxed)
            #expect((30 * second...35 * second).contains(span))
        }
    }

    @Test func aLowSuccessRateStandsOut() {
        let rig = Rig(5) {
            $0.consecutive5xx = 1_000
            $0.successRateRequestVolume = 100
        }
        for host in 0..<5 {
            rig.record(.response(status: 200), host, times: host == 2 ? 50 : 100)
            if host == 2 { rig.record(.response(status: 500), host, times: 50) }
        }
        rig.tick()
        #expect(rig.ejected == [2])
        // Few requests say nothing, and neither do few hosts.
        let few = Rig(5) { $0.consecutive5xx = 1_000 }
        for host in 0..<5 { few.record(.response(status: host == 2 ? 500 : 200), host, times: 99) }
        few.tick()
        #expect(few.ejected.isEmpty)
        let small = Rig(4) { $0.consecutive5xx = 1_000 }
        for host in 0..<4 { small.record(.response(status: host == 2 ? 500 : 200), host, times: 200) }
        small.tick()
        #expect(small.ejected.isEmpty)
    }

    @Test func failurePercentageIsAbsolute() {
        let rig = Rig(5) {
            $0.consecutive5xx = 1_000
            $0.enforcingSuccessRatePercent = 0
            $0.enforcingFailurePercentage = 100
            $0.failurePercentageThreshold = 40
        }
        for host in 0..<5 {
            rig.record(.response(status: 200), host, times: host < 2 ? 60 : 100)
            if host < 2 { rig.record(.response(status: 500), host, times: host == 0 ? 40 : 30) }
        }
        rig.tick()
        #expect(rig.ejected == [0])
    }

    @Test func aGoodHealthCheckBringsAHostBack() {
        let rig = Rig(2) { _ in }
        rig.record(.response(status: 500), times: 5)
        rig.detector.uneject(rig.hosts[0], in: rig.cluster, now: rig.now)
        rig.detector.uneject(rig.hosts[0], in: rig.cluster, now: rig.now)
        #expect(rig.ejected.isEmpty)
        #expect(rig.cluster.ejected.load(ordering: .relaxed) == 0)
    }

    @Test(arguments: [
        (200, "0", 200), (200, "14", 503), (200, "4", 504), (200, "2", 500), (200, "5", 404), (503, "0", 503),
        (200, "", 200),
    ])
    func gRPCStatusCounts(status: UInt16, grpc: String, expected: Int) {
        let head = ResponseHead(status: status, headers: HeaderBlock(grpc.isEmpty ? [] : [("grpc-status", grpc)]))
        #expect(GRPCOutcome.httpStatus(of: head) == expected)
    }

    /// What the condition matches is an error whatever its status, what it does not match is a success.
    @Test(arguments: [
        (200, "", nil), (404, "", nil), (429, "", 500), (503, "", 503), (200, "yes", 500), (502, "yes", 502),
    ])
    func conditionsSayWhatIsAnError(status: UInt16, mark: String, expected: Int?) {
        func range(_ from: Int64, _ to: Int64) -> ResponseCondition {
            .headers([.init(name: ":status", test: .range(start: from, end: to))])
        }
        let condition = ErrorCondition(
            .or([
                range(429, 430), .and([range(500, 600), .not(range(501, 502))]),
                .headers([.init(name: "x-bad", test: .string(StringMatcher(.exact("yes"))))]),
            ]))
        let head = ResponseHead(status: status, headers: HeaderBlock(mark.isEmpty ? [] : [("x-bad", mark)]))
        #expect(condition.status(of: head) == expected)
        #expect(condition.status(of: ResponseHead(status: 501)) == nil)
    }
}
