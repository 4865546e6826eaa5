import Testing
import WeftHTTP

@testable import WeftProxy

@Suite struct GRPCReplyTests {
    @Test(arguments: [(400, 13), (401, 16), (403, 7), (404, 12), (429, 14), (502, 14), (503, 14), (504, 14), (418, 2)])
    func mapsStatus(http: Int, grpc: Int) {
        let reply = LocalReply(.directResponse(status: UInt16(http), body: "why"))
        let head = reply.grpcHead(explain: false)
        #expect(head.status == 200)
        #expect(head.headers.string(.grpcStatus) == String(grpc))
        #expect(head.headers.string(.contentType) == "application/grpc")
        #expect(head.headers.string(.grpcMessage) == "why")
        #expect(!head.headers.contains(.contentLength))
    }

    @Test func percentEncodesMessages() {
        #expect(LocalReply.percentEncoded("a b~%\n\u{e9}") == "a b~%25%0A%C3%A9")
        #expect(!LocalReply(.noRoute).grpcHead(explain: false).headers.contains(.grpcMessage))
    }
}
