/// Writes bits, most significant first, behind the bytes of an array.
struct BitWriter: Sendable {
    private(set) var bytes: [UInt8] = []
    /// Bits in use.
    private(set) var count = 0

    mutating func write(_ value: UInt64, bits: Int) {
        var left = bits
        while left > 0 {
            let used = count & 7
            if used == 0 { bytes.append(0) }
            let taken = min(8 - used, left)
            let part = UInt8(truncatingIfNeeded: (value >> UInt64(left - taken)) & ((1 << UInt64(taken)) - 1))
            bytes[bytes.count - 1] |= part << UInt8(8 - used - taken)
            count += taken
            left -= taken
        }
    }
}

/// Reads bits, most significant first. Reading past the end gives `nil`, whatever the bytes are.
struct BitReader {
    private let base: UnsafePointer<UInt8>
    private let byteCount: Int
    private var position = 0

    /// - Parameter buffer: Outlives the reader.
    init(_ base: UnsafePointer<UInt8>, count: Int) {
        self.base = base
        byteCount = count
    }

    @inline(__always)
    mutating func read(_ bits: Int) -> UInt64? {
        guard position &+ bits <= byteCount &* 8 else { return nil }
        if bits == 0 { return 0 }
        if bits > 56 {
            guard let high = read(bits - 32), let low = read(32) else { return nil }
            return high << 32 | low
        }
        let byte = position >> 3
        var word: UInt64 = 0
        if byte &+ 8 <= byteCount {
            word = UInt64(bigEndian: UnsafeRawPointer(base + byte).loadUnaligned(as: UInt64.self))
        } else {
            for index in 0..<(byteCount - byte) { word |= UInt64(base[byte + index]) << UInt64(56 - 8 * index) }
        }
        let result = (word << UInt64(position & 7)) >> UInt64(64 - bits)
        position &+= bits
        return result
    }

    /// The next 57 bits at the top of a word, or more; `nil` near the end of the bytes.
    @inline(__always)
    var ahead: UInt64? {
        let byte = position >> 3
        guard byte &+ 8 <= byteCount else { return nil }
        let word = UInt64(bigEndian: UnsafeRawPointer(base + byte).loadUnaligned(as: UInt64.self))
        return word << UInt64(position & 7)
    }

    /// Passes over bits that ``ahead`` has shown.
    @inline(__always)
    mutating func skip(_ bits: Int) { position &+= bits }

    /// How many one bits come before the next zero, at most `limit`; the zero is read too.
    @inline(__always)
    mutating func ones(_ limit: Int) -> Int? {
        var count = 0
        while count < limit {
            guard let bit = read(1) else { return nil }
            if bit == 0 { return count }
            count += 1
        }
        return count
    }
}
