/// Field lines of one header block as the decoder leaves them: bytes in one arena and an index.
///
/// Reused for every block of a connection, so that decoding allocates only when a block is larger than all before.
/// Not shared between threads.
package final class HPACKFieldList {
    package struct Field {
        /// The name, then the value, in the arena.
        package var start: Int
        package var nameLength: Int
        package var valueLength: Int
        /// Of the name, see ``ASCII/fingerprint(_:)``.
        package var fingerprint: UInt32
        /// Name and value may stand in a message (RFC 9113, 8.2.1).
        package var isValid: Bool
        /// The sender asked that no hop compresses it with a table (RFC 7541, 7.1.3).
        package var isNeverIndexed: Bool
    }

    package private(set) var arena: UnsafeMutablePointer<UInt8>
    private var capacity = 0
    /// Bytes used of the arena.
    package private(set) var byteCount = 0
    package private(set) var fields: [Field] = []
    /// Name, value and 32 bytes for each field line, as RFC 9113 (6.5.2) counts a field section.
    package private(set) var listSize = 0
    /// The block holds more than the limits allow; the rest was decoded and dropped.
    package private(set) var isOverLimit = false
    package let maximumListSize: Int
    package let maximumCount: Int

    /// - Parameters:
    ///   - maximumListSize: Bytes as ``listSize`` counts them.
    ///   - maximumCount: Field lines, pseudo headers included.
    package init(maximumListSize: Int, maximumCount: Int) {
        self.maximumListSize = maximumListSize
        self.maximumCount = maximumCount
        arena = UnsafeMutablePointer<UInt8>.allocate(capacity: 1)
    }

    deinit { arena.deallocate() }

    package func removeAll() {
        fields.removeAll(keepingCapacity: true)
        byteCount = 0
        listSize = 0
        isOverLimit = false
    }

    package func name(_ field: Field) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: arena + field.start, count: field.nameLength)
    }
    package func value(_ field: Field) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: arena + field.start + field.nameLength, count: field.valueLength)
    }

    /// Makes `length` bytes writable behind the committed fields and `kept` bytes of the field in the making.
    /// Pointers got earlier end here.
    func reserve(_ length: Int, keeping kept: Int = 0) -> UnsafeMutablePointer<UInt8> {
        if byteCount + kept + length > capacity {
            capacity = max(1024, (byteCount + kept + length) * 2)
            let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
            larger.update(from: arena, count: byteCount + kept)
            arena.deallocate()
            arena = larger
        }
        return arena + byteCount + kept
    }

    /// Keeps the field whose bytes are behind what is there already, or drops it when the limits are passed.
    func commit(_ field: Field) {
        listSize += field.nameLength + field.valueLength + HPACKDynamicTable.overhead
        guard !isOverLimit, listSize <= maximumListSize, fields.count < maximumCount else {
            isOverLimit = true
            return
        }
        byteCount += field.nameLength + field.valueLength
        fields.append(field)
    }
}
