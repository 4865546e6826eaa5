import NIOCore
package import WeftHTTP
import WeftIR

/// How long a request and each of its tries may take, in milliseconds; 0 is no limit.
///
/// The route's values, replaced by what the request's own headers say (`x-envoy-upstream-rq-timeout-ms`,
/// `x-envoy-upstream-rq-per-try-timeout-ms`, `grpc-timeout` where the route obeys it).
package struct RequestTimeouts: Sendable, Hashable {
    package var request: UInt64
    package var perTry: UInt64

    private static let requestHeader: HeaderName = "x-envoy-upstream-rq-timeout-ms"
    private static let perTryHeader: HeaderName = "x-envoy-upstream-rq-per-try-timeout-ms"

    /// - Parameter head: The headers that are only for the proxy are taken out.
    package init(_ forwarding: CompiledForward, head: inout RequestHead) {
        request = forwarding.action.timeoutMilliseconds
        perTry = forwarding.retry?.policy.perTryTimeoutMilliseconds ?? 0
        if let limit = forwarding.action.grpcTimeoutHeaderMaxMilliseconds, head.isGRPC {
            if let asked = head.headers[.grpcTimeout].flatMap(Self.grpc) {
                request = limit == 0 ? asked : min(asked, limit)
            } else {
                request = limit
            }
        }
        if let value = head.headers[Self.requestHeader] {
            if let milliseconds = ASCII.decimal(value) { request = milliseconds }
            head.headers.remove(Self.requestHeader)
        }
        if let value = head.headers[Self.perTryHeader] {
            if let milliseconds = ASCII.decimal(value) { perTry = milliseconds }
            head.headers.remove(Self.perTryHeader)
        }
        // A try that may take as long as the whole request needs no limit of its own.
        if request > 0, perTry >= request { perTry = 0 }
    }

    /// What the upstream is told to expect (`x-envoy-expected-rq-timeout-ms`); 0 is nothing.
    package var expected: UInt64 { perTry > 0 ? perTry : request }

    /// Milliseconds of a `grpc-timeout`: at most eight digits and a unit, rounded up.
    static func grpc(_ value: some BidirectionalCollection<UInt8>) -> UInt64? {
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
}
