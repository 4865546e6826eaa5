/// The dynamic table of RFC 7541 (section 2.3.2): a ring of entries over one byte arena.
///
/// Entries leave in the order they came, so live bytes are one run of the arena; when its end is reached they are moved
/// to the front, or the arena is doubled. Memory stays below four times the table's maximum size, and nothing is
/// allocated before the first insertion. Not shared between threads.
final class HPACKDynamicTable {
    struct Entry {
        /// The name, then the value, in the arena.
        var start = 0
        var nameLength = 0
        var valueLength = 0
        /// Of the name, see ``ASCII/fingerprint(_:)``.
        var fingerprint: UInt32 = 0
        /// Of the value, for the encoder's look-ups; unused by the decoder.
        var valueHash: UInt32 = 0
        /// Name and value may stand in a message.
        var isValid = true
    }

    /// What RFC 7541 (section 4.1) adds to each entry's bytes.
    static let overhead = 32

    private(set) var arena: UnsafeMutablePointer<UInt8>
    private var capacity = 0
    private var tail = 0
    private var ring: [Entry] = []
    private(set) var count = 0
    /// Size as RFC 7541 counts it.
    private(set) var size = 0
    private(set) var maximumSize: Int
    /// Entries ever inserted; the newest entry has the sequence number `inserted - 1`.
    private(set) var inserted: UInt32 = 0

    init(maximumSize: Int) {
        self.maximumSize = maximumSize
        arena = UnsafeMutablePointer<UInt8>.allocate(capacity: 1)
    }

    deinit { arena.deallocate() }

    /// - Parameter index: 0 is the newest; less than ``count``.
    subscript(index: Int) -> Entry { ring[Int((inserted &- 1 &- UInt32(index))) & (ring.count - 1)] }

    func setMaximumSize(_ size: Int) {
        maximumSize = size
        evict(until: size)
    }

    private func evict(until limit: Int) {
        while size > limit, count > 0 {
            let oldest = self[count - 1]
            size -= oldest.nameLength + oldest.valueLength + Self.overhead
            count -= 1
        }
        if count == 0 { tail = 0 }
    }

    /// The bytes of an entry: name, then value. Valid until the next insertion.
    func bytes(_ entry: Entry) -> UnsafePointer<UInt8> { UnsafePointer(arena + entry.start) }

    /// Evicts what must go, then adds the entry if it fits at all (RFC 7541, section 4.4).
    /// - Parameters:
    ///   - name: Not in the arena.
    ///   - value: Not in the arena.
    /// - Returns: whether the entry is in the table now.
    @discardableResult
    func insert(
        name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>, fingerprint: UInt32, valueHash: UInt32,
        isValid: Bool
    ) -> Bool {
        let length = name.count + value.count
        guard length + Self.overhead <= maximumSize else {
            evict(until: 0)
            return false
        }
        evict(until: maximumSize - length - Self.overhead)
        makeRoom(length)
        let target = arena + tail
        for offset in 0..<name.count { target[offset] = ASCII.lowercased(name[offset]) }
        if let source = value.baseAddress { (target + name.count).update(from: source, count: value.count) }
        ring[Int(inserted) & (ring.count - 1)] = Entry(
            start: tail, nameLength: name.count, valueLength: value.count, fingerprint: fingerprint,
            valueHash: valueHash, isValid: isValid)
        tail += length
        inserted &+= 1
        count += 1
        size += length + Self.overhead
        return true
    }

    private func makeRoom(_ length: Int) {
        if count == ring.count { growRing() }
        guard tail + length > capacity else { return }
        let live = size - count * Self.overhead
        let start = count > 0 ? self[count - 1].start : 0
        if (live + length) * 2 <= capacity {
            arena.update(from: arena + start, count: live)  // may overlap
        } else {
            capacity = max(512, (live + length) * 2)
            let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
            larger.update(from: arena + start, count: live)
            arena.deallocate()
            arena = larger
        }
        for index in 0..<count { ring[Int(inserted &- 1 &- UInt32(index)) & (ring.count - 1)].start -= start }
        tail = live
    }

    private func growRing() {
        var larger = [Entry](repeating: Entry(), count: max(16, ring.count * 2))
        for index in 0..<count { larger[Int(inserted &- 1 &- UInt32(index)) & (larger.count - 1)] = self[index] }
        ring = larger
    }
}
