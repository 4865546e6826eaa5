import NIOCore
import Testing

@testable import WeftHTTP

/// Each MUST of RFC 9113 about what a peer may send, as frames after the settings and the verdict on them.
@Suite struct HTTP2ConformanceTests {
    struct Case: CustomTestStringConvertible {
        var section: String
        var frames: [WireFrame]
        var verdict: String
        var testDescription: String { section }
        init(_ section: String, _ frames: [WireFrame], _ verdict: String) {
            self.section = section
            self.frames = frames
            self.verdict = verdict
        }
    }

    static let framing: [Case] = [
        Case("4.1 unknown type is ignored", [WireFrame(0x16, 0xFF, 5, [1, 2, 3]), .get(1)], "fine"),
        Case("4.1 unknown flags are ignored", [WireFrame(6, 0x16, 0, [UInt8](repeating: 0, count: 8))], "fine"),
        Case("4.2 too long", [WireFrame(0, 0, 1, [UInt8](repeating: 0, count: 16_385))], "connection 6"),
        Case("4.3 undecodable block", [WireFrame(1, 5, 1, [0x80])], "connection 9"),
        Case(
            "4.3 frame inside a block", [WireFrame(1, 1, 1, []), WireFrame(6, 0, 0, hex("0000000000000000"))],
            "connection 1"),
        Case("4.3 unknown frame inside a block", [WireFrame(1, 1, 1, []), WireFrame(0x16)], "connection 1"),
        Case("4.3 another stream's HEADERS inside a block", [WireFrame(1, 1, 1, []), .get(3)], "connection 1"),
        Case("6.10 CONTINUATION alone", [WireFrame(9, 4, 1, [])], "connection 1"),
        Case("6.10 CONTINUATION of another stream", [WireFrame(1, 1, 1, []), WireFrame(9, 4, 3, [])], "connection 1"),
        Case("6.10 CONTINUATION after the end", [.get(1), WireFrame(9, 4, 1, [])], "connection 1"),
        Case(
            "6.10 CONTINUATION completes",
            [
                WireFrame(1, 1, 1, Array(WireFrame.get(1).payload.prefix(10))),
                WireFrame(9, 4, 1, Array(WireFrame.get(1).payload.dropFirst(10))),
            ], "fine"),
    ]

