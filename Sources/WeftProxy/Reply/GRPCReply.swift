import WeftHTTP

/// What a gRPC client gets instead of a plain reply: status 200, trailers only, the reason in `grpc-message`.
extension LocalReply {
    /// - Parameter explain: True towards callers inside the mesh, who may know why.
    func grpcHead(explain: Bool) -> ResponseHead {
        var head = head(explain: explain)
        head.status = 200
        head.headers.remove(.contentLength)
        head.headers.set(.contentType, "application/grpc")
        return head
    }

    /// Gives the head of ``grpcHead(explain:)`` its status and message, when everybody else has added what they had to.
    /// - Parameter isHead: To HEAD there is no message, as there would be no body.
    func finishGRPC(_ headers: inout HeaderBlock, isHead: Bool) {
        headers.remove(.contentLength)
        // OK is nothing that a proxy could say for an application.
        let code = grpcStatus ?? (status == 200 ? 2 : GRPCStatus.code(status))
        if !headers.contains(.grpcStatus) { headers.set(.grpcStatus, String(code)) }
        if !body.isEmpty, !isHead { headers.set(.grpcMessage, Self.percentEncoded(body)) }
    }

    /// As the gRPC protocol wants messages: everything but printable ASCII, and the percent sign itself.
    static func percentEncoded(_ text: String) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count)
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            if byte >= 0x20, byte <= 0x7E, byte != UInt8(ascii: "%") {
                result.append(byte)
            } else {
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
