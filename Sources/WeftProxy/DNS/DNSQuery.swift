/// A question that a client asks, and answers to it, on the wire (RFC 1035 section 4). Pure; questions are taken for
/// hostile.
struct DNSQuery: Sendable, Hashable {
    enum Code: UInt8, Sendable, Hashable { case noError = 0, formatError = 1, serverFailure = 2, notImplemented = 4 }
    static let typeA: UInt16 = 1
    static let typeCNAME: UInt16 = 5
    static let typeAAAA: UInt16 = 28

    var id: UInt16
    /// In lower case, without the dot at the end.
    var name: String
    var type: UInt16
    /// Octets of header and question, to be sent back as they came.
    private var head: [UInt8]
    /// What a datagram for this client may hold: 512 octets, or what its OPT record says (RFC 6891).
    var datagramLimit = 512

    /// Why a message is no question that can be answered.
    enum Problem: Error, Sendable, Hashable {
        /// Too short, an answer, or nonsense: nothing goes back, so that nobody can be flooded through us.
        case unanswerable
        /// A header that can be answered with an error.
        case refused(Code)
    }

    init(_ bytes: [UInt8]) throws(Problem) {
        guard bytes.count >= 12, bytes[2] & 0x80 == 0 else { throw .unanswerable }
        id = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
        guard bytes[2] & 0x78 == 0 else { throw .refused(.notImplemented) }
        guard bytes[4] == 0, bytes[5] == 1 else { throw .refused(.formatError) }
        var position = 12
        var labels: [String] = []
        var length = 0
        while true {
            guard position < bytes.count else { throw .refused(.formatError) }
            let count = Int(bytes[position])
            position += 1
            if count == 0 { break }
            length += count + 1
            // A pointer has no place in the only name of a question.
            guard count < 64, length <= 254, position + count <= bytes.count else { throw .refused(.formatError) }
            labels.append(Self.text(bytes[position..<(position + count)]))
            position += count
        }
        guard position + 4 <= bytes.count else { throw .refused(.formatError) }
        name = labels.joined(separator: ".")
        type = UInt16(bytes[position]) << 8 | UInt16(bytes[position + 1])
        guard bytes[position + 2] == 0, bytes[position + 3] == 1 else { throw .refused(.notImplemented) }
        head = Array(bytes[..<(position + 4)])
        datagramLimit = Self.limit(bytes, from: position + 4)
    }

    /// Octets that no host name has become U+FFFD, and so match no name of ours.
    private static func text(_ label: ArraySlice<UInt8>) -> String {
        String(decoding: label.map { $0 >= 65 && $0 <= 90 ? $0 | 0x20 : $0 }, as: UTF8.self)
            .replacing(".", with: "\u{FFFD}")
    }

    /// The size in an OPT record that is the only additional record, as clients send it.
    private static func limit(_ bytes: [UInt8], from start: Int) -> Int {
        guard bytes[11] > 0, start + 5 <= bytes.count, bytes[start] == 0, bytes[start + 1] == 0, bytes[start + 2] == 41
        else { return 512 }
        return min(4096, max(512, Int(bytes[start + 3]) << 8 | Int(bytes[start + 4])))
    }

    /// The octets that an answer must repeat.
    var question: ArraySlice<UInt8> { head[12...] }

    // MARK: - Answers

    /// Addresses of the kind that was asked for; those of the other kind make an empty answer, which says that the name is
    /// there. A datagram that is too small ends in a request to ask over TCP.
    /// - Parameter canonical: the name that the one in the question stands for, if it is another one.
    func answer(_ addresses: [String], canonical: String?, timeToLive: UInt32, isDatagram: Bool) -> [UInt8] {
        var records: [UInt8] = []
        var count = 0
        var owner: [UInt8] = [0xC0, 12]
        if let canonical, let target = Self.encode(canonical) {
            records += record(owner, Self.typeCNAME, timeToLive, target)
            owner = target
            count += 1
        }
        for address in addresses {
            guard let data = Self.octets(address), data.count == (type == Self.typeAAAA ? 16 : 4),
                type == Self.typeA || type == Self.typeAAAA
            else { continue }
            records += record(owner, type, timeToLive, data)
            count += 1
        }
        let isTooLong = isDatagram && head.count + records.count > datagramLimit
        var bytes = header(.noError, isAuthoritative: true)
        if isTooLong {
            bytes[2] |= 0x02
        } else {
            bytes[6] = UInt8(count >> 8 & 255)
            bytes[7] = UInt8(count & 255)
        }
        return bytes + head[12...] + (isTooLong ? [] : records)
    }

    func failure(_ code: Code) -> [UInt8] { header(code, isAuthoritative: false) + head[12...] }

    /// An error for a message whose question cannot be read.
    static func failure(_ code: Code, to bytes: [UInt8]) -> [UInt8] {
        [bytes[0], bytes[1], 0x80 | (bytes[2] & 0x79), 0x80 | code.rawValue, 0, 0, 0, 0, 0, 0, 0, 0]
    }

    private func header(_ code: Code, isAuthoritative: Bool) -> [UInt8] {
        // Response, recursion available; opcode and "recursion desired" as they came.
        [head[0], head[1], 0x80 | (head[2] & 0x79) | (isAuthoritative ? 4 : 0), 0x80 | code.rawValue, 0, 1]
            + [0, 0, 0, 0, 0, 0]
    }

    private func record(_ owner: [UInt8], _ type: UInt16, _ timeToLive: UInt32, _ data: [UInt8]) -> [UInt8] {
        owner + [UInt8(type >> 8), UInt8(type & 255), 0, 1]
            + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: timeToLive >> $0) }
            + [UInt8(data.count >> 8), UInt8(data.count & 255)] + data
    }

    private static func encode(_ name: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        for label in name.split(separator: ".", omittingEmptySubsequences: false) {
            guard (1...63).contains(label.utf8.count) else { return nil }
            bytes.append(UInt8(label.utf8.count))
            bytes += label.utf8
        }
        return bytes.count <= 253 ? bytes + [0] : nil
    }
}

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension DNSQuery {
    /// Four or sixteen octets; `nil` for what is no address.
    static func octets(_ address: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let isLong = address.contains(":")
        let done = bytes.withUnsafeMutableBytes { inet_pton(isLong ? AF_INET6 : AF_INET, address, $0.baseAddress) }
        return done == 1 ? Array(bytes.prefix(isLong ? 16 : 4)) : nil
    }
}
