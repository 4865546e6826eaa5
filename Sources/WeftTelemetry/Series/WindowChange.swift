/// What `rate`, `increase` and `delta` need of the samples in a window, taken in order of time; none is kept.
package struct WindowChange: Sendable, Hashable {
    package private(set) var count = 0
    /// Milliseconds since 1970.
    private(set) var firstTime: Int64 = 0
    private(set) var lastTime: Int64 = 0
    private(set) var first = 0.0
    private var last = 0.0
    /// The sum of the values from which a counter fell.
    private var fallen = 0.0

    init() {}

    /// Of samples that were summed up when they were written.
    init(count: Int, from firstTime: Int64, through lastTime: Int64, first: Double, last: Double, fallen: Double) {
        (self.count, self.firstTime, self.lastTime) = (count, firstTime, lastTime)
        (self.first, self.last, self.fallen) = (first, last, fallen)
    }

    @inline(__always)
    mutating func add(_ time: Int64, _ value: Double) {
        if count == 0 {
            firstTime = time
            first = value
        } else if value < last {
            fallen += last
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

    /// Joins the change of samples that are all younger than these.
    @inline(__always)
    mutating func add(_ later: WindowChange) {
        guard later.count > 0 else { return }
        guard count > 0 else {
            self = later
            return
        }
        if later.first < last { fallen += last }
        fallen += later.fallen
        (lastTime, last) = (later.lastTime, later.last)
        count += later.count
    }

    var ofGauge: Double { last - first }
    /// A counter that fell has begun again from zero.
    var ofCounter: Double { last - first + fallen }
}
