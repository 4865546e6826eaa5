import Synchronization

/// The last minute of scrapes of every proxy. Safe to use from anywhere.
package final class TelemetryStore: Sendable {
    private struct Scrape {
        var at: ContinuousClock.Instant
        var samples: [MetricSample]
    }
    private let scrapes = Mutex<[String: [Scrape]]>([:])
    private let window: Duration

    package init(window: Duration = .seconds(60)) { self.window = window }

    /// Takes one scrape of one proxy and lets go of what is older than the window.
    package func add(_ samples: [MetricSample], of proxy: String, at instant: ContinuousClock.Instant) {
        scrapes.withLock { scrapes in
            var ring = scrapes[proxy] ?? []
            ring.append(Scrape(at: instant, samples: samples))
            // One scrape from before the window stays, so that the window is covered whole.
            while ring.count > 2, instant - ring[1].at >= window { ring.removeFirst() }
            scrapes[proxy] = ring
        }
    }

    /// Forgets proxies that are gone.
    package func keep(only proxies: Set<String>) {
        scrapes.withLock { $0 = $0.filter { proxies.contains($0.key) } }
    }

    /// The edges of the window, or of what has been seen of it.
    package func edges() -> [MeshEdge] {
        let pairs = scrapes.withLock { scrapes in
            scrapes.values.compactMap { ring -> ScrapePair? in
                guard let first = ring.first, let last = ring.last, ring.count > 1 else { return nil }
                let elapsed = last.at - first.at
                return ScrapePair(first: first.samples, last: last.samples, seconds: elapsed / .seconds(1))
            }
        }
        return EdgeCalculator.edges(from: pairs)
    }
}
