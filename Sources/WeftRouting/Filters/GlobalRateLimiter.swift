package import Synchronization
package import WeftHTTP
package import WeftIR

/// Counts of one global rate limit, for statistics. Thread-safe.
package final class GlobalRateLimitCounts: Sendable {
    package let ok = Atomic<Int>(0)
    package let overLimit = Atomic<Int>(0)
    package let error = Atomic<Int>(0)
    package let failureModeAllowed = Atomic<Int>(0)
    init() {}
}

/// A global rate limit, compiled: what its service is asked, and what an answer means. Immutable but for its counts; does
/// no I/O.
package struct GlobalRateLimiter: Sendable {
    package let settings: GlobalRateLimit
    package let counts = GlobalRateLimitCounts()
    private let rules: CompiledRateLimitRules

    package init(_ settings: GlobalRateLimit) {
        self.settings = settings
        rules = CompiledRateLimitRules(settings.rules, stage: settings.stage)
    }

    /// What the service is asked about; empty: the request is not limited.
    /// - Parameters:
    ///   - own: The route's configuration of this filter, with its rules compiled.
    ///   - limits: The rate limits of the route and its virtual host.
    ///   - view: Made only when there is something to count.
    package func descriptors(
        _ own: (settings: GlobalRateLimit.PerRoute, rules: CompiledRateLimitRules)?, _ limits: RouteRateLimits?,
        view: () -> RateLimitView
    ) -> [RateLimitDescriptor] {
        let sources: [CompiledRateLimitRules]
        if let own, !own.rules.isEmpty {
            sources = [own.rules]
        } else if !rules.isEmpty {
            sources = [rules]
        } else {
            let option = own?.settings.virtualHostLimits ?? .override
            sources = limits?.rules(stage: settings.stage, option) ?? []
        }
        guard !sources.isEmpty else { return [] }
        let view = view()
        return sources.flatMap { $0.descriptors(view) }
    }

    /// The domain to ask in.
    package func domain(_ own: GlobalRateLimit.PerRoute?) -> String {
        own.map { $0.domain.isEmpty ? settings.domain : $0.domain } ?? settings.domain
    }

    package var status: UInt16 { settings.status < 400 ? 429 : settings.status }
}

/// What the service says of one descriptor.
package struct QuotaStatus: Sendable, Hashable {
    package var requestsPerUnit: UInt32
    /// The unit in seconds; `nil` when it is not known.
    package var windowSeconds: UInt64?
    package var name: String
    package var remaining: UInt32
    package var resetSeconds: UInt64

    package init(
        requestsPerUnit: UInt32, windowSeconds: UInt64?, name: String = "", remaining: UInt32, resetSeconds: UInt64
    ) {
        self.requestsPerUnit = requestsPerUnit
        self.windowSeconds = windowSeconds
        self.name = name
        self.remaining = remaining
        self.resetSeconds = resetSeconds
    }
}

extension [QuotaStatus] {
    /// `x-ratelimit-limit`, `-remaining` and `-reset` (draft-polli-ratelimit-headers-03): the figures of the status with
    /// the least left, and the policies of all.
    package var headers: HeaderBlock {
        var headers = HeaderBlock()
        guard let least = self.min(by: { $0.remaining < $1.remaining }) else { return headers }
        let policies = compactMap { status -> String? in
            guard let window = status.windowSeconds else { return nil }
            let name = status.name.isEmpty ? "" : ";name=\"\(status.name)\""
            return ", \(status.requestsPerUnit);w=\(window)\(name)"
        }
        headers.append("x-ratelimit-limit", "\(least.requestsPerUnit)\(policies.joined())")
        headers.append("x-ratelimit-remaining", String(least.remaining))
        headers.append("x-ratelimit-reset", String(least.resetSeconds))
        return headers
    }
}
