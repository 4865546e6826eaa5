package import NIOCore

/// What a TLS ClientHello says in clear: the server name and the application protocols.
package struct ClientHello: Sendable, Hashable {
    /// Lower case; empty when the extension is absent.
    package var serverName = ""
    package var applicationProtocols: [String] = []

    /// What a look at the first bytes of a connection found.
    package enum Outcome: Sendable, Hashable {
        case needMore
        case notTLS
        case hello(ClientHello)
    }

    /// The largest hello that is waited for (Envoy's TLS inspector has the same limit).
    static let maximumSize = 16 << 10

    /// Reads without consuming. The hello may span several TLS records (RFC 8446, 5.1).
    package static func parse(_ input: ByteBuffer) -> Outcome {
        var records = input
        var handshake = ByteBuffer()
        while true {
            guard let type: UInt8 = records.readInteger() else { return .needMore }
            guard type == 22 else { return .notTLS }
            guard let major: UInt8 = records.readInteger() else { return .needMore }
            guard major == 3 else { return .notTLS }
            guard let _: UInt8 = records.readInteger(), let length: UInt16 = records.readInteger() else {
                return .needMore
            }
            let take = min(Int(length), records.readableBytes)
            if var part = records.readSlice(length: take) { handshake.writeBuffer(&part) }
            if handshake.readableBytes > 0, handshake.getInteger(at: handshake.readerIndex, as: UInt8.self) != 1 {
                return .notTLS
            }
            if let size = handshakeLength(handshake) {
                if size > maximumSize { return .notTLS }
                if handshake.readableBytes >= size + 4 {
                    handshake.moveReaderIndex(forwardBy: 4)
                    return (handshake.readSlice(length: size).flatMap(readBody)).map(Outcome.hello) ?? .notTLS
                }
            }
            if take < Int(length) { return .needMore }
        }
    }

    private static func handshakeLength(_ handshake: ByteBuffer) -> Int? {
        let start = handshake.readerIndex
        guard let high: UInt8 = handshake.getInteger(at: start + 1),
            let low: UInt16 = handshake.getInteger(at: start + 2)
        else { return nil }
        return Int(high) << 16 | Int(low)
    }

    private static func readBody(_ body: ByteBuffer) -> ClientHello? {
        var body = body
        guard body.readSlice(length: 34) != nil,  // version and random
            body.readLengthPrefixedSlice(as: UInt8.self) != nil,  // session
            body.readLengthPrefixedSlice(as: UInt16.self) != nil,  // cipher suites
            body.readLengthPrefixedSlice(as: UInt8.self) != nil  // compression
        else { return nil }
        var hello = ClientHello()
        guard var extensions = body.readLengthPrefixedSlice(as: UInt16.self) else { return hello }
        while let type: UInt16 = extensions.readInteger() {
            guard var content = extensions.readLengthPrefixedSlice(as: UInt16.self) else { return nil }
            switch type {
            case 0: hello.serverName = readServerName(&content)
            case 16: hello.applicationProtocols = readProtocols(&content)
            default: break
            }
        }
        return hello
    }

    private static func readServerName(_ content: inout ByteBuffer) -> String {
        guard var list = content.readLengthPrefixedSlice(as: UInt16.self) else { return "" }
        while let type: UInt8 = list.readInteger(), let name = list.readLengthPrefixedSlice(as: UInt16.self) {
            if type == 0 { return String(buffer: name).lowercased() }
        }
        return ""
    }

    private static func readProtocols(_ content: inout ByteBuffer) -> [String] {
        guard var list = content.readLengthPrefixedSlice(as: UInt16.self) else { return [] }
        var protocols: [String] = []
        while let name = list.readLengthPrefixedSlice(as: UInt8.self) { protocols.append(String(buffer: name)) }
        return protocols
    }
}
