/// Frames and header blocks of HTTP/2.
extension HostileInputs {
    private static let protocolError = "GOAWAY PROTOCOL_ERROR closed"
    private static let sizeError = "GOAWAY FRAME_SIZE_ERROR closed"

    static let frames: [HostileCase] = [
        http2("Frames", "DATA on stream 0", protocolError) { _ in Frame.raw(0, stream: 0, [1]) },
        http2("Frames", "DATA on an idle stream", protocolError) { _ in Frame.raw(0, stream: 5, [1]) },
        http2("Frames", "HEADERS on stream 0", protocolError) { Frame.headers(0, Frame.pseudo + [("x-id", $0)]) },
        http2("Frames", "HEADERS on an even stream", protocolError) { Frame.request($0, 2) },
        http2("Frames", "frame larger than allowed", sizeError) { _ in
            Frame.raw(0, stream: 1, [UInt8](repeating: 0, count: 16_385))
        },
        http2("Frames", "padding longer than the frame", protocolError) { _ in
            Frame.raw(1, flags: 13, stream: 1, [200, 1])
        },
        http2("Frames", "padded with nothing", sizeError) { _ in Frame.raw(1, flags: 13, stream: 1, []) },
        http2("Frames", "HEADERS that depends on itself", "1!PROTOCOL_ERROR open") {
            Frame.raw(1, flags: 0x25, stream: 1, Frame.integer(1) + [0] + Frame.block(Frame.pseudo + [("x-id", $0)]))
        },
        http2("Frames", "SETTINGS on a stream", protocolError) { _ in Frame.raw(4, stream: 1, []) },
        http2("Frames", "SETTINGS of five bytes", sizeError) { _ in Frame.raw(4, [0, 1, 0, 0, 0]) },
        http2("Frames", "SETTINGS answer with content", sizeError) { _ in Frame.raw(4, flags: 1, [0, 1, 0, 0, 0, 0]) },
        http2("Frames", "push setting of 2", protocolError) { _ in Frame.settings([(2, 2)]) },
        http2("Frames", "window setting too large", "GOAWAY FLOW_CONTROL_ERROR closed") { _ in
            Frame.settings([(4, 0x8000_0000)])
        },
        http2("Frames", "frame size setting too small", protocolError) { _ in Frame.settings([(5, 100)]) },
        http2("Frames", "PING of seven bytes", sizeError) { _ in Frame.raw(6, [UInt8](repeating: 0, count: 7)) },
        http2("Frames", "PING on a stream", protocolError) { _ in
            Frame.raw(6, stream: 1, [UInt8](repeating: 0, count: 8))
        },
        http2("Frames", "WINDOW_UPDATE of zero", protocolError) { _ in Frame.raw(8, [0, 0, 0, 0]) },
        http2("Frames", "WINDOW_UPDATE of three bytes", sizeError) { _ in Frame.raw(8, [0, 0, 1]) },
        http2("Frames", "connection window overflow", "GOAWAY FLOW_CONTROL_ERROR closed") { _ in
            Frame.raw(8, [0x7f, 0xff, 0xff, 0xff])
        },
        http2("Frames", "WINDOW_UPDATE on an idle stream", protocolError) { _ in Frame.raw(8, stream: 7, [0, 0, 0, 1])
        },
        http2("Frames", "RST_STREAM on stream 0", protocolError) { _ in Frame.raw(3, [0, 0, 0, 8]) },
        http2("Frames", "RST_STREAM on an idle stream", protocolError) { _ in Frame.raw(3, stream: 9, [0, 0, 0, 8]) },
        http2("Frames", "RST_STREAM of three bytes", protocolError) { _ in Frame.raw(3, stream: 1, [0, 0, 8]) },
        http2("Frames", "PUSH_PROMISE from a client", protocolError) { _ in
            Frame.raw(5, flags: 4, stream: 1, [0, 0, 0, 2])
        },
        http2("Frames", "GOAWAY on a stream", protocolError) { _ in
            Frame.raw(7, stream: 1, [UInt8](repeating: 0, count: 8))
        },
        http2("Frames", "CONTINUATION without HEADERS", protocolError) { _ in Frame.raw(9, flags: 4, stream: 1, []) },
        http2("Frames", "PING between HEADERS and CONTINUATION", protocolError) {
            Frame.request($0, flags: 1) + Frame.raw(6, [UInt8](repeating: 0, count: 8))
        },
        http2("Frames", "CONTINUATION of another stream", protocolError) {
            Frame.request($0, flags: 1) + Frame.raw(9, flags: 4, stream: 3, [])
        },
        http2("Frames", "unknown frame type", "1=200 open", ["GET /h2"]) {
            Frame.raw(200, stream: 0, [1, 2]) + Frame.request($0)
        },
        http2("Frames", "unknown setting", "1=200 open", ["GET /h2"]) {
            Frame.settings([(999, 1)]) + Frame.request($0)
        },
        http2("Frames", "empty METADATA", "1=200 open", ["GET /h2"]) {
            Frame.raw(0x4d, flags: 4, stream: 1, []) + Frame.request($0)
        },
        HostileCase(
            group: "Frames", name: "no SETTINGS after the preface",
            parts: [Frame.preface + Frame.raw(6, [0, 0, 0, 0, 0, 0, 0, 0])],
            expected: protocolError, isHTTP2: true),
    ]

