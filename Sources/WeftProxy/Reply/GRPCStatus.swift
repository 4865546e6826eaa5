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

    private static let names = [
        "OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists",
        "PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented",
        "Internal", "Unavailable", "DataLoss", "Unauthenticated",
    ]
    private static let snakeNames = [
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
        "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
        "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
    ]

    /// The name of a status as access logs have it; the number of one that has none.
    static func camel(_ code: UInt32) -> String { code < names.count ? names[Int(code)] : String(code) }
    static func snake(_ code: UInt32) -> String { code < snakeNames.count ? snakeNames[Int(code)] : String(code) }
}
