#if canImport(Glibc)
import Glibc
#endif

/// The chunks of many series over some time, in one file that never changes (layout: ADR 0041).
///
/// Thread-safe: reads go by position. Series are known by number; their labels live in the series log.
final class Block: @unchecked Sendable {
    static let magic: UInt64 = 0x3142_5354_4645_5701
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
            let sum = reader.fixed32(), magic == Self.magic, Checksum.crc32c(footer.dropLast(4)) == sum,
            offset <= UInt64(file.size),
            Int(offset) + Int(count) * Self.entrySize + Self.footerSize == file.size
        else { throw Damaged(description: "\(path) has no whole footer") }
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
        let entries = try index()
        var damaged = 0
        var wanted: [Wanted] = []
        var index = 0
        for (position, id) in ids.enumerated() {
            if ids.count < 64 { index = entries.partition(before: id) }
            while index < entries.count, entries[index].id < id { index += 1 }
            if index < entries.count, entries[index].id == id { wanted.append((position, entries[index])) }
        }
        let (all, stretches) = (wanted, Self.stretches(wanted))
        let read = AllCores.map(stretches.count) { stretch(all[stretches[$0]], from: from, through: through) }
        for stretch in read {
            if let failure = stretch.failure { throw failure }
            damaged += stretch.damaged
            for (position, chunk) in stretch.chunks { body(position, chunk) }
        }
        return damaged
    }

    private typealias Wanted = (position: Int, entry: Entry)

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

    private func stretch(_ wanted: ArraySlice<Wanted>, from: Int64, through: Int64) -> Stretch {
        var result = Stretch()
        guard let start = wanted.first?.entry.offset, let last = wanted.last?.entry else { return result }
        guard start >= 0, last.offset + last.length <= indexOffset else {
            result.failure = DiskError(operation: "read chunks of", path: path, code: EIO)
            return result
        }
        do throws(DiskError) {
            let bytes = try file.read(at: start, count: last.offset + last.length - start)
            for (position, entry) in wanted {
                let base = entry.offset - start
                guard base >= 0, base + entry.length <= bytes.count else { continue }
                result.damaged += Self.chunks(bytes[base..<base + entry.length]) { chunk in
                    if chunk.maxTime >= from, chunk.minTime <= through { result.chunks.append((position, chunk)) }
                }
            }
        } catch { result.failure = error }
        return result
    }

    /// - Returns: How many chunks could not be read.
    private static func chunks(_ bytes: ArraySlice<UInt8>, _ body: (Chunk) -> Void) -> Int {
        var reader = ByteReader(bytes)
        while !reader.isAtEnd {
            guard let count = reader.varint(), let low = reader.signed(), let span = reader.varint(),
                let sum = reader.fixed32(), let content = reader.counted(), count <= 1 << 24, span <= 1 << 44
            else { return 1 }
            guard Checksum.crc32c(content) == sum else { return 1 }
            body(Chunk(bytes: Array(content), count: Int(count), minTime: low, maxTime: low &+ Int64(span)))
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
                    buffer.fixed(Checksum.crc32c(chunk.bytes))
                    buffer.varint(UInt64(chunk.bytes.count))
                    buffer.append(chunk.bytes)
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
