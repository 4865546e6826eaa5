/// Samples of one series, compressed after Facebook's Gorilla paper (VLDB 2015): times by the difference of
/// differences, values by exclusive or with their predecessor. Immutable.
package struct Chunk: Sendable, Hashable {
    package let bytes: [UInt8]
    package let count: Int
    /// Milliseconds since 1970, both included.
    package let minTime: Int64
    package let maxTime: Int64
    let summary: ChunkSummary?

    package init(bytes: [UInt8], count: Int, minTime: Int64, maxTime: Int64) {
        self.init(bytes: bytes, count: count, minTime: minTime, maxTime: maxTime, summary: nil)
    }

    /// - Parameter summary: Of all samples in the bytes, where it is known.
    init(bytes: [UInt8], count: Int, minTime: Int64, maxTime: Int64, summary: ChunkSummary?) {
        self.bytes = bytes
        self.count = count
        self.minTime = minTime
        self.maxTime = maxTime
        self.summary = summary
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
        bytes.withUnsafeBufferPointer { raw in
            ChunkView(bytes: raw, count: count, minTime: minTime, maxTime: maxTime, summary: summary)
                .add(to: &change, from: from, through: through)
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

/// What tells the change over a whole chunk without its samples.
struct ChunkSummary: Sendable, Hashable {
    /// The value of the youngest sample.
    var last: Double
    /// The sum of the values from which the next one was lower.
    var fallen: Double
}

/// A chunk whose bytes lie in somebody else's memory; not to be kept beyond it.
struct ChunkView {
    var bytes: UnsafeBufferPointer<UInt8>
    var count: Int
    var minTime: Int64
    var maxTime: Int64
    var summary: ChunkSummary?

    /// Of all samples, where it is known without reading them: the first value stands behind the first time.
    var whole: WindowChange? {
        guard let summary, count > 0, bytes.count >= 16 else { return nil }
        let bits = UInt64(bigEndian: UnsafeRawBufferPointer(bytes).loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        return WindowChange(
            count: count, from: minTime, through: maxTime, first: Double(bitPattern: bits), last: summary.last,
            fallen: summary.fallen)
    }

    /// Adds the samples in the time to a change. Those that are not younger than its last are left out.
    func add(to change: inout WindowChange, from: Int64, through: Int64) {
        let floor = change.count > 0 ? change.lastTime : Int64.min
        let isWhole = minTime >= from && maxTime <= through && minTime > floor
        if isWhole, let whole { return change.add(whole) }
        guard maxTime >= from, minTime <= through, let base = bytes.baseAddress else { return }
        var decoder = ChunkDecoder(base, byteCount: bytes.count, samples: count)
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
