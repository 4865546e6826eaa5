/// Encodes header blocks of one direction of a connection (RFC 7541). Not shared between threads.
///
/// A field enters the dynamic table when it is seen for the second time, so values that never repeat (request ids,
/// dates of idle connections) evict nothing. What enters is Huffman-coded, once; everything else is copied as it is,
/// because most hops of a mesh pay for processor time and not for bytes.
package final class HPACKEncoder {
    private let table: HPACKDynamicTable
    private let limit: Int
    private let huffman = HPACKHuffman.shared
    private let staticTable = HPACKStaticTable.shared
    /// Hash of name and value → sequence number + 1 of the entry that has them. Lossy: a collision only costs bytes.
    private var fieldSlots: [UInt32] = []
    /// Name fingerprint → sequence number + 1 of an entry with that name.
    private var nameSlots: [UInt32] = []
    /// Hashes of fields that were sent as literals.
    private var seen: [UInt32] = []
    /// Smallest size since the last block, and whether the peer must be told (RFC 7541, 4.2).
    private var smallestSize: Int?

    private static let slotCount = 128
    /// What one field adds to its bytes at most: three integers of up to five bytes.
    package static let overheadPerField = 16

    /// - Parameter limit: The largest dynamic table to use whatever the peer permits, in bytes.
    package init(limit: Int = 4096) {
        self.limit = limit
        table = HPACKDynamicTable(maximumSize: min(limit, 4096))
    }

    package var tableSize: Int { table.size }

    /// Takes the peer's SETTINGS_HEADER_TABLE_SIZE; the next block announces the change.
    package func setPeerMaximum(_ size: Int) {
        let size = min(size, limit)
        guard size != table.maximumSize else { return }
        smallestSize = min(smallestSize ?? size, size)
        table.setMaximumSize(size)
    }

    /// Begins a block.
    /// - Returns: bytes written to `target`, at most 16.
    package func begin(at target: UnsafeMutablePointer<UInt8>) -> Int {
        guard let smallest = smallestSize else { return 0 }
        smallestSize = nil
        var end = target
        if smallest < table.maximumSize { end = Self.write(smallest, prefix: 5, flags: 0x20, at: end) }
        end = Self.write(table.maximumSize, prefix: 5, flags: 0x20, at: end)
        return end - target
    }

    /// Encodes a field whose name is the static table's entry `index`.
    func encode(
        staticName index: Int, value: UnsafeBufferPointer<UInt8>, at target: UnsafeMutablePointer<UInt8>
    ) -> Int {
        let entry = staticTable[index]
        let name = UnsafeBufferPointer(start: staticTable.bytes + Int(entry.start), count: Int(entry.nameLength))
        return encode(
            name: name, value: value, fingerprint: entry.fingerprint, staticIndex: index, never: false, at: target)
    }

    /// Encodes one field.
    /// - Parameters:
    ///   - name: In any case; written in lower case.
    ///   - fingerprint: Of the name.
    ///   - never: No table may hold it, here or further on.
    ///   - target: Room for both strings and ``overheadPerField``.
    /// - Returns: bytes written.
    package func encode(
        name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>, fingerprint: UInt32, never: Bool,
        at target: UnsafeMutablePointer<UInt8>
    ) -> Int {
        let index = staticTable.index(name: name, fingerprint: fingerprint)
        // authorization, proxy-authorization, and short cookies, which could be guessed.
        let isSecret = index == 23 || index == 49 || (index == 32 && value.count < 20)
        return encode(
            name: name, value: value, fingerprint: fingerprint, staticIndex: index, never: never || isSecret,
            at: target)
    }

    private func encode(
        name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>, fingerprint: UInt32, staticIndex: Int,
        never: Bool, at target: UnsafeMutablePointer<UInt8>
    ) -> Int {
        if never { return literal(name, value, index: staticIndex, prefix: 4, flags: 0x10, at: target) }
        if staticIndex > 0, let full = fullStaticMatch(staticIndex, value) {
            return Self.write(full, prefix: 7, flags: 0x80, at: target) - target
        }
        let valueHash = Self.hash(value)
        let key = (fingerprint &* 0x9E37_79B1) ^ valueHash
        if let index = dynamicMatch(name, value, fingerprint, valueHash, key) {
            return Self.write(index, prefix: 7, flags: 0x80, at: target) - target
        }
        let nameIndex = staticIndex > 0 ? staticIndex : dynamicName(name, fingerprint)
        guard repeats(key), name.count + value.count + HPACKDynamicTable.overhead <= table.maximumSize / 2 else {
            return literal(name, value, index: nameIndex, prefix: 4, flags: 0, at: target)
        }
        let written = literal(name, value, index: nameIndex, prefix: 6, flags: 0x40, huffman: true, at: target)
        if table.insert(name: name, value: value, fingerprint: fingerprint, valueHash: valueHash, isValid: true) {
            fieldSlots[Int(key) & (Self.slotCount - 1)] = table.inserted
            nameSlots[Int(fingerprint) & (Self.slotCount - 1)] = table.inserted
        }
        return written
    }

    /// Whether a field with this hash was sent as a literal not long ago; remembers it.
    private func repeats(_ key: UInt32) -> Bool {
        guard table.maximumSize > 0 else { return false }
        if seen.isEmpty {
            seen = [UInt32](repeating: 0, count: Self.slotCount)
            fieldSlots = seen
            nameSlots = seen
        }
        let slot = Int(key) & (Self.slotCount - 1)
        defer { seen[slot] = key }
        return seen[slot] == key
    }

    /// Several entries of the static table share a name and differ in the value.
    private func fullStaticMatch(_ first: Int, _ value: UnsafeBufferPointer<UInt8>) -> Int? {
        let name = staticTable[first].fingerprint
        var index = first
        while index <= HPACKStaticTable.count {
            let entry = staticTable[index]
            guard entry.fingerprint == name, entry.valueLength > 0 else { return nil }
            if Int(entry.valueLength) == value.count {
                if equals(value, staticTable.bytes + Int(entry.start + entry.nameLength)) { return index }
            }
            index += 1
        }
        return nil
    }

    private func dynamicMatch(
        _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, _ fingerprint: UInt32,
        _ valueHash: UInt32, _ key: UInt32
    ) -> Int? {
        guard let position = live(fieldSlots, key) else { return nil }
        let entry = table[position]
        guard entry.fingerprint == fingerprint, entry.valueHash == valueHash, entry.nameLength == name.count,
            entry.valueLength == value.count
        else { return nil }
        let bytes = table.bytes(entry)
        guard equalsLowercased(name, bytes), equals(value, bytes + name.count) else { return nil }
        return HPACKStaticTable.count + 1 + position
    }

    private func dynamicName(_ name: UnsafeBufferPointer<UInt8>, _ fingerprint: UInt32) -> Int {
        guard let position = live(nameSlots, fingerprint) else { return 0 }
        let entry = table[position]
        guard entry.fingerprint == fingerprint, entry.nameLength == name.count,
            equalsLowercased(name, table.bytes(entry))
        else { return 0 }
        return HPACKStaticTable.count + 1 + position
    }

    /// The position of the entry that a slot points to, 0 being the newest, unless it was evicted.
    private func live(_ slots: [UInt32], _ key: UInt32) -> Int? {
        guard !slots.isEmpty else { return nil }
        let sequence = slots[Int(key) & (Self.slotCount - 1)]
        guard sequence != 0 else { return nil }
        let position = Int(table.inserted &- sequence)
        return position < table.count ? position : nil
    }

    private func literal(
        _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, index: Int, prefix: UInt8,
        flags: UInt8, huffman: Bool = false, at target: UnsafeMutablePointer<UInt8>
    ) -> Int {
        var end = Self.write(index, prefix: prefix, flags: flags, at: target)
        if index == 0 {
            end = Self.write(name.count, prefix: 7, flags: 0, at: end)
            for byte in name {
                end.pointee = ASCII.lowercased(byte)
                end += 1
            }
        }
        if huffman {
            let coded = self.huffman.encodedCount(value)
            if coded < value.count {
                end = Self.write(coded, prefix: 7, flags: 0x80, at: end)
                return end + self.huffman.encode(value, to: end) - target
            }
        }
        end = Self.write(value.count, prefix: 7, flags: 0, at: end)
        if let base = value.baseAddress { end.update(from: base, count: value.count) }
        return end + value.count - target
    }

    /// An integer with a `prefix`-bit prefix (RFC 7541, 5.1).
    private static func write(
        _ value: Int, prefix: UInt8, flags: UInt8, at target: UnsafeMutablePointer<UInt8>
    ) -> UnsafeMutablePointer<UInt8> {
        let mask = (1 << Int(prefix)) - 1
        if value < mask {
            target.pointee = flags | UInt8(truncatingIfNeeded: value)
            return target + 1
        }
        target.pointee = flags | UInt8(truncatingIfNeeded: mask)
        var rest = value - mask
        var end = target + 1
        while rest >= 128 {
            end.pointee = UInt8(truncatingIfNeeded: rest) | 0x80
            rest >>= 7
            end += 1
        }
        end.pointee = UInt8(truncatingIfNeeded: rest)
        return end + 1
    }

    /// Eight bytes at a time; good enough to find repetitions, no defence against collisions, which do no harm.
    private static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt32 {
        var hash = UInt64(truncatingIfNeeded: bytes.count) &* 0x9E37_79B9_7F4A_7C15
        var position = 0
        let raw = UnsafeRawBufferPointer(bytes)
        while position + 8 <= raw.count {
            let word = raw.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            hash = (hash ^ word) &* 0xBF58_476D_1CE4_E5B9
            hash ^= hash >> 32
            position += 8
        }
        while position < raw.count {
            hash = (hash ^ UInt64(raw[position])) &* 0x0000_0100_0000_01B3
            position += 1
        }
        return UInt32(truncatingIfNeeded: hash ^ (hash >> 29))
    }
}