    static let states: [Case] = [
        Case("5.1 idle DATA", [.data(1, 1)], "connection 1"),
        Case("5.1 idle RST_STREAM", [WireFrame(3, 0, 1, word(8))], "connection 1"),
        Case("5.1 idle WINDOW_UPDATE", [.windowUpdate(1, 1)], "connection 1"),
        Case("5.1 idle PRIORITY", [WireFrame(2, 0, 1, word(3) + [1])], "fine"),
        Case("5.1 half-closed DATA", [.get(1), .data(1, 1)], "stream 1 5"),
        Case("5.1 half-closed HEADERS", [.get(1), .get(1)], "stream 1 5"),
        Case("5.1 half-closed WINDOW_UPDATE", [.get(1), .windowUpdate(1, 1)], "fine"),
        Case("5.1 reset by the peer, then DATA", [.post(1), WireFrame(3, 0, 1, word(8)), .data(1, 1)], "connection 5"),
        Case("5.1 reset by the peer, then HEADERS", [.get(1), WireFrame(3, 0, 1, word(8)), .get(1)], "connection 5"),
        Case(
            "5.1 reset by the peer, then WINDOW_UPDATE",
            [
                .get(1), WireFrame(3, 0, 1, word(8)), .windowUpdate(1, 1), WireFrame(3, 0, 1, word(8)),
            ], "fine"),
        Case("5.1.1 even identifier", [.get(2)], "connection 1"),
        Case("5.1.1 identifier goes back", [.get(5), .get(3)], "connection 5"),
        Case(
            "5.3.1 HEADERS depends on itself",
            [
                WireFrame(1, 0x25, 1, word(1) + [7] + WireFrame.get(1).payload)
            ], "stream 1 1"),
        Case("6.2 HEADERS with priority", [WireFrame(1, 0x25, 1, word(3) + [7] + WireFrame.get(1).payload)], "fine"),
        Case("5.4.1 DATA on stream 0", [.data(0, 1)], "connection 1"),
        Case("6.1 padding longer than the frame", [.post(1), WireFrame(0, 8, 1, [3, 0, 0])], "connection 1"),
        Case("6.1 padded DATA", [.post(1), WireFrame(0, 9, 1, [2, 120, 0, 0])], "fine"),
        Case("6.2 HEADERS on stream 0", [WireFrame(1, 5, 0, WireFrame.get(1).payload)], "connection 1"),
        Case("6.2 padding longer than the frame", [WireFrame(1, 0xD, 1, [9, 0x82])], "connection 1"),
        Case("6.2 padded HEADERS", [WireFrame(1, 0xD, 1, [2] + WireFrame.get(1).payload + [0, 0])], "fine"),
        Case("6.3 PRIORITY on stream 0", [WireFrame(2, 0, 0, word(3) + [1])], "connection 1"),
        Case("6.3 PRIORITY of four bytes", [.post(1), WireFrame(2, 0, 1, word(3))], "stream 1 6"),
        Case("6.4 RST_STREAM on stream 0", [WireFrame(3, 0, 0, word(8))], "connection 1"),
        Case("6.4 RST_STREAM of three bytes", [.post(1), WireFrame(3, 0, 1, [0, 0, 8])], "connection 6"),
        Case("6.6 PUSH_PROMISE from a client", [.post(1), WireFrame(5, 4, 1, word(2))], "connection 1"),
    ]

    static let control: [Case] = [
        Case("6.5 SETTINGS ack with payload", [WireFrame(4, 1, 0, [0])], "connection 6"),
        Case("6.5 SETTINGS on a stream", [WireFrame(4, 0, 1)], "connection 1"),
        Case("6.5 SETTINGS of five bytes", [WireFrame(4, 0, 0, [0, 1, 0, 0, 0])], "connection 6"),
        Case("6.5.2 ENABLE_PUSH 2", [.setting(2, 2)], "connection 1"),
        Case("6.5.2 INITIAL_WINDOW_SIZE too large", [.setting(4, 1 << 31)], "connection 3"),
        Case("6.5.2 MAX_FRAME_SIZE too small", [.setting(5, 16_383)], "connection 1"),
        Case("6.5.2 MAX_FRAME_SIZE too large", [.setting(5, 1 << 24)], "connection 1"),
        Case("6.5.2 unknown setting", [.setting(0xFF, 1)], "fine"),
        Case("RFC 8441 ENABLE_CONNECT_PROTOCOL 2", [.setting(8, 2)], "connection 1"),
        Case("RFC 8441 ENABLE_CONNECT_PROTOCOL taken back", [.setting(8, 1), .setting(8, 0)], "connection 1"),
        Case("6.7 PING on a stream", [WireFrame(6, 0, 1, hex("0000000000000000"))], "connection 1"),
        Case("6.7 PING of six bytes", [WireFrame(6, 0, 0, hex("000000000000"))], "connection 6"),
        Case("6.8 GOAWAY on a stream", [WireFrame(7, 0, 1, hex("0000000000000000"))], "connection 1"),
        Case("6.8 GOAWAY of seven bytes", [WireFrame(7, 0, 0, hex("00000000000000"))], "connection 6"),
        Case("6.9 WINDOW_UPDATE of 0", [.windowUpdate(0, 0)], "connection 1"),
        Case("6.9 WINDOW_UPDATE of 0 on a stream", [.post(1), .windowUpdate(1, 0)], "stream 1 1"),
        Case("6.9 WINDOW_UPDATE of three bytes", [WireFrame(8, 0, 0, [0, 0, 1])], "connection 6"),
        Case("6.9.1 window overflow", [.windowUpdate(0, 0x7FFF_FFFF)], "connection 3"),
        Case("6.9.1 window overflow on a stream", [.post(1), .windowUpdate(1, 0x7FFF_FFFF)], "stream 1 3"),
        Case(
            "6.9.2 window overflow by a setting", [.post(1), .windowUpdate(1, 0x7FFF_0000), .setting(4, 0x7FFF_FFFF)],
            "connection 3"),
    ]

