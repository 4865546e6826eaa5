/// gRPC's status codes and HTTP's, in terms of each other.
enum GRPCStatus {
    /// As gRPC's "HTTP to gRPC Status Code Mapping" has it; 200 is OK, 2 (UNKNOWN) stands for the rest.
    static func code(_ httpStatus: Int) -> UInt32 {
        switch httpStatus {
        case 200: 0
        case 400: 13
        case 401: 16
        case 403: 7
        case 404: 12
        case 429, 502, 503, 504: 14
        default: 2
        }
    }

    /// As `google.rpc.Code` documents each code.
    static func httpStatus(_ code: UInt32) -> UInt16 {
        switch code {
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
