import Foundation
import Glibc
import Hummingbird
import Logging
import Synchronization
import TestSupport
import WeftADS
import WeftAdmin
import WeftConfig
import WeftCore
import WeftDashboard
import WeftKubernetes
import WeftTelemetry

@testable import WeftControlPlane

/// The dashboard's server as `weftd` runs it, over a mesh that is made up: the real telemetry store filled through the
/// real scrape, the real span store, and the informers' stores filled by hand. Only the proxies are missing.
final class Stage: Sendable {
    let port: Int
    let telemetry: WeftControlPlane.Telemetry
    private let client: KubernetesClient
    private let sources: ClusterSources
    private let coordinator: PushCoordinator
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private let serving = Mutex<Task<Void, any Error>?>(nil)

    /// - Parameter tools: Another stage, which stands for a Prometheus and a Jaeger of the user's own.
    init(_ mesh: SyntheticMesh, server: String = "http://127.0.0.1:1", tools: Stage? = nil) throws {
        client = KubernetesClient(configuration: KubernetesConfiguration(server: server))
        sources = ClusterSources(client: client, namespace: "istio-system", signal: ChangeSignal())
        coordinator = PushCoordinator(
            sources: sources, metrics: ControlPlaneMetrics(),
            status: StatusWriter(client: client, ownership: Ownership(revision: "default"), logger: logger),
            logger: logger)
        var settings = ControlPlaneSettings()
        settings.prometheusURL = tools.map { $0.address + "prometheus" }
        settings.tracingURL = tools.map { $0.address + "jaeger" }
        telemetry = try WeftControlPlane.Telemetry(settings: settings, client: client, targets: { [] })
        port = try Self.freePort()
        _ = sources.pods.store.replace(with: mesh.pods)
        _ = sources.services.store.replace(with: mesh.services)
        for informer in sources.istio + sources.gatewayAPI {
            _ = informer.store.replace(with: mesh.configuration.filter { $0.groupVersionKind == informer.kind })
        }
        mesh.fill(telemetry.store, now: WeftControlPlane.Telemetry.now)
        telemetry.spans.add(mesh.spans(now: WeftControlPlane.Telemetry.now * 1000))
    }

    var address: String { "http://127.0.0.1:\(port)/" }

    /// Serves until ``stop()``; returns when the port answers.
    func start() async throws {
        await coordinator.configurationChanged(changes: 1, reasons: ["test"])
        let router = Router(context: BasicRequestContext.self, options: .autoGenerateHeadEndpoints)
        Dashboard.add(
            to: router,
            source: MeshDashboard(
                coordinator: coordinator, sources: sources, telemetry: telemetry, authority: ShownAuthority()))
        Dashboard.addEditing(to: router, editor: ConfigurationEditor(client: client, sources: sources))
        telemetry.routes.addQueries(to: router)
        // A proxy that has no tap, and none that has one.
        TapRoutes(hub: TapHub(), silent: { [TapNode(pod: "front-v1-abc-1", namespace: "shop", workload: "front-v1")] })
            .addDashboard(to: router, isEnabled: true)
        let service = HTTPService(
            router: router, sockets: [.address(host: "127.0.0.1", port: port)], logger: logger)
        serving.withLock { $0 = Task { try await service.run() } }
        try await eventually("the stage listens") {
            (try? RawSocket(to: "127.0.0.1", port: UInt16(port)))?.close()
        }
    }

    /// Ends the server with its connections, as the end of `weftd` does. What it knows stays.
    func stop() async {
        let task = serving.withLock { task in
            defer { task = nil }
            return task
        }
        task?.cancel()
        _ = await task?.result
    }

    /// Ends the server, and what only the end of the process would end otherwise.
    func end() async {
        await stop()
        try? await client.shutdown()
    }

    /// The answer of the store to an instant query, by the values of `label`.
    func query(_ text: String, by label: String) throws -> [String: Double] {
        var parameters = FormParameters()
        parameters.add(encoded: "query=\(text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")".utf8)
        let answer = try JSONValue(parsing: telemetry.routes.prometheus.respond("query", parameters).body)
        var values: [String: Double] = [:]
        for one in answer[path: "data", "result"]?.arrayValue ?? [] {
            let name = one[path: "metric", label]?.stringValue ?? ""
            values[name] = Double(one["value"]?.arrayValue?.last?.stringValue ?? "")
        }
        return values
    }

    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return try withUnsafeMutableBytes(of: &address) { bytes -> Int in
            guard let pointer = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                bind(descriptor, pointer, length) == 0, getsockname(descriptor, pointer, &length) == 0
            else { throw StepFailure("no free port") }
            return Int(bytes[2]) << 8 | Int(bytes[3])
        }
    }
}
