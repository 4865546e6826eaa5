import NIOCore
import WeftHTTP

extension FuzzTarget {
    private static let httpWords = [
        "\r\n", "\n", "\r", ": ", "Content-Length: ", "Transfer-Encoding: chunked", "HTTP/1.1", "HTTP/1.0", "Host: a",
        "0\r\n\r\n", "FFFFFFFFFFFFFFF", "chunked", "GET ", " ", "\t", "\0", "%2e", "100-continue", "Connection: close",
        "Upgrade: websocket", "-1", "+1", "0x1", ";a=b",
    ]

    /// What a parser made of a sequence of bytes, with bodies joined: how they were cut is no meaning.
    private struct Reading: Equatable {
        var text = ""
        private var isBody = false
        mutating func head(_ head: String) {
            text += "|\(head)|"
            isBody = false
        }
        // Bytes one by one: a character may be cut in two.
        mutating func body(_ bytes: ByteBuffer) { text += bytes.readableBytesView.map { "\($0)," }.joined() }
        mutating func end(_ trailers: HeaderBlock?) { text += "|end \(trailers?.count ?? 0)|" }
    }

    private static func fields(_ headers: HeaderBlock) -> String {
        (0..<headers.count).map {
            String(decoding: headers.name(at: $0), as: UTF8.self) + ":"
                + String(decoding: headers.value(at: $0), as: UTF8.self)
        }.joined(separator: ",")
    }

    private static func readRequests(_ pieces: [[UInt8]]) -> Reading {
        var parser = HTTP1RequestParser()
        var buffer = ByteBuffer()
        var reading = Reading()
        do {
            for piece in pieces {
                buffer.writeBytes(piece)
                while let event = try parser.next(from: &buffer) {
                    switch event {
                    case .head(let head), .informational(let head):
                        reading.head(
                            "\(head.method) \(String(buffer: head.path)) \(String(buffer: head.authority)) "
                                + "\(head.framing) \(fields(head.headers))")
                    case .body(let bytes): reading.body(bytes)
                    case .end(let trailers):
                        reading.end(trailers)
                        parser.rejectUpgrade()
                    }
                }
            }
        } catch { reading.head("error") }
        return reading
    }

