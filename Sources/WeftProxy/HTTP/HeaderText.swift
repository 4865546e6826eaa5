import NIOCore
import WeftHTTP
import WeftIR
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
    static func make(_ random: inout BufferedRandom) -> String {
        let high = random.next() & 0xffff_ffff_ffff_0fff | 0x4000
        let low = random.next() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000
        return String(unsafeUninitializedCapacity: 36) { text in
            var place = 0
            for digit in 0..<32 {
                // After 8, 12, 16 and 20 digits.
                if digit & 3 == 0, digit >= 8, digit <= 20 {
                    text[place] = UInt8(ascii: "-")
                    place += 1
                }
                let half = digit < 16 ? high : low
                let value = UInt8(truncatingIfNeeded: half >> UInt64(60 - 4 * (digit & 15))) & 15
                text[place] = value < 10 ? 48 + value : 87 + value
                place += 1
            }
            return place
        }
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
    static func expand(_ text: String, _ exchange: Exchange) -> String {
        guard text.contains("%") else { return text }
        var result = ""
        var rest = text[...]
        while let start = rest.firstIndex(of: "%") {
            result += rest[..<start]
            let tail = rest[rest.index(after: start)...]
            guard let end = tail.firstIndex(of: "%") else { return result + rest[start...] }
            result += value(String(tail[..<end]), exchange)
            rest = tail[tail.index(after: end)...]
        }
        return result + rest
    }

    private static func value(_ name: String, _ exchange: Exchange) -> String {
        let info = exchange.connection.connection.info
        switch name {
        case "": return "%"
        case "DOWNSTREAM_REMOTE_ADDRESS": return "\(info.remoteIP):\(info.remotePort)"
        case "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": return info.remoteIP
        case "DOWNSTREAM_LOCAL_ADDRESS": return "\(info.destinationIP):\(info.destinationPort)"
        case "DOWNSTREAM_PEER_URI_SAN": return info.peer?.uriNames.joined(separator: ",") ?? ""
        case "PROTOCOL": return "\(exchange.original.version.name)"
        case "UPSTREAM_HOST": return exchange.record.upstreamHost ?? ""
        default:
            guard name.hasPrefix("REQ("), name.hasSuffix(")") else { return "" }
            return exchange.header(String(name.dropFirst(4).dropLast())) ?? ""
        }
    }
}
