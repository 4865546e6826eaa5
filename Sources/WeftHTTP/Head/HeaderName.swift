/// A header field name in lower case, with its hash. Made from literals, or from configuration.
///
/// A literal in an inlined place is a constant: its hash is computed by the compiler, its bytes stay where the compiler
/// put them, and handing it on counts no reference. So well-known names are computed properties, not stored ones, which
/// would be made at their first use and looked for at each (ADR 0086).
/// - Note: `@unchecked Sendable` because the memory behind the pointer never changes: it is a literal's, or ``owner``'s.
package struct HeaderName: @unchecked Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    @usableFromInline final class Owner {
        let memory: UnsafeMutableBufferPointer<UInt8>
        init(_ bytes: [UInt8]) {
            memory = .allocate(capacity: max(1, bytes.count))
            _ = memory.initialize(fromContentsOf: bytes)
        }
        deinit { memory.deallocate() }
    }
    @usableFromInline let start: UnsafePointer<UInt8>?
    @usableFromInline let count: Int
    package let fingerprint: UInt32
    @usableFromInline let owner: Owner?

    package init(_ name: some StringProtocol) {
        var text = String(name)
        self.init(bytes: text.withUTF8 { $0.map { ASCII.lowercased($0) } })
    }
    private init(bytes: [UInt8]) {
        let fingerprint = ASCII.fingerprint(bytes)
        if let known = Self.usual[fingerprint], known.withBytes({ $0.elementsEqual(bytes) }) {
            self = known
            return
        }
        let owner = Owner(bytes)
        self.init(
            start: UnsafePointer(owner.memory.baseAddress), count: bytes.count,
            fingerprint: fingerprint, owner: owner)
    }
    /// - Parameter value: At least two bytes, in lower case; debug builds see to it.
    @inlinable @inline(__always)
    package init(stringLiteral value: StaticString) {
        assert(value.withUTF8Buffer { !$0.contains { $0 != ASCII.lowercased($0) } }, "\(value) is not in lower case")
        self.init(
            start: value.utf8Start, count: value.utf8CodeUnitCount,
            fingerprint: ASCII.fingerprint(UnsafeRawPointer(value.utf8Start), value.utf8CodeUnitCount), owner: nil)
    }
    @inlinable @inline(__always)
    init(start: UnsafePointer<UInt8>?, count: Int, fingerprint: UInt32, owner: Owner?) {
        self.start = start
        self.count = count
        self.fingerprint = fingerprint
        self.owner = owner
    }

    /// What configuration usually names: such a name needs no memory of its own, and no reference is counted for it.
    private static let usual: [UInt32: HeaderName] = {
        let names: [HeaderName] = [
            .host, .connection, .contentLength, .contentType, .transferEncoding, .te, .date, .server, .location,
            .cookie,
            .setCookie, .origin, .userAgent, .forwardedFor, .forwardedProto, .forwardedHost, .forwardedClientCert,
            .requestID, .envoyAttemptCount, .envoyOriginalPath, .envoyUpstreamServiceTime, .grpcStatus, .grpcMessage,
            "accept", "accept-encoding", "authorization", "cache-control", "referer", "traceparent", "tracestate",
        ]
        return Dictionary(names.map { ($0.fingerprint, $0) }, uniquingKeysWith: { first, _ in first })
    }()

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

    @inlinable package static var host: HeaderName { @inline(__always) get { "host" } }
    @inlinable package static var connection: HeaderName { @inline(__always) get { "connection" } }
    @inlinable package static var contentLength: HeaderName { @inline(__always) get { "content-length" } }
    @inlinable package static var contentType: HeaderName { @inline(__always) get { "content-type" } }
    @inlinable package static var transferEncoding: HeaderName { @inline(__always) get { "transfer-encoding" } }
    @inlinable package static var expect: HeaderName { @inline(__always) get { "expect" } }
    @inlinable package static var upgrade: HeaderName { @inline(__always) get { "upgrade" } }
    @inlinable package static var te: HeaderName { @inline(__always) get { "te" } }
    @inlinable package static var date: HeaderName { @inline(__always) get { "date" } }
    @inlinable package static var server: HeaderName { @inline(__always) get { "server" } }
    @inlinable package static var location: HeaderName { @inline(__always) get { "location" } }
    @inlinable package static var cookie: HeaderName { @inline(__always) get { "cookie" } }
    @inlinable package static var setCookie: HeaderName { @inline(__always) get { "set-cookie" } }
    @inlinable package static var origin: HeaderName { @inline(__always) get { "origin" } }
    @inlinable package static var userAgent: HeaderName { @inline(__always) get { "user-agent" } }
    @inlinable package static var keepAlive: HeaderName { @inline(__always) get { "keep-alive" } }
    @inlinable package static var proxyConnection: HeaderName { @inline(__always) get { "proxy-connection" } }
    @inlinable package static var forwardedFor: HeaderName { @inline(__always) get { "x-forwarded-for" } }
    @inlinable package static var forwardedProto: HeaderName { @inline(__always) get { "x-forwarded-proto" } }
    @inlinable package static var expectedTimeout: HeaderName {
        @inline(__always) get { "x-envoy-expected-rq-timeout-ms" }
    }
    @inlinable package static var forwardedHost: HeaderName { @inline(__always) get { "x-forwarded-host" } }
    @inlinable package static var forwardedClientCert: HeaderName {
        @inline(__always) get { "x-forwarded-client-cert" }
    }
    @inlinable package static var requestID: HeaderName { @inline(__always) get { "x-request-id" } }
    @inlinable package static var envoyAttemptCount: HeaderName { @inline(__always) get { "x-envoy-attempt-count" } }
    @inlinable package static var envoyOriginalPath: HeaderName { @inline(__always) get { "x-envoy-original-path" } }
    @inlinable package static var envoyUpstreamServiceTime: HeaderName {
        @inline(__always) get { "x-envoy-upstream-service-time" }
    }
    @inlinable package static var envoyOverloaded: HeaderName { @inline(__always) get { "x-envoy-overloaded" } }
    @inlinable package static var grpcStatus: HeaderName { @inline(__always) get { "grpc-status" } }
    @inlinable package static var grpcMessage: HeaderName { @inline(__always) get { "grpc-message" } }
    @inlinable package static var grpcTimeout: HeaderName { @inline(__always) get { "grpc-timeout" } }
    @inlinable package static var weftReason: HeaderName { @inline(__always) get { "x-weft-reason" } }
    @inlinable package static var weftConfig: HeaderName { @inline(__always) get { "x-weft-config" } }
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
    @inlinable @inline(__always) static func fingerprint(_ name: UnsafeRawPointer, _ count: Int) -> UInt32 {
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

    @inlinable @inline(__always) static func fingerprintSeed(_ count: Int) -> UInt64 {
        UInt64(truncatingIfNeeded: count) &* 0x9E37_79B9_7F4A_7C15
    }

    @inlinable @inline(__always) static func mix(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        let product = (hash ^ (word | 0x2020_2020_2020_2020)) &* 0xBF58_476D_1CE4_E5B9
        return product ^ product >> 32
    }

    @inlinable @inline(__always) static func finish(_ hash: UInt64) -> UInt32 {
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
        guard count >= 8 else { return equalShortIgnoringCase(left, right, count) }
        var place = 0
        while place + 8 <= count {
            guard isSame(left, right, UInt64.self, at: place) else { return false }
            place += 8
        }
        // The last eight once more, in place of one byte after the other.
        return place == count || isSame(left, right, UInt64.self, at: count - 8)
    }

    @inline(__always)
    private static func equalShortIgnoringCase(
        _ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int
    ) -> Bool {
        if count >= 4 {
            return isSame(left, right, UInt32.self, at: 0) && isSame(left, right, UInt32.self, at: count - 4)
        }
        for place in 0..<count {
            let one = left.load(fromByteOffset: place, as: UInt8.self)
            let other = right.load(fromByteOffset: place, as: UInt8.self)
            if one != other, lowercased(one) != lowercased(other) { return false }
        }
        return true
    }

    @inline(__always)
    private static func isSame<Word: FixedWidthInteger & UnsignedInteger>(
        _ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ word: Word.Type, at place: Int
    ) -> Bool {
        let one = left.loadUnaligned(fromByteOffset: place, as: word)
        let other = right.loadUnaligned(fromByteOffset: place, as: word)
        return one == other || differOnlyInCase(UInt64(one), UInt64(other))
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

    @inlinable @inline(__always) package static func hexValue(_ byte: UInt8) -> UInt8? {
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
