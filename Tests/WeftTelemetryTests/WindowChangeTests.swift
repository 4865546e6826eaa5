import Testing

@testable import WeftTelemetry

/// The change over a window, read without keeping samples, is that of the samples.
@Suite struct WindowChangeTests {
    private struct Dice: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    /// Chunks that overlap, stand still, fall, jump in time and end.
    private func series(_ dice: inout Dice) -> SelectedSeries {
        var chunks: [Chunk] = []
        var (time, value) = (Int64(1_000_000), 0.0)
        for _ in 0..<Int.random(in: 1...4, using: &dice) {
            var encoder = ChunkEncoder()
            if Int.random(in: 0..<4, using: &dice) == 0 { time -= 40_000 }
            for _ in 0..<Int.random(in: 1...130, using: &dice) {
                switch Int.random(in: 0..<40, using: &dice) {
                case 0: value = 0
                case 1: time += Int64.random(in: 1...30_000, using: &dice)
                case 2..<12: value += Double(Int.random(in: 1...9, using: &dice))
                default: break
                }
                time += 15_000
                let isStale = Int.random(in: 0..<60, using: &dice) == 0
                encoder.append(time, isStale ? StaleMarker.value : value)
            }
            chunks.append(encoder.chunk)
        }
        return SelectedSeries(labels: Labels([]), chunks: chunks)
    }

    @Test(arguments: [PromQLFunction.rate, .increase, .delta])
    func isThatOfTheSamples(_ function: PromQLFunction) {
        var dice = Dice(state: 7)
        var compared = 0
        for _ in 0..<2_000 {
            let series = series(&dice)
            let end = 1_000_000 + Int64.random(in: 0...6_000_000, using: &dice)
            let start = end - Int64.random(in: 30_000...4_000_000, using: &dice)
            var buffer = SampleBuffer()
            series.read(from: start, through: end, keepingStale: false, into: &buffer)
            let change = series.change(from: start, through: end)
            #expect(change.count == buffer.count)
            let value = RangeMath.extrapolated(function, change, start, end)
            guard buffer.count > 1 else {
                #expect(StaleMarker.isStale(value))
                continue
            }
            let wanted = RangeMath.apply(
                function, buffer, 0..<buffer.count, start: start, end: end, now: end, parameters: (0, 0))
            #expect(value.bitPattern == wanted.bitPattern)
            compared += 1
        }
        #expect(compared > 500)
    }
}
