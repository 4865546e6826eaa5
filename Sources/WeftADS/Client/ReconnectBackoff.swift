/// How long to wait before the next attempt: doubles up to a limit, with jitter so that proxies do not come back as a herd.
package struct ReconnectBackoff: Sendable, Hashable {
    package var initial = Duration.milliseconds(500)
    package var maximum = Duration.seconds(15)
    private var attempts = 0

    package init() {}

    package mutating func reset() { attempts = 0 }

    /// - Parameter random: from 0 up to 1.
    /// - Returns: between half of the step and the whole of it.
    package mutating func next(random: Double) -> Duration {
        let step = min(initial * (1 << min(attempts, 16)), maximum)
        attempts += 1
        return step * (0.5 + 0.5 * min(max(random, 0), 1))
    }
}
