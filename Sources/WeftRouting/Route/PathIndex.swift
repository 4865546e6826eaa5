import NIOCore

/// Finds the first matching route of many without trying them all.
///
/// Exact paths and prefixes are found by a running hash of the path; only patterns and paths that ignore case are tried
/// one by one. Every place is a list of routes in order, and the lowest that matches wins, so first match still wins.
struct PathIndex: Sendable {
    /// Few routes are tried faster than looked up.
    static let minimumCount = 8

    private let exact: [UInt64: [Int32]]
    private let prefixes: [UInt64: [Int32]]
    /// Lengths at which a prefix may end, ascending.
    private let lengths: [Int]
    /// Routes that are tried one by one.
    private let others: [Int32]

    init(_ matches: [CompiledMatch]) {
        var exact: [UInt64: [Int32]] = [:]
        var prefixes: [UInt64: [Int32]] = [:]
        var lengths: Set<Int> = []
        var others: [Int32] = []
        for (index, match) in matches.enumerated() where !match.isBroken {
            switch match.path {
            case .exact(let text) where match.caseSensitive:
                exact[PathHash.of(text), default: []].append(Int32(index))
            case .prefix(let text) where match.caseSensitive, .separated(let text) where match.caseSensitive:
                prefixes[PathHash.of(text), default: []].append(Int32(index))
                lengths.insert(text.count)
            default: others.append(Int32(index))
            }
        }
        self.exact = exact
        self.prefixes = prefixes
        self.lengths = lengths.sorted()
        self.others = others
    }

    /// - Parameter test: Whether the route at a position matches in every respect.
    func first(_ target: ByteBufferView, where test: (Int) -> Bool) -> Int? {
        var best = Int32.max
        func look(_ candidates: [Int32]) {
            for candidate in candidates {
                guard candidate < best else { return }
                if test(Int(candidate)) {
                    best = candidate
                    return
                }
            }
        }
        target.withUnsafeBytes { bytes in
            var hash = PathHash()
            var done = 0
            for length in lengths {
                guard length <= bytes.count else { break }
                while done < length {
                    hash.add(bytes[done])
                    done += 1
                }
                if let found = prefixes[hash.value] { look(found) }
            }
            guard !exact.isEmpty else { return }
            while done < bytes.count {
                hash.add(bytes[done])
                done += 1
            }
            if let found = exact[hash.value] { look(found) }
        }
        look(others)
        return best == .max ? nil : Int(best)
    }
}

/// FNV-1a with 64 bits, byte by byte. What it finds is compared in full afterwards.
struct PathHash {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    @inline(__always) mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }

    static func of(_ bytes: some Sequence<UInt8>) -> UInt64 {
        var hash = PathHash()
        for byte in bytes { hash.add(byte) }
        return hash.value
    }
}
