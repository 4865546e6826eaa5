import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Header access by text, for names that come from configuration.
extension HeaderBlock {
    func first(_ name: String) -> String? { string(HeaderName(name)) }
    mutating func set(_ name: String, _ value: String) { set(HeaderName(name), value.utf8) }
    mutating func append(_ name: String, _ value: String) { append(name: name, value: value) }
    mutating func drop(_ name: String) { remove(HeaderName(name)) }
}

extension RequestHead {
    /// Path and query as text.
    var target: String {
        get { String(buffer: path) }
        set { path = ByteBuffer(string: newValue) }
    }
    var host: String {
        get { String(buffer: authority) }
        set { authority = ByteBuffer(string: newValue) }
    }
}

/// Random numbers that nobody can guess, from the kernel in pieces: one system call for 32 of them.
struct BufferedRandom: RandomNumberGenerator {
    private var numbers: [UInt64] = []
    /// `getentropy` gives 256 bytes at most.
    private static let batch = 32

    mutating func next() -> UInt64 {
        if numbers.isEmpty { refill() }
        return numbers.removeLast()
    }

    private mutating func refill() {
        numbers = [UInt64](unsafeUninitializedCapacity: Self.batch) { space, count in
            guard let base = space.baseAddress else { return }
            count = getentropy(base, Self.batch * 8) == 0 ? Self.batch : 0
        }
        // A kernel that knows no such call: one by one, as the standard library gets them.
        if numbers.isEmpty {
            var system = SystemRandomNumberGenerator()
            numbers.append(system.next())
        }
    }
}

/// Version 4 UUIDs for `x-request-id`.
enum RequestID {
    /// Bytes of its text.
    static let length = 36

    /// Writes the text of the UUID that 122 of these random bits make.
    static func write(_ high: UInt64, _ low: UInt64, to text: UnsafeMutableRawBufferPointer) {
        let high = high & 0xffff_ffff_ffff_0fff | 0x4000
        let low = low & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000
        // 8-4-4-4-12 digits.
        store(UInt32(truncatingIfNeeded: high >> 32), at: 0, text)
        let middle = digits(UInt32(truncatingIfNeeded: high))
        text.storeBytes(of: UInt32(truncatingIfNeeded: middle), toByteOffset: 9, as: UInt32.self)
        text.storeBytes(of: UInt32(truncatingIfNeeded: middle >> 32), toByteOffset: 14, as: UInt32.self)
        let end = digits(UInt32(truncatingIfNeeded: low >> 32))
        text.storeBytes(of: UInt32(truncatingIfNeeded: end), toByteOffset: 19, as: UInt32.self)
        text.storeBytes(of: UInt32(truncatingIfNeeded: end >> 32), toByteOffset: 24, as: UInt32.self)
        store(UInt32(truncatingIfNeeded: low), at: 28, text)
        for place in [8, 13, 18, 23] { text[place] = UInt8(ascii: "-") }
    }

    private static func store(_ value: UInt32, at place: Int, _ text: UnsafeMutableRawBufferPointer) {
        text.storeBytes(of: digits(value), toByteOffset: place, as: UInt64.self)
    }

    /// The eight hexadecimal digits of a number, the first one in the lowest byte.
    private static func digits(_ value: UInt32) -> UInt64 {
        // One digit to a byte, the highest one first.
        var spread = UInt64(value.byteSwapped)
        spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff
        spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff
        spread = (spread >> 4 | spread << 8) & 0x0f0f_0f0f_0f0f_0f0f
        // 39 more where a digit is above nine: from "0"... to "a"...
        let letters = (spread &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return (spread &+ 0x3030_3030_3030_3030 &+ letters &* 39).littleEndian
    }
}

/// Values inside `Cookie` headers and queries.
enum Cookies {
    static func value(_ name: String, in header: String?) -> String? {
        for part in (header ?? "").split(separator: ";") {
            let pair = part.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
            if pair.count == 2, pair[0] == name { return String(pair[1]) }
        }
        return nil
    }

    static func query(_ name: String, in path: String) -> String? {
        guard let mark = path.firstIndex(of: "?") else { return nil }
        for part in path[path.index(after: mark)...].split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if pair[0] == name { return pair.count == 2 ? String(pair[1]) : "" }
        }
        return nil
    }
}

/// Envoy's `%…%` operators in header values.
enum Substitution {
    static func expand(_ text: String, _ exchange: Exchange, response: HeaderBlock? = nil) -> String {
        guard text.contains("%") else { return text }
        var result = ""
        var rest = text[...]
        while let start = rest.firstIndex(of: "%") {
            result += rest[..<start]
            let tail = rest[rest.index(after: start)...]
            guard let end = tail.firstIndex(of: "%") else { return result + rest[start...] }
            result += value(String(tail[..<end]), exchange, response)
            rest = tail[tail.index(after: end)...]
        }
        return result + rest
    }

    private static func value(_ name: String, _ exchange: Exchange, _ response: HeaderBlock?) -> String {
        let info = exchange.connection.connection.info
        switch name {
        case "": return "%"
        case "DOWNSTREAM_REMOTE_ADDRESS": return exchange.clientAddress
        case "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": return exchange.clientIP
        case "DOWNSTREAM_DIRECT_REMOTE_ADDRESS": return "\(info.remoteIP):\(info.remotePort)"
        case "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT": return info.remoteIP
        case "DOWNSTREAM_LOCAL_ADDRESS": return "\(info.destinationIP):\(info.destinationPort)"
        case "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT": return info.destinationIP
        case "DOWNSTREAM_PEER_URI_SAN": return info.peer?.uriNames.joined(separator: ",") ?? ""
        case "PROTOCOL": return "\(exchange.original.version.name)"
        case "UPSTREAM_HOST": return exchange.record.upstreamHost ?? ""
        case "UPSTREAM_CLUSTER": return exchange.clusterName ?? ""
        case "ROUTE_NAME": return exchange.decision?.route.name ?? ""
        case "RESPONSE_CODE": return String(exchange.record.status)
        case "RESPONSE_CODE_DETAILS": return exchange.record.details
        case "RESPONSE_FLAGS": return exchange.record.flag
        default: return header(name, exchange, response)
        }
    }

    /// `REQ(NAME)`, `RESP(NAME)`, each with another name to fall back to (`A?B`) and a greatest length (`:N`).
    private static func header(_ name: String, _ exchange: Exchange, _ response: HeaderBlock?) -> String {
        guard let open = name.firstIndex(of: "("), let close = name.lastIndex(of: ")"), open < close else { return "" }
        let limit = name[close...].dropFirst(2)
        let read: (String) -> String?
        switch name[..<open] {
        case "REQ": read = exchange.header
        case "RESP": read = { response?.first($0) }
        default: return ""
        }
        for part in name[name.index(after: open)..<close].split(separator: "?") {
            // Envoy's alternatives to a pseudo header may come without the colon.
            guard let value = read(String(part)) ?? (part.lowercased() == "path" ? read(":path") : nil) else {
                continue
            }
            return Int(limit).map { String(value.prefix($0)) } ?? value
        }
        return ""
    }
}