    static let messages: [Case] = [
        Case("8.1 trailers", [.post(1), .data(1, 1), .headers(1, [("x", "y")])], "fine"),
        Case("8.1 second HEADERS without the end", [.post(1), .headers(1, [("x", "y")], end: false)], "stream 1 1"),
        Case("8.1 pseudo header in trailers", [.post(1), .headers(1, [(":method", "GET")])], "stream 1 1"),
        Case("8.2 upper case", [.get(1, [("X", "y")])], "stream 1 1"),
        Case("8.2.1 space in a name", [.get(1, [("x y", "z")])], "stream 1 1"),
        Case("8.2.1 colon in a name", [.get(1, [("x:y", "z")])], "stream 1 1"),
        Case("8.2.1 empty name", [.get(1, [("", "z")])], "stream 1 1"),
        Case("8.2.1 line feed in a value", [.get(1, [("x", "a\nb")])], "stream 1 1"),
        Case("8.2.1 NUL in a value", [.get(1, [("x", "a\0b")])], "stream 1 1"),
        Case("8.2.1 space around a value", [.get(1, [("x", " a")])], "stream 1 1"),
        Case("8.2.2 connection", [.get(1, [("connection", "keep-alive")])], "stream 1 1"),
        Case("8.2.2 transfer-encoding", [.post(1, [("transfer-encoding", "chunked")])], "stream 1 1"),
        Case("8.2.2 upgrade", [.get(1, [("upgrade", "h2c")])], "stream 1 1"),
        Case("8.2.2 te", [.get(1, [("te", "gzip")])], "stream 1 1"),
        Case("8.2.2 te trailers", [.get(1, [("te", "trailers")])], "fine"),
        Case("8.3 unknown pseudo header", [.get(1, [(":x", "y")])], "stream 1 1"),
        Case("8.3 response's pseudo header", [.get(1, [(":status", "200")])], "stream 1 1"),
        Case("8.3 pseudo header behind a field", [.headers(1, [("x", "y")] + WireFrame.request("GET"))], "stream 1 1"),
        Case("8.3.1 pseudo header twice", [.get(1, [(":path", "/")])], "stream 1 1"),
        Case("8.3.1 no method", [.headers(1, Array(WireFrame.request("GET").dropFirst()))], "stream 1 1"),
        Case("8.3.1 no path", [.headers(1, [(":method", "GET"), (":scheme", "http")])], "stream 1 1"),
        Case("8.3.1 no scheme", [.headers(1, [(":method", "GET"), (":path", "/")])], "stream 1 1"),
        Case(
            "8.3.1 empty path", [.headers(1, [(":method", "GET"), (":scheme", "http"), (":path", "")])],
            "stream 1 1"),
        Case("8.3.1 host contradicts authority", [.get(1, [("host", "b")])], "stream 1 1"),
        Case("8.3.1 two hosts", [.get(1, [("host", "a"), ("host", "a")])], "stream 1 1"),
        // What could not be said in HTTP/1 is refused: found by the relay targets of FuzzTests.
        Case("8.3.1 authority of a bracket", [.target(1, authority: "[")], "stream 1 1"),
        Case("8.3.1 authority not ASCII", [.target(1, authority: "\u{e9}")], "stream 1 1"),
        Case("8.3.1 authority with a user", [.target(1, authority: "u@a")], "stream 1 1"),
        Case("8.3.1 authority with a long port", [.target(1, authority: "a:123456")], "stream 1 1"),
        Case("8.3.1 authority of an address", [.target(1, authority: "[::1]:80")], "fine"),
        Case("8.3.1 fragment in a path", [.target(1, path: "/a#b")], "stream 1 1"),
        Case("8.3.1 DEL in a path", [.target(1, path: "/a\u{7f}")], "stream 1 1"),
        Case("8.3.1 host repeats authority", [.get(1, [("host", "A")])], "fine"),
        Case("8.3.1 asterisk", [.headers(1, [(":method", "OPTIONS"), (":scheme", "http"), (":path", "*")])], "fine"),
        Case(
            "8.1.1 content-length too small", [.post(1, [("content-length", "1")]), .data(1, 2, end: true)],
            "stream 1 1"),
        Case(
            "8.1.1 content-length too large", [.post(1, [("content-length", "3")]), .data(1, 2, end: true)],
            "stream 1 1"),
        Case(
            "8.1.1 content-length and trailers",
            [
                .post(1, [("content-length", "3")]), .data(1, 2), .headers(1, [("x", "y")]),
            ], "stream 1 1"),
        Case("8.1.1 content-length without DATA", [.get(1, [("content-length", "1")])], "stream 1 1"),
        Case("8.1.1 content-length of no digits", [.get(1, [("content-length", "+0")])], "stream 1 1"),
        Case(
            "8.1.1 two content-lengths", [.post(1, [("content-length", "1"), ("content-length", "2")])],
            "stream 1 1"),
        Case("8.5 CONNECT", [.headers(1, [(":method", "CONNECT"), (":authority", "a:1")], end: false)], "fine"),
        Case("8.5 CONNECT with a path", [.headers(1, WireFrame.request("CONNECT"), end: false)], "stream 1 1"),
        Case("8.5 CONNECT without authority", [.headers(1, [(":method", "CONNECT")], end: false)], "stream 1 1"),
        Case(
            "RFC 8441 :protocol that was not offered",
            [
                .headers(1, WireFrame.request("CONNECT") + [(":protocol", "websocket")], end: false)
            ], "stream 1 1"),
    ]

