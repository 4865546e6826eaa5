package import Synchronization
package import WeftHTTP
package import WeftIR

/// Counts of one local rate limit, for statistics. Thread-safe.
package final class RateLimitCounts: Sendable {
    package let enabled = Atomic<Int>(0)
    package let enforced = Atomic<Int>(0)
    package let limited = Atomic<Int>(0)
    package let ok = Atomic<Int>(0)
    package init() {}
}

/// The buckets of one local rate limit: shared by all workers, or made for one connection.
///
/// Thread-safe. The buckets of wildcard descriptors are bounded: the oldest goes when there are too many.
package final class RateLimitBuckets: Sendable {
    private let fallback: TokenBucket?
    private let fixed: [[RateLimitDescriptor.Entry]: TokenBucket]
    private let wildcards: [LocalRateLimit.Descriptor]
    private let dynamic: Mutex<Dynamic>
    private let dynamicLimit: Int

    private struct Dynamic: Sendable {
        var buckets: [[RateLimitDescriptor.Entry]: TokenBucket] = [:]
        var order: [[RateLimitDescriptor.Entry]] = []
    }

    package init(_ settings: LocalRateLimit) {
        fallback = settings.bucket.map(TokenBucket.init)
        var fixed: [[RateLimitDescriptor.Entry]: TokenBucket] = [:]
        for descriptor in settings.descriptors where !descriptor.entries.contains(where: \.value.isEmpty) {
            fixed[descriptor.entries] = TokenBucket(descriptor.bucket)
        }
        self.fixed = fixed
        wildcards = settings.descriptors.filter { $0.entries.contains(where: \.value.isEmpty) }
        dynamicLimit = max(1, Int(settings.maxDynamicDescriptors))
        dynamic = Mutex(Dynamic())
    }

    /// The buckets that a request with these descriptors draws from, the slowest first; without the default one.
    func matching(_ descriptors: [RateLimitDescriptor]) -> [TokenBucket] {
        guard !descriptors.isEmpty, !fixed.isEmpty || !wildcards.isEmpty else { return [] }
        return descriptors.compactMap { bucket($0.entries) }.sorted { $0.fillRate < $1.fillRate }
    }

    var defaultBucket: TokenBucket? { fallback }

    private func bucket(_ entries: [RateLimitDescriptor.Entry]) -> TokenBucket? {
        if let known = fixed[entries] { return known }
        guard
            let template = wildcards.first(where: { candidate in
                candidate.entries.count == entries.count
                    && zip(candidate.entries, entries).allSatisfy {
                        $0.key == $1.key && ($0.value.isEmpty || $0.value == $1.value)
                    }
            })
        else { return nil }
        return dynamic.withLock { state in
            if let known = state.buckets[entries] { return known }
            if state.order.count >= dynamicLimit { state.buckets[state.order.removeFirst()] = nil }
            let made = TokenBucket(template.bucket)
            state.buckets[entries] = made
            state.order.append(entries)
            return made
        }
    }
}

/// A local rate limit, compiled. Decides and counts; what to answer is in ``settings``.
package struct LocalRateLimiter: Sendable {
    package let settings: LocalRateLimit
    package let rules: CompiledRateLimitRules
    /// Of the whole proxy; connections with their own count have ``makeBuckets()``.
    package let buckets: RateLimitBuckets
    package let counts = RateLimitCounts()

    /// The outcome, and the figures of the bucket that was decisive.
    package struct Decision: Sendable {
        package var allowed: Bool
        /// Only looked at: over the limit, but the limit is not enforced for this request.
        package var isShadow = false
        /// `x-ratelimit-*`, when they are wanted.
        package var limit: UInt32?
        package var remaining: UInt32 = 0
        package var resetSeconds: UInt64 = 0
    }

    package init(_ settings: LocalRateLimit) {
        self.settings = settings
        rules = CompiledRateLimitRules(settings.actions, stage: settings.stage)
        buckets = RateLimitBuckets(settings)
    }

    package func makeBuckets() -> RateLimitBuckets { RateLimitBuckets(settings) }
    package var status: UInt16 { settings.status < 400 ? 429 : settings.status }

    /// - Parameters:
    ///   - now: Monotonic nanoseconds.
    ///   - draw: A random number below a million, for shares.
    /// - Returns: `nil` when the limit does not look at this request.
    package func decide(
        _ descriptors: @autoclosure () -> [RateLimitDescriptor], buckets: RateLimitBuckets, now: Int64,
        draw: () -> UInt32
    ) -> Decision? {
        guard draw() < settings.enabled.partsPerMillion else { return nil }
        counts.enabled.wrappingAdd(1, ordering: .relaxed)
        let matched = buckets.matching(descriptors())
        var used: [TokenBucket] = matched
        if let fallback = buckets.defaultBucket, matched.isEmpty || settings.alwaysConsumesDefaultBucket {
            used.append(fallback)
        }
        let refusing = used.first { !$0.consume(now: now) }
        var decision = Decision(allowed: refusing == nil)
        if settings.addsRateLimitHeaders, let shown = refusing ?? used.first {
            decision.limit = shown.maxTokens
            decision.remaining = shown.remaining(now: now)
            decision.resetSeconds = shown.secondsUntilFull(now: now)
        }
        guard refusing != nil else {
            counts.ok.wrappingAdd(1, ordering: .relaxed)
            return decision
        }
        counts.limited.wrappingAdd(1, ordering: .relaxed)
        guard draw() < settings.enforced.partsPerMillion else {
            decision.allowed = true
            decision.isShadow = true
            return decision
        }
        counts.enforced.wrappingAdd(1, ordering: .relaxed)
        return decision
    }
}

extension LocalRateLimiter.Decision {
    /// Adds `x-ratelimit-limit`, `-remaining` and `-reset` (draft version 3).
    package func add(to headers: inout HeaderBlock) {
        guard let limit else { return }
        headers.set("x-ratelimit-limit", String(limit))
        headers.set("x-ratelimit-remaining", String(remaining))
        headers.set("x-ratelimit-reset", String(resetSeconds))
    }
}
