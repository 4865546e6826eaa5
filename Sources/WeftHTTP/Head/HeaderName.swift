/// A header field name in lower case, with its hash computed once. Made from literals at start-up, or from configuration.
///
/// A literal's bytes stay where the compiler put them, so handing such a name on counts no reference.
/// - Note: `@unchecked Sendable` because the memory behind the pointer never changes: it is a literal's, or ``owner``'s.
package struct HeaderName: @unchecked Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    private final class Owner {
        let memory: UnsafeMutableBufferPointer<UInt8>
        init(_ bytes: [UInt8]) {
            memory = .allocate(capacity: max(1, bytes.count))
            _ = memory.initialize(fromContentsOf: bytes)
        }
        deinit { memory.deallocate() }
    }
    private let start: UnsafePointer<UInt8>?
    let count: Int
    package let fingerprint: UInt32
    private let owner: Owner?

    package init(_ name: some StringProtocol) {
        var text = String(name)
        self.init(bytes: text.withUTF8 { $0.map { ASCII.lowercased($0) } })
    }
    private init(bytes: [UInt8]) {
        let owner = Owner(bytes)
        self.init(
            start: UnsafePointer(owner.memory.baseAddress), count: bytes.count,
            fingerprint: ASCII.fingerprint(bytes), owner: owner)
    }
    package init(stringLiteral value: StaticString) {
        let isLower =
            value.hasPointerRepresentation && value.withUTF8Buffer { !$0.contains { $0 != ASCII.lowercased($0) } }
        guard isLower else {
            self.init(value.description)
            return
        }
        self.init(
            start: value.utf8Start, count: value.utf8CodeUnitCount,
            fingerprint: value.withUTF8Buffer { ASCII.fingerprint($0) }, owner: nil)
    }
    private init(start: UnsafePointer<UInt8>?, count: Int, fingerprint: UInt32, owner: Owner?) {
        self.start = start
        self.count = count
        self.fingerprint = fingerprint
        self.owner = owner
    }

    /// The bytes in lower case.
    @inline(__always) func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withExtendedLifetime(owner) { body(UnsafeRawBufferPointer(start: start, count: count)) }
    }

    package static func == (left: HeaderName, right: HeaderName) -> Bool {
        left.fingerprint == right.fingerprint
            && left.withBytes { one in right.withBytes { one.count == $0.count && one.elementsEqual($0) } }
    }
    package func hash(into hasher: inout Hasher) { hasher.combine(fingerprint) }

    /// The bit that stands for this name in ``HeaderBlock/mask``.
    @inlinable @inline(__always) package var bit: UInt64 { ASCII.bit(fingerprint) }
    package var description: String { withBytes { String(decoding: $0, as: UTF8.self) } }

    package static let host: HeaderName = "host"
    static let hostFingerprint = host.fingerprint
    package static let connection: HeaderName = "connection"
    package static let contentLength: HeaderName = "content-length"
    package static let contentType: HeaderName = "content-type"
    package static let transferEncoding: HeaderName = "transfer-encoding"
    package static let expect: HeaderName = "expect"
    package static let upgrade: HeaderName = "upgrade"
    package static let te: HeaderName = "te"
    package static let date: HeaderName = "date"
    package static let server: HeaderName = "server"
    package static let location: HeaderName = "location"
    package static let cookie: HeaderName = "cookie"
    package static let setCookie: HeaderName = "set-cookie"
    package static let origin: HeaderName = "origin"
    package static let userAgent: HeaderName = "user-agent"
    package static let keepAlive: HeaderName = "keep-alive"
    package static let proxyConnection: HeaderName = "proxy-connection"
    package static let forwardedFor: HeaderName = "x-forwarded-for"
    package static let forwardedProto: HeaderName = "x-forwarded-proto"
    package static let expectedTimeout: HeaderName = "x-envoy-expected-rq-timeout-ms"
    package static let forwardedHost: HeaderName = "x-forwarded-host"
    package static let forwardedClientCert: HeaderName = "x-forwarded-client-cert"
    package static let requestID: HeaderName = "x-request-id"
    package static let envoyAttemptCount: HeaderName = "x-envoy-attempt-count"
    package static let envoyOriginalPath: HeaderName = "x-envoy-original-path"
    package static let envoyUpstreamServiceTime: HeaderName = "x-envoy-upstream-service-time"
    package static let envoyOverloaded: HeaderName = "x-envoy-overloaded"
    package static let grpcStatus: HeaderName = "grpc-status"
    package static let grpcMessage: HeaderName = "grpc-message"
    package static let grpcTimeout: HeaderName = "grpc-timeout"
    package static let weftReason: HeaderName = "x-weft-reason"
    package static let weftConfig: HeaderName = "x-weft-config"
}

/// Several names as bits: one test says that a block has none of them. Made at start-up.
package struct HeaderNameSet: Sendable, ExpressibleByArrayLiteral {
    @usableFromInline let bits: UInt64
    package init(arrayLiteral names: HeaderName...) { self.init(names) }
    let names: [HeaderName]
    package init(_ names: [HeaderName]) {
        self.names = names
        bits = names.reduce(0) { $0 | $1.bit }
    }
}