    @Test(arguments: framing + states + control + messages) func verdict(_ item: Case) {
        let peer = WirePeer()
        peer.feed(item.frames)
        #expect(peer.verdict == item.verdict)
        // The reason is in the debug data, and it is counted.
        if let away = peer.frames.first(where: { $0.type == 7 }) {
            let reason = String(decoding: away.payload.dropFirst(8), as: UTF8.self)
            #expect(peer.connection.failure?.rawValue == reason)
            #expect(peer.connection.statistics?[peer.connection.failure ?? .preface] == 1)
        }
        // A stream error leaves the connection alive.
        guard !item.verdict.hasPrefix("connection") else { return }
        peer.clear()
        peer.feed([.get(99)])
        #expect(peer.requests.count == 1)
    }

    @Test(arguments: framing + states + control + messages) func verdictDoesNotDependOnHowBytesArrive(_ item: Case) {
        let peer = WirePeer()
        for byte in item.frames.flatMap(\.bytes) { peer.feed([byte]) }
        #expect(peer.verdict == item.verdict)
    }

    @Test func wrongPreface() {
        let peer = WirePeer(greets: false)
        peer.feed(Array("GET / HTTP/1.1\r\n\r\n".utf8))
        #expect(peer.verdict == "connection 1")
    }

    @Test func settingsMustComeFirst() {
        let peer = WirePeer(greets: false)
        peer.feed(HTTP2Connection.preface + WireFrame.get(1).bytes)
        #expect(peer.verdict == "connection 1")
    }

    @Test func answersSettingsAndPing() {
        let peer = WirePeer()
        peer.feed([.setting(3, 5), WireFrame(6, 0, 0, hex("0102030405060708"))])
        #expect(peer.frames == [WireFrame(4, 1), WireFrame(6, 1, 0, hex("0102030405060708"))])
    }

