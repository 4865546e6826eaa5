import Synchronization
package import WeftIdentity

/// Who may ask for a certificate now: a limit for each caller, and no request twice. Thread-safe; one for each control
/// plane process.
package final class RequestAdmission: Sendable {
    package struct Limits: Sendable, Hashable {
        /// Requests of one identity at once. Pods of one service account start together.
        package var burst = 200.0
        /// Requests of one identity per second, after the burst.
        package var perSecond = 10.0
        /// Requests that are remembered, so that they are not answered again.
        package var remembered = 65_536
        package init() {}
    }
    private struct Bucket {
        var tokens: Double
        var filled: ContinuousClock.Instant
    }
    private struct State {
        var buckets: [SPIFFEIdentity: Bucket] = [:]
        var seen: Set<String> = []
        /// In the order of arrival, as a ring once it is full.
        var order: [String] = []
        var oldest = 0
    }
    private let limits: Limits
    private let now: @Sendable () -> ContinuousClock.Instant
    private let state = Mutex(State())
    /// More identities than this are swept of those that have their full burst again.
    private static let bucketLimit = 16_384

    package init(
        limits: Limits = Limits(), now: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }
    ) {
        self.limits = limits
        self.now = now
    }

    /// Takes one call out of the caller's allowance.
    package func countCall(of identity: SPIFFEIdentity) throws(IdentityError) {
        let now = now()
        let limits = limits
        let isAllowed = state.withLock { state -> Bool in
            if state.buckets.count > Self.bucketLimit {
                state.buckets = state.buckets.filter { Self.fill($0.value, limits, now) < limits.burst }
            }
            let bucket = state.buckets[identity] ?? Bucket(tokens: limits.burst, filled: now)
            let tokens = Self.fill(bucket, limits, now)
            state.buckets[identity] = Bucket(tokens: tokens >= 1 ? tokens - 1 : tokens, filled: now)
            return tokens >= 1
        }
        guard isAllowed else {
            throw IdentityError(
                .limited,
                "\(identity) has asked for too many certificates: more than \(Int(limits.burst)) at once or \(limits.perSecond) a second"
            )
        }
    }

    private static func fill(_ bucket: Bucket, _ limits: Limits, _ now: ContinuousClock.Instant) -> Double {
        min(limits.burst, bucket.tokens + (now - bucket.filled) / .seconds(1) * limits.perSecond)
    }

    /// Remembers a request that is about to be answered.
    ///
    /// A workload makes a new key for each request; the same bytes again are somebody else's copy, or a mistake.
    package func take(_ request: SigningRequest) throws(IdentityError) {
        let limits = limits
        let isNew = state.withLock { state -> Bool in
            guard state.seen.insert(request.fingerprint).inserted else { return false }
            if state.order.count < limits.remembered {
                state.order.append(request.fingerprint)
            } else {
                state.seen.remove(state.order[state.oldest])
                state.order[state.oldest] = request.fingerprint
                state.oldest = (state.oldest + 1) % limits.remembered
            }
            return true
        }
        guard isNew else {
            throw IdentityError(
                .refused, "this CSR was answered before; make a new key and a new request for each certificate")
        }
    }
}
