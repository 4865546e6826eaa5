/// The Huffman code of RFC 7541 (section 5.2, Appendix B).
///
/// The code is canonical, so its bit lengths say everything: codes are numbered upwards by length, then by symbol.
/// Decoding looks at eight bits at a time; the few symbols with longer codes are found by comparing with the first code
/// of each length. Immutable; shared by all threads.
package final class HPACKHuffman: Sendable {
    package static let shared = HPACKHuffman()

    /// Bits of the code of each symbol; the last one is EOS, which never stands for a byte.
    static let lengths: [UInt8] = [
        13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28,
        28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15,
        6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
        15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22,
        20,
        20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23,
        24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22,
        22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27,
        24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26,
        26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
    ]
    private static let endOfString: UInt16 = 256
    private static let longest = 30

    /// Code of each byte, right-aligned.
    private let codes: [UInt32]
    /// For each value of the next eight bits: symbol in the high byte, code length in the low one; 0 for longer codes.
    private let short: [UInt16]
    /// Symbols by code.
    private let sorted: [UInt16]
    /// By code length: the first code, how many there are, and where their symbols start in ``sorted``.
    private let firstCode: [UInt32]
    private let codeCount: [UInt32]
    private let firstIndex: [Int]

    private init() {
        let order = (0...256).sorted { (Self.lengths[$0], $0) < (Self.lengths[$1], $1) }
        var codes = [UInt32](repeating: 0, count: 257)
        var short = [UInt16](repeating: 0, count: 256)
        var first = [UInt32](repeating: 0, count: Self.longest + 1)
        var count = first
        var index = [Int](repeating: 0, count: Self.longest + 1)
        var code: UInt32 = 0
        var previous = 5
        for (position, symbol) in order.enumerated() {
            let length = Int(Self.lengths[symbol])
            code <<= UInt32(length - previous)
            previous = length
            if count[length] == 0 {
                first[length] = code
                index[length] = position
            }
            count[length] += 1
            codes[symbol] = code
            if length <= 8 {
                let low = Int(code) << (8 - length)
                for slot in low..<(low + 1 << (8 - length)) { short[slot] = UInt16(symbol) << 8 | UInt16(length) }
            }
            code += 1
        }
        self.codes = codes
        self.short = short
        sorted = order.map(UInt16.init)
        firstCode = first
        codeCount = count
        firstIndex = index
    }

    /// Bytes that `source` takes when coded.
    func encodedCount(_ source: UnsafeBufferPointer<UInt8>) -> Int {
        Self.lengths.withUnsafeBufferPointer { lengths in
            var bits = 0
            for byte in source { bits += Int(lengths[Int(byte)]) }
            return (bits + 7) >> 3
        }
    }

    /// Writes the code of `source` to `target`, which has room for ``encodedCount(_:)`` bytes.
    /// - Returns: bytes written.
    func encode(_ source: UnsafeBufferPointer<UInt8>, to target: UnsafeMutablePointer<UInt8>) -> Int {
        var pending: UInt64 = 0
        var bits: UInt64 = 0
        var written = 0
        for byte in source {
            let length = UInt64(Self.lengths[Int(byte)])
            pending = pending << length | UInt64(codes[Int(byte)])
            bits += length
            while bits >= 8 {
                bits -= 8
                target[written] = UInt8(truncatingIfNeeded: pending >> bits)
                written += 1
            }
        }
        if bits > 0 {
            // Padded with the first bits of EOS, all ones.
            target[written] = UInt8(truncatingIfNeeded: pending << (8 - bits) | (0xFF >> bits))
            written += 1
        }
        return written
    }

    /// Decodes `source` to `target`, which has room for `source.count * 8 / 5` bytes.
    /// - Returns: bytes written; `nil` for EOS in the text and for padding that is too long or not all ones.
    func decode(_ source: UnsafeBufferPointer<UInt8>, to target: UnsafeMutablePointer<UInt8>) -> Int? {
        short.withUnsafeBufferPointer { short in
            var pending: UInt64 = 0  // left-aligned
            var bits = 0
            var position = 0
            var written = 0
            while true {
                while bits <= 56, position < source.count {
                    pending |= UInt64(source[position]) << UInt64(56 - bits)
                    bits += 8
                    position += 1
                }
                if bits == 0 { return written }
                let entry = short[Int(pending >> 56)]
                let length = Int(entry & 0xFF)
                if length != 0, length <= bits {
                    target[written] = UInt8(truncatingIfNeeded: entry >> 8)
                    written += 1
                    pending <<= UInt64(length)
                    bits -= length
                    continue
                }
                if bits < 8 {
                    return pending >> UInt64(64 - bits) == (1 << UInt64(bits)) - 1 ? written : nil
                }
                guard let (symbol, length) = longCode(UInt32(pending >> 32)), length <= bits,
                    symbol != Self.endOfString
                else { return nil }
                target[written] = UInt8(truncatingIfNeeded: symbol)
                written += 1
                pending <<= UInt64(length)
                bits -= length
            }
        }
    }

    /// The symbol whose code of more than eight bits begins `word`.
    private func longCode(_ word: UInt32) -> (symbol: UInt16, length: Int)? {
        for length in 9...Self.longest where codeCount[length] > 0 {
            let code = word >> UInt32(32 - length)
            if code >= firstCode[length], code - firstCode[length] < codeCount[length] {
                return (sorted[firstIndex[length] + Int(code - firstCode[length])], length)
            }
        }
        return nil
    }
}
