import Hummingbird
import Logging
import WeftAdmin
import WeftConfig
import WeftCore
import WeftKubernetes
import WeftMetrics

/// Port 15014: metrics, version and the debug endpoints.
struct MonitoringRoutes: Sendable {
    let coordinator: PushCoordinator
    let sources: ClusterSources
    let telemetry: Telemetry
    let metrics: ControlPlaneMetrics
    let access: DebugAccess
    let tap: TapRoutes

    func add(to router: Router<BasicRequestContext>) {
        router.get("metrics") { _, _ in
            AdminRoutes.text(
                metrics.text(version: WeftVersion.istioCompatibility) + telemetry.metricsText + ProcessUsage.text(),
                type: "text/plain; version=0.0.4")
        }
        // Istio's shape: VERSION-REVISION-STATUS; tools take the number in front.
        router.get("version") { _, _ in
            AdminRoutes.text("\(WeftVersion.istioCompatibility)-weft\(WeftVersion.current)-Clean")
        }
        debug("debug/syncz", router) { _ in json(DebugDocuments.syncz(await coordinator.reports)) }
        debug("debug/distribution", router) { request in await distribution(request) }
        debug("debug/endpointz", router) { request in
            guard let proxy = request.uri.queryParameters["proxyID"] else {
                return AdminRoutes.text("say which proxy: ?proxyID=POD.NAMESPACE\n", status: .badRequest)
            }
            guard let configuration = try await coordinator.configuration(of: String(proxy)) else {
                return AdminRoutes.text(
                    "no proxy \(proxy) is connected; /debug/syncz lists those that are\n", status: .notFound)
            }
            return json(
                .array((configuration["endpoints"]?.objectValue ?? [:]).sorted { $0.key < $1.key }.map(\.value)))
        }
        debug("debug/tap", router) { request in await tap.answer(request) }
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
                "/debug/syncz\n/debug/config_dump?proxyID=POD.NAMESPACE\n/debug/endpointz?proxyID=POD.NAMESPACE\n"
                    + "/debug/distribution?kind=KIND&namespace=NAMESPACE&name=NAME&generation=N\n/debug/edges\n/debug/configz\n"
                    + "/debug/diagnostics\n/debug/tap?namespace=&workload=&status=\n"
            )
        }
    }

    /// How many proxies have an object: `?kind=VirtualService&namespace=dev&name=a&generation=3`, and `&group=` for a kind
    /// that Istio and the Gateway API both have.
    private func distribution(_ request: Request) async -> Response {
        let query = request.uri.queryParameters
        func value(_ name: Substring) -> String? { query[name].map { String($0) } }
        guard let kind = value("kind"), let name = value("name"), let generation = value("generation").flatMap(Int.init)
        else { return AdminRoutes.text("say which object: ?kind=&namespace=&name=&generation=\n", status: .badRequest) }
        let group = value("group")
        let informer = (sources.istio + sources.gatewayAPI).first {
            $0.kind.kind == kind && (group == nil || $0.kind.group == group)
        }
        let object = informer?.store[value("namespace") ?? "", name]
        let distribution = await coordinator.distribution()
        guard let object, object.generation >= generation, let progress = distribution.progress(of: object) else {
            return json(["known": false])
        }
        return json([
            "known": true, "generation": .int(Int64(object.generation)),
            "confirmed": .int(Int64(progress.confirmed)), "concerned": .int(Int64(progress.concerned)),
            "waiting": .array(progress.waiting.map { .string($0) }),
        ])
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
