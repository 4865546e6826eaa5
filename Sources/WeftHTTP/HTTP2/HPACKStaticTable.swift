#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The static table of RFC 7541, Appendix A, as bytes. Indices start at 1. Immutable; shared by all threads.
///
/// - Note: `@unchecked Sendable` because nobody writes to the memory after `init`.
final class HPACKStaticTable: @unchecked Sendable {
    static let shared = HPACKStaticTable()
    static let count = 61

    /// Where an entry lies in ``bytes``: its name, then its value.
    struct Entry {
        var start: Int32
        var nameLength: Int32
        var valueLength: Int32
        /// Of the name, see ``ASCII/fingerprint(_:)``.
        var fingerprint: UInt32
    }

    static let fields: [(name: String, value: String)] = [
        (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
        (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
        (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
        ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
        ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
        ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
        ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""),
        ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""),
        ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""),
        ("last-modified", ""), ("link", ""), ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""),
        ("proxy-authorization", ""), ("range", ""), ("referer", ""), ("refresh", ""), ("retry-after", ""),
        ("server", ""), ("set-cookie", ""), ("strict-transport-security", ""), ("transfer-encoding", ""),
        ("user-agent", ""), ("vary", ""), ("via", ""), ("www-authenticate", ""),
    ]

    /// These three live as long as the process, so that looking at them counts no reference.
    let bytes: UnsafePointer<UInt8>
    private let entries: UnsafePointer<Entry>
    /// Name fingerprint → first index with that name, open addressing over 256 slots; 0 is empty.
    private let slots: UnsafePointer<UInt8>

    private init() {
        var bytes: [UInt8] = []
        var entries: [Entry] = []
        var slots = [UInt8](repeating: 0, count: 256)
        for (position, field) in Self.fields.enumerated() {
            let fingerprint = ASCII.fingerprint(field.name.utf8)
            entries.append(
                Entry(
                    start: Int32(bytes.count), nameLength: Int32(field.name.utf8.count),
                    valueLength: Int32(field.value.utf8.count), fingerprint: fingerprint))
            bytes += Array((field.name + field.value).utf8)
            var slot = Int(fingerprint & 0xFF)
            while slots[slot] != 0, entries[Int(slots[slot]) - 1].fingerprint != fingerprint {
                slot = (slot + 1) & 0xFF
            }
            if slots[slot] == 0 { slots[slot] = UInt8(position + 1) }
        }
        self.bytes = Self.kept(bytes)
        self.entries = Self.kept(entries)
        self.slots = Self.kept(slots)
    }

    private static func kept<Element>(_ array: [Element]) -> UnsafePointer<Element> {
        let memory = UnsafeMutablePointer<Element>.allocate(capacity: array.count)
        for (index, element) in array.enumerated() { (memory + index).initialize(to: element) }
        return UnsafePointer(memory)
    }

    /// - Parameter index: 1 to ``count``.
    subscript(index: Int) -> Entry { entries[index - 1] }

    /// The first index with this name, or 0.
    func index(name: UnsafeBufferPointer<UInt8>, fingerprint: UInt32) -> Int {
        var slot = Int(fingerprint & 0xFF)
        while slots[slot] != 0 {
            let entry = entries[Int(slots[slot]) - 1]
            if entry.fingerprint == fingerprint, Int(entry.nameLength) == name.count,
                equalsLowercased(name, bytes + Int(entry.start))
            {
                return Int(slots[slot])
            }
            slot = (slot + 1) & 0xFF
        }
        return 0
    }
}

/// Whether `left` in lower case is what lies at `right`, which has no capitals.
func equalsLowercased(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafePointer<UInt8>) -> Bool {
    guard let base = left.baseAddress else { return true }
    return ASCII.equalIgnoringCase(UnsafeRawPointer(base), UnsafeRawPointer(right), left.count)
}

/// Whether `left` is exactly what lies at `right`.
func equals(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafePointer<UInt8>) -> Bool {
    guard let base = left.baseAddress else { return true }
    return memcmp(base, right, left.count) == 0
}