    private static func block(
        _ name: String, _ fields: [(String, String)], _ expected: String = "1!PROTOCOL_ERROR open",
        _ forwards: [String] = []
    ) -> HostileCase {
        http2("Header blocks", name, expected, forwards) { Frame.headers(1, fields + [("x-id", $0)]) }
    }
    private static let rest = Array(Frame.pseudo.dropFirst())

    static let headerBlocks: [HostileCase] = [
        block("no method", rest), block("two methods", Frame.pseudo + [(":method", "POST")]),
        block("no path", Array(Frame.pseudo.dropLast())),
        block("empty path", Array(Frame.pseudo.dropLast()) + [(":path", "")]),
        block("path without a slash", Array(Frame.pseudo.dropLast()) + [(":path", "x")]),
        block("no scheme", [Frame.pseudo[0]] + Array(Frame.pseudo.suffix(2))),
        block("status in a request", Frame.pseudo + [(":status", "200")]),
        block("unknown pseudo header", Frame.pseudo + [(":nonsense", "1")]),
        block("pseudo header after others", [("x-a", "1")] + Frame.pseudo),
        block("capitals in a name", Frame.pseudo + [("X-A", "1")]), block("empty name", Frame.pseudo + [("", "1")]),
        block("connection", Frame.pseudo + [("connection", "close")]),
        block("transfer-encoding", Frame.pseudo + [("transfer-encoding", "chunked")]),
        block("upgrade", Frame.pseudo + [("upgrade", "h2c")]),
        block("keep-alive", Frame.pseudo + [("keep-alive", "1")]),
        block("proxy-connection", Frame.pseudo + [("proxy-connection", "1")]),
        block("te other than trailers", Frame.pseudo + [("te", "gzip")]),
        block("CR LF in a value", Frame.pseudo + [("x-a", "1\r\nx-b: 2")]),
        block("LF in a value", Frame.pseudo + [("x-a", "1\nx-b: 2")]),
        block("NUL in a value", Frame.pseudo + [("x-a", "1\u{0}2")]),
        block("blank in a name", Frame.pseudo + [("x a", "1")]),
        block("colon in a name", Frame.pseudo + [("x:a", "1")]),
        block("CR LF in a name", Frame.pseudo + [("x\r\na", "1")]),
        block("CR LF in the path", Array(Frame.pseudo.dropLast()) + [(":path", "/x HTTP/1.1\r\nx: y")]),
        block("blank in the path", Array(Frame.pseudo.dropLast()) + [(":path", "/x y")]),
        block("CR LF in the method", [(":method", "GET / HTTP/1.1\r\nx")] + rest),
        block("blank in the method", [(":method", "GE T")] + rest),
        block(
            "CR LF in the authority", [Frame.pseudo[0], Frame.pseudo[1], (":authority", "a\r\nx: y"), Frame.pseudo[3]]),
        block("Content-Length of more than the body", Frame.pseudo + [("content-length", "5")]),
        block("Content-Length that is no number", Frame.pseudo + [("content-length", "x")]),
        block("forbidden path", Array(Frame.pseudo.dropLast()) + [(":path", "//admin")], "1=403 open"),
        block("te: trailers", Frame.pseudo + [("te", "trailers")], "1=200 open", ["GET /h2"]),
        http2("Header blocks", "index that does not exist", "GOAWAY COMPRESSION_ERROR closed") { _ in
            Frame.raw(1, flags: 5, stream: 1, [0xff, 0xff, 0x7f])
        },
        http2("Header blocks", "index 0", "GOAWAY COMPRESSION_ERROR closed") { _ in
            Frame.raw(1, flags: 5, stream: 1, [0x80])
        },
        http2("Header blocks", "endless integer", "GOAWAY COMPRESSION_ERROR closed") { _ in
            Frame.raw(1, flags: 5, stream: 1, [0xff] + [UInt8](repeating: 0xff, count: 20))
        },
        http2("Header blocks", "string over the end", "GOAWAY COMPRESSION_ERROR closed") { _ in
            Frame.raw(1, flags: 5, stream: 1, [0, 50, 1])
        },
        http2("Header blocks", "table larger than allowed", "GOAWAY COMPRESSION_ERROR closed") { _ in
            Frame.raw(1, flags: 5, stream: 1, [0x3f, 0xff, 0xff, 0x7f])
        },
        http2("Header blocks", "Huffman padding of zeros", "GOAWAY COMPRESSION_ERROR closed") { _ in
            Frame.raw(1, flags: 5, stream: 1, [0, 0x81, 0x00, 1, 97])
        },
    ]

