/// How long is the body? Whoever disagrees with the upstream about that smuggles.
extension HostileInputs {
    private static func post(_ fields: String, _ body: String = "") -> String {
        "POST /outer HTTP/1.1\nhost: a.test\nx-id: {id}\n\(fields)\n\n\(body)"
    }
    private static let inner = "GET /smuggled HTTP/1.1\nhost: a.test\nx-id: {id}\n\n"

    static let lengths: [HostileCase] =
        [
            ("empty", ""), ("plus", "+3"), ("minus", "-3"), ("hexadecimal", "0x3"), ("underscore", "1_0"),
            ("letters", "three"), ("two values", "3, 3"), ("two different values", "3, 4"), ("decimal point", "3.0"),
            ("exponent", "1e1"), ("inner blank", "1 0"), ("overflow", "18446744073709551619"),
            ("long overflow", String(repeating: "9", count: 100)), ("not a digit", "٣"), ("trailing letter", "3a"),
            ("quoted", "\"3\""), ("semicolon", "3;"), ("vertical tab", "⟦0b⟧3"), ("no-break space", "⟦a0⟧3"),
            ("leading comma", ",3"),
        ].map { name, value in
            http1("Content-Length", name, post("content-length: \(value)", "abc" + inner), refused)
        } + [
            http1(
                "Content-Length", "twice, same", post("content-length: 3\ncontent-length: 3", "abc" + inner), refused),
            http1(
                "Content-Length", "twice, different", post("content-length: 3\ncontent-length: 60", "abc" + inner),
                refused),
            http1(
                "Content-Length", "mixed case names", post("Content-Length: 3\ncONTENT-lENGTH: 60", "abc" + inner),
                refused),
            http1("Content-Length", "leading zeros", post("content-length: 0003", "abc"), "200 open", ["POST /outer"]),
            http1(
                "Content-Length", "shorter than what follows", post("content-length: 3", "abc" + inner), "200 200 open",
                ["POST /outer", "GET /smuggled"]),
        ]

    static let encodings: [HostileCase] =
        [
            ("with Content-Length", "content-length: 3\ntransfer-encoding: chunked"),
            ("with Content-Length after", "transfer-encoding: chunked\ncontent-length: 3"),
            ("prefixed", "transfer-encoding: xchunked"), ("leading comma", "transfer-encoding: ,chunked"),
            ("trailing comma", "transfer-encoding: chunked,"), ("twice in one", "transfer-encoding: chunked, chunked"),
            ("twice", "transfer-encoding: chunked\ntransfer-encoding: chunked"),
            ("identity after", "transfer-encoding: chunked\ntransfer-encoding: identity"),
            ("identity before", "transfer-encoding: identity\ntransfer-encoding: chunked"),
            ("gzip", "transfer-encoding: gzip, chunked"), ("chunked first", "transfer-encoding: chunked, gzip"),
            ("vertical tab", "transfer-encoding: ⟦0b⟧chunked"), ("form feed", "transfer-encoding: ⟦0c⟧chunked"),
            ("no-break space", "transfer-encoding: ⟦a0⟧chunked"), ("high byte after", "transfer-encoding: chunked⟦ff⟧"),
            ("quoted", "transfer-encoding: \"chunked\""), ("parameter", "transfer-encoding: chunked;q=1"),
            ("empty", "transfer-encoding:"), ("NUL", "transfer-encoding: chunked␀"),
            ("unknown", "transfer-encoding: cow"),
            ("space before colon", "transfer-encoding : chunked"), ("folded", "transfer-encoding:\n chunked"),
            ("underscore and Content-Length twice", "transfer_encoding: chunked\ncontent-length: 3\ncontent-length: 9"),
            ("bare LF before", "x: y␊transfer-encoding: chunked"),
            ("bare CR before", "x: y␍transfer-encoding: chunked"),
        ].map { name, fields in
            http1("Transfer-Encoding", name, post(fields, "0\n\n" + inner), refused)
        } + [
            http1(
                "Transfer-Encoding", "tab before the value", post("transfer-encoding:\tchunked", "3\nabc\n0\n\n"),
                "200 open",
                ["POST /outer"]),
            http1(
                "Transfer-Encoding", "capitals", post("Transfer-Encoding: CHUNKED", "3\nabc\n0\n\n"), "200 open",
                ["POST /outer"]),
            http1(
                "Transfer-Encoding", "in HTTP/1.0",
                "POST /outer HTTP/1.0\nhost: a.test\nx-id: {id}\ntransfer-encoding: chunked\n\n0\n\n" + inner, refused),
        ]

