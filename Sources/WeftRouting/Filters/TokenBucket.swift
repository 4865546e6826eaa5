import Synchronization
package import WeftIR

/// A bucket that fills continuously (`envoy.type.v3.TokenBucket`).
///
/// Thread-safe: its whole state is one atomic, the moment at which it was last empty. Time is monotonic, in
/// nanoseconds, and given by the caller.
package final class TokenBucket: Sendable {
    package let maxTokens: UInt32
    /// Tokens per second.
    package let fillRate: Double
    /// Seconds, as the bits of a `Double`; may lie in the past as far as one likes: the bucket is full then.
    private let emptySince: Atomic<UInt64>

    /// A full bucket. An interval of 0 counts as the 50 ms that Envoy allows at least.
    package init(_ settings: LocalRateLimit.Bucket) {
        maxTokens = settings.maxTokens
        let interval = Double(max(50, settings.fillIntervalMilliseconds)) / 1_000
        fillRate = Double(max(1, settings.tokensPerFill)) / interval
        emptySince = Atomic((-Double.greatestFiniteMagnitude).bitPattern)
    }

    /// Takes a token.
    /// - Returns: False when there is none.
    package func consume(now: Int64) -> Bool {
        let seconds = Double(now) / 1_000_000_000
        var before = emptySince.load(ordering: .relaxed)
        while true {
            let full = seconds - Double(maxTokens) / fillRate
            let start = max(Double(bitPattern: before), full)
            // A hair is granted, so that rounding does not eat the token that just became due.
            guard (seconds - start) * fillRate + 1e-6 >= 1 else { return false }
            let next = (start + 1 / fillRate).bitPattern
            let (exchanged, original) = emptySince.compareExchange(
                expected: before, desired: next, ordering: .relaxed)
            if exchanged { return true }
            before = original
        }
    }

    /// Whole tokens left.
    package func remaining(now: Int64) -> UInt32 {
        let tokens = (Double(now) / 1_000_000_000 - Double(bitPattern: emptySince.load(ordering: .relaxed))) * fillRate
        return UInt32(max(0, min(Double(maxTokens), tokens + 1e-6)))
    }

    /// Whole seconds until the bucket is full again.
    package func secondsUntilFull(now: Int64) -> UInt64 {
        let missing = Double(maxTokens - remaining(now: now))
        return UInt64((missing / fillRate).rounded(.up))
    }
}
