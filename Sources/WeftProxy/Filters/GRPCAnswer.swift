import NIOCore
import SwiftProtobuf
import WeftHTTP

/// Why a gRPC call of the proxy gave no message.
struct GRPCCallFailure: Error, CustomStringConvertible {
    /// gRPC's code ("Status codes and their use in gRPC").
    var code: Int
    var message: String
    /// The server said so.
    var isFromServer = false
    var description: String { "gRPC status \(code): \(message)" }

    static let deadlineExceeded = 4
    static let internalError = 13
    static let unavailable = 14
}

/// The outcome of a unary gRPC call that was made with ``ClusterCall``.
enum GRPCAnswer {
    /// The longest answer that is taken.
    static let limit = 4 << 20

    static func message<M: Message>(
        _ result: Result<ClusterCall.Answer, ClusterCallError>, as type: M.Type
    ) -> Result<M, GRPCCallFailure> {
        switch result {
        case .failure(.timeout):
            return .failure(.init(code: GRPCCallFailure.deadlineExceeded, message: "no answer in time"))
        case .failure(let error): return .failure(.init(code: GRPCCallFailure.unavailable, message: "\(error)"))
        case .success(let answer):
            if let failure = failure(answer.head, trailers: answer.trailers) { return .failure(failure) }
            var deframer = GRPCDeframer(limit: limit)
            deframer.append(answer.body)
            guard let bytes = try? deframer.next(),
                let message = try? M(serializedBytes: Array(bytes.readableBytesView))
            else { return .failure(.init(code: GRPCCallFailure.internalError, message: "no message that can be read")) }
            return .success(message)
        }
    }

    /// What the status of a call says, when it is not OK.
    static func failure(_ head: ResponseHead, trailers: HeaderBlock?) -> GRPCCallFailure? {
        guard head.status == 200 else {
            return .init(
                code: Int(GRPCStatus.code(Int(head.status))), message: "the server answered \(head.status)")
        }
        let fields = head.headers.contains(.grpcStatus) ? head.headers : trailers
        guard let code = fields?.string(.grpcStatus).flatMap({ Int($0) }) else {
            return .init(code: 2, message: "", isFromServer: true)
        }
        let message = fields?.string(.grpcMessage) ?? ""
        return code == 0 ? nil : .init(code: code, message: message, isFromServer: true)
    }
}
