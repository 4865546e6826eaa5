import NIOCore
import WeftCore
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

    /// A UUID as text.
    static func text(_ random: inout BufferedRandom) -> String {
        let (high, low) = (random.next(), random.next())
        return String(unsafeUninitializedCapacity: length) { space in
            write(high, low, to: UnsafeMutableRawBufferPointer(space))
            return length
        }
    }

    /// Writes the text of the UUID that 122 of these random bits make.
    static func write(_ high: UInt64, _ low: UInt64, to text: UnsafeMutableRawBufferPointer) {
        let high = high & 0xffff_ffff_ffff_0fff | 0x4000
        let low = low & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000
        // 8-4-4-4-12 digits.
        store(UInt32(truncatingIfNeeded: high >> 32), at: 0, text)
        let middle = HexDigits.eight(UInt32(truncatingIfNeeded: high))
        text.storeBytes(of: UInt32(truncatingIfNeeded: middle), toByteOffset: 9, as: UInt32.self)
        text.storeBytes(of: UInt32(truncatingIfNeeded: middle >> 32), toByteOffset: 14, as: UInt32.self)
        let end = HexDigits.eight(UInt32(truncatingIfNeeded: low >> 32))
        text.storeBytes(of: UInt32(truncatingIfNeeded: end), toByteOffset: 19, as: UInt32.self)
        text.storeBytes(of: UInt32(truncatingIfNeeded: end >> 32), toByteOffset: 24, as: UInt32.self)
        store(UInt32(truncatingIfNeeded: low), at: 28, text)
        for place in [8, 13, 18, 23] { text[place] = UInt8(ascii: "-") }
    }

    private static func store(_ value: UInt32, at place: Int, _ text: UnsafeMutableRawBufferPointer) {
        text.storeBytes(of: HexDigits.eight(value), toByteOffset: place, as: UInt64.self)
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
    /// An operator without a value adds nothing; a text that is no format string stays as it is.
    static func expand(_ text: String, _ exchange: Exchange, response: HeaderBlock? = nil) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")), let template = exchange.worker.formats.template(text) else {
            return text
        }
        return LogContext(exchange, response: response).expand(template, missing: "")
    }

    /// The same as bytes: values of headers need not be text.
    static func bytes(_ text: String, _ exchange: Exchange, response: HeaderBlock? = nil) -> [UInt8] {
        guard text.utf8.contains(UInt8(ascii: "%")), let template = exchange.worker.formats.template(text) else {
            return Array(text.utf8)
        }
        return LogContext(exchange, response: response).bytes(template)
    }
}

/// Format strings that were met, read once. Loop-confined; bounded, as configurations are.
final class FormatCache {
    private var known: [String: FormatTemplate?] = [:]
    private static let limit = 10_000

    /// - Returns: `nil` for a text that is no format string.
    func template(_ text: String) -> FormatTemplate? {
        if let template = known[text] { return template }
        if known.count >= Self.limit { known = [:] }
        let template = try? FormatTemplate(text)
        known[text] = .some(template)
        return template
    }
}
