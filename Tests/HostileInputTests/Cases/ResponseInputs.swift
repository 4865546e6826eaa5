/// Responses that an upstream should never send. What the client gets is the proxy's own answer or nothing more; a second
/// request on the same connection of the client is answered by another connection to the upstream.
extension HostileInputs {
    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// The request asks the upstream for these bytes, the repeated ones in place of `…`; then a good request follows.
    private static func response(
        _ name: String, _ text: String, repeated: (unit: String, count: Int) = ("", 0),
        _ expected: String = "502 200 open", _ forwards: [String] = ["GET /r", "GET /after"]
    ) -> HostileCase {
        var pieces = text.split(separator: "…", omittingEmptySubsequences: false).map { hex(wire(String($0))) }
        if pieces.count == 2 { pieces.insert("\(hex(wire(repeated.unit)))*\(repeated.count)", at: 1) }
        let script = pieces.filter { !$0.isEmpty }.joined(separator: ",")
        let first = "GET /r HTTP/1.1\nhost: a.test\nx-id: {id}\nx-do: raw=\(script)\n\n"
        return HostileCase(
            group: "Responses", name: name, parts: [wire(first), wire(good())], expected: expected, forwards: forwards)
    }

    /// What follows a bad head in the same bytes: a response that must never be the answer to the next request.
    private static let smuggled = "HTTP/1.1 299 Smuggled\ncontent-length: 0\n\n"

    static let responses: [HostileCase] = [
        response("no HTTP", "hello\n\n"), response("HTTP/0.9", "<html>old</html>\n\n"),
        response("bad version", "HTTP/2.0 200 OK\ncontent-length: 0\n\n"),
        response("lower-case version", "http/1.1 200 OK\ncontent-length: 0\n\n"),
        response("status of two digits", "HTTP/1.1 20 OK\ncontent-length: 0\n\n"),
        response("status of four digits", "HTTP/1.1 2000 OK\ncontent-length: 0\n\n"),
        response("status that is no number", "HTTP/1.1 2x0 OK\ncontent-length: 0\n\n"),
        response("status 0", "HTTP/1.1 000 Zero\ncontent-length: 0\n\n"),
        response("bare LF", "HTTP/1.1 200 OK␊content-length: 0␊␊"),
        response("bare CR in a value", "HTTP/1.1 200 OK\nx-a: 1␍2\ncontent-length: 0\n\n"),
        response("NUL in a value", "HTTP/1.1 200 OK\nx-a: 1␀2\ncontent-length: 0\n\n"),
        response("no colon", "HTTP/1.1 200 OK\nnonsense\ncontent-length: 0\n\n"),
        response("empty name", "HTTP/1.1 200 OK\n: x\ncontent-length: 0\n\n"),
        response("blank before the colon", "HTTP/1.1 200 OK\ncontent-length : 0\n\n"),
        response("folded line", "HTTP/1.1 200 OK\nx-a: 1\n 2\ncontent-length: 0\n\n"),
        response("two lengths", "HTTP/1.1 200 OK\ncontent-length: 0\ncontent-length: 5\n\n" + smuggled),
        response("list of lengths", "HTTP/1.1 200 OK\ncontent-length: 0, 5\n\n" + smuggled),
        response("negative length", "HTTP/1.1 200 OK\ncontent-length: -1\n\n" + smuggled),
        response("length with a sign", "HTTP/1.1 200 OK\ncontent-length: +0\n\n" + smuggled),
        response("length overflow", "HTTP/1.1 200 OK\ncontent-length: 99999999999999999999999\n\n" + smuggled),
        response(
            "length and chunks", "HTTP/1.1 200 OK\ncontent-length: 5\ntransfer-encoding: chunked\n\n0\n\n" + smuggled),
        response("unknown coding", "HTTP/1.1 200 OK\ntransfer-encoding: xchunked\n\n0\n\n" + smuggled),
        response("chunked not last", "HTTP/1.1 200 OK\ntransfer-encoding: chunked, gzip\n\n0\n\n" + smuggled),
        response("huge head", "HTTP/1.1 200 OK\nx-a: …\n\n", repeated: ("a", 100_000)),
        response("many headers", "HTTP/1.1 200 OK\n…content-length: 0\n\n", repeated: ("x-a: 1\n", 2_000)),
        response("bytes after the end", "HTTP/1.1 200 OK\ncontent-length: 2\n\nok" + smuggled, "200 200 open"),
        response("bytes after 204", "HTTP/1.1 204 No\n\n" + smuggled, "204 200 open"),
        response("body with 304", "HTTP/1.1 304 No\ncontent-length: 5\n\nhello" + smuggled, "304 200 open"),
        response("chunk size that is no number", chunked("zz\nhello\n0\n\n"), "closed", ["GET /r"]),
        response("chunk longer than it says", chunked("2\nhello\n0\n\n"), "closed", ["GET /r"]),
        response("chunk size overflow", chunked("fffffffffffffffff\nx\n0\n\n"), "closed", ["GET /r"]),
        response("101 that nobody asked for", "HTTP/1.1 101 Go\nupgrade: x\nconnection: upgrade\n\n" + smuggled),
        response("a thousand of 102", "…" + smuggled, repeated: ("HTTP/1.1 102 Wait\n\n", 1_000)),
    ]
    private static func chunked(_ body: String) -> String {
        "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n" + body + smuggled
    }

