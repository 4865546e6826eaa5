#if canImport(Glibc)
import Glibc
#endif

/// The chunks of many series over some time, in one file that never changes (layout: ADR 0041).
///
/// Thread-safe: reads go by position. Series are known by number; their labels live in the series log.
final class Block: @unchecked Sendable {
    static let magic: UInt64 = 0x3142_5354_4645_5702
    /// Of blocks whose chunks have no summary, which are read but no longer written.
    static let magicWithoutSummaries: UInt64 = 0x3142_5354_4645_5701
    static let footerSize = 8 + 8 + 8 + 8 + 4 + 4 + 4
    static let entrySize = 16

    let path: String
    let minTime: Int64
    let maxTime: Int64
    let seriesCount: Int
    var size: Int { file.size }
    // `pread` alone is used, and the size does not change: so it is safe from all threads.
    private let file: DiskFile
    private let indexOffset: Int
    private let hasSummaries: Bool

    /// A series' place in the file.
    struct Entry: Sendable, Hashable {
        var id: UInt32
        var offset: Int
        var length: Int
    }

    /// Why a file is no whole block.
    struct Damaged: Error, CustomStringConvertible {
        var description: String
    }

    /// - Throws: ``Damaged`` for a file that is cut off or changed, ``DiskError`` for one that cannot be read.
    init(path: String) throws {
        self.path = path
        file = try DiskFile.reading(path)
        guard file.size >= Self.footerSize else { throw Damaged(description: "\(path) is too short for a block") }
        let footer = try file.read(at: file.size - Self.footerSize, count: Self.footerSize)
        var reader = ByteReader(footer)
        guard let magic = reader.fixed64(), let offset = reader.fixed64(), let low = reader.fixed64(),
            let high = reader.fixed64(), let count = reader.fixed32(), let indexSum = reader.fixed32(),
            let sum = reader.fixed32(), magic == Self.magic || magic == Self.magicWithoutSummaries,
            Checksum.crc32c(footer.dropLast(4)) == sum,
            offset <= UInt64(file.size),
            Int(offset) + Int(count) * Self.entrySize + Self.footerSize == file.size
        else { throw Damaged(description: "\(path) has no whole footer") }
        hasSummaries = magic == Self.magic
        indexOffset = Int(offset)
        seriesCount = Int(count)
        minTime = Int64(bitPattern: low)
        maxTime = Int64(bitPattern: high)
        guard Checksum.crc32c(try file.read(at: indexOffset, count: seriesCount * Self.entrySize)) == indexSum else {
            throw Damaged(description: "\(path) has a damaged index")
        }
    }

    /// All series in it, by rising number, as they lie in the file.
    struct Index: Sendable {
        fileprivate let bytes: [UInt8]
        var count: Int { bytes.count / Block.entrySize }

