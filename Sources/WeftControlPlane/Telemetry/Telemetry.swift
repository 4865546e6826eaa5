import FoundationEssentials
import Hummingbird
import Logging
import NIOCore
import WeftADS
import WeftAdmin
import WeftCore
import WeftKubernetes
import WeftTelemetry

/// The mesh's telemetry: what the proxies count and the spans they send, kept for a day and served under the APIs of
/// Prometheus and Jaeger.
struct Telemetry: Sendable {
    let store: TimeSeriesStore
    let spans: SpanStore
    let scraper: Scraper
    private let remoteWriter: RemoteWriter?
    private let externalPrometheus: ExternalTool?
    private let externalJaeger: ExternalTool?
    private let settings: ControlPlaneSettings
    private let logger = Logger(label: "telemetry")

    /// - Parameter targets: What to scrape.
    init(
        settings: ControlPlaneSettings, client: KubernetesClient,
        targets: @escaping @Sendable () async -> [ScrapeTarget]
    ) throws {
        self.settings = settings
        let logger = Logger(label: "telemetry")
        store = try Self.open(settings.telemetryFolder, logger) { folder in
            try TimeSeriesStore(settings: StoreSettings(folder: folder.map { $0 + "/series" }), logger: logger)
        }
        spans = try Self.open(settings.telemetryFolder, logger) { folder in
            var spans = SpanStoreSettings(folder: folder.map { $0 + "/spans" })
            spans.memoryLimit = settings.spanMemory
            return try SpanStore(settings: spans, logger: logger)
        }
        scraper = Scraper(
            store: store, logger: logger, now: { Self.now }, targets: targets,
            fetch: { url in
                ScrapeBody(bytes: Array(try await client.fetch(url).readableBytesView), isOpenMetrics: false)
            })
        let fetch: ExternalTool.Fetch = { url in
            let answer = try await client.answer(of: url)
            return ExternalTool.Answer(
                status: answer.status, type: answer.type, body: Array(answer.body.readableBytesView))
        }
        externalPrometheus = try settings.prometheusURL.map { try ExternalTool(.prometheus, base: $0, fetch: fetch) }
        externalJaeger = try settings.tracingURL.map { try ExternalTool(.jaeger, base: $0, fetch: fetch) }
        let headers = [
            ("content-type", "application/x-protobuf"), ("content-encoding", "snappy"),
            ("x-prometheus-remote-write-version", "0.1.0"), ("user-agent", "weft/\(WeftVersion.current)"),
        ]
        remoteWriter = settings.remoteWriteURL.map { [store] url in
            RemoteWriter(source: store, logger: logger, now: { Self.now }) { body in
                try await client.post(url, body: body, headers: headers)
            }
        }
    }

    /// Without a folder that can be used, telemetry lives in memory.
    private static func open<Store>(
        _ folder: String?, _ logger: Logger, _ make: (String?) throws -> Store
    ) throws -> Store {
        do {
            return try make(folder)
        } catch {
            logger.error("telemetry is kept in memory alone, a restart loses it: \(error)")
            return try make(nil)
        }
    }

    /// Milliseconds since 1970.
    static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    // MARK: - Service

    /// Scrapes and serves until the task is cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await scraper.run() }
            if let remoteWriter { group.addTask { await remoteWriter.run() } }
            for (name, port, router) in ports {
                group.addTask {
                    let sockets: [HTTPService.Socket] = [.address(host: settings.bind, port: port)]
                    await serve(name, port) {
                        try await HTTPService(router: router(), sockets: sockets, logger: logger).run()
                    }
                }
            }
            group.addTask {
                let receiver = SpanReceiver(store: spans)
                await serve("OTLP over gRPC", settings.openTelemetryPort) {
                    try await GRPCHost(
                        host: settings.bind, port: settings.openTelemetryPort, certificate: nil,
                        services: [TraceCollectorService { try receiver.export($0) }]
                    ).run()
                }
            }
        }
        store.synchronize()
    }

    /// A port that cannot be had costs this one tool its data, not the mesh its control plane.
    private func serve(_ name: String, _ port: Int, _ body: @Sendable () async throws -> Void) async {
        do {
            try await body()
        } catch {
            guard !Task.isCancelled else { return }
            logger.error("\(name) is not served: port \(port): \(error)")
        }
    }

    private var ports: [(name: String, port: Int, router: @Sendable () -> Router<BasicRequestContext>)] {
        let routes = routes
        return [
            ("Prometheus's API", settings.prometheusPort, { routes.prometheusRouter() }),
            ("Jaeger's API", settings.jaegerPort, { routes.jaegerRouter() }),
            ("OTLP over HTTP", settings.openTelemetryHTTPPort, { routes.openTelemetryRouter() }),
            ("Zipkin", settings.zipkinPort, { routes.zipkinRouter() }),
        ]
    }

    /// The APIs over this store.
    var routes: TelemetryRoutes {
        TelemetryRoutes(
            prometheus: PrometheusAPI(
                store: store, version: WeftVersion.current, now: { Self.now }, statuses: { scraper.statuses },
                metadata: { scraper.metadata }),
            jaeger: JaegerAPI(store: spans, now: { Self.now * 1000 }), receiver: SpanReceiver(store: spans),
            metrics: { metricsText }, externalPrometheus: externalPrometheus, externalJaeger: externalJaeger)
    }

    var metricsText: String { StoreMetrics.text(store.statistics, spans: spans.counts) }

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
