/// Builds a chunk, sample by sample in order of time.
package struct ChunkEncoder: Sendable {
    /// Bits of a change in the time's difference, by the number of one bits before it.
    static let widths = [0, 10, 14, 20, 64]

    private var bits = BitWriter()
    package private(set) var count = 0
    package private(set) var minTime: Int64 = 0
    package private(set) var maxTime: Int64 = 0
    private var delta: Int64 = 0
    package private(set) var lastValue = 0.0
    /// As in ``ChunkSummary``; NaN where a value is none, and the samples must be read.
    private var fallen = 0.0
    private var leading = 0
    private var meaningful = 0

    package init() {}

    /// - Returns: Whether the sample was taken: it must be younger than the one before.
    @discardableResult
    package mutating func append(_ time: Int64, _ value: Double) -> Bool {
        if count == 0 {
            bits.write(UInt64(bitPattern: time), bits: 64)
            bits.write(value.bitPattern, bits: 64)
            minTime = time
        } else {
            let (next, overflow) = time.subtractingReportingOverflow(maxTime)
            guard time > maxTime, !overflow else { return false }
            writeTime(next &- delta)
            delta = next
            writeValue(lastValue.bitPattern ^ value.bitPattern)
            if value < lastValue { fallen += lastValue }
        }
        if value.isNaN { fallen = .nan }
        maxTime = time
        lastValue = value
        count += 1
        return true
    }

    private mutating func writeTime(_ change: Int64) {
        guard change != 0 else { return bits.write(0, bits: 1) }
        for prefix in 1...4 {
            let width = Self.widths[prefix]
            guard width == 64 || (change >= -(1 << Int64(width - 1)) && change < 1 << Int64(width - 1)) else {
                continue
            }
            // `prefix` ones, and a zero unless it is the longest.
            bits.write(prefix == 4 ? 0b1111 : (1 << UInt64(prefix + 1)) - 2, bits: min(prefix + 1, 4))
            bits.write(UInt64(bitPattern: change), bits: width)
            return
        }
    }

    private mutating func writeValue(_ difference: UInt64) {
        guard difference != 0 else { return bits.write(0, bits: 1) }
        let lead = difference.leadingZeroBitCount
        let trail = difference.trailingZeroBitCount
        if meaningful > 0, lead >= leading, trail >= 64 - leading - meaningful {
            bits.write(0b10, bits: 2)
        } else {
            leading = lead
            meaningful = 64 - lead - trail
            bits.write(0b11, bits: 2)
            bits.write(UInt64(lead), bits: 6)
            bits.write(UInt64(meaningful - 1), bits: 6)
        }
        bits.write(difference >> UInt64(64 - leading - meaningful), bits: meaningful)
    }

    private var summary: ChunkSummary? { fallen.isNaN ? nil : ChunkSummary(last: lastValue, fallen: fallen) }

    /// What has been written so far. Shares the bytes until the next append.
    package var chunk: Chunk {
        Chunk(bytes: bits.bytes, count: count, minTime: minTime, maxTime: maxTime, summary: summary)
    }

    /// The change over all samples, where it is known without reading them.
    func change() -> WindowChange? {
        bits.bytes.withUnsafeBufferPointer {
            ChunkView(bytes: $0, count: count, minTime: minTime, maxTime: maxTime, summary: summary).whole
        }
    }
}
