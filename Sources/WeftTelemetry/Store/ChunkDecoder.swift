/// Reads one chunk, sample by sample.
struct ChunkDecoder {
    private var bits: BitReader
    private var left: Int
    private var isFirst = true
    private(set) var time: Int64 = 0
    private(set) var value = 0.0
    private var delta: Int64 = 0
    private var leading = 0
    private var meaningful = 64

    init(_ base: UnsafePointer<UInt8>, byteCount: Int, samples: Int) {
        bits = BitReader(base, count: byteCount)
        left = samples
    }

    /// - Returns: Whether there was another sample; false also where the bytes make no sense.
    @inline(__always)
    mutating func next() -> Bool {
        guard left > 0 else { return false }
        left -= 1
        if isFirst {
            isFirst = false
            guard let time = bits.read(64), let value = bits.read(64) else { return stop() }
            self.time = Int64(bitPattern: time)
            self.value = Double(bitPattern: value)
            return true
        }
        // Most samples come in step, with the same value or one that differs where the one before did: one look at
        // the bits tells.
        if let word = bits.ahead, word >> 63 == 0 {
            if word >> 62 == 0 {
                bits.skip(2)
                return step() || stop()
            }
            if word >> 61 == 0b010, meaningful <= 54 {
                value = Double(
                    bitPattern: value.bitPattern
                        ^ ((word << 3) >> UInt64(64 - meaningful)) << UInt64(64 - leading - meaningful))
                bits.skip(3 + meaningful)
                return step() || stop()
            }
        }
        guard readTime(), readValue() else { return stop() }
        return true
    }

    /// How many of the next samples have the value of this one and come in step; each is taken by ``step()``.
    @inline(__always)
    mutating func repeats() -> Int {
        guard left > 0, let word = bits.ahead else { return 0 }
        let count = min(left, min(word.leadingZeroBitCount, 56) / 2)
        bits.skip(count * 2)
        left -= count
        return count
    }

    /// Passes over the next samples that have the value of this one and come in step.
    /// - Returns: how many they were.
    @inline(__always)
    mutating func skipRepeats() -> Int {
        var all = 0
        while true {
            let count = repeats()
            guard count > 0 else { return all }
            let (span, overflow) = delta.multipliedReportingOverflow(by: Int64(count))
            let (next, overflows) = time.addingReportingOverflow(span)
            guard !overflow, !overflows else {
                left = 0
                return all
            }
            time = next
            all += count
        }
    }

    /// The time of a sample that comes in step; `false` where the bytes make no sense.
    @inline(__always)
    mutating func step() -> Bool {
        let (next, overflow) = time.addingReportingOverflow(delta)
        time = next
        if overflow { left = 0 }
        return !overflow
    }

    private mutating func stop() -> Bool {
        left = 0
        return false
    }

    @inline(__always)
    private mutating func readTime() -> Bool {
        guard let prefix = bits.ones(4) else { return false }
        if prefix > 0 {
            let width = ChunkEncoder.widths[prefix]
            guard let raw = bits.read(width) else { return false }
            // The field holds a number in two's complement.
            let change = Int64(bitPattern: raw << UInt64(64 - width)) >> Int64(64 - width)
            delta = delta &+ change
        }
        let (next, overflow) = time.addingReportingOverflow(delta)
        guard !overflow else { return false }
        time = next
        return true
    }

    @inline(__always)
    private mutating func readValue() -> Bool {
        guard let changed = bits.read(1) else { return false }
        guard changed == 1 else { return true }
        guard let newWindow = bits.read(1) else { return false }
        if newWindow == 1 {
            guard let lead = bits.read(6), let size = bits.read(6) else { return false }
            leading = Int(lead)
            meaningful = Int(size) + 1
            guard leading + meaningful <= 64 else { return false }
        }
        guard let raw = bits.read(meaningful) else { return false }
        value = Double(bitPattern: value.bitPattern ^ (raw << UInt64(64 - leading - meaningful)))
        return true
    }
}
