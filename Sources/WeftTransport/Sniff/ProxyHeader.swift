package import NIOCore
package import WeftIR

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The header that a load balancer puts in front of a connection's bytes: for whom it forwards (PROXY protocol of
/// HAProxy, versions 1 and 2). Pure.
package struct ProxyHeader: Sendable, Hashable {
    package struct Ends: Sendable, Hashable {
        package var source: SocketAddress
        package var destination: SocketAddress
        package init(source: SocketAddress, destination: SocketAddress) {
            self.source = source
            self.destination = destination
        }
    }
    package var version: ProxyProtocolVersion
    /// `nil` when the sender speaks for itself (`UNKNOWN`, `LOCAL`): the connection's own addresses count.
    package var ends: Ends?
    package var values: [ProxyProtocolTLV] = []

    package init(version: ProxyProtocolVersion, ends: Ends? = nil, values: [ProxyProtocolTLV] = []) {
        self.version = version
        self.ends = ends
        self.values = values
    }

    /// What a look at the first bytes of a connection found.
    package enum Outcome: Sendable, Hashable {
        case needMore
        /// The bytes are no header, whatever may follow.
        case absent
        case invalid
        case header(ProxyHeader, length: Int)
    }

    static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    private static let prefix = Array("PROXY ".utf8)
    /// The longest line of version 1, its end included (section 2.1 of the protocol).
    private static let longestLine = 107

    /// Reads without consuming.
    package static func parse(_ input: ByteBuffer) -> Outcome {
        let bytes = input.readableBytesView
        if bytes.isEmpty { return .needMore }
        if zip(bytes, signature).allSatisfy({ $0 == $1 }) {
            return bytes.count < signature.count ? .needMore : parseBinary(input)
        }
        if zip(bytes, prefix).allSatisfy({ $0 == $1 }) {
            return bytes.count < prefix.count ? .needMore : parseLine(bytes)
        }
        return .absent
    }

    private static func parseLine(_ bytes: ByteBufferView) -> Outcome {
        guard let end = bytes.prefix(longestLine).firstIndex(of: 0x0A) else {
            return bytes.count < longestLine ? .needMore : .invalid
        }
        let length = end - bytes.startIndex + 1
        guard length > 2, bytes[end - 1] == 0x0D else { return .invalid }
        let line = String(decoding: bytes[..<(end - 1)], as: UTF8.self)
        let words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        if words.count >= 2, words[1] == "UNKNOWN" { return .header(ProxyHeader(version: .v1), length: length) }
        guard words.count == 6, let isV6 = ["TCP4": false, "TCP6": true][words[1]],
            let source = address(words[2], words[4], isV6: isV6),
            let destination = address(words[3], words[5], isV6: isV6)
        else { return .invalid }
        let ends = Ends(source: source, destination: destination)
        return .header(ProxyHeader(version: .v1, ends: ends), length: length)
    }

    private static func address(_ ip: String, _ port: String, isV6: Bool) -> SocketAddress? {
        guard ip.utf8.contains(0x3A) == isV6, !port.isEmpty, port.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = UInt16(port)
        else { return nil }
        return try? SocketAddress(ipAddress: ip, port: Int(number))
    }

    private static func parseBinary(_ input: ByteBuffer) -> Outcome {
        var bytes = input
        bytes.moveReaderIndex(forwardBy: signature.count)
        guard let command: UInt8 = bytes.readInteger(), let family: UInt8 = bytes.readInteger(),
            let length: UInt16 = bytes.readInteger()
        else { return .needMore }
        guard command >> 4 == 2, command & 0xF <= 1 else { return .invalid }
        guard var rest = bytes.readSlice(length: Int(length)) else { return .needMore }
        let total = signature.count + 4 + Int(length)
        // A local connection's addresses are to be skipped, whatever family they claim (section 2.2).
        if command & 0xF == 0 || family == 0 { return .header(ProxyHeader(version: .v2), length: total) }
        guard let ends = ends(&rest, family: family), let values = values(&rest) else { return .invalid }
        return .header(ProxyHeader(version: .v2, ends: ends, values: values), length: total)
    }

    /// TCP over IPv4 or IPv6; other families are refused.
    private static func ends(_ bytes: inout ByteBuffer, family: UInt8) -> Ends? {
        let size: Int
        switch family {
        case 0x11: size = 4
        case 0x21: size = 16
        default: return nil
        }
        guard let source = bytes.readSlice(length: size), let destination = bytes.readSlice(length: size),
            let sourcePort: UInt16 = bytes.readInteger(), let destinationPort: UInt16 = bytes.readInteger(),
            let from = try? SocketAddress(packedIPAddress: source, port: Int(sourcePort)),
            let to = try? SocketAddress(packedIPAddress: destination, port: Int(destinationPort))
        else { return nil }
        return Ends(source: from, destination: to)
    }

    private static func values(_ bytes: inout ByteBuffer) -> [ProxyProtocolTLV]? {
        var values: [ProxyProtocolTLV] = []
        while bytes.readableBytes > 0 {
            guard let type: UInt8 = bytes.readInteger(), let value = bytes.readLengthPrefixedSlice(as: UInt16.self)
            else { return nil }
            values.append(ProxyProtocolTLV(type: type, value: Array(value.readableBytesView)))
        }
        return values
    }
}

extension ProxyHeader {
    /// The header as it is sent.
    package func encoded() -> ByteBuffer {
        switch version {
        case .v1: line
        case .v2: binary
        }
    }

    private var line: ByteBuffer {
        guard let ends, let source = ends.source.ipAddress, let destination = ends.destination.ipAddress,
            ends.source.protocol == ends.destination.protocol
        else { return ByteBuffer(string: "PROXY UNKNOWN\r\n") }
        let family = ends.source.protocol == .inet6 ? "TCP6" : "TCP4"
        let ports = "\(ends.source.port ?? 0) \(ends.destination.port ?? 0)"
        return ByteBuffer(string: "PROXY \(family) \(source) \(destination) \(ports)\r\n")
    }

    private var binary: ByteBuffer {
        var bytes = ByteBuffer(bytes: Self.signature)
        guard let ends, let body = Self.body(ends, values) else {
            bytes.writeBytes([0x20, 0x00, 0x00, 0x00])
            return bytes
        }
        bytes.writeBytes([0x21, ends.source.protocol == .inet6 ? 0x21 : 0x11])
        bytes.writeInteger(UInt16(body.readableBytes))
        bytes.writeImmutableBuffer(body)
        return bytes
    }

    /// - Returns: `nil` for addresses of two families, and for more values than a header can hold.
    private static func body(_ ends: Ends, _ values: [ProxyProtocolTLV]) -> ByteBuffer? {
        guard let source = packed(ends.source), let destination = packed(ends.destination),
            source.count == destination.count
        else { return nil }
        var body = ByteBuffer()
        body.writeBytes(source)
        body.writeBytes(destination)
        body.writeInteger(UInt16(ends.source.port ?? 0))
        body.writeInteger(UInt16(ends.destination.port ?? 0))
        for value in values where body.readableBytes + value.value.count + 3 <= Int(UInt16.max) {
            body.writeInteger(value.type)
            body.writeInteger(UInt16(value.value.count))
            body.writeBytes(value.value)
        }
        return body
    }

    private static func packed(_ address: SocketAddress) -> [UInt8]? {
        guard let text = address.ipAddress else { return nil }
        let isV6 = address.protocol == .inet6
        var bytes = [UInt8](repeating: 0, count: isV6 ? 16 : 4)
        return inet_pton(isV6 ? AF_INET6 : AF_INET, text, &bytes) == 1 ? bytes : nil
    }
}
