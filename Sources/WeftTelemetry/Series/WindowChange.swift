/// What `rate`, `increase` and `delta` need of the samples in a window, taken in order of time; none is kept.
struct WindowChange: Sendable {
    private(set) var count = 0
    /// Milliseconds since 1970.
    private(set) var firstTime: Int64 = 0
    private(set) var lastTime: Int64 = 0
    private(set) var first = 0.0
    private var last = 0.0
    /// Values from which a counter fell: few.
    private var falls: [Double] = []

    @inline(__always)
    mutating func add(_ time: Int64, _ value: Double) {
        if count == 0 {
            firstTime = time
            first = value
        } else if value < last {
            falls.append(last)
        }
        lastTime = time
        last = value
        count += 1
    }

    /// So many more samples of the same value, the last of them at `time`.
    @inline(__always)
    mutating func repeats(_ more: Int, through time: Int64) {
        count += more
        lastTime = time
    }

    var ofGauge: Double { last - first }
    /// A counter that fell has begun again from zero.
    var ofCounter: Double { falls.reduce(last - first, +) }
}
