import FoundationEssentials
import Logging
import NIOCore
import WeftCore
import WeftKubernetes
import WeftTelemetry

/// The mesh's telemetry: what the proxies count, kept for a day and served under the APIs of Prometheus.
struct Telemetry: Sendable {
    let store: TimeSeriesStore
    let scraper: Scraper
    private let logger = Logger(label: "telemetry")

    /// - Parameters:
    ///   - folder: Where to keep it; in memory alone without one, or where it cannot be used.
    ///   - targets: What to scrape.
    init(
        folder: String?, client: KubernetesClient, targets: @escaping @Sendable () async -> [ScrapeTarget]
    ) throws {
        let logger = Logger(label: "telemetry")
        store = try Self.open(folder, logger)
        scraper = Scraper(
            store: store, logger: logger, now: { Self.now }, targets: targets,
            fetch: { url in
                ScrapeBody(bytes: Array(try await client.fetch(url).readableBytesView), isOpenMetrics: false)
            })
    }

    private static func open(_ folder: String?, _ logger: Logger) throws -> TimeSeriesStore {
        do {
            return try TimeSeriesStore(settings: StoreSettings(folder: folder), logger: logger)
        } catch {
            logger.error("telemetry is kept in memory alone, a restart loses it: \(error)")
            return try TimeSeriesStore(settings: StoreSettings(), logger: logger)
        }
    }

    /// Milliseconds since 1970.
    static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    func run() async {
        await scraper.run()
        store.synchronize()
    }

    /// The live edges; none, and a word in the log, when the store cannot be read.
    func edges() -> [MeshEdge] {
        do {
            return try MeshGraph(source: store).edges(at: Self.now)
        } catch {
            logger.error("no edges: \(error)")
            return []
        }
    }
}
