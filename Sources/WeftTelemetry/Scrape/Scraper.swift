package import Logging
import Synchronization

/// A proxy, or another program, whose metrics can be read.
package struct ScrapeTarget: Sendable, Hashable {
    package var url: String
    /// `job`, `instance` and what else all its series get.
    package var labels: [String: String]
    /// When it had counted nothing yet, milliseconds since 1970; `nil` where nobody knows. Says nothing about which
    /// target it is.
    package var began: Int64?

    package init(url: String, labels: [String: String], began: Int64? = nil) {
        self.url = url
        self.labels = labels
        self.began = began
    }

    package static func == (left: ScrapeTarget, right: ScrapeTarget) -> Bool {
        left.url == right.url && left.labels == right.labels
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(url)
        hasher.combine(labels)
    }
}

/// How a target did at its last scrape.
package struct TargetStatus: Sendable, Hashable {
    package var target: ScrapeTarget
    /// Milliseconds since 1970; `nil` before the first scrape.
    package var lastScrape: Int64?
    package var seconds: Double
    package var error: String?
    /// Why lines were left out, of a scrape that worked.
    package var warning: String?

    package init(target: ScrapeTarget, lastScrape: Int64? = nil, seconds: Double, error: String? = nil) {
        self.target = target
        self.lastScrape = lastScrape
        self.seconds = seconds
        self.error = error
    }
}

/// The body at a URL.
package struct ScrapeBody: Sendable {
    package var bytes: [UInt8]
    package var isOpenMetrics: Bool

    package init(bytes: [UInt8], isOpenMetrics: Bool) {
        self.bytes = bytes
        self.isOpenMetrics = isOpenMetrics
    }
}

/// Reads the metrics of every target again and again, a few at a time, into a ``TimeSeriesStore``.
package final class Scraper: Sendable {
    private struct Tracked {
        var session: ScrapeSession
        var status: TargetStatus
    }
    private struct State {
        var targets: [ScrapeTarget: Tracked] = [:]
        var metadata: [String: MetricMetadata] = [:]
    }
    private let store: TimeSeriesStore
    private let interval: Duration?
    private let concurrency: Int
    private let limits: ScrapeLimits
    private let logger: Logger
    private let now: @Sendable () -> Int64
    private let targets: @Sendable () async -> [ScrapeTarget]
    private let fetch: @Sendable (String) async throws -> ScrapeBody
    private let state = Mutex(State())

    /// - Parameters:
    ///   - interval: `nil` chooses by the number of targets, see ``pause(_:)``.
    ///   - now: Milliseconds since 1970.
    ///   - fetch: Gets the body at a URL, within limits of time and size of its own.
    package init(
        store: TimeSeriesStore, interval: Duration? = nil, concurrency: Int = 16, limits: ScrapeLimits = ScrapeLimits(),
        logger: Logger, now: @escaping @Sendable () -> Int64,
        targets: @escaping @Sendable () async -> [ScrapeTarget],
        fetch: @escaping @Sendable (String) async throws -> ScrapeBody
    ) {
        self.store = store
        self.interval = interval
        self.concurrency = concurrency
        self.limits = limits
        self.logger = logger
        self.now = now
        self.targets = targets
        self.fetch = fetch
    }

    /// Runs until the task is cancelled.
    package func run() async {
        while !Task.isCancelled {
            let start = ContinuousClock.now
            await scrapeAll()
            let count = state.withLock { $0.targets.count }
            let rest = (interval ?? Self.pause(count)) - (ContinuousClock.now - start)
            try? await Task.sleep(for: max(rest, .milliseconds(100)))
        }
    }

    /// Between two scrapes of `count` targets: a small mesh is shown at once, and a large one costs no more than a
    /// middling one.
    package static func pause(_ count: Int) -> Duration {
        switch count {
        case ...20: .seconds(1)
        case ...50: .seconds(2)
        case ...150: .seconds(5)
        default: .seconds(15)
        }
    }

    package var statuses: [TargetStatus] {
        state.withLock { $0.targets.values.map(\.status) }.sorted { $0.target.url < $1.target.url }
    }
    package var metadata: [String: MetricMetadata] { state.withLock { $0.metadata } }

    /// One scrape of every target; targets that are gone end.
    package func scrapeAll() async {
        let wanted = Set(await targets())
        let time = now()
        let gone = state.withLock { state in
            let gone = state.targets.filter { !wanted.contains($0.key) }.map(\.value.session)
            // The same address under other labels is the same program: it goes on counting.
            let left = Dictionary(
                state.targets.filter { !wanted.contains($0.key) }.map { ($0.key.url, $0.value.session.lastScrape) }
            ) { first, _ in first }
            state.targets = state.targets.filter { wanted.contains($0.key) }
            for target in wanted where state.targets[target] == nil {
                let session = ScrapeSession(
                    store: store, labels: target.labels, limits: limits,
                    began: (left[target.url] ?? nil) ?? target.began)
                state.targets[target] = Tracked(session: session, status: TargetStatus(target: target, seconds: 0))
            }
            return gone
        }
        for session in gone { session.end(at: time) }
        await withTaskGroup(of: Void.self) { group in
            for (index, target) in wanted.sorted(by: { $0.url < $1.url }).enumerated() {
                if index >= concurrency { await group.next() }
                group.addTask { await self.scrape(target) }
            }
        }
        store.synchronize()
    }

    private func scrape(_ target: ScrapeTarget) async {
        guard let session = state.withLock({ $0.targets[target]?.session }) else { return }
        let time = now()
        let start = ContinuousClock.now
        var status = TargetStatus(target: target, lastScrape: time, seconds: 0)
        do {
            let body = try await fetch(target.url)
            status.seconds = (ContinuousClock.now - start) / .seconds(1)
            let outcome = session.ingest(
                body.bytes, openMetrics: body.isOpenMetrics, at: time, seconds: status.seconds)
            if let problem = outcome.problem {
                status.warning = "\(outcome.badLines) lines left out; the first: \(problem)"
            }
            // Families that nobody has now are forgotten when strangers' names would fill the table.
            state.withLock { state in
                if state.metadata.count > 10_000 { state.metadata = [:] }
                state.metadata.merge(outcome.metadata) { $1 }
            }
        } catch {
            status.seconds = (ContinuousClock.now - start) / .seconds(1)
            status.error = "\(error)"
            session.failed(at: time, seconds: status.seconds)
        }
        note(status)
    }

    private func note(_ status: TargetStatus) {
        let before = state.withLock { state in
            let before = state.targets[status.target]?.status
            state.targets[status.target]?.status = status
            return before
        }
        if let warning = status.warning, before?.warning != warning {
            logger.warning("\(status.target.url): \(warning)")
        }
        if let error = status.error, before?.error == nil {
            logger.debug("no metrics from \(status.target.url): \(error)")
        }
    }
}
