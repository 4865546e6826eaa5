package import NIOCore
package import WeftHTTP

/// The two forms of gRPC-Web bodies: plain frames, or frames in base64.
package enum GRPCWebEncoding: Sendable, Hashable { case binary, text }

/// gRPC-Web, as browsers speak it, on one exchange: makes a gRPC request of it, and puts trailers into the body.
///
/// A value of one exchange. Bodies pass through piece by piece; at most three bytes of base64 wait for the rest.
package struct GRPCWebTranslator: Sendable {
    private let request: GRPCWebEncoding
    private let response: GRPCWebEncoding
    private var decoder = Base64Stream()
    private var encoder = Base64Stream()
    /// Whether the answer is gRPC, so that its trailers go into the body.
    package private(set) var translatesResponse = false

    /// Takes over a gRPC-Web request.
    /// - Returns: `nil` when the request is none; `head` is not changed then.
    package init?(_ head: inout RequestHead) {
        guard let type = head.headers.string(.contentType), let (encoding, subtype) = Self.parse(type) else {
            return nil
        }
        request = encoding
        let accept = head.headers.first("accept").flatMap(Self.parse)?.0
        response = accept ?? encoding
        head.headers.set(.contentType, "application/grpc" + subtype)
        head.headers.set(.te, "trailers")
        head.headers.set("grpc-accept-encoding", "identity,deflate,gzip")
        head.headers.remove(.contentLength)
        if head.framing != .none { head.framing = .chunked }
    }

    /// The form, and what follows it (`+proto`, or nothing).
    private static func parse(_ type: String) -> (GRPCWebEncoding, String)? {
        let bare = type.prefix { $0 != ";" && $0 != " " && $0 != "," }.lowercased()
        for (prefix, encoding) in [
            ("application/grpc-web-text", GRPCWebEncoding.text), ("application/grpc-web", .binary),
        ]
        where bare.hasPrefix(prefix) {
            let rest = String(bare.dropFirst(prefix.count))
            return rest.isEmpty || rest == "+proto" ? (encoding, rest) : nil
        }
        return nil
    }

    /// - Returns: `nil` for text that is no base64: the request is bad (400).
    package mutating func decode(request bytes: ByteBuffer) -> ByteBuffer? {
        request == .binary ? bytes : decoder.decode(bytes)
    }

    /// Whether the request's body ended where it may: not inside a group of base64.
    package var isComplete: Bool { request == .binary || decoder.isAligned }

    /// Changes the head of a response, when it is gRPC.
    /// - Returns: The body of a response that consists of trailers alone.
    package mutating func translate(response head: inout ResponseHead, endStream: Bool) -> ByteBuffer? {
        guard let type = head.headers.string(.contentType), type.hasPrefix("application/grpc") else { return nil }
        let subtype = type.dropFirst("application/grpc".count).prefix { $0 != ";" }
        guard subtype.isEmpty || subtype.hasPrefix("+") else { return nil }
        translatesResponse = true
        let base = response == .text ? "application/grpc-web-text" : "application/grpc-web"
        head.headers.set(.contentType, base + (subtype.isEmpty ? "+proto" : String(subtype)))
        head.headers.remove(.contentLength)
        guard endStream else { return nil }
        var trailers = HeaderBlock()
        for name in [HeaderName.grpcStatus, .grpcMessage] {
            guard let value = head.headers.string(name) else { continue }
            trailers.append(name, value)
        }
        return end(trailers)
    }

    package mutating func encode(response bytes: ByteBuffer) -> ByteBuffer {
        guard translatesResponse, response == .text else { return bytes }
        return encoder.encode(bytes)
    }

    /// The last piece of the body, with the trailers as a frame of their own (flag 0x80).
    package mutating func end(_ trailers: HeaderBlock?) -> ByteBuffer {
        var text = ByteBuffer()
        trailers?.forEach { name, value in text.writeString("\(name.lowercased()): \(value)\r\n") }
        var frame = ByteBuffer()
        frame.writeInteger(UInt8(0x80))
        frame.writeInteger(UInt32(clamping: text.readableBytes))
        frame.writeBuffer(&text)
        guard response == .text else { return frame }
        var result = encoder.encode(frame)
        result.writeImmutableBuffer(encoder.finish())
        return result
    }
}

/// Base64 (RFC 4648 section 4) over a stream of pieces.
package struct Base64Stream: Sendable {
    private var held: [UInt8] = []

    package init() {}

    /// Whether nothing waits for more.
    package var isAligned: Bool { held.isEmpty }

    /// - Returns: `nil` when a byte is none of the alphabet, or padding stands inside a group.
    package mutating func decode(_ piece: ByteBuffer) -> ByteBuffer? {
        var result = ByteBuffer()
        for byte in piece.readableBytesView {
            held.append(byte)
            guard held.count == 4 else { continue }
            guard let bytes = Self.group(held) else { return nil }
            result.writeBytes(bytes)
            held.removeAll(keepingCapacity: true)
        }
        return result
    }

    private static func group(_ text: [UInt8]) -> [UInt8]? {
        let padding = text[3] == 61 ? (text[2] == 61 ? 2 : 1) : 0
        var bits: UInt32 = 0
        for byte in text.prefix(4 - padding) {
            guard let value = value(byte) else { return nil }
            bits = bits << 6 | UInt32(value)
        }
        bits <<= UInt32(6 * padding)
        let all = [UInt8(truncatingIfNeeded: bits >> 16), UInt8(truncatingIfNeeded: bits >> 8), UInt8(bits & 255)]
        // Bits that padding leaves over must be zero, so that each body has one form.
        guard all.suffix(padding).allSatisfy({ $0 == 0 }) else { return nil }
        return Array(all.prefix(3 - padding))
    }

    private static func value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 65...90: byte - 65
        case 97...122: byte - 71
        case 48...57: byte + 4
        case 43: 62
        case 47: 63
        default: nil
        }
    }

    package mutating func encode(_ piece: ByteBuffer) -> ByteBuffer {
        var result = ByteBuffer()
        for byte in piece.readableBytesView {
            held.append(byte)
            guard held.count == 3 else { continue }
            result.writeBytes(Self.text(held))
            held.removeAll(keepingCapacity: true)
        }
        return result
    }

    /// What was held back, padded.
    package mutating func finish() -> ByteBuffer {
        defer { held.removeAll() }
        return held.isEmpty ? ByteBuffer() : ByteBuffer(bytes: Self.text(held))
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private static func text(_ bytes: [UInt8]) -> [UInt8] {
        var bits: UInt32 = 0
        for index in 0..<3 { bits = bits << 8 | UInt32(index < bytes.count ? bytes[index] : 0) }
        var result = (0..<4).map { alphabet[Int(bits >> UInt32(18 - 6 * $0)) & 63] }
        for index in (bytes.count + 1)..<4 where bytes.count < 3 { result[index] = 61 }
        return result
    }
}