    /// Requests mean the same however the network cuts them.
    static let http1Request = FuzzTarget(
        name: "http1-request",
        seeds: [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nt: 1\r\n\r\nGET /b HTTP/1.1\r\nHost: b\r\n\r\n",
            "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "GET http://a/b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        ].map { Array($0.utf8) }, words: httpWords
    ) { bytes in
        let whole = readRequests([bytes])
        let single = readRequests(bytes.map { [$0] })
        return whole == single ? nil : "one piece: \(whole.text)\nbyte by byte: \(single.text)"
    }

    private static func readResponses(_ pieces: [[UInt8]], _ method: HTTPMethod) -> Reading {
        var parser = HTTP1ResponseParser()
        parser.begin(method, allowsUpgrade: true)
        var buffer = ByteBuffer()
        var reading = Reading()
        do {
            for piece in pieces {
                buffer.writeBytes(piece)
                while let event = try parser.next(from: &buffer) {
                    switch event {
                    case .head(let head), .informational(let head):
                        reading.head("\(head.status) \(head.framing) \(fields(head.headers))")
                    case .body(let bytes): reading.body(bytes)
                    case .end(let trailers): reading.end(trailers)
                    }
                }
            }
            if case .end(let trailers)? = try parser.finish() { reading.end(trailers) }
        } catch {
            // Which of two errors is met first depends on the cut; that there is one does not.
            reading.head("error")
        }
        return reading
    }

    static let http1Response = FuzzTarget(
        name: "http1-response",
        seeds: [
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nbody",
            "HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw",
        ].map { Array($0.utf8) }, words: httpWords + ["HTTP/1.1 200 OK", "101", "304"]
    ) { bytes in
        for method in [HTTPMethod.get, .head] {
            let whole = readResponses([bytes], method)
            let single = readResponses(bytes.map { [$0] }, method)
            if whole != single { return "one piece: \(whole.text)\nbyte by byte: \(single.text)" }
        }
        return nil
    }

    /// Chunks as RFC 9112 (7.1) spells them, read in the plainest way: the judge of the parser.
    private static func plainChunks(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        var rest = bytes
        var body: [UInt8] = []
        while true {
            guard let feed = rest.firstIndex(of: 10), feed > rest.startIndex, rest[feed - 1] == 13 else { return nil }
            let line = rest[..<(feed - 1)]
            let digits = line.prefix { Character(UnicodeScalar($0)).isHexDigit && $0 < 128 }
            let size = Int(String(decoding: digits, as: UTF8.self), radix: 16)
            guard digits.count <= 15, line.count < 4096, let size,
                line.allSatisfy({ $0 == 9 || ($0 >= 32 && $0 != 127) })
            else { return nil }
            let tail = line.dropFirst(digits.count).drop { $0 == 32 || $0 == 9 }
            guard tail.isEmpty || tail.first == 59 else { return nil }
            rest = rest[(feed + 1)...]
            if size == 0 { return body }
            guard rest.count >= size + 2 else { return nil }
            body += rest.prefix(size)
            rest = rest.dropFirst(size)
            guard rest.starts(with: [13, 10]) else { return nil }
            rest = rest.dropFirst(2)
        }
    }

    /// A chunked body without trailers: taken exactly when the plain reading takes it, and with the same content.
    static let chunked = FuzzTarget(
        name: "chunked",
        seeds: [
            "3\r\nabc\r\n0\r\n\r\n", "a;x=y\r\n0123456789\r\n1 \r\nz\r\n0;end\r\n\r\n", "000003\r\nabc\r\n00\r\n\r\n",
            "F\r\n0123456789abcde\r\n0\r\nt: 1\r\n\r\n",
        ].map { Array($0.utf8) },
        words: ["\r\n", "\n", "0\r\n\r\n", ";", "FFFFFFFFFFFFFFFF", "0x", "+", "-", "_", " ", "\t", "\"", "\0"]
    ) { bytes in
        let head = Array("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
        let plain = plainChunks(bytes[...])
        var parser = HTTP1RequestParser()
        var buffer = ByteBuffer(bytes: head + bytes)
        var body: [UInt8] = []
        var ended = false
        do {
            while !ended, let event = try parser.next(from: &buffer) {
                switch event {
                case .body(let part): body += part.readableBytesView
                case .end: ended = true
                case .head, .informational: break
                }
            }
        } catch {
            // Trailers are not the plain reading's business.
            return plain != nil && plain != body
                ? "refused with \(body.count) bytes, the plain reading has \(plain?.count ?? 0)" : nil
        }
        guard ended else { return nil }
        return plain == body ? nil : "\(body) and by the plain reading \(plain.map { "\($0)" } ?? "nothing")"
    }

    /// Normalising twice is normalising once, and no dots are left to climb with.
    static let path = FuzzTarget(
        name: "path",
        seeds: ["/a/../b", "//x", "/%2e%2E/%2f", "/a\\b", "/x?y=/../", "/%61/%25"].map { Array($0.utf8) },
        words: ["/", "..", ".", "%2e", "%2F", "%5c", "\\", "?", "#", "//", "%25", "%"]
    ) { bytes in
        for policy in [PathNormalizer.EscapedSlashes.keep, .reject, .unescape, .unescapeAndRedirect] {
            let normalizer = PathNormalizer(mergeSlashes: true, escapedSlashes: policy)
            guard case .changed(let once) = normalizer.apply(ByteBuffer(bytes: bytes)) else { continue }
            let path = once.readableBytesView.prefix { $0 != 63 && $0 != 35 }
            let segments = path.split(separator: 47).map { String(decoding: $0, as: UTF8.self) }
            if segments.contains("..") || segments.contains(".") { return "\(policy): dots in \(String(buffer: once))" }
            if path.contains(92) { return "\(policy): a backslash in \(String(buffer: once))" }
            guard once.readableBytes > 0 else { return "\(policy): nothing is left" }
        }
        return nil
    }
}
