import NIOCore
import NIOEmbedded
import Testing
import WeftIR

@testable import WeftTransport

/// The PROXY protocol: what is read, what is refused, and what is written.
@Suite struct ProxyHeaderTests {
    private static func ends(_ source: String, _ port: Int, _ destination: String, _ other: Int) throws
        -> ProxyHeader.Ends
    {
        .init(
            source: try SocketAddress(ipAddress: source, port: port),
            destination: try SocketAddress(ipAddress: destination, port: other))
    }

    private static func v2(_ command: UInt8, _ family: UInt8, _ body: [UInt8], length: Int? = nil) -> [UInt8] {
        let length = length ?? body.count
        return ProxyHeader.signature + [command, family, UInt8(length >> 8), UInt8(length & 255)] + body
    }
    private static let v4Body: [UInt8] = [5, 6, 7, 8, 9, 9, 9, 9, 0x10, 0, 0, 80]

    @Test func linesAreRead() throws {
        let v4 = ProxyHeader.parse(ByteBuffer(string: "PROXY TCP4 5.6.7.8 9.9.9.9 4096 80\r\nGET"))
        let four = ProxyHeader(version: .v1, ends: try Self.ends("5.6.7.8", 4096, "9.9.9.9", 80))
        #expect(v4 == .header(four, length: 36))
        let six = ProxyHeader(version: .v1, ends: try Self.ends("::1", 1, "2001:db8::2", 65535))
        let text = "PROXY TCP6 ::1 2001:db8::2 1 65535\r\n"
        #expect(ProxyHeader.parse(ByteBuffer(string: text)) == .header(six, length: text.utf8.count))
        let unknown = "PROXY UNKNOWN whatever it says\r\n"
        #expect(
            ProxyHeader.parse(ByteBuffer(string: unknown + "x"))
                == .header(ProxyHeader(version: .v1), length: unknown.utf8.count))
    }

    @Test(
        arguments: [
            "PROXY TCP4 5.6.7.8 9.9.9.9 99999 80\r\n", "PROXY TCP4 5.6.7.8 9.9.9.9 -1 80\r\n",
            "PROXY TCP4 ::1 ::1 1 2\r\n", "PROXY TCP6 5.6.7.8 9.9.9.9 1 2\r\n", "PROXY TCP4 5.6.7.8\r\n",
            "PROXY TCP5 5.6.7.8 9.9.9.9 1 2\r\n", "PROXY  TCP4 5.6.7.8 9.9.9.9 1 2\r\n",
            "PROXY TCP4 5.6.7.8 9.9.9.9 1 2\n",
            "PROXY TCP4 5.6.7.8 9.9.9.9 1 2 3\r\n", "PROXY TCP4 5.6.7.8 9.9.9.9 1x 2\r\n",
            "PROXY UNKNOWN " + String(repeating: "x", count: 200),
        ])
    func badLinesAreRefused(text: String) { #expect(ProxyHeader.parse(ByteBuffer(string: text)) == .invalid) }

    @Test(arguments: ["GET / HTTP/1.1\r\n", "proxy TCP4", "PROXXY", "\r\n\r\nX"])
    func whatIsNoHeaderIsToldAtOnce(text: String) {
        #expect(ProxyHeader.parse(ByteBuffer(string: text)) == .absent)
    }

    @Test func binaryIsRead() throws {
        let ends = try Self.ends("5.6.7.8", 4096, "9.9.9.9", 80)
        let bytes = Self.v2(0x21, 0x11, Self.v4Body + [0xEA, 0, 2, 1, 2, 4, 0, 0])
        let values = [ProxyProtocolTLV(type: 0xEA, value: [1, 2]), ProxyProtocolTLV(type: 4, value: [])]
        #expect(
            ProxyHeader.parse(ByteBuffer(bytes: bytes + [1]))
                == .header(ProxyHeader(version: .v2, ends: ends, values: values), length: bytes.count))
        // A sender that speaks for itself, whatever addresses it adds.
        let local = Self.v2(0x20, 0x11, Self.v4Body)
        #expect(
            ProxyHeader.parse(ByteBuffer(bytes: local)) == .header(ProxyHeader(version: .v2), length: local.count))
        for end in 0..<bytes.count {
            #expect(ProxyHeader.parse(ByteBuffer(bytes: bytes.prefix(end))) == .needMore)
        }
    }

    @Test(
        arguments: [
            v2(0x11, 0x11, v4Body), v2(0x22, 0x11, v4Body), v2(0x21, 0x11, [1, 2]), v2(0x21, 0x31, v4Body),
            v2(0x21, 0x12, v4Body), v2(0x21, 0x11, v4Body + [2, 255, 255, 1]), v2(0x21, 0x11, v4Body + [2, 0]),
        ])
    func badBinaryIsRefused(bytes: [UInt8]) { #expect(ProxyHeader.parse(ByteBuffer(bytes: bytes)) == .invalid) }

    @Test func whatIsWrittenIsRead() throws {
        for ends in [
            try Self.ends("1.2.3.4", 5, "6.7.8.9", 10), try Self.ends("fe80::1", 5, "::", 65535),
        ] {
            for version in [ProxyProtocolVersion.v1, .v2] {
                let values = version == .v2 ? [ProxyProtocolTLV(type: 0xE0, value: [9, 8])] : []
                let header = ProxyHeader(version: version, ends: ends, values: values)
                let bytes = header.encoded()
                #expect(ProxyHeader.parse(bytes) == .header(header, length: bytes.readableBytes))
            }
        }
        for version in [ProxyProtocolVersion.v1, .v2] {
            let bytes = ProxyHeader(version: version).encoded()
            #expect(
                ProxyHeader.parse(bytes) == .header(ProxyHeader(version: version), length: bytes.readableBytes))
        }
        // Two families cannot stand in one header.
        let mixed = ProxyHeader(version: .v1, ends: try Self.ends("1.2.3.4", 5, "::1", 10))
        #expect(mixed.encoded() == ByteBuffer(string: "PROXY UNKNOWN\r\n"))
    }

    /// The handler takes the header off, byte by byte if it must, and hands on the rest.
    @Test func theRestGoesOn() throws {
        let channel = EmbeddedChannel()
        var found: [ProxyHeader] = []
        let handler = ProxyHeaderHandler(timeoutMilliseconds: 0) { _, outcome in
            if case .header(let header) = outcome { found.append(header) }
        }
        try channel.pipeline.syncOperations.addHandler(handler)
        for byte in "PROXY UNKNOWN\r\nPROXY rest".utf8 { try channel.writeInbound(ByteBuffer(bytes: [byte])) }
        #expect(found == [ProxyHeader(version: .v1)])
        var rest = ""
        while let bytes = try channel.readInbound(as: ByteBuffer.self) { rest += String(buffer: bytes) }
        #expect(rest == "PROXY rest")
        _ = try channel.finish()
    }
}