    static let chunks: [HostileCase] =
        [
            ("prefix 0x", "0x3\nabc\n0\n\n"), ("underscore", "1_0\nabc\n0\n\n"), ("plus", "+3\nabc\n0\n\n"),
            ("minus", "-3\nabc\n0\n\n"), ("empty size", "\nabc\n0\n\n"), ("only an extension", ";a=b\nabc\n0\n\n"),
            ("overflow", "FFFFFFFFFFFFFFFFF\nabc\n0\n\n"), ("2 to the 64th plus 3", "10000000000000003\nabc\n0\n\n"),
            ("letters", "xyz\nabc\n0\n\n"), ("leading blank", " 3\nabc\n0\n\n"), ("two sizes", "3 3\nabc\n0\n\n"),
            ("bare LF after the size", "3␊abc\n0\n\n"), ("bare CR after the size", "3␍abc\n0\n\n"),
            ("bare LF after the data", "3\nabc␊0\n\n"), ("CR and a letter after the data", "3\nabc␍X0\n\n"),
            ("two letters after the data", "3\nabcXX0\n\n"), ("data too long", "3\nabcd\n0\n\n"),
            ("CR in an extension", "3;a␍b\nabc\n0\n\n"), ("LF in an extension", "3;a=b␊abc\n0\n\n"),
            ("NUL in an extension", "3;a␀b\nabc\n0\n\n"), ("high byte size", "⟦b3⟧\nabc\n0\n\n"),
            ("endless extension", "3;" + String(repeating: "e", count: 20_000) + "\nabc\n0\n\n"),
            ("bad trailer", "0\nbad trailer\n\n"), ("folded trailer", "0\na: b\n c\n\n"),
        ].map { name, body in
            // What was sent of the body may have reached the upstream, but as part of no whole request.
            http1("Chunks", name, post("transfer-encoding: chunked", body + inner), "closed")
        } + [
            http1(
                "Chunks", "one byte each",
                post(
                    "transfer-encoding: chunked", String(repeating: "1\nx\n", count: 20_000) + "0\n\n"), "200 open",
                ["POST /outer"]),
            http1(
                "Chunks", "framing in a trailer",
                post(
                    "transfer-encoding: chunked", "3\nabc\n0\ncontent-length: 9\ntransfer-encoding: x\nhost: b\n\n"),
                "200 open", ["POST /outer"]),
            http1(
                "Chunks", "leading zeros", post("transfer-encoding: chunked", "0003\nabc\n000\n\n"), "200 open",
                ["POST /outer"]),
        ]

    /// After a bad message nothing on the connection is believed.
    static let pipelines: [HostileCase] = [
        http1("Pipelines", "good after bad", "BAD\n\n" + good(), refused),
        http1("Pipelines", "bad after good", good("/first") + "BAD\n\n" + good(), "200 400 closed", ["GET /first"]),
        http1(
            "Pipelines", "bad header after good", good("/first") + "GET /x HTTP/1.1\nbad header\n\n" + good(),
            "200 400 closed", ["GET /first"]),
        http1("Pipelines", "a hundred bad ones", String(repeating: "BAD\n\n", count: 100), refused),
        http1(
            "Pipelines", "junk between", good("/first") + "\n\n\n" + good("/second"), "200 200 open",
            ["GET /first", "GET /second"]),
        http1(
            "Pipelines", "after Connection: close",
            "GET /first HTTP/1.1\nhost: a.test\nx-id: {id}\nconnection: close\n\n" + good("/second"), "200 closed",
            ["GET /first"]),
        http1(
            "Pipelines", "fifty good ones", String(repeating: good("/p"), count: 50),
            String(repeating: "200 ", count: 50) + "open", Array(repeating: "GET /p", count: 50)),
        http1(
            "Pipelines", "body that looks like a request",
            "POST /first HTTP/1.1\nhost: a.test\nx-id: {id}\ncontent-length: \(63)\n\n"
                + "GET /smuggled HTTP/1.1\nhost: a.test\nx-id: 1234567890123\n\n12", "200 open", ["POST /first"]),
        http1(
            "Pipelines", "GET with a body",
            "GET /first HTTP/1.1\nhost: a.test\nx-id: {id}\ncontent-length: 3\n\nabc" + good("/second"), "200 200 open",
            ["GET /first", "GET /second"]),
    ]

    /// Bytes after an upgrade request belong to the upgraded protocol, not to another request.
    static let upgrades: [HostileCase] = [
        http1(
            "Upgrades", "CONNECT", "CONNECT a.test:443 HTTP/1.1\nhost: a.test:443\nx-id: {id}\n\n" + good(),
            "404 closed"),
        http1("Upgrades", "CONNECT without a port", "CONNECT / HTTP/1.1\nhost: a.test\nx-id: {id}\n\n", refused),
        http1(
            "Upgrades", "websocket that nobody allowed",
            "GET /ws HTTP/1.1\nhost: a.test\nx-id: {id}\nconnection: upgrade\nupgrade: websocket\n\n" + good(),
            "403 closed"),
        http1(
            "Upgrades", "h2c with settings",
            "GET /h2c HTTP/1.1\nhost: a.test\nx-id: {id}\nconnection: upgrade, http2-settings\nupgrade: h2c\n"
                + "http2-settings: AAMAAABkAAQAAP__\n\n", "403 closed"),
    ]
}
