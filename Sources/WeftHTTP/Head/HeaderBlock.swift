package import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The header fields of one message: one buffer of bytes and an index of fields into it.
///
/// Keeps order, repetition and the case of names as they came. Look-ups compare a 32-bit fingerprint first and never
/// build a `String`. A removed field leaves its bytes behind; the block lives as long as one message.
package struct HeaderBlock: Sendable {
    /// Where one field lies in the buffer.
    struct Entry: Sendable {
        var nameStart: Int32
        var nameLength: Int32
        var valueStart: Int32
        var valueLength: Int32
        var fingerprint: UInt32
    }

    var bytes: ByteBuffer
    var entries: [Entry]
    /// Names whose values no hop may put in a compression table (RFC 7541, 7.1.3), one bit by fingerprint.
    var neverIndexed: UInt64 = 0
    /// The bits of all names that are in the block, or were: a name whose bit is missing is certainly absent.
    @usableFromInline var mask = NameBits()

    package init() {
        bytes = ByteBuffer()
        entries = []
    }

    package init(_ fields: [(String, String)]) {
        self.init()
        for (name, value) in fields { append(name: name, value: value) }
    }

    /// Takes over a buffer that the entries point into.
    init(bytes: ByteBuffer, entries: [Entry], mask: NameBits) {
        self.bytes = bytes
        self.entries = entries
        self.mask = mask
    }

    package var count: Int { entries.count }
    package var isEmpty: Bool { entries.isEmpty }
    /// Bytes of all names and values.
    package var byteCount: Int { entries.reduce(0) { $0 + Int($1.nameLength + $1.valueLength) } }
}

extension UnsafeRawBufferPointer {
    fileprivate func isEqual(to other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        guard let base = baseAddress, let otherBase = other.baseAddress, count > 0 else { return true }
        return memcmp(base, otherBase, count) == 0
    }
}

// MARK: - Reading

extension HeaderBlock {
    package func name(at index: Int) -> ByteBufferView { view(entries[index].nameStart, entries[index].nameLength) }
    package func value(at index: Int) -> ByteBufferView { view(entries[index].valueStart, entries[index].valueLength) }

    /// The first value of `name`, or `nil`.
    package subscript(name: HeaderName) -> ByteBufferView? { index(of: name).map { value(at: $0) } }

    @inlinable @inline(__always)
    package func contains(_ name: HeaderName) -> Bool {
        guard mask.seen & name.bit != 0 else { return false }
        return search(name, from: 0) != nil
    }

    /// - Parameter start: 0, or a place behind a field of this name.
    @inlinable @inline(__always)
    package func index(of name: HeaderName, from start: Int = 0) -> Int? {
        guard (start == 0 ? mask.seen : mask.repeated) & name.bit != 0 else { return nil }
        return search(name, from: start)
    }

    /// Whether any of the names in `names` may be there; false is certain.
    @inlinable @inline(__always)
    package func mayContain(_ names: HeaderNameSet) -> Bool { mask.seen & names.bits != 0 }

    /// What the connection options say, as far as one look tells.
    package var connectionOption: ConnectionOption {
        guard let first = index(of: .connection) else { return .absent }
        guard index(of: .connection, from: first + 1) == nil else { return .other }
        if value(at: first, is: "keep-alive") { return .keepAlive }
        return value(at: first, is: "close") ? .close : .other
    }

    @usableFromInline func search(_ name: HeaderName, from start: Int) -> Int? {
        let wanted = name.fingerprint
        return entries.withUnsafeBufferPointer { entries in
            var position = start
            while position < entries.count {
                if entries[position].fingerprint == wanted, matches(entries[position], name) { return position }
                position += 1
            }
            return nil
        }
    }

    /// The first `content-length`, if it is a number, and whether it is the only one.
    package var contentLength: (value: UInt64, isOnly: Bool)? {
        guard let first = index(of: .contentLength), let value = decimal(at: first) else { return nil }
        return (value, index(of: .contentLength, from: first + 1) == nil)
    }

    /// The value at `index` as a decimal, or `nil` when it is none.
    package func decimal(at index: Int) -> UInt64? {
        let entry = entries[index]
        let start = Int(entry.valueStart) - bytes.readerIndex
        return bytes.withUnsafeReadableBytes {
            ASCII.decimal(UnsafeRawBufferPointer(rebasing: $0[start..<(start + Int(entry.valueLength))]))
        }
    }

    /// Whether the first value of `name` is made of exactly these bytes.
    package func isFirst(_ name: HeaderName, _ value: [UInt8]) -> Bool {
        guard let first = index(of: name), Int(entries[first].valueLength) == value.count else { return false }
        let start = Int(entries[first].valueStart) - bytes.readerIndex
        return bytes.withUnsafeReadableBytes { all in
            value.withUnsafeBytes { UnsafeRawBufferPointer(rebasing: all[start..<(start + $0.count)]).isEqual(to: $0) }
        }
    }

