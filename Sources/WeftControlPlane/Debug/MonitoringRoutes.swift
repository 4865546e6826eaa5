import Hummingbird
import Logging
import WeftAdmin
import WeftConfig
import WeftCore
import WeftKubernetes

/// Port 15014: metrics, version and the debug endpoints.
struct MonitoringRoutes: Sendable {
    let coordinator: PushCoordinator
    let sources: ClusterSources
    let telemetry: Telemetry
    let metrics: ControlPlaneMetrics

    func add(to router: Router<BasicRequestContext>) {
        router.get("metrics") { _, _ in
            AdminRoutes.text(metrics.text(version: WeftVersion.istioCompatibility), type: "text/plain; version=0.0.4")
        }
        // Istio's shape: VERSION-REVISION-STATUS; tools take the number in front.
        router.get("version") { _, _ in
            AdminRoutes.text("\(WeftVersion.istioCompatibility)-weft\(WeftVersion.current)-Clean")
        }
        router.get("debug/syncz") { _, _ in json(DebugDocuments.syncz(await coordinator.reports)) }
        router.get("debug/distribution") { request, _ in await distribution(request) }
        router.get("debug/endpointz") { request, _ in
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
        router.get("debug/edges") { _, _ in json(DebugDocuments.edges(telemetry.edges())) }
        router.get("debug/configz") { _, _ in json(.array(sources.istio.flatMap(\.store.all).map(\.json))) }
        router.get("debug/diagnostics") { _, _ in json((try? JSONValue(encoding: await coordinator.findings)) ?? []) }
        router.get("debug/config_dump") { request, _ in
            guard let proxy = request.uri.queryParameters["proxyID"] else {
                return AdminRoutes.text("say which proxy: ?proxyID=POD.NAMESPACE\n", status: .badRequest)
            }
            guard let configuration = try await coordinator.configuration(of: String(proxy)) else {
                return AdminRoutes.text(
                    "no proxy \(proxy) is connected; /debug/syncz lists those that are\n", status: .notFound)
            }
            return json(configuration)
        }
        router.get("debug") { _, _ in
            AdminRoutes.text(
                "/debug/syncz\n/debug/config_dump?proxyID=POD.NAMESPACE\n/debug/endpointz?proxyID=POD.NAMESPACE\n"
                    + "/debug/distribution?kind=KIND&namespace=NAMESPACE&name=NAME&generation=N\n/debug/edges\n/debug/configz\n"
                    + "/debug/diagnostics\n"
            )
        }
    }

    /// How many proxies have an object: `?kind=VirtualService&namespace=dev&name=a&uid=…&generation=3`.
    private func distribution(_ request: Request) async -> Response {
        let query = request.uri.queryParameters
        func value(_ name: Substring) -> String? { query[name].map { String($0) } }
        guard let kind = value("kind"), let name = value("name"), let generation = value("generation").flatMap(Int.init)
        else { return AdminRoutes.text("say which object: ?kind=&namespace=&name=&generation=\n", status: .badRequest) }
        let object = sources.istio.first { $0.kind.kind == kind }?.store[value("namespace") ?? "", name]
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

    private func json(_ value: JSONValue) -> Response { AdminRoutes.json(value.serialized(pretty: true)) }
}
