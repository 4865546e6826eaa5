import NIOCore

/// The delta variant's messages, as far as a proxy that only confirms has to know them
/// (`envoy/service/discovery/v3/discovery.proto`).
enum DeltaWire {
    static let cluster = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
    static let endpoint = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
    static let listener = "type.googleapis.com/envoy.config.listener.v3.Listener"
    static let route = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"

    /// `Node.metadata`, as far as a proxy's makes a difference to what it is sent: `CANONICAL_NAMES: "true"`.
    fileprivate static func metadata(_ allocator: ByteBufferAllocator) -> ByteBuffer {
        var value = allocator.buffer(capacity: 8)
        value.writeField(3, "true")
        var entry = allocator.buffer(capacity: 32)
        entry.writeField(1, "CANONICAL_NAMES")
        entry.writeField(2, value)
        var fields = allocator.buffer(capacity: 40)
        fields.writeField(1, entry)
        return fields
    }

    /// What a `DeltaDiscoveryRequest` says.
    struct Request {
        var typeURL: String
        /// `Node.id`; the first request of a stream must have it.
        var node: String?
        var subscribe: [String] = []
        var known: [String: String] = [:]
        var nonce = ""

        /// The message behind gRPC's prefix of five bytes.
        func framed(_ allocator: ByteBufferAllocator) -> ByteBuffer {
            var message = allocator.buffer(capacity: 128 + subscribe.count * 64)
            if let node {
                var inner = allocator.buffer(capacity: 128)
                inner.writeField(1, node)
                inner.writeField(3, DeltaWire.metadata(allocator))
                inner.writeField(6, "weft-proxy")
                message.writeField(1, inner)
            }
            message.writeField(2, typeURL)
            for name in subscribe { message.writeField(3, name) }
            for (name, version) in known {
                var entry = allocator.buffer(capacity: 96)
                entry.writeField(1, name)
                entry.writeField(2, version)
                message.writeField(5, entry)
            }
            if !nonce.isEmpty { message.writeField(6, nonce) }
            var framed = allocator.buffer(capacity: message.readableBytes + 5)
            framed.writeInteger(UInt8(0))
            framed.writeInteger(UInt32(message.readableBytes))
            framed.writeBuffer(&message)
            return framed
        }
    }

    /// What a `DeltaDiscoveryResponse` says, without the resources themselves.
    struct Response {
        private(set) var typeURL = ""
        private(set) var nonce = ""
        private(set) var resources: [(name: String, version: String)] = []
        private(set) var removed: [String] = []

        /// - Returns: `nil` if the bytes are no such message.
        init?(_ message: ByteBuffer) {
            var message = message
            while message.readableBytes > 0 {
                guard let (number, content) = message.readField() else { return nil }
                switch number {
                case 2:
                    guard let resource = Self.resource(content) else { return nil }
                    resources.append(resource)
                case 4: typeURL = String(buffer: content)
                case 5: nonce = String(buffer: content)
                case 6: removed.append(String(buffer: content))
                default: break
                }
            }
        }

        private static func resource(_ content: ByteBuffer) -> (name: String, version: String)? {
            var content = content
            var (name, version) = ("", "")
            while content.readableBytes > 0 {
                guard let (number, inner) = content.readField() else { return nil }
                if number == 3 { name = String(buffer: inner) }
                if number == 1 { version = String(buffer: inner) }
            }
            return (name, version)
        }
    }
}

extension ByteBuffer {
    /// A field of wire type 2.
    fileprivate mutating func writeField(_ number: UInt8, _ text: String) {
        writeInteger(number << 3 | 2)
        writeVarint(UInt64(text.utf8.count))
        writeString(text)
    }

    fileprivate mutating func writeField(_ number: UInt8, _ content: ByteBuffer) {
        writeInteger(number << 3 | 2)
        writeVarint(UInt64(content.readableBytes))
        writeImmutableBuffer(content)
    }

    private mutating func writeVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            writeInteger(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        writeInteger(UInt8(rest))
    }

    /// The next field; content is empty for wire types other than 2.
    fileprivate mutating func readField() -> (number: UInt64, content: ByteBuffer)? {
        guard let tag = readVarint() else { return nil }
        guard tag & 7 == 2 else {
            guard tag & 7 == 0, readVarint() != nil else { return nil }
            return (tag >> 3, ByteBuffer())
        }
        guard let length = readVarint(), let content = readSlice(length: Int(clamping: length)) else { return nil }
        return (tag >> 3, content)
    }

    private mutating func readVarint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte: UInt8 = readInteger() else { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
