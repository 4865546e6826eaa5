import NIOCore
import Testing
import WeftHTTP

/// Names and values are read in words of eight bytes; what the words say must be what the bytes one by one say.
@Suite struct FieldBytesTests {
    private static func head(_ line: [UInt8], host: [UInt8] = Array("shop".utf8)) -> RequestHead? {
        var parser = HTTP1RequestParser()
        var buffer = ByteBuffer(bytes: Array("GET / HTTP/1.1\r\nHost: ".utf8) + host + Array("\r\n".utf8))
        buffer.writeBytes(line + Array("\r\n\r\n".utf8))
        return try? parser.nextHead(from: &buffer)
    }

    /// RFC 9110, 5.6.2.
    private static let token = Set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    private static let telling: [UInt8] = [
        0, 9, 13, 31, 32, 33, 45, 47, 58, 64, 65, 91, 95, 96, 122, 123, 126, 127, 128, 173, 255,
    ]

    /// In front, because a line that begins with a blank or ends with one is another question.
    @Test(arguments: 1...20)
    func everyByteOfANameCounts(_ length: Int) {
        for place in 0..<length {
            for byte in Self.telling where byte != 58 && byte != 13 && !(place == 0 && (byte == 32 || byte == 9)) {
                var name = [UInt8](repeating: UInt8(ascii: "a"), count: length)
                name[place] = byte
                let head = Self.head(name + Array(": v".utf8))
                #expect((head != nil) == Self.token.contains(byte), "byte \(byte) at \(place) of \(length)")
                guard let head else { continue }
                #expect(head.headers.fields.map(\.name) == [String(decoding: name, as: UTF8.self)])
            }
        }
    }

    @Test(arguments: 1...20)
    func everyByteOfAValueCounts(_ length: Int) {
        for place in 0..<length {
            for byte in Self.telling where byte != 32 && byte != 9 {
                var value = [UInt8](repeating: UInt8(ascii: "v"), count: length)
                value[place] = byte
                let head = Self.head(Array("name:".utf8) + value)
                #expect((head != nil) == (byte >= 32 && byte != 127), "byte \(byte) at \(place) of \(length)")
                if let head { #expect(head.headers["name"].map { Array($0) } == value) }
            }
        }
    }

    @Test(arguments: UInt8.min...UInt8.max)
    func everyByteOfAnAuthorityCounts(_ byte: UInt8) {
        // RFC 3986, 3.2.2, without what nobody may send: user, quotes, blanks, brackets that are no address, and no tilde.
        let isRefused = byte <= 32 || byte >= 127 || "\"#/<>?@\\^`{|}~".utf8.contains(byte)
        for text in [[97, byte, 98], [byte]] where byte != 58 && byte != 91 && byte != 93 && byte != 10 {
            // Blanks around a value belong to the line.
            if text.count == 1, byte == 32 || byte == 9 { continue }
            #expect((Self.head([120, 58, 121], host: text) == nil) == isRefused, "byte \(byte)")
        }
    }

    @Test(arguments: [
        ("shop:80", true), ("shop:", true), ("shop:99999", true), ("shop:999999", false), ("shop:8a", false),
        ("[::1]:80", true), ("[::1]", true), ("[::1", false), ("[::1]:x", false), ("", true),
    ])
    func portsAndAddresses(_ text: String, _ isTaken: Bool) {
        #expect((Self.head([120, 58, 121], host: Array(text.utf8)) != nil) == isTaken)
    }

    /// What the compiler makes of a literal and what is made of text at run time are one name.
    @Test(arguments: [
        (HeaderName.host, "Host"), (.te, "TE"), (.date, "date"), (.userAgent, "User-Agent"),
        (.envoyUpstreamServiceTime, "x-envoy-upstream-service-time"), ("x-unusual", "X-Unusual"),
        ("x-seldom-8", "x-SELDOM-8"),
    ])
    func namesOfLiteralsAndOfTextAreOne(_ literal: HeaderName, _ text: String) {
        let name = HeaderName(text)
        #expect(name == literal)
        #expect(name.fingerprint == literal.fingerprint)
        #expect(name.description == text.lowercased())
        var headers = HeaderBlock()
        headers.append(name: text, value: "1")
        #expect(headers.contains(literal) && headers.contains(name))
        #expect(headers.string(literal) == "1")
    }
}