    @Test func refusesStreamsBeyondTheMaximum() {
        var options = HTTP2Options()
        options.maximumStreams = 2
        let peer = WirePeer(.server, options)
        peer.feed([.get(1), .get(3), .get(5)])
        #expect(peer.verdict == "stream 5 7")
        #expect(peer.requests.count == 2)
    }

    @Test func ignoresWhatCrossesAReset() {
        let peer = WirePeer()
        peer.feed([.post(1)])
        peer.connection.reset(peer.references[0], .cancel)
        peer.collect()
        peer.clear()
        peer.feed([.data(1, 10), .headers(1, [("x", "y")]), .get(3)])
        #expect(peer.verdict == "fine")
        #expect(peer.requests.count == 1)
    }

    /// RFC 9113, 8.1: NO_ERROR after a whole response, though not in one piece with it.
    @Test func tellsClientsLaterToStopSending() {
        let peer = WirePeer()
        peer.feed([.post(1), .post(3), .post(5), .post(7)])
        for reference in peer.references {
            peer.connection.send(ResponseHead(status: 403), on: reference, endStream: true)
        }
        peer.collect()
        #expect(peer.frames.map(\.type) == [1, 1, 1, 1])
        #expect(peer.connection.owesResets && peer.connection.streamCount == 0)
        peer.clear()
        // Two requests end meanwhile, one by data and one by trailers; one is given up; one goes on.
        peer.feed([
            .data(1, 10, end: true), .headers(3, [("x", "y")]), WireFrame(3, 0, 5, [0, 0, 0, 8]), .data(7, 10), .get(9),
        ])
        #expect(peer.verdict == "fine")
        #expect(peer.bodyBytes == 0)
        #expect(peer.requests.count == 1)
        peer.connection.sendLateResets()
        peer.collect()
        // Nothing yet: they might leave together with their responses.
        #expect(peer.frames.isEmpty && peer.connection.owesResets)
        peer.connection.sendLateResets()
        peer.collect()
        #expect(peer.frames == [WireFrame(3, 0, 7, [0, 0, 0, 0])])
        #expect(!peer.connection.owesResets)
    }

    /// A response between two looks of the timer waits for the look after the next.
    @Test func eachResetWaitsAWholePeriod() {
        let peer = WirePeer()
        func answer(_ id: UInt32) {
            peer.feed([.post(id)])
            if let reference = peer.references.last {
                peer.connection.send(ResponseHead(status: 403), on: reference, endStream: true)
            }
        }
        func tick() -> [UInt32] {
            peer.collect()
            peer.clear()
            peer.connection.sendLateResets()
            peer.collect()
            return peer.frames.filter { $0.type == 3 }.map(\.id)
        }
        answer(1)
        #expect(tick() == [])
        answer(3)
        #expect(tick() == [1])
        #expect(tick() == [3])
        #expect(tick() == [] && !peer.connection.owesResets)
    }

    /// What a client does wrong on a stream that waits for its reset is answered by the one reset that is sent.
    @Test func aDroppedStreamIsResetOnce() {
        let peer = WirePeer()
        peer.feed([.post(1)])
        peer.connection.send(ResponseHead(status: 403), on: peer.references[0], endStream: true)
        // PRIORITY that depends on itself: a stream error.
        peer.feed([WireFrame(2, 0, 1, [0, 0, 0, 1, 16])])
        for _ in 0..<2 { peer.connection.sendLateResets() }
        peer.collect()
        #expect(peer.frames.filter { $0.type == 3 } == [WireFrame(3, 0, 1, [0, 0, 0, 1])])
    }

