package import NIOCore

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
    var mask: UInt64 = 0

    package init() {
        bytes = ByteBuffer()
        entries = []
    }

    package init(_ fields: [(String, String)]) {
        self.init()
        for (name, value) in fields { append(name: name, value: value) }
    }

    /// Takes over a buffer that the entries point into.
    init(bytes: ByteBuffer, entries: [Entry], mask: UInt64) {
        self.bytes = bytes
        self.entries = entries
        self.mask = mask
    }

    /// Room for `fields` more fields of `bytes` together, so that appending them moves nothing twice.
    package mutating func reserve(fields: Int, bytes count: Int) {
        entries.reserveCapacity(entries.count + fields)
        bytes.reserveCapacity(minimumWritableBytes: count)
    }

    package var count: Int { entries.count }
    package var isEmpty: Bool { entries.isEmpty }
    /// Bytes of all names and values.
    package var byteCount: Int { entries.reduce(0) { $0 + Int($1.nameLength + $1.valueLength) } }
}

// MARK: - Reading

extension HeaderBlock {
    package func name(at index: Int) -> ByteBufferView { view(entries[index].nameStart, entries[index].nameLength) }
    package func value(at index: Int) -> ByteBufferView { view(entries[index].valueStart, entries[index].valueLength) }

    /// The first value of `name`, or `nil`.
    package subscript(name: HeaderName) -> ByteBufferView? { index(of: name).map { value(at: $0) } }

    package func named(_ name: HeaderName, at index: Int) -> Bool { matches(entries[index], name) }

    package func contains(_ name: HeaderName) -> Bool { index(of: name) != nil }

    package func index(of name: HeaderName, from start: Int = 0) -> Int? {
        guard mask & name.bit != 0 else { return nil }
        var position = start
        while position < entries.count {
            if matches(entries[position], name) { return position }
            position += 1
        }
        return nil
    }