    private static let calm = "GOAWAY ENHANCE_YOUR_CALM closed"
    static let http2Floods: [HostileCase] = [
        http2("Floods", "rapid reset", calm) { _ in
            (0..<2_000).flatMap { index -> [UInt8] in
                let stream = UInt32(index * 2 + 1)
                return Frame.headers(stream, Frame.pseudo + [("x-id", "rapid")])
                    + Frame.raw(3, stream: stream, [0, 0, 0, 8])
            }
        },
        http2("Floods", "CONTINUATION", calm) {
            Frame.request($0, flags: 1)
                + (0..<2_000).flatMap { _ in Frame.raw(9, stream: 1, Frame.block([("x-a", "b")])) }
        },
        http2("Floods", "empty CONTINUATION", calm) {
            Frame.request($0, flags: 1) + (0..<5_000).flatMap { _ in Frame.raw(9, stream: 1, []) }
        },
        http2("Floods", "PING", calm) { _ in (0..<20_000).flatMap { _ in Frame.raw(6, [UInt8](repeating: 1, count: 8)) }
        },
        http2("Floods", "SETTINGS", calm) { _ in (0..<20_000).flatMap { _ in Frame.settings([]) } },
        http2("Floods", "empty DATA", calm, []) {
            Frame.headers(1, [(":method", "POST")] + rest + [("x-id", $0)], flags: 4)
                + (0..<20_000).flatMap { _ in Frame.raw(0, stream: 1, []) }
        },
        http2("Floods", "PRIORITY", calm) { _ in
            (0..<20_000).flatMap { _ in Frame.raw(2, stream: 1, Frame.integer(3) + [1]) }
        },
        http2("Floods", "header list of a megabyte", calm) {
            let big = String(repeating: "a", count: 10_000)
            let blocks = (0..<12).map { Frame.block([("x-\($0)", big)]) }
            return Frame.request($0, flags: 1)
                + blocks.enumerated().flatMap { Frame.raw(9, flags: $0.offset == 11 ? 4 : 0, stream: 1, $0.element) }
        },
        http2("Floods", "one big field, indexed a thousand times", "GOAWAY NO_ERROR 1=431 open") {
            let name = Array("x-a".utf8)
            let value = [UInt8](repeating: 97, count: 3_000)
            let stored: [UInt8] = [0x40, 3] + name + [127, 0xb9, 0x16] + value
            return Frame.raw(
                1, flags: 5, stream: 1,
                Frame.block(Frame.pseudo + [("x-id", $0)]) + stored + [UInt8](repeating: 0xbe, count: 1_000))
        },
    ]
}
