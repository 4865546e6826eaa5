import Hummingbird
import Logging
import WeftAdmin
import WeftConfig
import WeftCore
import WeftKubernetes
import WeftTelemetry

/// Port 15014: metrics, version and the debug endpoints.
struct MonitoringRoutes: Sendable {
    let coordinator: PushCoordinator
    let sources: ClusterSources
    let telemetry: TelemetryStore
    let metrics: ControlPlaneMetrics
    let access: DebugAccess

    func add(to router: Router<BasicRequestContext>) {
        router.get("metrics") { _, _ in
            AdminRoutes.text(metrics.text(version: WeftVersion.istioCompatibility), type: "text/plain; version=0.0.4")
        }
        // Istio's shape: VERSION-REVISION-STATUS; tools take the number in front.
        router.get("version") { _, _ in
            AdminRoutes.text("\(WeftVersion.istioCompatibility)-weft\(WeftVersion.current)-Clean")
        }
        debug("debug/syncz", router) { _ in json(DebugDocuments.syncz(await coordinator.reports)) }
        debug("debug/edges", router) { _ in json(DebugDocuments.edges(telemetry.edges())) }
        debug("debug/configz", router) { _ in json(.array(sources.istio.flatMap(\.store.all).map(\.json))) }
        debug("debug/diagnostics", router) { _ in json((try? JSONValue(encoding: await coordinator.findings)) ?? []) }
        debug("debug/config_dump", router) { request in
            guard let proxy = request.uri.queryParameters["proxyID"] else {
                return AdminRoutes.text("say which proxy: ?proxyID=POD.NAMESPACE\n", status: .badRequest)
            }
            guard let configuration = try await coordinator.configuration(of: String(proxy)) else {
                return AdminRoutes.text(
                    "no proxy \(proxy) is connected; /debug/syncz lists those that are\n", status: .notFound)
            }
            return json(configuration)
        }
        debug("debug", router) { _ in
            AdminRoutes.text(
                "/debug/syncz\n/debug/config_dump?proxyID=POD.NAMESPACE\n/debug/edges\n/debug/configz\n"
                    + "/debug/diagnostics\n"
            )
        }
    }

    /// A page for those who may see it.
    private func debug(
        _ path: RouterPath, _ router: Router<BasicRequestContext>,
        _ page: @escaping @Sendable (Request) async throws -> Response
    ) {
        router.get(path) { [access] request, _ in
            if let refusal = await access.refusal(of: request) { return refusal }
            return try await page(request)
        }
    }

    private func json(_ value: JSONValue) -> Response { AdminRoutes.json(value.serialized(pretty: true)) }
}