    /// Bytes that are thrown away are credited to the connection, padding too, and never to the stream: whoever goes
    /// on sending stops after one window of it.
    @Test func droppedBytesGiveCreditToTheConnectionAlone() {
        let peer = WirePeer()
        peer.feed([.post(1)])
        peer.connection.send(ResponseHead(status: 403), on: peer.references[0], endStream: true)
        peer.collect()
        peer.clear()
        for _ in 0..<200 { peer.feed([.data(1, 16_000)]) }
        peer.collect()
        #expect(peer.verdict == "fine")
        let updates = peer.frames.filter { $0.type == 8 }
        #expect(!updates.isEmpty && updates.allSatisfy { $0.id == 0 })
        #expect(peer.bodyBytes == 0)
    }

    /// A drain neither waits for late resets nor is held up by them.
    @Test func drainDoesNotWaitForLateResets() {
        let peer = WirePeer()
        peer.feed([.post(1)])
        peer.connection.startDrain()
        peer.connection.finishDrain()
        peer.connection.send(ResponseHead(status: 403), on: peer.references[0], endStream: true)
        #expect(peer.connection.isDrained)
        peer.collect()
        #expect(!peer.frames.contains { $0.type == 3 })
    }

    @Test func fewResetsWait() {
        let peer = WirePeer()
        for index in 0..<150 {
            peer.feed([.post(UInt32(index * 2 + 1))])
            peer.connection.send(ResponseHead(status: 403), on: peer.references[index], endStream: true)
        }
        peer.collect()
        #expect(peer.frames.filter { $0.type == 3 }.count == 50)
        for _ in 0..<2 { peer.connection.sendLateResets() }
        peer.collect()
        let told = peer.frames.filter { $0.type == 3 }.map(\.id)
        let expected: [UInt32] = (0..<150).map { $0 * 2 + 1 }
        #expect(told == expected)
    }

    @Test func joinsCookiesAndDropsHost() {
        let peer = WirePeer()
        peer.feed([.get(1, [("cookie", "a=1"), ("host", "a"), ("x", "y"), ("cookie", "b=2")])])
        let head = peer.requests[0]
        #expect(head.headers.fields.map { "\($0.name)=\($0.value)" } == ["cookie=a=1; b=2", "x=y"])
        #expect(head.authorityString == "a")
        #expect(head.pathString == "/")
    }

    @Test func tooManyHeadersAreAnsweredNotReset() {
        let peer = WirePeer()
        peer.feed([.get(1, (0..<120).map { ("x\($0)", "y") })])
        #expect(peer.verdict == "fine")
        guard case .headersTooLarge(let ref)? = peer.events.first else { return #expect(Bool(false)) }
        peer.connection.send(ResponseHead(status: 431), on: ref, endStream: true)
        peer.collect()
        #expect(peer.frames.last?.type == 1)
    }

    @Test func extendedConnectLooksLikeAnUpgrade() {
        var options = HTTP2Options()
        options.allowsExtendedConnect = true
        let peer = WirePeer(.server, options)
        peer.feed([.headers(1, WireFrame.request("CONNECT") + [(":protocol", "websocket")], end: false)])
        #expect(peer.requests.first?.method == .get)
        #expect(peer.requests.first?.wantsUpgrade == true)
        let ref = peer.references[0]
        peer.connection.send(
            ResponseHead(status: 101, headers: HeaderBlock([("upgrade", "websocket")])), on: ref, endStream: false)
        peer.connection.send(ByteBuffer(string: "hi"), on: ref)
        peer.connection.sendEnd(on: ref, trailers: nil)
        peer.feed([.data(1, 3)])
        #expect(peer.frames == [WireFrame(1, 4, 1, [0x88]), WireFrame(0, 1, 1, Array("hi".utf8))])
        #expect(peer.bodyBytes == 3)
    }

    @Test func drainsWithTwoGoAways() {
        let peer = WirePeer()
        peer.feed([.get(1)])
        peer.connection.startDrain()
        peer.collect()
        #expect(peer.frames.first == WireFrame(7, 0, 0, word(0x7FFF_FFFF) + word(0)))
        // A stream that crossed the first one is served; what follows the second is not.
        peer.feed([.get(3), WireFrame(6, 1, 0, peer.frames[1].payload)])
        #expect(peer.frames.last == WireFrame(7, 0, 0, word(3) + word(0)))
        peer.feed([.get(5)])
        #expect(peer.requests.count == 2)
        for ref in peer.references { peer.connection.send(ResponseHead(status: 200), on: ref, endStream: true) }
        #expect(peer.connection.isDrained)
    }
}

/// What a client makes of a server's frames.
@Suite struct HTTP2ClientTests {
    private static func opened() -> (WirePeer, HTTP2StreamRef)? {
        let peer = WirePeer(.client)
        guard let ref = peer.connection.open() else { return nil }
        peer.connection.send(RequestHead(.get, "/", authority: "a"), on: ref, endStream: true)
        peer.collect()
        peer.clear()
        return (peer, ref)
    }