    /// What `body` makes of the first value of `name`, or `nil` when there is none; its bytes are valid inside `body` only.
    package func withFirst<Result>(_ name: HeaderName, _ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
        guard let first = index(of: name) else { return nil }
        let entry = entries[first]
        let start = Int(entry.valueStart) - bytes.readerIndex
        return bytes.withUnsafeReadableBytes {
            body(UnsafeRawBufferPointer(rebasing: $0[start..<(start + Int(entry.valueLength))]))
        }
    }

    /// All values of `name` in order.
    package func values(_ name: HeaderName) -> [ByteBufferView] {
        guard mask.seen & name.bit != 0 else { return [] }
        return entries.filter { matches($0, name) }.map { view($0.valueStart, $0.valueLength) }
    }

    /// The value that matchers see: repeated fields joined by a comma, as Envoy does.
    package func joined(_ name: HeaderName) -> ByteBufferView? {
        guard let first = index(of: name) else { return nil }
        guard index(of: name, from: first + 1) != nil else { return value(at: first) }
        var joined = ByteBuffer()
        for (position, value) in values(name).enumerated() {
            if position > 0 { joined.writeInteger(UInt8(ascii: ",")) }
            joined.writeBytes(value)
        }
        return joined.readableBytesView
    }

    package func string(_ name: HeaderName) -> String? { self[name].map { String(decoding: $0, as: UTF8.self) } }

    /// Whether a comma-separated list field holds `token`, compared without case.
    package func hasToken(_ name: HeaderName, _ token: StaticString) -> Bool {
        guard mask.seen & name.bit != 0 else { return false }
        // Most often there is one value, and it is this token or another one.
        if isExactly(name, token) { return true }
        return token.withUTF8Buffer { wanted in
            values(name).contains { value in
                value.split(separator: UInt8(ascii: ",")).contains {
                    ASCII.equalIgnoringCase(HeaderBlock.trimmed($0), wanted)
                }
            }
        }
    }

    /// Whether there is one field of this name, and its whole value is `text`, compared without case.
    package func isExactly(_ name: HeaderName, _ text: StaticString) -> Bool {
        guard let first = index(of: name), index(of: name, from: first + 1) == nil else { return false }
        return value(at: first, is: text)
    }

    private func value(at index: Int, is text: StaticString) -> Bool {
        let entry = entries[index]
        guard Int(entry.valueLength) == text.utf8CodeUnitCount else { return false }
        let start = Int(entry.valueStart) - bytes.readerIndex
        return bytes.withUnsafeReadableBytes { all in
            guard let base = all.baseAddress else { return text.utf8CodeUnitCount == 0 }
            return ASCII.equalIgnoringCase(base + start, UnsafeRawPointer(text.utf8Start), text.utf8CodeUnitCount)
        }
    }

    /// Names and values in order, for logs and tests.
    package var fields: [(name: String, value: String)] {
        entries.indices.map {
            (String(decoding: name(at: $0), as: UTF8.self), String(decoding: value(at: $0), as: UTF8.self))
        }
    }

    package static func trimmed(_ bytes: ByteBufferView) -> ByteBufferView {
        var bytes = bytes
        while let first = bytes.first, first == 32 || first == 9 { bytes = bytes.dropFirst() }
        while let last = bytes.last, last == 32 || last == 9 { bytes = bytes.dropLast() }
        return bytes
    }

    private func view(_ start: Int32, _ length: Int32) -> ByteBufferView {
        bytes.viewBytes(at: Int(start), length: Int(length)) ?? ByteBufferView()
    }

    @inline(__always) func matches(_ entry: Entry, _ name: HeaderName) -> Bool {
        guard entry.fingerprint == name.fingerprint, Int(entry.nameLength) == name.count else { return false }
        return name.withBytes { wanted in
            // What entries say is counted from the start of the buffer, not from its first readable byte.
            bytes.withVeryUnsafeBytes { all in
                guard let base = all.baseAddress, let other = wanted.baseAddress else { return wanted.isEmpty }
                return ASCII.equalIgnoringCase(base + Int(entry.nameStart), other, wanted.count)
            }
        }
    }
}

/// Names as bits by their fingerprints: those that occur in a block, and those of which two fields share a bit.
@usableFromInline struct NameBits: Sendable {
    @usableFromInline var seen: UInt64 = 0
    @usableFromInline var repeated: UInt64 = 0

    @inline(__always) mutating func note(_ fingerprint: UInt32) {
        let bit = ASCII.bit(fingerprint)
        repeated |= seen & bit
        seen |= bit
    }
}

/// What a message's `connection` header asks for.
package enum ConnectionOption: Sendable {
    case absent, keepAlive, close
    /// Several options, or names of fields.
    case other
}

extension ConnectionOption {
    @inlinable package static func == (left: ConnectionOption, right: ConnectionOption) -> Bool {
        switch (left, right) {
        case (.absent, .absent), (.keepAlive, .keepAlive), (.close, .close), (.other, .other): true
        default: false
        }
    }
}
