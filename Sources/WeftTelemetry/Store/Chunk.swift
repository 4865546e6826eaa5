/// Samples of one series, compressed after Facebook's Gorilla paper (VLDB 2015): times by the difference of
/// differences, values by exclusive or with their predecessor. Immutable.
package struct Chunk: Sendable, Hashable {
    package let bytes: [UInt8]
    package let count: Int
    /// Milliseconds since 1970, both included.
    package let minTime: Int64
    package let maxTime: Int64

    package init(bytes: [UInt8], count: Int, minTime: Int64, maxTime: Int64) {
        self.bytes = bytes
        self.count = count
        self.minTime = minTime
        self.maxTime = maxTime
    }

    /// Appends the samples in the time to a buffer, as far as the bytes make sense. Samples that are not younger than
    /// the buffer's last are left out.
    func read(from: Int64, through: Int64, keepingStale: Bool, into buffer: inout SampleBuffer) {
        let floor = buffer.times.last ?? .min
        bytes.withUnsafeBufferPointer { raw in
            guard let base = raw.baseAddress else { return }
            var decoder = ChunkDecoder(base, byteCount: raw.count, samples: count)
            if minTime >= from, maxTime <= through, minTime > floor {
                return Self.readAll(&decoder, keepingStale, into: &buffer)
            }
            while decoder.next() {
                if decoder.time > through { return }
                guard decoder.time >= from, decoder.time > floor else { continue }
                if !keepingStale, StaleMarker.isStale(decoder.value) { continue }
                buffer.append(decoder.time, decoder.value)
            }
        }
    }

    /// All samples, those that repeat the one before a stretch at a time: half of a mesh's series stand still.
    private static func readAll(
        _ decoder: inout ChunkDecoder, _ keepingStale: Bool, into buffer: inout SampleBuffer
    ) {
        while decoder.next() {
            let isKept = keepingStale || !StaleMarker.isStale(decoder.value)
            if isKept { buffer.append(decoder.time, decoder.value) }
            var repeats = decoder.repeats()
            while repeats > 0, decoder.step() {
                repeats -= 1
                if isKept { buffer.append(decoder.time, decoder.value) }
            }
        }
    }

    /// Adds the samples in the time to a change, as ``read(from:through:keepingStale:into:)`` would append them.
    func add(to change: inout WindowChange, from: Int64, through: Int64) {
        let floor = change.count > 0 ? change.lastTime : Int64.min
        bytes.withUnsafeBufferPointer { raw in
            guard let base = raw.baseAddress else { return }
            var decoder = ChunkDecoder(base, byteCount: raw.count, samples: count)
            let isWhole = minTime >= from && maxTime <= through && minTime > floor
            while decoder.next() {
                if !isWhole, decoder.time > through { return }
                let isKept =
                    (isWhole || (decoder.time >= from && decoder.time > floor)) && !StaleMarker.isStale(decoder.value)
                if isKept { change.add(decoder.time, decoder.value) }
                guard isWhole else { continue }
                let repeats = decoder.skipRepeats()
                if isKept, repeats > 0 { change.repeats(repeats, through: decoder.time) }
            }
        }
    }

    /// The number of samples that can be read, for checks.
    package var readableSamples: Int {
        bytes.withUnsafeBufferPointer { raw in
            guard let base = raw.baseAddress else { return 0 }
            var decoder = ChunkDecoder(base, byteCount: raw.count, samples: count)
            var total = 0
            while decoder.next() { total += 1 }
            return total
        }
    }
}

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
        }
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

    /// What has been written so far. Shares the bytes until the next append.
    package var chunk: Chunk { Chunk(bytes: bits.bytes, count: count, minTime: minTime, maxTime: maxTime) }
}