        subscript(index: Int) -> Entry {
            bytes.withUnsafeBytes { raw in
                let base = index * Block.entrySize
                return Entry(
                    id: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: base, as: UInt32.self)),
                    offset: Int(UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: base + 4, as: UInt64.self))),
                    length: Int(UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: base + 12, as: UInt32.self))))
            }
        }

        /// The first place whose number is not below `id`.
        func partition(before id: UInt32) -> Int {
            var (low, high) = (0, count)
            while low < high {
                let middle = (low + high) / 2
                if self[middle].id < id { low = middle + 1 } else { high = middle }
            }
            return low
        }

        /// Where the series lie, with their positions among those that are asked for; one that is not here is left out.
        /// - Parameter ids: By rising number.
        fileprivate func places(of ids: ArraySlice<UInt32>) -> [Wanted] {
            var wanted: [Wanted] = []
            guard let first = ids.first else { return wanted }
            var index = partition(before: first)
            for (position, id) in ids.enumerated() {
                if ids.count < 64 { index = partition(before: id) }
                while index < count, self[index].id < id { index += 1 }
                if index < count, self[index].id == id { wanted.append((position, self[index])) }
            }
            return wanted
        }
    }

    func index() throws(DiskError) -> Index {
        let bytes = try file.read(at: indexOffset, count: seriesCount * Self.entrySize)
        guard bytes.count == seriesCount * Self.entrySize else {
            throw DiskError(operation: "read the index of", path: path, code: EIO)
        }
        return Index(bytes: bytes)
    }

    /// Gives the chunks of the series that are asked for.
    /// - Parameters:
    ///   - ids: By rising number.
    ///   - body: The position in `ids`, and a chunk.
    /// - Returns: Chunks whose checksum is wrong, and which were left out.
    func read(
        _ ids: [UInt32], from: Int64, through: Int64, _ body: (Int, Chunk) -> Void
    ) throws(DiskError) -> Int {
        let wanted = try index().places(of: ids[...])
        let stretches = Self.stretches(wanted)
        let read = AllCores.map(stretches.count) { number in
            var result = Stretch()
            var chunks: [(position: Int, chunk: Chunk)] = []
            do throws(DiskError) {
                result.damaged = try views(of: wanted[stretches[number]]) { position, view in
                    guard view.maxTime >= from, view.minTime <= through else { return }
                    let chunk = Chunk(
                        bytes: Array(view.bytes), count: view.count, minTime: view.minTime, maxTime: view.maxTime,
                        summary: view.summary)
                    chunks.append((position, chunk))
                }
            } catch { result.failure = error }
            result.chunks = chunks
            return result
        }
        var damaged = 0
        for stretch in read {
            if let failure = stretch.failure { throw failure }
            damaged += stretch.damaged
            for (position, chunk) in stretch.chunks { body(position, chunk) }
        }
        return damaged
    }

    /// Adds the samples in the time to the changes of the series that are asked for. On the caller's thread.
    /// - Parameters:
    ///   - ids: By rising number.
    ///   - index: Of this block.
    ///   - changes: One for each of `ids`, of samples that are all older.
    /// - Returns: Chunks whose checksum is wrong, and which were left out.
    func add(
        _ ids: ArraySlice<UInt32>, _ index: Index, from: Int64, through: Int64, to changes: inout [WindowChange]
    ) throws(DiskError) -> Int {
        let wanted = index.places(of: ids)
        var damaged = 0
        for stretch in Self.stretches(wanted) {
            damaged += try views(of: wanted[stretch]) { position, view in
                view.add(to: &changes[position], from: from, through: through)
            }
        }
        return damaged
    }

    fileprivate typealias Wanted = (position: Int, entry: Entry)

    /// What one reading brings.
    private struct Stretch: Sendable {
        var chunks: [(position: Int, chunk: Chunk)] = []
        var damaged = 0
        var failure: DiskError?
    }

    /// Neighbours are read in one go, of a megabyte at most.
    private static func stretches(_ wanted: [Wanted]) -> [Range<Int>] {
        var stretches: [Range<Int>] = []
        var start = 0
        while start < wanted.count {
            var end = start + 1
            let first = wanted[start].entry.offset
            while end < wanted.count, wanted[end].entry.offset + wanted[end].entry.length - first <= 1 << 20 {
                end += 1
            }
            stretches.append(start..<end)
            start = end
        }
        return stretches
    }

    /// Gives the chunks of neighbours. What is given is good during the call alone.
    /// - Returns: How many chunks could not be read.
    private func views(
        of wanted: ArraySlice<Wanted>, _ body: (Int, ChunkView) -> Void
    ) throws(DiskError) -> Int {
        guard let start = wanted.first?.entry.offset, let last = wanted.last?.entry else { return 0 }
        guard start >= 0, last.offset + last.length <= indexOffset else {
            throw DiskError(operation: "read chunks of", path: path, code: EIO)
        }
        let bytes = try file.read(at: start, count: last.offset + last.length - start)
        var damaged = 0
        bytes.withUnsafeBufferPointer { raw in
            for (position, entry) in wanted {
                let base = entry.offset - start
                guard base >= 0, base + entry.length <= raw.count else { continue }
                damaged += views(UnsafeBufferPointer(rebasing: raw[base..<base + entry.length])) { body(position, $0) }
            }
        }
        return damaged
    }

    /// - Returns: How many chunks could not be read.
    private func views(_ bytes: UnsafeBufferPointer<UInt8>, _ body: (ChunkView) -> Void) -> Int {
        var reader = RawReader(bytes)
        while !reader.isAtEnd {
            guard let count = reader.varint(), let low = reader.signed(), let span = reader.varint(),
                let sum = reader.fixed32(), let content = reader.counted(), count <= 1 << 24, span <= 1 << 44
            else { return 1 }
            guard Checksum.crc32c(content) == sum else { return 1 }
            var view = ChunkView(
                bytes: content, count: Int(count), minTime: low, maxTime: low &+ Int64(span), summary: nil)
            if hasSummaries {
                var inner = RawReader(content)
                guard let summary = inner.summary() else { return 1 }
                (view.summary, view.bytes) = (summary, inner.rest)
            }
            body(view)
        }
        return 0
    }

    // MARK: - Writing

    /// Writes a block beside its final name and moves it there when it is safe on disk.
    /// - Parameter series: By rising number, each with at least one chunk.
    static func write(_ series: [(id: UInt32, chunks: [Chunk])], to path: String) throws -> Block {
        let temporary = path + ".tmp"
        let file = try DiskFile.create(temporary)
        do {
            var index = ByteWriter()
            var buffer = ByteWriter()
            var (low, high) = (Int64.max, Int64.min)
            for (id, chunks) in series {
                let start = file.size + buffer.bytes.count
                for chunk in chunks {
                    (low, high) = (min(low, chunk.minTime), max(high, chunk.maxTime))
                    buffer.varint(UInt64(chunk.count))
                    buffer.signed(chunk.minTime)
                    buffer.varint(UInt64(chunk.maxTime - chunk.minTime))
                    var content = ByteWriter()
                    content.summary(chunk.summary)
                    content.append(chunk.bytes)
                    buffer.fixed(Checksum.crc32c(content.bytes))
                    buffer.varint(UInt64(content.bytes.count))
                    buffer.append(content.bytes)
                }
                index.fixed(id)
                index.fixed(UInt64(start))
                index.fixed(UInt32(file.size + buffer.bytes.count - start))
                if buffer.bytes.count > 1 << 20 {
                    try file.append(buffer.bytes)
                    buffer.clear()
                }
            }
            try file.append(buffer.bytes)
            let offset = file.size
            try file.append(index.bytes)
            try file.append(footer(offset, low, high, series.count, Checksum.crc32c(index.bytes)))
            try file.synchronize()
            try DiskFolder.rename(temporary, to: path)
        } catch {
            DiskFolder.remove(temporary)
            throw error
        }
        return try Block(path: path)
    }

    private static func footer(_ offset: Int, _ low: Int64, _ high: Int64, _ count: Int, _ indexSum: UInt32) -> [UInt8]
    {
        var footer = ByteWriter()
        footer.fixed(magic)
        footer.fixed(UInt64(offset))
        footer.fixed(UInt64(bitPattern: low))
        footer.fixed(UInt64(bitPattern: high))
        footer.fixed(UInt32(count))
        footer.fixed(indexSum)
        footer.fixed(Checksum.crc32c(footer.bytes))
        return footer.bytes
    }
}
