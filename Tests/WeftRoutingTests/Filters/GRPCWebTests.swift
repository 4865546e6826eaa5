import NIOCore
import Testing
import WeftHTTP
import WeftRouting

private func request(_ type: String, accept: String? = nil) -> RequestHead {
    let headers = [("content-type", type), ("content-length", "9")] + (accept.map { [("accept", $0)] } ?? [])
    return RequestHead(.post, "/s/M", authority: "h", headers: headers)
}

private func translate(_ head: inout RequestHead) throws -> GRPCWebTranslator {
    let translator = GRPCWebTranslator(&head)
    return try #require(translator)
}

private func text(_ buffer: ByteBuffer?) -> String? { buffer.map { String(buffer: $0) } }

@Suite struct GRPCWebTests {
    @Test(arguments: [
        ("application/grpc-web", "application/grpc"), ("application/grpc-web+proto", "application/grpc+proto"),
        ("application/grpc-web-text", "application/grpc"),
        ("application/grpc-web-text+proto; charset=utf-8", "application/grpc+proto"),
        ("Application/GRPC-Web", "application/grpc"),
    ])
    func takesRequestsOver(type: String, expected: String) {
        var head = request(type)
        let taken = GRPCWebTranslator(&head) != nil
        #expect(taken)
        #expect(head.headers.first("content-type") == expected)
        #expect(head.headers.first("te") == "trailers")
        #expect(head.headers.first("content-length") == nil)
    }

    @Test(arguments: ["application/grpc", "application/grpc-webx", "text/plain", "application/grpc-web+json", ""])
    func leavesOthersAlone(type: String) {
        var head = request(type)
        let taken = GRPCWebTranslator(&head) != nil
        #expect(!taken)
        #expect(head.headers.first("content-type") == type)
        #expect(head.headers.first("content-length") == "9")
    }

    @Test func trailersBecomeAFrame() throws {
        var head = request("application/grpc-web")
        var translator = try translate(&head)
        var response = ResponseHead(status: 200, headers: HeaderBlock([("content-type", "application/grpc")]))
        let nothing = translator.translate(response: &response, endStream: false)
        #expect(nothing == nil)
        #expect(response.headers.first("content-type") == "application/grpc-web+proto")
        let piece1 = text(translator.encode(response: ByteBuffer(string: "data")))
        #expect(piece1 == "data")
        let last = translator.end(HeaderBlock([("Grpc-Status", "0")]))
        #expect(text(last) == "\u{0}\u{0}\u{0}\u{10}grpc-status: 0\r\n".withFlag)
    }

    @Test func textIsBase64OverAllPieces() throws {
        var head = request("application/grpc-web-text")
        var translator = try translate(&head)
        let piece2 = text(translator.decode(request: ByteBuffer(string: "aGVs")))
        #expect(piece2 == "hel")
        let piece3 = text(translator.decode(request: ByteBuffer(string: "b")))
        #expect(piece3 == "")
        #expect(!translator.isComplete)
        let piece4 = text(translator.decode(request: ByteBuffer(string: "G8=")))
        #expect(piece4 == "lo")
        #expect(translator.isComplete)
        // Each message may be padded by itself.
        let piece5 = text(translator.decode(request: ByteBuffer(string: "aQ==aQ==")))
        #expect(piece5 == "ii")
        var response = ResponseHead(status: 200, headers: HeaderBlock([("content-type", "application/grpc")]))
        _ = translator.translate(response: &response, endStream: false)
        var body = translator.encode(response: ByteBuffer(string: "hell"))
        body.writeImmutableBuffer(translator.encode(response: ByteBuffer(string: "o")))
        body.writeImmutableBuffer(translator.end(nil))
        var decoder = Base64Stream()
        let decoded = decoder.decode(body) ?? ByteBuffer()
        #expect(Array(decoded.readableBytesView) == Array("hello".utf8) + [0x80, 0, 0, 0, 0])
    }

    @Test(arguments: ["a===", "====", "a*bc", "ab=c", "aQ=a", "aR==", "\u{0}\u{0}\u{0}\u{0}"])
    func refusesWhatIsNoBase64(bad: String) throws {
        var head = request("application/grpc-web-text")
        var translator = try translate(&head)
        let decoded = translator.decode(request: ByteBuffer(string: bad))
        #expect(decoded == nil)
    }

    @Test func trailersOnlyAnswersHaveABody() throws {
        var head = request("application/grpc-web")
        var translator = try translate(&head)
        var response = ResponseHead(
            status: 200, headers: HeaderBlock([("content-type", "application/grpc"), ("grpc-status", "5")]))
        let body = translator.translate(response: &response, endStream: true)
        #expect(text(body)?.hasSuffix("grpc-status: 5\r\n") == true)
    }

    @Test func otherAnswersStayAsTheyAre() throws {
        var head = request("application/grpc-web-text")
        var translator = try translate(&head)
        var response = ResponseHead(status: 503, headers: HeaderBlock([("content-type", "text/html")]))
        let nothing = translator.translate(response: &response, endStream: false)
        #expect(nothing == nil)
        #expect(!translator.translatesResponse)
        let piece6 = text(translator.encode(response: ByteBuffer(string: "sorry")))
        #expect(piece6 == "sorry")
    }
}

extension String {
    /// With the trailer flag before it, as lossy text.
    fileprivate var withFlag: String { String(decoding: [0x80] + Array(utf8), as: UTF8.self) }
}
