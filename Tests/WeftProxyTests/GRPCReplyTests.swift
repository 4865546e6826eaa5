import Testing
import WeftHTTP

@testable import WeftProxy

@Suite struct GRPCReplyTests {
    @Test(arguments: [(400, 13), (401, 16), (403, 7), (404, 12), (429, 14), (502, 14), (503, 14), (504, 14), (418, 2)])
    func mapsStatus(http: Int, grpc: Int) {
        let reply = LocalReply(.directResponse(status: UInt16(http), body: "why"))
        var head = reply.grpcHead(explain: false)
        reply.finishGRPC(&head.headers, isHead: false)
        #expect(head.status == 200)
        #expect(head.headers.string(.grpcStatus) == String(grpc))
        #expect(head.headers.string(.contentType) == "application/grpc")
        #expect(head.headers.string(.grpcMessage) == "why")
        #expect(!head.headers.contains(.contentLength))
    }

    /// To HEAD there is no message; a status that a filter gave stays; OK is nothing that a proxy could say.
    @Test func finishesWhatOthersBegan() {
        let reply = LocalReply(.directResponse(status: 200, body: "why"))
        var head = reply.grpcHead(explain: false)
        reply.finishGRPC(&head.headers, isHead: true)
        #expect(head.headers.string(.grpcStatus) == "2" && !head.headers.contains(.grpcMessage))
        head.headers.set(.grpcStatus, "8")
        reply.finishGRPC(&head.headers, isHead: false)
        #expect(head.headers.string(.grpcStatus) == "8" && head.headers.string(.grpcMessage) == "why")
    }

    @Test func percentEncodesMessages() {
        #expect(LocalReply.percentEncoded("a b~%\n\u{e9}") == "a b~%25%0A%C3%A9")
        #expect(!LocalReply(.noRoute).grpcHead(explain: false).headers.contains(.grpcMessage))
    }
}
