import NIOCore
import Testing

@testable import WeftTransport

@Suite struct ProtocolSnifferTests {
    @Test(arguments: [
        ("GET / HTTP/1.1\r\n", "http/1.1"), ("GET / HTTP/1.0\r\n", "http/1.0"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "h2c"),
        ("PRI * HT", nil), ("GET / HTT", nil), ("220 mail ready\r\n", ""), ("\u{0}\u{1}\u{2}", ""),
        ("GET / FTP/1.1\r\n", ""),
    ])
    func plainText(text: String, expected: String?) {
        #expect(ProtocolSniffer.plainHTTP(ByteBuffer(string: text)) == expected)
    }

    /// A ClientHello with the given name and protocols, as one record.
    static func hello(_ name: String, _ protocols: [String]) -> ByteBuffer {
        var extensions = ByteBuffer()
        extensions.writeInteger(UInt16(0))
        extensions.writeInteger(UInt16(name.utf8.count + 5))
        extensions.writeInteger(UInt16(name.utf8.count + 3))
        extensions.writeInteger(UInt8(0))
        extensions.writeInteger(UInt16(name.utf8.count))
        extensions.writeString(name)
        let list = protocols.reduce(0) { $0 + $1.utf8.count + 1 }
        extensions.writeInteger(UInt16(16))
        extensions.writeInteger(UInt16(list + 2))
        extensions.writeInteger(UInt16(list))
        for name in protocols {
            extensions.writeInteger(UInt8(name.utf8.count))
            extensions.writeString(name)
        }
        var body = ByteBuffer()
        body.writeRepeatingByte(3, count: 34)
        body.writeInteger(UInt8(0))
        body.writeInteger(UInt16(2))
        body.writeInteger(UInt16(0x1301))
        body.writeInteger(UInt8(1))
        body.writeInteger(UInt8(0))
        body.writeInteger(UInt16(extensions.readableBytes))
        body.writeBuffer(&extensions)
        var record = ByteBuffer(bytes: [22, 3, 1])
        record.writeInteger(UInt16(body.readableBytes + 4))
        record.writeBytes([1, 0])
        record.writeInteger(UInt16(body.readableBytes))
        record.writeBuffer(&body)
        return record
    }

    @Test func helloIsReadAtEverySplit() {
        let whole = Self.hello("Reviews.Test", ["istio", "h2"])
        for length in 0..<whole.readableBytes {
            #expect(ClientHello.parse(whole.getSlice(at: 0, length: length) ?? ByteBuffer()) == .needMore)
        }
        #expect(
            ClientHello.parse(whole)
                == .hello(ClientHello(serverName: "reviews.test", applicationProtocols: ["istio", "h2"])))
    }

    @Test func nothingToInspectNeedsNoBytes() {
        #expect(ProtocolSniffer(inspectTLS: false, inspectHTTP: false).examine(ByteBuffer()) == SniffResult())
        #expect(ProtocolSniffer(inspectTLS: true, inspectHTTP: false).examine(ByteBuffer()) == nil)
        #expect(ProtocolSniffer(inspectTLS: true, inspectHTTP: false).examine(ByteBuffer(string: "G")) == SniffResult())
    }
}
