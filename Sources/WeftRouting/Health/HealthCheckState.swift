package import WeftIR

/// The active health check of one host: counts results and says when the host is up or down and when to look again.
///
/// Pure: a driver sends the probes. A host begins as down and is believed after its first good answer.
package struct HealthCheckState: Sendable {
    package enum Result: Sendable, Hashable {
        case passed(degraded: Bool)
        /// The host answered, and not as it should. Counts at once, or towards the threshold when it may be retried.
        case failed(retriable: Bool)
        /// No answer: the connection failed, broke or took too long.
        case unreachable
    }
    /// What a result has changed.
    package enum Change: Sendable, Hashable {
        case none
        /// The next results decide.
        case pending
        case up, down
    }

    private let check: HealthCheck
    package private(set) var isUp = false
    package private(set) var isDegraded = false
    /// No result has come yet.
    package private(set) var isPending = true
    private var passes: UInt32 = 0
    private var failures: UInt32 = 0

    /// - Parameter isUp: What is known of the host from before.
    package init(_ check: HealthCheck, isUp: Bool = false) {
        self.check = check
        self.isUp = isUp
        isPending = !isUp
    }

    package mutating func record(_ result: Result) -> Change {
        defer { isPending = false }
        switch result {
        case .passed(let degraded):
            failures = 0
            isDegraded = degraded
            guard !isUp else { return .none }
            passes += 1
            // The first answer is believed at once, so that a new host serves without delay.
            guard isPending || passes >= check.healthyThreshold else { return .pending }
            isUp = true
            passes = 0
            return .up
        case .failed(let retriable): return fail(atOnce: !retriable)
        case .unreachable: return fail(atOnce: false)
        }
    }

    private mutating func fail(atOnce: Bool) -> Change {
        passes = 0
        guard isUp else { return .none }
        failures += 1
        guard atOnce || failures >= check.unhealthyThreshold else { return .pending }
        isUp = false
        isDegraded = false
        failures = 0
        return .down
    }

    /// The host was declared down from outside (`x-envoy-immediate-health-check-fail`).
    package mutating func setDown() {
        isUp = false
        passes = 0
        failures = 0
    }

    /// Before the first probe, in milliseconds.
    package func initialDelay(random: inout RandomStream) -> UInt64 {
        check.initialJitterMilliseconds > 0 ? random.next() % check.initialJitterMilliseconds : 0
    }

    /// From one probe's end to the next one's start, in milliseconds.
    /// - Parameter hasTraffic: Whether the cluster has ever been connected to by requests.
    package func interval(after change: Change, hasTraffic: Bool, random: inout RandomStream) -> UInt64 {
        var base: UInt64
        if !hasTraffic {
            let idle = check.noTrafficIntervalMilliseconds
            base = isUp ? check.noTrafficHealthyIntervalMilliseconds ?? idle : idle
        } else {
            let unhealthy = check.unhealthyIntervalMilliseconds ?? check.intervalMilliseconds
            switch change {
            case .up: base = check.healthyEdgeIntervalMilliseconds ?? check.intervalMilliseconds
            case .down: base = check.unhealthyEdgeIntervalMilliseconds ?? unhealthy
            case .none, .pending: base = isUp ? check.intervalMilliseconds : unhealthy
            }
        }
        let part = base * UInt64(min(100, check.intervalJitterPercent)) / 100
        if part > 0 { base += random.next() % part }
        if check.intervalJitterMilliseconds > 0 { base += random.next() % check.intervalJitterMilliseconds }
        return max(1, base)
    }

    // MARK: judging answers

    /// What an HTTP answer means.
    /// - Parameters:
    ///   - cluster: The value of `x-envoy-upstream-healthchecked-cluster`.
    ///   - body: As much of it as is looked at.
    package static func judge(
        _ http: HealthCheck.HTTP, status: UInt16, degraded: Bool, cluster: String?, body: [UInt8] = []
    ) -> Result {
        func holds(_ ranges: [HealthCheck.StatusRange]) -> Bool {
            ranges.contains { status >= $0.start && status < $0.end }
        }
        let isExpected = http.expectedStatuses.isEmpty ? status == 200 : holds(http.expectedStatuses)
        guard isExpected else { return .failed(retriable: holds(http.retriableStatuses)) }
        if let name = http.serviceName, !CompiledStringMatcher(name).matches(cluster ?? "") {
            return .failed(retriable: false)
        }
        guard http.receive.isEmpty || Self.holds(body, inOrder: http.receive) else { return .failed(retriable: false) }
        return .passed(degraded: degraded)
    }

    /// Whether all of `wanted` occur in `bytes`, one after the other.
    package static func holds(_ bytes: [UInt8], inOrder wanted: [[UInt8]]) -> Bool {
        var position = 0
        for part in wanted {
            guard let found = find(part, in: bytes, from: position) else { return false }
            position = found + part.count
        }
        return true
    }

    private static func find(_ part: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        guard bytes.count >= start + part.count else { return nil }
        return (start...(bytes.count - part.count)).first { bytes[$0..<($0 + part.count)].elementsEqual(part) }
    }

    /// The request of `grpc.health.v1.Health/Check` as one gRPC message.
    package static func grpcRequest(service: String) -> [UInt8] {
        let name = Array(service.utf8.prefix(4_096))
        var message: [UInt8] = []
        if !name.isEmpty { message = [10] + varint(name.count) + name }
        let length = message.count
        return [0, UInt8(length >> 24 & 255), UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255)]
            + message
    }

    /// What a gRPC answer means: message and `grpc-status`.
    package static func judge(grpc body: [UInt8], status: Int?) -> Result {
        guard status == 0, body.count >= 5, body[0] == 0 else { return .failed(retriable: false) }
        // Field 1, a varint: 1 is SERVING. An absent field is UNKNOWN.
        return body.count >= 7 && body[5] == 8 && body[6] == 1 ? .passed(degraded: false) : .failed(retriable: false)
    }

    private static func varint(_ value: Int) -> [UInt8] {
        var value = value
        var bytes: [UInt8] = []
        while value > 127 {
            bytes.append(UInt8(value & 127) | 128)
            value >>= 7
        }
        return bytes + [UInt8(value)]
    }
}
