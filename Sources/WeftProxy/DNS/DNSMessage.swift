/// DNS queries and answers on the wire (RFC 1035 section 4). Pure; answers are taken for hostile.
struct DNSMessage: Sendable, Hashable {
    enum Kind: UInt16, Sendable, Hashable { case a = 1, cname = 5, aaaa = 28 }
    enum Problem: Error, Sendable, Hashable {
        case malformed
        /// An answer to another question, or no answer.
        case unexpected
        /// Ask again over TCP.
        case truncated
        case noSuchName
        /// The server's own trouble, by its code.
        case server(UInt8)
    }
    struct Record: Sendable, Hashable {
        var address: String
        /// Seconds.
        var timeToLive: UInt32
    }

    /// More answers than this are not read.
    static let maximumRecords = 256

    /// - Returns: `nil` for what is no domain name.
    static func query(_ name: String, kind: Kind, id: UInt16) -> [UInt8]? {
        guard let labels = encode(name) else { return nil }
        // Recursion desired, one question.
        return [UInt8(id >> 8), UInt8(id & 255), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + labels
            + [0, UInt8(kind.rawValue), 0, 1]
    }

    private static func encode(_ name: String) -> [UInt8]? {
        var name = Substring(name)
        if name.last == "." { name = name.dropLast() }
        var bytes: [UInt8] = []
        for label in name.split(separator: ".", omittingEmptySubsequences: false) {
            guard (1...63).contains(label.utf8.count), label.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
                return nil
            }
            bytes.append(UInt8(label.utf8.count))
            bytes += label.utf8.map { $0 >= 65 && $0 <= 90 ? $0 | 0x20 : $0 }
        }
        return bytes.count <= 253 ? bytes + [0] : nil
    }

    /// Reads the answer to `query`.
    /// - Returns: The addresses of the wanted kind, with the shortest time to live on the way to each.
    static func answer(_ bytes: [UInt8], to query: [UInt8], kind: Kind) throws(Problem) -> [Record] {
        guard bytes.count >= 12, query.count > 12 else { throw .malformed }
        guard bytes[0] == query[0], bytes[1] == query[1], bytes[2] & 0x80 != 0 else { throw .unexpected }
        let question = query[12...]
        guard bytes.count >= query.count, bytes[4] == 0, bytes[5] == 1,
            zip(bytes[12...], question).allSatisfy({ lowercased($0) == $1 })
        else { throw .unexpected }
        guard bytes[2] & 0x02 == 0 else { throw .truncated }
        switch bytes[3] & 15 {
        case 0: break
        case 3: throw .noSuchName
        case let code: throw .server(code)
        }
        let count = min(Int(bytes[6]) << 8 | Int(bytes[7]), maximumRecords)
        return try records(bytes, from: query.count, count: count, kind: kind)
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 { byte >= 65 && byte <= 90 ? byte | 0x20 : byte }

    private static func records(
        _ bytes: [UInt8], from start: Int, count: Int, kind: Kind
    ) throws(Problem) -> [Record] {
        var position = start
        var found: [Record] = []
        var shortest = UInt32.max
        for _ in 0..<count {
            position = try skipName(bytes, position)
            guard position + 10 <= bytes.count else { throw .malformed }
            func number(_ offset: Int) -> Int { Int(bytes[position + offset]) << 8 | Int(bytes[position + offset + 1]) }
            let type = number(0)
            let isInternet = number(2) == 1
            let timeToLive = UInt32(number(4)) << 16 | UInt32(number(6))
            let length = number(8)
            position += 10
            guard position + length <= bytes.count else { throw .malformed }
            let data = bytes[position..<(position + length)]
            position += length
            guard isInternet else { continue }
            if type == Int(Kind.cname.rawValue) { shortest = min(shortest, timeToLive) }
            guard type == Int(kind.rawValue), let address = text(Array(data), kind) else { continue }
            found.append(Record(address: address, timeToLive: min(shortest, timeToLive)))
        }
        return found
    }

    /// A name is skipped, never followed: a pointer ends it, so that no loop of pointers is walked.
    private static func skipName(_ bytes: [UInt8], _ start: Int) throws(Problem) -> Int {
        var position = start
        while position < bytes.count {
            let length = bytes[position]
            if length == 0 { return position + 1 }
            if length & 0xC0 == 0xC0 { return position + 2 }
            guard length & 0xC0 == 0 else { throw .malformed }
            position += 1 + Int(length)
        }
        throw .malformed
    }

    private static func text(_ data: [UInt8], _ kind: Kind) -> String? {
        switch (kind, data.count) {
        case (.a, 4): return data.map(String.init).joined(separator: ".")
        case (.aaaa, 16):
            return stride(from: 0, to: 16, by: 2).map { String(Int(data[$0]) << 8 | Int(data[$0 + 1]), radix: 16) }
                .joined(separator: ":")
        default: return nil
        }
    }
}
