#if canImport(Glibc)
import Glibc
#endif

/// An append-only file of records: length, CRC-32C, content. Not thread-safe.
///
/// A process that is killed loses no record whose ``append(_:)`` has returned; a machine that loses power loses what
/// came after the last ``synchronize()``.
final class RecordLog {
    /// Largest record that is believed; a greater length is damage.
    static let recordLimit = 64 << 20
    private let file: DiskFile

    /// What reading a log found wrong.
    struct Damage: Sendable, Hashable {
        var path: String
        var offset: Int
        var reason: String
        var description: String { "\(path) is damaged at byte \(offset): \(reason)" }
    }

    private init(_ file: DiskFile) { self.file = file }

    var size: Int { file.size }
    var path: String { file.path }

    /// Opens or makes a log, gives each record to `body`, and shortens it to its last whole record.
    ///
    /// A record with a wrong checksum is passed over; a length that makes no sense ends the reading, since nothing
    /// behind it can be found.
    static func open(
        _ path: String, _ body: (ArraySlice<UInt8>) -> Void, damaged: (Damage) -> Void
    ) throws(DiskError) -> RecordLog {
        let file = try DiskFile.appending(path)
        let end = eachRecord(of: try file.readAll(), body) { offset, reason in
            damaged(Damage(path: path, offset: offset, reason: reason))
        }
        if end < file.size { try file.truncate(to: end) }
        return RecordLog(file)
    }

    /// - Returns: Where the last whole record ends.
    @discardableResult
    static func eachRecord(
        of bytes: [UInt8], _ body: (ArraySlice<UInt8>) -> Void, damaged: (_ offset: Int, _ reason: String) -> Void
    ) -> Int {
        var reader = ByteReader(bytes)
        var end = 0
        while !reader.isAtEnd {
            guard let length = reader.fixed32(), let sum = reader.fixed32(), length <= recordLimit,
                let content = reader.slice(Int(length))
            else {
                damaged(end, "the last record is cut off; it is left out")
                break
            }
            end = reader.position
            guard Checksum.crc32c(content) == sum else {
                damaged(end, "a record's checksum is wrong; it is left out")
                continue
            }
            body(content)
        }
        return end
    }

    static func frame(_ content: [UInt8]) -> [UInt8] {
        var writer = ByteWriter()
        writer.fixed(UInt32(content.count))
        writer.fixed(Checksum.crc32c(content))
        writer.append(content)
        return writer.bytes
    }

    func append(_ content: [UInt8]) throws(DiskError) { try file.append(Self.frame(content)) }
    func synchronize() throws(DiskError) { try file.synchronize() }
}
