package import NIOCore

extension HeaderBlock {
    package mutating func append(_ name: HeaderName, _ value: some Sequence<UInt8>) {
        append(name, ByteBufferView(ByteBuffer(bytes: value)))
    }
    package mutating func append(_ name: HeaderName, _ value: ByteBufferView) {
        value.withUnsafeBytes { value in
            name.withBytes { add(name: $0, value: value, name.fingerprint) }
        }
    }
    package mutating func append(_ name: HeaderName, _ value: String) {
        var value = value
        value.withUTF8 { value in
            name.withBytes { add(name: $0, value: UnsafeRawBufferPointer(value), name.fingerprint) }
        }
    }
    /// Keeps the case of `name`.
    package mutating func append(name: String, value: String) {
        var name = name
        var value = value
        name.withUTF8 { name in
            value.withUTF8 { value in
                add(
                    name: UnsafeRawBufferPointer(name), value: UnsafeRawBufferPointer(value), ASCII.fingerprint(name))
            }
        }
    }

    package mutating func append(nameBytes: some Collection<UInt8>, value: some Sequence<UInt8>) {
        let start = bytes.writerIndex
        let nameLength = bytes.writeBytes(nameBytes)
        let fingerprint = ASCII.fingerprint(nameBytes)
        note(start: start, nameLength: nameLength, gap: 0, valueLength: bytes.writeBytes(value), fingerprint)
    }

    /// Writes `name: value` with its line end, so that an HTTP/1 head takes it over as it is.
    private mutating func add(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, _ fingerprint: UInt32) {
        let start = bytes.writerIndex
        bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: name.count + value.count + 4) { room in
            var out = WirePointer(room)
            out.write(name)
            out.write(58, 32)
            out.write(value)
            out.write(13, 10)
            return out.count
        }
        note(start: start, nameLength: name.count, gap: 2, valueLength: value.count, fingerprint)
    }

    private mutating func note(start: Int, nameLength: Int, gap: Int, valueLength: Int, _ fingerprint: UInt32) {
        mask.note(fingerprint)
        entries.append(
            Entry(
                nameStart: Int32(truncatingIfNeeded: start), nameLength: Int32(truncatingIfNeeded: nameLength),
                valueStart: Int32(truncatingIfNeeded: start + nameLength + gap),
                valueLength: Int32(truncatingIfNeeded: valueLength), fingerprint: fingerprint))
    }

    /// Replaces every value of `name` by one.
    package mutating func set(_ name: HeaderName, _ value: some Sequence<UInt8>) {
        set(name, ByteBufferView(ByteBuffer(bytes: value)))
    }
    package mutating func set(_ name: HeaderName, _ value: ByteBufferView) {
        guard let first = index(of: name) else { return append(name, value) }
        value.withUnsafeBytes { replace(first, name, by: $0) }
    }
    package mutating func set(_ name: HeaderName, _ value: String) {
        guard let first = index(of: name) else { return append(name, value) }
        var value = value
        value.withUTF8 { replace(first, name, by: UnsafeRawBufferPointer($0)) }
    }
    /// A number, without a `String` on the way.
    package mutating func set(_ name: HeaderName, decimal: UInt64) {
        withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { room in
            var out = WirePointer(room)
            out.write(decimal: decimal)
            let digits = UnsafeRawBufferPointer(rebasing: room[..<out.count])
            guard let first = index(of: name) else {
                return name.withBytes { add(name: $0, value: digits, name.fingerprint) }
            }
            replace(first, name, by: digits)
        }
    }
    /// What `write` puts into memory for `length` bytes.
    package mutating func set(_ name: HeaderName, length: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) {
        withUnsafeTemporaryAllocation(byteCount: length, alignment: 8) { room in
            write(room)
            let value = UnsafeRawBufferPointer(room)
            guard let first = index(of: name) else {
                return name.withBytes { add(name: $0, value: value, name.fingerprint) }
            }
            replace(first, name, by: value)
        }
    }

    private mutating func replace(_ first: Int, _ name: HeaderName, by value: UnsafeRawBufferPointer) {
        // Like an appended field, the new value ends with a line end.
        let start = bytes.writerIndex
        bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: value.count + 2) { room in
            var out = WirePointer(room)
            out.write(value)
            out.write(13, 10)
            return out.count
        }
        entries[first].valueStart = Int32(truncatingIfNeeded: start)
        entries[first].valueLength = Int32(truncatingIfNeeded: value.count)
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

    /// As ``contains(_:)``, and changes nothing either; `mutating`, so that a block in an object is not copied out of it.
    @inlinable @inline(__always)
    package mutating func holds(_ name: HeaderName) -> Bool {
        guard mask.seen & name.bit != 0 else { return false }
        return place(of: name) != nil
    }

    @usableFromInline mutating func place(of name: HeaderName) -> Int? { search(name, from: 0) }

    /// As ``withFirst(_:_:)`` for a block in an object, `mutating` for the same reason.
    /// - Returns: False when there is no such field; `body` is not called then.
    @inlinable @inline(__always)
    package mutating func lookAtFirst(_ name: HeaderName, _ body: (UnsafeRawBufferPointer) -> Void) -> Bool {
        guard mask.seen & name.bit != 0 else { return false }
        return show(name, body)
    }

    @usableFromInline
    mutating func show(_ name: HeaderName, _ body: (UnsafeRawBufferPointer) -> Void) -> Bool {
        guard let first = place(of: name) else { return false }
        let start = Int(entries[first].valueStart) - bytes.readerIndex
        let length = Int(entries[first].valueLength)
        bytes.withUnsafeReadableBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<(start + length)])) }
        return true
    }

    /// - Returns: whether there was such a field.
    @discardableResult
    @inlinable @inline(__always)
    package mutating func remove(_ name: HeaderName) -> Bool {
        guard mask.seen & name.bit != 0 else { return false }
        return removeAll(name)
    }

    /// Takes out the fields of all these names, in one look at the block.
    package mutating func remove(anyOf names: HeaderNameSet) {
        guard mayContain(names) else { return }
        var index = 0
        while index < entries.count {
            let entry = entries[index]
            if ASCII.bit(entry.fingerprint) & names.bits != 0, names.names.contains(where: { matches(entry, $0) }) {
                entries.remove(at: index)
            } else {
                index += 1
            }
        }
    }

    @usableFromInline
    mutating func removeAll(_ name: HeaderName) -> Bool {
        guard let first = index(of: name) else { return false }
        entries.remove(at: first)
        while let next = index(of: name, from: first) { entries.remove(at: next) }
        return true
    }
}