    /// Frames of an HTTP/2 upstream; `STRM` is the stream of the request.
    private static func frames(
        _ name: String, _ bytes: [UInt8], times: Int = 1, then more: [UInt8] = [], _ expected: String = "502 200 open"
    ) -> HostileCase {
        let script = "\(hex(bytes))*\(times)" + (more.isEmpty ? "" : ",\(hex(more))")
        let first = "GET /h2up HTTP/1.1\nhost: a.test\nx-id: {id}\nx-do: raw=\(script)\n\n"
        return HostileCase(
            group: "Response frames", name: name, parts: [wire(first), wire(good())], expected: expected,
            forwards: ["GET /h2up", "GET /after"])
    }
    private static func frame(_ type: UInt8, _ flags: UInt8, _ payload: [UInt8], stream: [UInt8]? = nil) -> [UInt8] {
        Array(Frame.integer(UInt32(payload.count)).dropFirst()) + [type, flags] + (stream ?? Array("STRM".utf8))
            + payload
    }
    private static let zero: [UInt8] = [0, 0, 0, 0]
    private static func head(_ fields: [(String, String)], flags: UInt8 = 5) -> [UInt8] {
        frame(1, flags, Frame.block(fields))
    }

    static let responseFrames: [HostileCase] = [
        frames("no status", head([("x-a", "1")])), frames("status of letters", head([(":status", "abc")])),
        frames("status of two digits", head([(":status", "20")])),
        frames("two statuses", head([(":status", "200"), (":status", "201")])),
        frames("status after a field", head([("x-a", "1"), (":status", "200")])),
        frames("path in a response", head([(":status", "200"), (":path", "/")])),
        frames("capitals in a name", head([(":status", "200"), ("X-A", "1")])),
        frames("CR LF in a value", head([(":status", "200"), ("x-a", "1\r\nx-b: 2")])),
        frames("NUL in a value", head([(":status", "200"), ("x-a", "1\u{0}")])),
        frames("connection", head([(":status", "200"), ("connection", "close")])),
        frames("transfer-encoding", head([(":status", "200"), ("transfer-encoding", "chunked")])),
        frames("101", head([(":status", "101")])),
        frames("length that is no number", head([(":status", "200"), ("content-length", "x")])),
        frames("length of more than nothing, ended", head([(":status", "200"), ("content-length", "5")])),
        frames("DATA before HEADERS", frame(0, 1, [1, 2, 3])),
        frames(
            "HEADERS on a stream of nobody", frame(1, 5, Frame.block([(":status", "200")]), stream: [0, 0, 0x7f, 1])),
        frames("HEADERS on stream 0", frame(1, 5, Frame.block([(":status", "200")]), stream: zero)),
        frames("PUSH_PROMISE", frame(5, 4, [0, 0, 0, 2] + Frame.block(Frame.pseudo))),
        frames("HPACK index 0", frame(1, 5, [0x80])), frames("HPACK cut", frame(1, 5, [0, 50, 1])),
        frames("frame larger than allowed", [1, 0, 0, 0, 0] + Array("STRM".utf8)),
        frames("SETTINGS of five bytes", frame(4, 0, [0, 1, 0, 0, 0], stream: zero)),
        frames("SETTINGS: push allowed", frame(4, 0, [0, 2, 0, 0, 0, 1], stream: zero)),
        frames("WINDOW_UPDATE of zero", frame(8, 0, zero, stream: zero)),
        frames("PING of seven bytes", frame(6, 0, [UInt8](repeating: 0, count: 7), stream: zero)),
        frames("CONTINUATION alone", frame(9, 4, [])),
        frames("GOAWAY that refuses the stream", frame(7, 0, [0, 0, 0, 0, 0, 0, 0, 0], stream: zero), "503 200 open"),
        frames(
            "a thousand interim responses", head([(":status", "102")], flags: 4), times: 1_000,
            then: frame(3, 0, [0, 0, 0, 2])),
        frames("text of HTTP/1", Array("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".utf8)),
    ]
}
