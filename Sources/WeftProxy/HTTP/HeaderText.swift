import NIOCore
import WeftHTTP
import WeftIR
import WeftTransport

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

/// Version 4 UUIDs for `x-request-id`.
enum RequestID {
    static func make(_ random: inout SystemRandomNumberGenerator) -> String {
        let high = (random.next() as UInt64) & 0xffff_ffff_ffff_0fff | 0x4000
        let low = (random.next() as UInt64) & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000
        let text = hex(high) + hex(low)
        var parts: [Substring] = []
        var rest = text[...]
        for length in [8, 4, 4, 4, 12] {
            parts.append(rest.prefix(length))
            rest = rest.dropFirst(length)
        }
        return parts.joined(separator: "-")
    }

    private static func hex(_ value: UInt64) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
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