    @Test(arguments: [
        ([WireFrame.headers(1, [(":status", "200")])], "fine"),
        ([.headers(1, [(":status", "103")], end: false), .headers(1, [(":status", "204")])], "fine"),
        ([.headers(1, [(":status", "200"), ("content-length", "5")], end: false), .data(1, 5, end: true)], "fine"),
        ([.headers(1, [(":status", "200"), ("content-length", "5")], end: false), .data(1, 6)], "stream 1 1"),
        ([.headers(1, [(":status", "304"), ("content-length", "5")])], "fine"),
        ([.headers(1, [(":status", "100")])], "stream 1 1"),
        ([.headers(1, [(":status", "101")], end: false)], "stream 1 1"),
        (.init(repeating: .headers(1, [(":status", "102")], end: false), count: 33), "stream 1 11"),
        ([.headers(1, [(":status", "20")])], "stream 1 1"), ([.headers(1, [("x", "y")])], "stream 1 1"),
        ([.headers(1, [(":status", "200"), (":path", "/")])], "stream 1 1"), ([.data(1, 1)], "stream 1 1"),
        ([.headers(3, [(":status", "200")])], "connection 1"), ([.headers(2, [(":status", "200")])], "connection 1"),
        ([WireFrame(5, 4, 1, word(2))], "connection 1"), ([.setting(2, 1)], "connection 1"),
    ]) func verdict(frames: [WireFrame], verdict: String) throws {
        let (peer, _) = try #require(Self.opened())
        peer.feed(frames)
        #expect(peer.verdict == verdict)
    }

    @Test func goAwayRefusesWhatTheServerWillNotSee() throws {
        let (peer, first) = try #require(Self.opened())
        let second = try #require(peer.connection.open())
        peer.feed([WireFrame(7, 0, 0, word(1) + word(0))])
        #expect(peer.connection.contains(first))
        #expect(!peer.connection.contains(second))
        #expect(peer.connection.capacity == 0)
        let isRefused = peer.events.contains {
            if case .reset(second, .refusedStream, isRemote: true) = $0 { true } else { false }
        }
        #expect(isRefused)
    }

    @Test func respectsTheServersMaximum() throws {
        let (peer, _) = try #require(Self.opened())
        peer.feed([.setting(3, 1)])
        #expect(peer.connection.open() == nil)
        peer.feed([.headers(1, [(":status", "200")])])
        #expect(peer.connection.capacity == 1)
    }

    @Test func anEarlyResponseEndsTheRequest() throws {
        let peer = WirePeer(.client)
        let ref = try #require(peer.connection.open())
        peer.connection.send(RequestHead(.post, "/", authority: "a"), on: ref, endStream: false)
        peer.collect()
        peer.clear()
        peer.feed([.headers(1, [(":status", "413")])])
        #expect(peer.verdict == "stream 1 0")
        #expect(!peer.connection.contains(ref))
    }
}
