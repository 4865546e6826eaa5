import NIOCore
package import WeftHTTP
import WeftIR

/// The retries of one request: what has been used up, and whether an outcome is tried again.
///
/// Pure: time and randomness come in, a verdict goes out. Circuit breakers are the caller's.
package struct RetryState: Sendable {
    /// Why a try gave no response.
    package enum Failure: Sendable, Hashable {
        /// Too much was under way already: never tried again.
        case overflow
        case connect
        case refusedStream
        case reset
        case perTryTimeout
    }
    package enum Verdict: Sendable, Hashable {
        case no
        /// It would be tried again, but all retries are used.
        case limitExceeded
        /// After so many milliseconds.
        case retry(afterMilliseconds: UInt64)
    }

    private let policy: CompiledRetryPolicy?
    package private(set) var conditions: RetryConditions
    package private(set) var remaining: UInt32
    private var extraStatusCodes: [UInt16] = []
    private var extraHeaders: [HeaderName] = []
    private let backOffLimit: UInt64
    private var nextBackOff: UInt64

    private static let requestHeaders: HeaderNameSet = [
        retryOn, retryGRPCOn, maxRetries, statusCodes, headerNames,
    ]
    private static var retryOn: HeaderName { "x-envoy-retry-on" }
    private static var retryGRPCOn: HeaderName { "x-envoy-retry-grpc-on" }
    private static var maxRetries: HeaderName { "x-envoy-max-retries" }
    private static var statusCodes: HeaderName { "x-envoy-retriable-status-codes" }
    private static var headerNames: HeaderName { "x-envoy-retriable-header-names" }
    private static var overloaded: HeaderName { .envoyOverloaded }
    private static var rateLimited: HeaderName { "x-envoy-ratelimited" }

    /// - Parameter head: Its headers about retries (`x-envoy-retry-on` and so on) are obeyed and taken out.
    /// - Returns: `nil` when nothing would ever be tried again.
    package init?(_ policy: CompiledRetryPolicy?, head: inout RequestHead) {
        self.policy = policy
        // Most requests are tried once and say nothing about it.
        let hasHeaders = head.headers.mayContain(Self.requestHeaders)
        if policy == nil, !hasHeaders { return nil }
        conditions = policy?.conditions ?? []
        remaining = policy?.policy.numRetries ?? 1
        let base = max(1, policy?.policy.backOffBaseMilliseconds ?? 25)
        nextBackOff = base
        backOffLimit = max(base, policy?.policy.backOffMaxMilliseconds ?? base.multipliedReportingOverflow(by: 10).0)
        if hasHeaders || policy?.requestHeaders.isEmpty == false { readHeaders(&head) }
        if conditions.isEmpty { return nil }
    }

    private mutating func readHeaders(_ head: inout RequestHead) {
        let hasHeaders = head.headers.contains(Self.retryOn) || head.headers.contains(Self.retryGRPCOn)
        func list(_ name: HeaderName) -> [Substring] {
            (head.headers.string(name) ?? "").split(separator: ",")
        }
        if hasHeaders {
            conditions.formUnion(RetryConditions(names: list(Self.retryOn)))
            conditions.formUnion(RetryConditions(names: list(Self.retryGRPCOn)))
        }
        if let wanted = policy?.requestHeaders, !wanted.isEmpty, !wanted.contains(where: { $0.matches(head) }) {
            conditions = []
        }
        if let value = head.headers[Self.maxRetries] {
            if !conditions.isEmpty, let count = ASCII.decimal(value) { remaining = UInt32(clamping: count) }
            head.headers.remove(Self.maxRetries)
        }
        if head.headers.contains(Self.statusCodes) {
            extraStatusCodes = list(Self.statusCodes).compactMap { UInt16($0.filter { $0 != " " }) }
            head.headers.remove(Self.statusCodes)
        }
        if head.headers.contains(Self.headerNames) {
            extraHeaders = list(Self.headerNames).map { HeaderName($0.filter { $0 != " " }) }
            head.headers.remove(Self.headerNames)
        }
        guard hasHeaders else { return }
        head.headers.remove(Self.retryOn)
        head.headers.remove(Self.retryGRPCOn)
    }

    // MARK: decisions

    /// - Parameter now: Seconds since 1970, for reset headers that name a point in time.
    package mutating func verdict(
        on response: ResponseHead, now: Int64, random: inout RandomStream
    ) -> Verdict {
        guard wouldRetry(response) else { return .no }
        guard remaining > 0 else { return .limitExceeded }
        remaining -= 1
        if let pause = rateLimitedPause(response, now: now, random: &random) {
            return .retry(afterMilliseconds: pause)
        }
        return .retry(afterMilliseconds: backOff(&random))
    }

    /// - Parameter requestStarted: Whether any of the request was sent.
    package mutating func verdict(
        on failure: Failure, requestStarted: Bool, random: inout RandomStream
    ) -> Verdict {
        guard wouldRetry(failure, requestStarted) else { return .no }
        guard remaining > 0 else { return .limitExceeded }
        remaining -= 1
        return .retry(afterMilliseconds: backOff(&random))
    }

    /// A hedged try starts beside the one that takes too long, whatever the conditions say, while retries are left.
    package mutating func takeHedge() -> Bool {
        guard remaining > 0 else { return false }
        remaining -= 1
        return true
    }

    private func wouldRetry(_ response: ResponseHead) -> Bool {
        let headers = response.headers
        if headers.contains(Self.overloaded) { return false }
        if headers.contains(Self.rateLimited) { return conditions.contains(.rateLimited) }
        let status = response.status
        if conditions.contains(.serverError), status >= 500 { return true }
        if conditions.contains(.gatewayError), (502...504).contains(status) { return true }
        if conditions.contains(.retriable4xx), status == 409 { return true }
        if conditions.contains(.statusCodes),
            policy?.policy.retriableStatusCodes.contains(status) == true || extraStatusCodes.contains(status)
        {
            return true
        }
        if conditions.contains(.headers),
            policy?.responseHeaders.contains(where: { $0.matches(headers) }) == true
                || extraHeaders.contains(where: headers.contains)
        {
            return true
        }
        guard let grpc = headers[.grpcStatus].flatMap({ ASCII.decimal($0) }) else { return false }
        return !conditions.isDisjoint(with: .forGRPC(Int(clamping: grpc)))
    }

    private func wouldRetry(_ failure: Failure, _ requestStarted: Bool) -> Bool {
        guard failure != .overflow else { return false }
        if !conditions.isDisjoint(with: [.reset, .serverError, .gatewayError]) { return true }
        if conditions.contains(.resetBeforeRequest), !requestStarted { return true }
        return switch failure {
        case .connect: conditions.contains(.connectFailure)
        case .refusedStream: conditions.contains(.refusedStream)
        case .overflow, .reset, .perTryTimeout: false
        }
    }

    // MARK: back-off

    /// A random part of an interval that doubles with every retry.
    private mutating func backOff(_ random: inout RandomStream) -> UInt64 {
        let interval = nextBackOff
        nextBackOff = min(backOffLimit, interval.multipliedReportingOverflow(by: 2).0)
        return random.next() % max(1, interval)
    }

    /// As long as the upstream asks for, and up to half as long again.
    private func rateLimitedPause(_ response: ResponseHead, now: Int64, random: inout RandomStream) -> UInt64? {
        guard let policy, let limit = policy.policy.rateLimitedBackOff?.maxMilliseconds else { return nil }
        for header in policy.resetHeaders {
            guard let value = response.headers[header.name].flatMap({ ASCII.decimal($0) }), value < 1 << 40 else {
                continue
            }
            let seconds: UInt64
            switch header.format {
            case .seconds: seconds = value
            case .unixTimestamp:
                guard Int64(value) > now else { continue }
                seconds = value - UInt64(max(0, now))
            }
            guard seconds > 0, seconds * 1_000 <= limit else { continue }
            return seconds * 1_000 + random.next() % (seconds * 500)
        }
        return nil
    }
}