    /// All values of `name` in order.
    package func values(_ name: HeaderName) -> [ByteBufferView] {
        guard mask & name.bit != 0 else { return [] }
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
        guard mask & name.bit != 0 else { return false }
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
        guard let first = index(of: name), index(of: name, from: first + 1) == nil,
            Int(entries[first].valueLength) == text.utf8CodeUnitCount
        else { return false }
        let start = Int(entries[first].valueStart) - bytes.readerIndex
        return text.withUTF8Buffer { wanted in
            bytes.withUnsafeReadableBytes { all in
                for offset in 0..<wanted.count
                where ASCII.lowercased(all[start + offset]) != ASCII.lowercased(wanted[offset]) { return false }
                return true
            }
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

    private func matches(_ entry: Entry, _ name: HeaderName) -> Bool {
        guard entry.fingerprint == name.fingerprint, Int(entry.nameLength) == name.bytes.count else { return false }
        return bytes.withUnsafeReadableBytes { all in
            let start = Int(entry.nameStart) - bytes.readerIndex
            for offset in 0..<name.bytes.count where ASCII.lowercased(all[start + offset]) != name.bytes[offset] {
                return false
            }
            return true
        }
    }
}

// MARK: - Writing

extension HeaderBlock {
    package mutating func append(_ name: HeaderName, _ value: some Sequence<UInt8>) {
        append(name, ByteBufferView(ByteBuffer(bytes: value)))
    }
    package mutating func append(_ name: HeaderName, _ value: ByteBufferView) {
        let start = bytes.writerIndex
        let nameLength = bytes.writeBytes(name.bytes)
        add(start: start, nameLength: nameLength, valueLength: bytes.writeBytes(value), name.fingerprint)
    }
    package mutating func append(_ name: HeaderName, _ value: String) {
        let start = bytes.writerIndex
        let nameLength = bytes.writeBytes(name.bytes)
        add(start: start, nameLength: nameLength, valueLength: bytes.writeString(value), name.fingerprint)
    }
    /// Keeps the case of `name`.
    package mutating func append(name: String, value: String) {
        let start = bytes.writerIndex
        let nameLength = bytes.writeString(name)
        let fingerprint = ASCII.fingerprint(name.utf8)
        add(start: start, nameLength: nameLength, valueLength: bytes.writeString(value), fingerprint)
    }

    package mutating func append(nameBytes: some Collection<UInt8>, value: some Sequence<UInt8>) {
        let start = bytes.writerIndex
        let nameLength = bytes.writeBytes(nameBytes)
        let fingerprint = ASCII.fingerprint(nameBytes)
        add(start: start, nameLength: nameLength, valueLength: bytes.writeBytes(value), fingerprint)
    }

    private mutating func add(start: Int, nameLength: Int, valueLength: Int, _ fingerprint: UInt32) {
        mask |= ASCII.bit(fingerprint)
        entries.append(
            Entry(
                nameStart: Int32(truncatingIfNeeded: start), nameLength: Int32(truncatingIfNeeded: nameLength),
                valueStart: Int32(truncatingIfNeeded: start + nameLength),
                valueLength: Int32(truncatingIfNeeded: valueLength), fingerprint: fingerprint))
    }

    /// Replaces every value of `name` by one.
    package mutating func set(_ name: HeaderName, _ value: some Sequence<UInt8>) {
        set(name, ByteBufferView(ByteBuffer(bytes: value)))
    }
    package mutating func set(_ name: HeaderName, _ value: ByteBufferView) {
        guard let first = index(of: name) else { return append(name, value) }
        let start = bytes.writerIndex
        replace(first, name, start: start, length: bytes.writeBytes(value))
    }
    package mutating func set(_ name: HeaderName, _ value: String) {
        guard let first = index(of: name) else { return append(name, value) }
        let start = bytes.writerIndex
        replace(first, name, start: start, length: bytes.writeString(value))
    }

    private mutating func replace(_ first: Int, _ name: HeaderName, start: Int, length: Int) {
        entries[first].valueStart = Int32(truncatingIfNeeded: start)
        entries[first].valueLength = Int32(truncatingIfNeeded: length)
        while let second = index(of: name, from: first + 1) { entries.remove(at: second) }
    }

    /// Writes every name as `Proper-Case`: a capital at its start and after whatever is no letter or digit.
    package mutating func useProperCase() {
        let base = bytes.readerIndex
        bytes.withUnsafeMutableReadableBytes { all in
            for entry in entries {
                var startsWord = true
                let start = Int(entry.nameStart) - base
                for position in start..<(start + Int(entry.nameLength)) {
                    let byte = all[position]
                    let isLetter = (byte | 0x20) >= 97 && (byte | 0x20) <= 122
                    if startsWord, isLetter { all[position] = byte & 0xDF }
                    startsWord = !isLetter && !(byte >= 48 && byte <= 57)
                }
            }
        }
    }

    /// - Returns: whether there was such a field.
    @discardableResult
    package mutating func remove(_ name: HeaderName) -> Bool {
        guard let first = index(of: name) else { return false }
        entries.remove(at: first)
        while let next = index(of: name, from: first) { entries.remove(at: next) }
        return true
    }

    /// Removes what belongs to one connection only (RFC 9110 section 7.6.1), including fields named by `Connection`.
    package mutating func removeHopByHop(keepUpgrade: Bool = false) {
        if index(of: .connection) != nil {
            for value in values(.connection) {
                for token in value.split(separator: UInt8(ascii: ",")) {
                    let name = HeaderName(String(decoding: HeaderBlock.trimmed(token), as: UTF8.self))
                    if name != .upgrade, name != .te { remove(name) }
                }
            }
            remove(.connection)
        }
        remove(.keepAlive)
        remove(.proxyConnection)
        remove(.transferEncoding)
        if !keepUpgrade { remove(.upgrade) }
        if contains(.te), let te = self[.te], !ASCII.equalIgnoringCase(te, Array("trailers".utf8)) { remove(.te) }
    }
}
