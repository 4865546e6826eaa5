import NIOCore
package import WeftHTTP
import WeftIR

/// How long a request and each of its tries may take, in milliseconds; 0 is no limit.
///
/// The route's values, replaced by what the request's own headers say (`x-envoy-upstream-rq-timeout-ms`,
/// `x-envoy-upstream-rq-per-try-timeout-ms`, `grpc-timeout` where the route obeys it). Headers of strangers are gone by
/// then (``CallerTrust``).
package struct RequestTimeouts: Sendable, Hashable {
    package var request: UInt64
    package var perTry: UInt64
    /// Between two bytes of one try.
    package var perTryIdle: UInt64
    /// A try that takes too long goes on beside the next one.
    package private(set) var hedgesOnPerTryTimeout: Bool
    private let rewritesGRPCTimeout: Bool

    private static var requestHeader: HeaderName { "x-envoy-upstream-rq-timeout-ms" }
    private static var perTryHeader: HeaderName { "x-envoy-upstream-rq-per-try-timeout-ms" }
    private static var hedgeHeader: HeaderName { "x-envoy-hedge-on-per-try-timeout" }

    /// - Parameters:
    ///   - head: The headers that are only for the proxy are taken out; `grpc-timeout` is written anew where the route
    ///     says that it counts.
    ///   - respectsExpected: A time limit that a proxy before this one has announced counts for more than the route's.
    package init(_ forwarding: CompiledForward, head: inout RequestHead, respectsExpected: Bool = false) {
        perTry = forwarding.retry?.policy.perTryTimeoutMilliseconds ?? 0
        perTryIdle = forwarding.retry?.policy.perTryIdleTimeoutMilliseconds ?? 0
        hedgesOnPerTryTimeout = forwarding.hedgesOnPerTryTimeout
        // A route with max_stream_duration has no other limit: the connection manager watches.
        let isOld = forwarding.action.streamDuration == nil
        rewritesGRPCTimeout = isOld && forwarding.action.grpcTimeoutHeaderMaxMilliseconds != nil && head.isGRPC
        request = isOld ? forwarding.action.timeoutMilliseconds : 0
        if rewritesGRPCTimeout, let most = forwarding.action.grpcTimeoutHeaderMaxMilliseconds {
            request = Self.grpc(head, most: most, offset: forwarding.action.grpcTimeoutOffsetMilliseconds ?? 0)
        }
        readHeaders(&head, respectsExpected: respectsExpected)
        // A try that may take as long as the whole request needs no limit of its own.
        if request > 0, perTry >= request { perTry = 0 }
        if rewritesGRPCTimeout, expected > 0 { head.headers.set(.grpcTimeout, GRPCTimeout.text(expected)) }
    }

    private static func grpc(_ head: RequestHead, most: UInt64, offset: UInt64) -> UInt64 {
        var limit = head.headers[.grpcTimeout].flatMap(GRPCTimeout.milliseconds) ?? 0
        if offset < limit { limit -= offset }
        return most != 0 && (limit == 0 || limit > most) ? most : limit
    }

    private mutating func readHeaders(_ head: inout RequestHead, respectsExpected: Bool) {
        if respectsExpected, let value = head.headers[.expectedTimeout] {
            if let milliseconds = ASCII.decimal(value) { request = milliseconds }
        } else if let value = head.headers[Self.requestHeader] {
            if let milliseconds = ASCII.decimal(value) { request = milliseconds }
            head.headers.remove(Self.requestHeader)
        }
        if let value = head.headers[Self.perTryHeader] {
            if let milliseconds = ASCII.decimal(value) { perTry = milliseconds }
            head.headers.remove(Self.perTryHeader)
        }
        if head.headers.contains(Self.hedgeHeader) {
            hedgesOnPerTryTimeout = head.headers.isExactly(Self.hedgeHeader, "true")
            head.headers.remove(Self.hedgeHeader)
        }
    }

    /// What the upstream is told to expect (`x-envoy-expected-rq-timeout-ms`); 0 is nothing. A hedged try may use all
    /// the time there is.
    package var expected: UInt64 { perTry > 0 && !hedgesOnPerTryTimeout ? perTry : request }
}

/// The header `grpc-timeout`.
package enum GRPCTimeout {
    /// At most eight digits and a unit; parts of a millisecond are rounded up.
    package static func milliseconds(_ value: some BidirectionalCollection<UInt8>) -> UInt64? {
        guard let unit = value.last, value.count <= 9, let count = ASCII.decimal(value.dropLast()) else { return nil }
        switch unit {
        case UInt8(ascii: "H"): return count * 3_600_000
        case UInt8(ascii: "M"): return count * 60_000
        case UInt8(ascii: "S"): return count * 1_000
        case UInt8(ascii: "m"): return count
        case UInt8(ascii: "u"): return (count + 999) / 1_000
        case UInt8(ascii: "n"): return (count + 999_999) / 1_000_000
        default: return nil
        }
    }

    /// The finest unit in which the time has eight digits at most.
    package static func text(_ milliseconds: UInt64) -> String {
        var (value, units) = (milliseconds, Substring("mSMH"))
        let limit: UInt64 = 99_999_999
        while value > limit, units.count > 1 {
            value /= units.first == "m" ? 1_000 : 60
            units = units.dropFirst()
        }
        return "\(min(value, limit))\(units.first ?? "H")"
    }
}

/// The longest a whole request may take: `max_stream_duration` of a route or of its connection manager.
package enum StreamDuration {
    /// - Parameter head: Of a gRPC request the header `grpc-timeout` is set to what counts.
    /// - Returns: Milliseconds; 0 ends the request at once; `nil` is no limit.
    package static func limit(_ forwarding: CompiledForward, manager: UInt64?, head: inout RequestHead) -> UInt64? {
        let route = forwarding.action.streamDuration
        var limit: UInt64?
        if let most = route?.grpcHeaderMax, let asked = head.headers[.grpcTimeout].flatMap(GRPCTimeout.milliseconds) {
            var value = most != 0 ? min(asked, most) : asked
            if value != 0, let offset = route?.grpcHeaderOffset { value = offset < value ? value - offset : 0 }
            limit = value
        } else if let own = route?.limit {
            limit = own == 0 ? nil : own
        } else {
            limit = manager == 0 ? nil : manager
        }
        if route != nil, let limit, head.isGRPC { head.headers.set(.grpcTimeout, GRPCTimeout.text(limit)) }
        return limit
    }
}
