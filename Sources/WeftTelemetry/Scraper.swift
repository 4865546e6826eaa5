package import Logging

/// A proxy whose metrics can be read.
package struct ScrapeTarget: Sendable, Hashable {
    /// The proxy's node id.
    package var proxy: String
    package var url: String

    package init(proxy: String, url: String) {
        self.proxy = proxy
        self.url = url
    }
}

/// Reads the metrics of every proxy again and again, a few at a time, into a ``TelemetryStore``.
package struct Scraper: Sendable {
    private let store: TelemetryStore
    private let interval: Duration
    private let concurrency: Int
    private let logger: Logger
    private let targets: @Sendable () async -> [ScrapeTarget]
    private let fetch: @Sendable (String) async throws -> [UInt8]

    /// - Parameter fetch: gets the body at a URL, within a time limit of its own.
    package init(
        store: TelemetryStore, interval: Duration = .seconds(5), concurrency: Int = 8, logger: Logger,
        targets: @escaping @Sendable () async -> [ScrapeTarget],
        fetch: @escaping @Sendable (String) async throws -> [UInt8]
    ) {
        self.store = store
        self.interval = interval
        self.concurrency = concurrency
        self.logger = logger
        self.targets = targets
        self.fetch = fetch
    }

    /// Runs until the task is cancelled.
    package func run() async {
        while !Task.isCancelled {
            let start = ContinuousClock.now
            await scrapeAll()
            let rest = interval - (ContinuousClock.now - start)
            try? await Task.sleep(for: max(rest, .milliseconds(100)))
        }
    }

    private func scrapeAll() async {
        let targets = await targets()
        store.keep(only: Set(targets.map(\.proxy)))
        await withTaskGroup(of: Void.self) { group in
            for (index, target) in targets.enumerated() {
                if index >= concurrency { await group.next() }
                group.addTask { await scrape(target) }
            }
        }
    }

    private func scrape(_ target: ScrapeTarget) async {
        do {
            let text = try await fetch(target.url)
            store.add(PrometheusText.samples(in: text, prefix: "istio_"), of: target.proxy, at: .now)
        } catch {
            logger.debug("no metrics from \(target.proxy): \(error)")
        }
    }
}
