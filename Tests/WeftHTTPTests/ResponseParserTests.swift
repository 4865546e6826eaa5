import NIOCore
import Testing
import WeftHTTP

/// The answer to one request: heads, body, trailers and whether the connection may be used again.
private func read(
    _ text: String, to method: HTTPMethod = .get, closes: Bool = false, asksUpgrade: Bool = false
) throws -> [String] {
    var parser = HTTP1ResponseParser()
    parser.begin(method, allowsUpgrade: asksUpgrade)
    var result: [String] = []
    var body = ""
    func add(_ event: HTTP1ResponseParser.Event) {
        switch event {
        case .informational(let head): result.append("\(head.status)")
        case .head(let head): result.append("\(head.status) \(head.framing) \(head.keepAlive)")
        case .body(let slice): body += String(buffer: slice)
        case .end(let trailers): result.append("'\(body)'" + (trailers?.fields.map { " \($0.name)" }.joined() ?? ""))
        }
    }
    var buffer = ByteBuffer()
    for byte in text.utf8 {
        buffer.writeInteger(byte)
        while let event = try parser.next(from: &buffer) { add(event) }
    }
    if closes, case .end(let trailers)? = try parser.finish() { add(.end(trailers)) }
    return result
}

@Suite struct ResponseParserTests {
    @Test func framings() throws {
        #expect(try read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi") == ["200 length(2) true", "'hi'"])
        #expect(
            try read("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: 1\r\n\r\n")
                == ["200 chunked true", "'hi' T"])
        #expect(try read("HTTP/1.0 200 OK\r\n\r\nhi", closes: true) == ["200 untilClose false", "'hi'"])
        #expect(try read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", to: .head) == ["200 none true", "''"])
        #expect(try read("HTTP/1.1 304 X\r\nContent-Length: 2\r\n\r\n") == ["304 none true", "''"])
        #expect(try read("HTTP/1.1 204 X\r\n\r\n") == ["204 none true", "''"])
        #expect(
            try read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                == ["100", "103", "200 length(0) true", "''"])
        let upgrade = "HTTP/1.1 101 Up\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw"
        #expect(try read(upgrade, asksUpgrade: true).first == "101 tunnel false")
        #expect(throws: HTTP1ParseError.unexpectedUpgrade) { try read(upgrade) }
        let interim = String(repeating: "HTTP/1.1 102 Wait\r\n\r\n", count: 33)
        #expect(throws: HTTP1ParseError.tooManyInterimResponses) { try read(interim) }
        #expect(try read("HTTP/1.1 200 OK\r\n\r\nraw", to: .connect).first == "200 tunnel false")
        #expect(
            try read("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").first == "200 length(0) false"
        )
    }

    @Test(
        arguments: [
            ("HTTP/1.1 20 OK\r\n\r\n", .invalidStatusLine), ("HTTP/1.1 2000 OK\r\n\r\n", .invalidStatusLine),
            ("HTTP/1.1 099 OK\r\n\r\n", .invalidStatusLine), ("HTTP/2.0 200 OK\r\n\r\n", .invalidStatusLine),
            ("HTTP/1.1 200 OK\nA: b\n\n", .bareLineFeed),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                .contentLengthWithTransferEncoding
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", .invalidContentLength),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", .invalidStatusLine),
        ] as [(String, HTTP1ParseError)])
    func refused(text: String, expected: HTTP1ParseError) {
        #expect(throws: expected) { try read(text) }
    }

    @Test func aCloseInTheMiddleIsAnError() {
        for text in ["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "HTTP/1.1 200", ""] {
            #expect(throws: HTTP1ParseError.unexpectedEnd, "\(text)") { try read(text, closes: true) }
        }
    }
}
