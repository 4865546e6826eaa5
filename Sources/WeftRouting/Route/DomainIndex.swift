import NIOCore
import WeftHTTP
import WeftIR

/// Finds the virtual host of an authority: exact, then the longest suffix, then the longest prefix, then any.
///
/// Compares without case and allocates nothing.
struct DomainIndex: Sendable {
    private struct Entry: Sendable {
        let text: [UInt8]
        let host: Int
    }
    private var exact: [UInt64: [Entry]] = [:]
    /// `*.suffix`, hashed from the end.
    private var suffixes: [UInt64: [Entry]] = [:]
    private var suffixLengths: [Int] = []
    /// `prefix.*`
    private var prefixes: [UInt64: [Entry]] = [:]
    private var prefixLengths: [Int] = []
    private var fallback: Int?
    private let ignoresPort: Bool
    /// A domain that is there twice: the domain, and the hosts that have it.
    private(set) var repeated: (domain: String, hosts: (Int, Int))?

    init(_ hosts: [VirtualHost], ignoresPort: Bool) {
        self.ignoresPort = ignoresPort
        for (index, host) in hosts.enumerated() {
            for domain in host.domains {
                if let other = add(domain.utf8.map(ASCII.lowercased), index) {
                    repeated = repeated ?? (domain, (other, index))
                }
            }
        }
        suffixLengths = Set(suffixes.values.joined().map(\.text.count)).sorted()
        prefixLengths = Set(prefixes.values.joined().map(\.text.count)).sorted()
    }

    /// - Returns: The host that has the domain already.
    private mutating func add(_ domain: [UInt8], _ host: Int) -> Int? {
        func note(_ table: inout [UInt64: [Entry]], _ hash: UInt64, _ text: [UInt8]) -> Int? {
            if let known = table[hash]?.first(where: { $0.text == text }) { return known.host }
            table[hash, default: []].append(Entry(text: text, host: host))
            return nil
        }
        if domain == [42] {
            let known = fallback
            fallback = known ?? host
            return known
        }
        if domain.first == 42 {
            let text = Array(domain.dropFirst())
            return note(&suffixes, PathHash.of(text.reversed()), text)
        }
        if domain.last == 42 {
            let text = Array(domain.dropLast())
            return note(&prefixes, PathHash.of(text), text)
        }
        return note(&exact, PathHash.of(domain), domain)
    }

    func host(_ authority: ByteBufferView) -> Int? {
        authority.withUnsafeBytes { bytes in
            let name = UnsafeRawBufferPointer(rebasing: bytes[..<(ignoresPort ? portStart(bytes) : bytes.count)])
            var hash = PathHash()
            for byte in name { hash.add(ASCII.lowercased(byte)) }
            if let found = find(exact, hash.value, name, at: 0, length: name.count) { return found }
            if let found = longestSuffix(name) { return found }
            return longestPrefix(name) ?? fallback
        }
    }

    private func longestSuffix(_ name: UnsafeRawBufferPointer) -> Int? {
        var best: Int?
        var hash = PathHash()
        var done = 0
        for length in suffixLengths {
            guard length < name.count else { break }
            while done < length {
                hash.add(ASCII.lowercased(name[name.count - 1 - done]))
                done += 1
            }
            best = find(suffixes, hash.value, name, at: name.count - length, length: length) ?? best
        }
        return best
    }

    private func longestPrefix(_ name: UnsafeRawBufferPointer) -> Int? {
        var best: Int?
        var hash = PathHash()
        var done = 0
        for length in prefixLengths {
            guard length < name.count else { break }
            while done < length {
                hash.add(ASCII.lowercased(name[done]))
                done += 1
            }
            best = find(prefixes, hash.value, name, at: 0, length: length) ?? best
        }
        return best
    }

    private func find(
        _ table: [UInt64: [Entry]], _ hash: UInt64, _ name: UnsafeRawBufferPointer, at start: Int, length: Int
    ) -> Int? {
        guard let entries = table[hash] else { return nil }
        for entry in entries where entry.text.count == length {
            var index = 0
            while index < length, ASCII.lowercased(name[start + index]) == entry.text[index] { index += 1 }
            if index == length { return entry.host }
        }
        return nil
    }

    /// Where a port begins, or the end.
    private func portStart(_ name: UnsafeRawBufferPointer) -> Int {
        var index = name.count
        while index > 0 {
            let byte = name[index - 1]
            if byte == 58 { return index - 1 }
            guard byte >= 48, byte <= 57 else { return name.count }
            index -= 1
        }
        return name.count
    }
}
