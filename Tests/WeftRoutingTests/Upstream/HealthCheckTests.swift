import Testing
import WeftIR
import WeftRouting

@Suite struct HealthCheckTests {
    private func check(_ edit: (inout HealthCheck) -> Void = { _ in }) -> HealthCheck {
        var check = HealthCheck(.http(.init(path: "/health")))
        edit(&check)
        return check
    }

    @Test func theFirstAnswerIsBelieved() {
        var state = HealthCheckState(check())
        #expect(!state.isUp && state.isPending)
        #expect(state.record(.passed(degraded: false)) == .up)
        #expect(state.isUp && !state.isPending)
        var down = HealthCheckState(check())
        #expect(down.record(.unreachable) == .none)
        #expect(!down.isUp && !down.isPending)
        #expect(down.record(.passed(degraded: false)) == .pending)
        #expect(down.record(.passed(degraded: false)) == .up)
    }

    @Test func thresholds() {
        var state = HealthCheckState(check())
        _ = state.record(.passed(degraded: false))
        #expect(state.record(.unreachable) == .pending)
        #expect(state.record(.passed(degraded: false)) == .none)
        for change in [HealthCheckState.Change.pending, .pending, .down] {
            #expect(state.record(.unreachable) == change)
        }
        #expect(state.record(.unreachable) == .none)
        #expect(state.record(.passed(degraded: true)) == .pending)
        #expect(state.record(.failed(retriable: false)) == .none)
        #expect(state.record(.passed(degraded: true)) == .pending)
        #expect(state.record(.passed(degraded: true)) == .up)
        #expect(state.isDegraded)
        #expect(state.record(.failed(retriable: true)) == .pending)
        #expect(state.record(.failed(retriable: false)) == .down)
        #expect(!state.isDegraded)
    }

    @Test func intervals() {
        let check = check {
            $0.intervalMilliseconds = 5_000
            $0.noTrafficIntervalMilliseconds = 60_000
            $0.noTrafficHealthyIntervalMilliseconds = 40_000
            $0.unhealthyIntervalMilliseconds = 2_000
            $0.unhealthyEdgeIntervalMilliseconds = 1_000
            $0.healthyEdgeIntervalMilliseconds = 3_000
        }
        var random = RandomStream(seed: 1)
        var state = HealthCheckState(check)
        func next(_ change: HealthCheckState.Change, _ traffic: Bool = true) -> UInt64 {
            state.interval(after: change, hasTraffic: traffic, random: &random)
        }
        #expect(next(.none) == 2_000)
        #expect(next(.none, false) == 60_000)
        _ = state.record(.passed(degraded: false))
        #expect(next(.up) == 3_000)
        #expect(next(.none) == 5_000)
        #expect(next(.none, false) == 40_000)
        _ = state.record(.failed(retriable: false))
        #expect(next(.down) == 1_000)
    }

    @Test func jitterIsBounded() {
        let check = check {
            $0.initialJitterMilliseconds = 100
            $0.intervalJitterMilliseconds = 50
            $0.intervalJitterPercent = 10
        }
        var random = RandomStream(seed: 1)
        let state = HealthCheckState(check)
        for _ in 0..<200 {
            #expect(state.initialDelay(random: &random) < 100)
            #expect((5_000..<5_550).contains(state.interval(after: .none, hasTraffic: true, random: &random)))
        }
    }

    @Test(arguments: [
        (200 as UInt16, HealthCheckState.Result.passed(degraded: false)), (204, .passed(degraded: false)),
        (299, .failed(retriable: false)), (503, .failed(retriable: true)), (500, .failed(retriable: false)),
    ])
    func statuses(status: UInt16, expected: HealthCheckState.Result) {
        var http = HealthCheck.HTTP(path: "/")
        http.expectedStatuses = [.init(start: 200, end: 205)]
        http.retriableStatuses = [.init(start: 503, end: 504)]
        #expect(HealthCheckState.judge(http, status: status, degraded: false, cluster: nil) == expected)
        http.expectedStatuses = []
        #expect(HealthCheckState.judge(http, status: 204, degraded: false, cluster: nil) == .failed(retriable: false))
        http.serviceName = StringMatcher(.prefix("shop"))
        #expect(
            HealthCheckState.judge(http, status: 200, degraded: true, cluster: "shop-v2") == .passed(degraded: true))
        #expect(HealthCheckState.judge(http, status: 200, degraded: true, cluster: nil) == .failed(retriable: false))
    }

    @Test func bodiesAreLookedAt() {
        var http = HealthCheck.HTTP(path: "/")
        http.receive = [Array("up".utf8), Array("now".utf8)]
        func judged(_ body: String) -> HealthCheckState.Result {
            HealthCheckState.judge(http, status: 200, degraded: false, cluster: nil, body: Array(body.utf8))
        }
        #expect(judged("it is up right now") == .passed(degraded: false))
        #expect(judged("now it is up") == .failed(retriable: false))
        #expect(judged("") == .failed(retriable: false))
    }

    @Test func partsOfAnAnswerComeInOrder() {
        let bytes = Array("hello world".utf8)
        #expect(HealthCheckState.holds(bytes, inOrder: []))
        #expect(HealthCheckState.holds(bytes, inOrder: [Array("ell".utf8), Array("wor".utf8)]))
        #expect(!HealthCheckState.holds(bytes, inOrder: [Array("wor".utf8), Array("ell".utf8)]))
        #expect(!HealthCheckState.holds([], inOrder: [[1]]))
    }

    @Test func gRPC() {
        #expect(HealthCheckState.grpcRequest(service: "") == [0, 0, 0, 0, 0])
        #expect(HealthCheckState.grpcRequest(service: "ab") == [0, 0, 0, 0, 4, 10, 2, 97, 98])
        #expect(HealthCheckState.judge(grpc: [0, 0, 0, 0, 2, 8, 1], status: 0) == .passed(degraded: false))
        for body: [UInt8] in [[0, 0, 0, 0, 2, 8, 2], [0, 0, 0, 0, 0], [], [1, 0, 0, 0, 2, 8, 1]] {
            #expect(HealthCheckState.judge(grpc: body, status: 0) == .failed(retriable: false))
        }
        #expect(HealthCheckState.judge(grpc: [0, 0, 0, 0, 2, 8, 1], status: 12) == .failed(retriable: false))
    }
}
