import Hummingbird
import NIOCore
import WeftAdmin
import WeftTelemetry

/// The HTTP ports of the telemetry store, each with the paths of the tool whose place it takes.
struct TelemetryRoutes: Sendable {
    let prometheus: PrometheusAPI
    let jaeger: JaegerAPI
    let receiver: SpanReceiver
    let metrics: @Sendable () -> String
    /// What the dashboard reads instead of ours; `nil` for ours.
    var externalPrometheus: ExternalTool?
    var externalJaeger: ExternalTool?
    /// Bodies above this are refused; in gzip, also those that become more.
    static let bodyLimit = 16 << 20

    // MARK: - 9090

    func prometheusRouter() -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self, options: .autoGenerateHeadEndpoints)
        addPrometheus(to: router, under: "/api/v1/")
        router.get("-/healthy") { _, _ in AdminRoutes.text("Weft is healthy.\n") }
        router.get("-/ready") { _, _ in AdminRoutes.text("Weft is ready.\n") }
        router.get("metrics") { _, _ in AdminRoutes.text(metrics(), type: "text/plain; version=0.0.4; charset=utf-8") }
        router.get("/") { _, _ in
            AdminRoutes.text("Weft's telemetry store serves Prometheus's API here: /api/v1/query?query=up\n")
        }
        return router
    }

    // MARK: - 16686

    func jaegerRouter() -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self, options: .autoGenerateHeadEndpoints)
        for prefix in ["/api/", "/jaeger/api/"] { addJaeger(to: router, under: prefix) }
        router.get("/") { _, _ in
            AdminRoutes.text("Weft's span store serves Jaeger's query API here: /api/services\n")
        }
        return router
    }

    // MARK: - The dashboard's port

    /// The two query APIs for the dashboard's pages, which read from their own server alone.
    func addQueries(to router: Router<BasicRequestContext>) {
        addPrometheus(to: router, under: "/prometheus/api/v1/", instead: externalPrometheus)
        addJaeger(to: router, under: "/jaeger/api/", instead: externalJaeger)
        let isOurs = externalPrometheus == nil
        router.post("/prometheus/table") { request, _ in
            // The page asks a Prometheus of another make query by query. It is told so: a refusal would be an error on
            // its console.
            guard isOurs else { return AdminRoutes.json(Array(#"{"tables":null}"#.utf8)) }
            guard let parameters = await parameters(request) else { return tooLarge() }
            return response(await run { prometheus.respondTable(parameters) })
        }
    }

    /// - Parameter tool: Answers in our place.
    private func addPrometheus(
        to router: Router<BasicRequestContext>, under prefix: String, instead tool: ExternalTool? = nil
    ) {
        let answer: @Sendable (Request, BasicRequestContext) async throws -> Response = { request, _ in
            let path = String(request.uri.path.dropFirst(prefix.count))
            guard let parameters = await parameters(request) else { return tooLarge() }
            if let tool { return response(await tool.respond(path, parameters)) }
            return response(await run { prometheus.respond(path, parameters) })
        }
        router.get(RouterPath(prefix + "**"), use: answer)
        router.post(RouterPath(prefix + "**"), use: answer)
    }

    private func addJaeger(
        to router: Router<BasicRequestContext>, under prefix: String, instead tool: ExternalTool? = nil
    ) {
        router.get(RouterPath(prefix + "**")) { request, _ in
            guard let parameters = await parameters(request) else { return tooLarge() }
            let path = String(request.uri.path.dropFirst(prefix.count))
            if let tool { return response(await tool.respond(path, parameters)) }
            return response(await run { jaeger.respond(path, parameters) })
        }
    }

    // MARK: - 4318, 9411

    func openTelemetryRouter() -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self, options: .autoGenerateHeadEndpoints)
        router.post("v1/traces") { request, _ in
            await take(request) { body, type in
                type.contains("json") ? receiver.openTelemetryJSON(body) : receiver.openTelemetry(body)
            }
        }
        return router
    }

    func zipkinRouter() -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self, options: .autoGenerateHeadEndpoints)
        router.post("api/v2/spans") { request, _ in await take(request) { body, _ in receiver.zipkin(body) } }
        router.get("health") { _, _ in AdminRoutes.json(Array(#"{"status":"UP"}"#.utf8)) }
        return router
    }

    private func take(_ request: Request, _ body: @Sendable ([UInt8], String) -> APIResponse) async -> Response {
        let coding = request.headers[.contentEncoding]?.lowercased() ?? "identity"
        guard ["identity", "gzip"].contains(coding) else {
            return AdminRoutes.text(
                "bodies in \(coding) are not read; send them in gzip or without compression\n",
                status: .unsupportedMediaType)
        }
        guard let collected = try? await request.body.collect(upTo: Self.bodyLimit) else { return tooLarge() }
        var bytes = Array(collected.readableBytesView)
        if coding == "gzip" {
            do throws(GzipBody.Failure) {
                bytes = try GzipBody.plain(bytes, limit: Self.bodyLimit)
            } catch {
                return error == .tooLarge ? tooLarge() : AdminRoutes.text("the body is no gzip\n", status: .badRequest)
            }
        }
        return response(body(bytes, request.headers[.contentType] ?? ""))
    }

    // MARK: - Shared

    /// Of the query and, where there is one, the form body; `nil` for a body that is too large.
    private func parameters(_ request: Request) async -> FormParameters? {
        var parameters = FormParameters()
        if request.method == .post {
            guard let body = try? await request.body.collect(upTo: Self.bodyLimit) else { return nil }
            parameters.add(encoded: body.readableBytesView)
        }
        parameters.add(encoded: (request.uri.query ?? "").utf8)
        return parameters
    }

    /// Runs a query off the event loop.
    @concurrent private func run(_ body: @Sendable () -> APIResponse) async -> APIResponse { body() }

    private func response(_ answer: APIResponse) -> Response {
        Response(
            status: HTTPResponse.Status(code: answer.status),
            headers: [.contentType: answer.contentType, .xContentTypeOptions: "nosniff"],
            body: .init(byteBuffer: ByteBuffer(bytes: answer.body)))
    }

    private func tooLarge() -> Response {
        AdminRoutes.text("the body has more than \(Self.bodyLimit) bytes\n", status: .contentTooLarge)
    }
}
