import NIOCore
import WeftHTTP
package import WeftIR

/// When a request is tried again: `retry_on` as bits.
package struct RetryConditions: OptionSet, Sendable, Hashable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let serverError = RetryConditions(rawValue: 1 << 0)
    package static let gatewayError = RetryConditions(rawValue: 1 << 1)
    package static let reset = RetryConditions(rawValue: 1 << 2)
    package static let resetBeforeRequest = RetryConditions(rawValue: 1 << 3)
    package static let connectFailure = RetryConditions(rawValue: 1 << 4)
    package static let rateLimited = RetryConditions(rawValue: 1 << 5)
    package static let retriable4xx = RetryConditions(rawValue: 1 << 6)
    package static let refusedStream = RetryConditions(rawValue: 1 << 7)
    package static let statusCodes = RetryConditions(rawValue: 1 << 8)
    package static let headers = RetryConditions(rawValue: 1 << 9)
    /// Accepted for Envoy's sake: this proxy has no HTTP/3 upstream whose connection could fail.
    package static let http3PostConnectFailure = RetryConditions(rawValue: 1 << 10)
    package static let cancelled = RetryConditions(rawValue: 1 << 11)
    package static let deadlineExceeded = RetryConditions(rawValue: 1 << 12)
    package static let resourceExhausted = RetryConditions(rawValue: 1 << 13)
    package static let internalError = RetryConditions(rawValue: 1 << 14)
    package static let unavailable = RetryConditions(rawValue: 1 << 15)

    static let names: [String: RetryConditions] = [
        "5xx": .serverError, "gateway-error": .gatewayError, "reset": .reset,
        "reset-before-request": .resetBeforeRequest, "connect-failure": .connectFailure,
        "envoy-ratelimited": .rateLimited, "retriable-4xx": .retriable4xx, "refused-stream": .refusedStream,
        "retriable-status-codes": .statusCodes, "retriable-headers": .headers,
        "http3-post-connect-failure": .http3PostConnectFailure, "cancelled": .cancelled,
        "deadline-exceeded": .deadlineExceeded, "resource-exhausted": .resourceExhausted,
        "internal": .internalError, "unavailable": .unavailable,
    ]

    /// Reads names; unknown ones count for nothing, as in Envoy.
    package init(names list: some Sequence<some StringProtocol>) {
        self = []
        for name in list {
            var name = Substring(name)
            while name.first == " " { name = name.dropFirst() }
            while name.last == " " { name = name.dropLast() }
            formUnion(RetryConditions.names[String(name)] ?? [])
        }
    }

    /// The condition that a gRPC status stands for.
    static func forGRPC(_ status: Int) -> RetryConditions {
        switch status {
        case 1: .cancelled
        case 4: .deadlineExceeded
        case 8: .resourceExhausted
        case 13: .internalError
        case 14: .unavailable
        default: []
        }
    }
}

/// A retry policy with its matchers compiled.
package final class CompiledRetryPolicy: Sendable {
    package let policy: RetryPolicy
    package let conditions: RetryConditions
    let responseHeaders: [CompiledHeaderMatcher]
    let requestHeaders: [CompiledHeaderMatcher]
    let resetHeaders: [(name: HeaderName, format: RetryPolicy.RateLimitedBackOff.Format)]
    let problems: [String]

    package init(_ policy: RetryPolicy) {
        self.policy = policy
        conditions = RetryConditions(names: policy.retryOn)
        responseHeaders = policy.retriableHeaders.map(CompiledHeaderMatcher.init)
        requestHeaders = policy.retriableRequestHeaders.map(CompiledHeaderMatcher.init)
        resetHeaders = (policy.rateLimitedBackOff?.resetHeaders ?? []).map { (HeaderName($0.name), $0.format) }
        problems =
            (responseHeaders + requestHeaders).contains(where: \.isBroken)
            ? ["a retriable header has an invalid pattern"] : []
    }
}