/// Byte classes and conversions of ASCII, as RFC 9110 section 5.6 defines them.
package enum ASCII {
    @inlinable @inline(__always) package static func lowercased(_ byte: UInt8) -> UInt8 {
        byte >= 65 && byte <= 90 ? byte | 0x20 : byte
    }

    /// One of 64 bits for a fingerprint: a set of them says which names are certainly absent.
    @inlinable @inline(__always) package static func bit(_ fingerprint: UInt32) -> UInt64 {
        1 << UInt64(fingerprint & 63)
    }

    /// The same for names that differ in case alone, and seldom the same for others.
    package static func fingerprint(_ bytes: some Sequence<UInt8>) -> UInt32 {
        let known = bytes.withContiguousStorageIfAvailable { name in
            name.baseAddress.map { fingerprint(UnsafeRawPointer($0), name.count) } ?? fingerprint(of: 0, 0)
        }
        if let known { return known }
        return Array(bytes).withUnsafeBytes { name in
            name.baseAddress.map { fingerprint($0, name.count) } ?? fingerprint(of: 0, 0)
        }
    }

    /// Takes eight bytes at a time, with the bit that tells small letters from capitals set in all of them.
    @inline(__always) static func fingerprint(_ name: UnsafeRawPointer, _ count: Int) -> UInt32 {
        var hash = fingerprintSeed(count)
        guard count >= 8 else {
            var word: UInt64 = 0
            if count >= 4 {
                let first = name.loadUnaligned(as: UInt32.self)
                let last = name.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)
                word = UInt64(first) << 32 | UInt64(last)
            } else {
                for place in 0..<count { word = word << 8 | UInt64(name.load(fromByteOffset: place, as: UInt8.self)) }
            }
            return finish(mix(hash, word))
        }
        var place = 0
        while place + 8 <= count {
            hash = mix(hash, name.loadUnaligned(fromByteOffset: place, as: UInt64.self))
            place += 8
        }
        if place < count { hash = mix(hash, name.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)) }
        return finish(hash)
    }

    private static func fingerprint(of word: UInt64, _ count: Int) -> UInt32 {
        finish(mix(fingerprintSeed(count), word))
    }

    @inline(__always) private static func fingerprintSeed(_ count: Int) -> UInt64 {
        UInt64(truncatingIfNeeded: count) &* 0x9E37_79B9_7F4A_7C15
    }

    @inline(__always) private static func mix(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        let product = (hash ^ (word | 0x2020_2020_2020_2020)) &* 0xBF58_476D_1CE4_E5B9
        return product ^ product >> 32
    }

    @inline(__always) private static func finish(_ hash: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: hash ^ hash >> 29)
    }

    @inlinable package static func equalIgnoringCase(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>)
        -> Bool
    {
        left.count == right.count && zip(left, right).allSatisfy { lowercased($0) == lowercased($1) }
    }

    /// Eight or four bytes at a time; the case of letters is looked at only where the bytes differ.
    @inline(__always)
    static func equalIgnoringCase(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int) -> Bool {
        var place = 0
        func isSame<Word: FixedWidthInteger & UnsignedInteger>(_ word: Word.Type, at place: Int) -> Bool {
            let one = left.loadUnaligned(fromByteOffset: place, as: word)
            let other = right.loadUnaligned(fromByteOffset: place, as: word)
            return one == other || differOnlyInCase(UInt64(one), UInt64(other))
        }
        if count >= 8 {
            while place + 8 <= count {
                guard isSame(UInt64.self, at: place) else { return false }
                place += 8
            }
            // The last eight once more, in place of one byte after the other.
            return place == count || isSame(UInt64.self, at: count - 8)
        }
        if count >= 4 { return isSame(UInt32.self, at: 0) && isSame(UInt32.self, at: count - 4) }
        while place < count {
            let one = left.load(fromByteOffset: place, as: UInt8.self)
            let other = right.load(fromByteOffset: place, as: UInt8.self)
            if one != other, lowercased(one) != lowercased(other) { return false }
            place += 1
        }
        return true
    }

    /// Whether the eight bytes of both are the same but for the case of letters.
    @inline(__always) private static func differOnlyInCase(_ one: UInt64, _ other: UInt64) -> Bool {
        let high: UInt64 = 0x8080_8080_8080_8080
        let folded = one | 0x2020_2020_2020_2020
        guard folded == other | 0x2020_2020_2020_2020 else { return false }
        // Where they differ there must be a letter: with its high bit off, at least `a` and less than the byte after `z`.
        let low = folded & ~high
        let isLetter = (low &+ 0x1F1F_1F1F_1F1F_1F1F) & ~(low &+ 0x0505_0505_0505_0505) & ~folded & high
        return ((one ^ other) << 2) & ~isLetter & high == 0
    }

    @inlinable @inline(__always) package static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 94...122, 33, 35, 36, 37, 38, 39, 42, 43, 45, 46, 124, 126: true
        default: false
        }
    }

    /// VCHAR, obs-text, space and tab.
    @inlinable @inline(__always) package static func isFieldValue(_ byte: UInt8) -> Bool {
        byte == 9 || (byte >= 32 && byte != 127)
    }

    @inline(__always) package static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte - 48
        case 65...70: byte - 55
        case 97...102: byte - 87
        default: nil
        }
    }

    /// A decimal without sign, or `nil` for anything else, an empty string and overflow.
    @inlinable package static func decimal(_ bytes: some Collection<UInt8>) -> UInt64? {
        guard !bytes.isEmpty else { return nil }
        var value: UInt64 = 0
        for byte in bytes {
            guard byte >= 48, byte <= 57 else { return nil }
            let (product, high) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(byte - 48))
            guard !high, !carry else { return nil }
            value = sum
        }
        return value
    }
}
