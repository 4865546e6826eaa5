import NIOCore
package import WeftHTTP

/// gRPC answers 200 whatever happened; the status that counts is in `grpc-status`.
package enum GRPCOutcome {
    /// The HTTP status that an answer stands for, as Envoy maps it for outlier detection.
    package static func httpStatus(of head: ResponseHead) -> Int {
        guard head.status == 200, let value = head.headers[.grpcStatus], let status = ASCII.decimal(value) else {
            return Int(head.status)
        }
        return httpStatus(Int(clamping: status))
    }

    /// Of a call that ended with these trailers; none, or none with a status, is an unknown error.
    package static func httpStatus(ofTrailers trailers: HeaderBlock?) -> Int {
        httpStatus(Int(clamping: trailers?[.grpcStatus].flatMap { ASCII.decimal($0) } ?? 2))
    }

    static func httpStatus(_ status: Int) -> Int {
        switch status {
        case 0: 200
        case 1: 499
        case 3, 9, 11: 400
        case 4: 504
        case 5: 404
        case 6, 10: 409
        case 7: 403
        case 8: 429
        case 12: 501
        case 14: 503
        case 16: 401
        default: 500
        }
    }
}
