/// gRPC's status codes for HTTP's.
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
}
