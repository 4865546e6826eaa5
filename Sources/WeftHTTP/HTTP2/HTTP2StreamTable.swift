import NIOCore

/// Names an open stream: its identifier, and its place in the table so that no look-up is needed.
package struct HTTP2StreamRef: Sendable, Hashable {
    package let id: UInt32
    /// Smaller than the greatest number of streams ever open at once; reused after the stream is gone.
    package let slot: Int

    package init(id: UInt32, slot: Int) {
        self.id = id
        self.slot = slot
    }
}

/// What a stream still has to send when a window or the transport is full.
final class HTTP2SendQueue {
    var buffers = CircularBuffer<ByteBuffer>(initialCapacity: 4)
    var byteCount = 0
    /// Nothing may be added any more.
    var isEnded = false
    var trailers: HeaderBlock?
    /// The sender was told to stop, and is to be told when it may go on.
    var isOverLimit = false
}

/// One open or half-closed stream (RFC 9113, 5.1). Idle and closed streams have no record.
struct HTTP2Stream {
    var id: UInt32 = 0
    var localClosed = false
    var remoteClosed = false
    /// A final head came, so further HEADERS are trailers.
    var receivedHead = false
    /// Heads below 200 so far.
    var interimResponses: UInt8 = 0
    /// CONNECT: each direction ends by itself.
    var isTunnel = false
    /// Extended CONNECT: 101 leaves as 200 (RFC 8441, 5).
    var isUpgrade = false
    /// The response is to HEAD: its content-length counts no DATA.
    var isHead = false
    var isPaused = false
    /// In the list of streams that could send.
    var isReady = false
    /// Milliseconds of the caller's clock.
    var openedAt: UInt64 = 0
    var sendWindow = 0
    var receiveWindow = 0
    /// Bytes passed on while paused: no credit is given for them yet.
    var held = 0
    /// Bytes consumed that the peer has no credit for yet.
    var owed = 0
    /// Body bytes that content-length promises and that have not come; negative when unknown.
    var remaining: Int64 = -1
    var queue: HTTP2SendQueue?
}

/// Open streams in a compact array, found by identifier through an open-addressing index.
struct HTTP2StreamTable {
    private var records: [HTTP2Stream] = []
    private var free: [Int] = []
    /// Slot + 1, or 0; a power of two of them, at most half used.
    private var index = [Int32](repeating: 0, count: 8)
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }
    /// Slots in use and free ones between them.
    var slotCount: Int { records.count }

    subscript(slot: Int) -> HTTP2Stream {
        get { records[slot] }
        _modify { yield &records[slot] }
    }

    func contains(_ ref: HTTP2StreamRef) -> Bool { ref.slot < records.count && records[ref.slot].id == ref.id }
    func isOpen(_ slot: Int) -> Bool { records[slot].id != 0 }

    // Identifiers of one peer go up in steps of two.
    private func home(_ id: UInt32) -> Int { Int(id >> 1) & (index.count - 1) }

    func slot(of id: UInt32) -> Int? {
        var position = home(id)
        while index[position] != 0 {
            let slot = Int(index[position]) - 1
            if records[slot].id == id { return slot }
            position = (position + 1) & (index.count - 1)
        }
        return nil
    }

    /// - Returns: the new stream's slot.
    mutating func insert(_ stream: HTTP2Stream) -> Int {
        if (count + 1) * 2 > index.count { grow() }
        let slot: Int
        if let reused = free.popLast() {
            slot = reused
            records[slot] = stream
        } else {
            slot = records.count
            records.append(stream)
        }
        link(slot)
        count += 1
        return slot
    }

    private mutating func link(_ slot: Int) {
        var position = home(records[slot].id)
        while index[position] != 0 { position = (position + 1) & (index.count - 1) }
        index[position] = Int32(truncatingIfNeeded: slot + 1)
    }

    private mutating func grow() {
        index = [Int32](repeating: 0, count: index.count * 2)
        for slot in records.indices where records[slot].id != 0 { link(slot) }
    }

    mutating func remove(_ slot: Int) {
        var hole = home(records[slot].id)
        while Int(index[hole]) != slot + 1 { hole = (hole + 1) & (index.count - 1) }
        // Moves back what the hole would cut off from its home.
        var position = hole
        while true {
            position = (position + 1) & (index.count - 1)
            guard index[position] != 0 else { break }
            let wanted = home(records[Int(index[position]) - 1].id)
            let distance = (position - wanted) & (index.count - 1)
            if distance >= (position - hole) & (index.count - 1) {
                index[hole] = index[position]
                hole = position
            }
        }
        index[hole] = 0
        records[slot] = HTTP2Stream()
        free.append(slot)
        count -= 1
    }
}

/// Remembers which closed streams were closed by a reset of ours: frames that crossed it are no error (RFC 9113, 5.1).
struct HTTP2ResetMemory {
    private static let capacity = 128
    private var ring: [UInt32] = []
    private var next = 0
    /// All streams up to this one get the benefit of the doubt, since the ring was full.
    private var forgotten: UInt32 = 0

    mutating func insert(_ id: UInt32) {
        if ring.count < Self.capacity { return ring.append(id) }
        forgotten = max(forgotten, ring[next])
        ring[next] = id
        next = (next + 1) % Self.capacity
    }

    func contains(_ id: UInt32) -> Bool { id <= forgotten || ring.contains(id) }
}

/// Streams whose RST_STREAM waits for the client to have read the response. Few: the oldest goes at once when one too
/// many comes.
struct HTTP2LateResets {
    private static let limit = 100
    /// Oldest first.
    private var ids: [UInt32] = []
    /// How many of them were there at the last ``takeDue()``.
    private var old = 0

    var isEmpty: Bool { ids.isEmpty }

    /// - Returns: What can wait no longer.
    mutating func add(_ id: UInt32) -> UInt32? {
        ids.append(id)
        guard ids.count > Self.limit else { return nil }
        old = max(0, old - 1)
        return ids.removeFirst()
    }

    /// The client has ended or given up the request, or was told.
    mutating func forget(_ id: UInt32) {
        guard !ids.isEmpty, let place = ids.firstIndex(of: id) else { return }
        ids.remove(at: place)
        if place < old { old -= 1 }
    }

    /// What has waited since the last call.
    mutating func takeDue() -> [UInt32] {
        let due = Array(ids.prefix(old))
        ids.removeFirst(old)
        old = ids.count
        return due
    }
}
