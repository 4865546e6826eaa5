/// Waiting times that double after each failure, with jitter, up to a limit. Pure: randomness is a parameter.
package struct Backoff: Sendable {
    private let first: Duration
    private let limit: Duration
    private var current: Duration

    package init(first: Duration = .milliseconds(100), limit: Duration = .seconds(10)) {
        self.first = first
        self.limit = limit
        current = first
    }

    /// The time to wait before the next try: between half and the whole of the current step.
    package mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        defer { current = min(current * 2, limit) }
        return current * Double.random(in: 0.5...1, using: &generator)
    }

    package mutating func next() -> Duration {
        var generator = SystemRandomNumberGenerator()
        return next(using: &generator)
    }

    package mutating func reset() { current = first }
}
