import HTTPTypes
import Hummingbird
import NIOCore
import WeftADS
import WeftAdmin
import WeftCore
import WeftTelemetry

/// The live tap over HTTP: server-sent events for the dashboard and the command line (docs/telemetry.md).
///
/// A stream ends when its client goes, which the sign of life every ``beat`` finds out at the latest.
struct TapRoutes: Sendable {
    let hub: TapHub
    /// Connected proxies that tell of no request, as Envoy does: only weft-proxy has a tap.
    var silent: @Sendable () async -> [TapNode] = { [] }
    var beat = Duration.seconds(5)

    /// Adds the dashboard's `/api/tap` and `/api/tap/check`.
    /// - Parameter isEnabled: `false` answers 403: only who may read the debug endpoints may watch.
    func addDashboard(to router: Router<BasicRequestContext>, isEnabled: Bool) {
        let closed = Self.refused(
            "watching requests is switched off here (WEFT_DASHBOARD_TAP=off); 'weft tap' does it with a token",
            .forbidden)
        router.get("api/tap") { request, _ in isEnabled ? await answer(request) : closed }
        router.get("api/tap/check") { request, _ in
            guard isEnabled else { return closed }
            do throws(TapFilter.Invalid) {
                _ = try filter(request)
                return AdminRoutes.json(Array("{}".utf8))
            } catch {
                return Self.refused(error.description, .badRequest)
            }
        }
    }

    private func filter(_ request: Request) throws(TapFilter.Invalid) -> TapFilter {
        var parameters = FormParameters()
        parameters.add(encoded: (request.uri.query ?? "").utf8)
        return try TapFilter(Dictionary(parameters.pairs.map { ($0.name, $0.value) }) { $1 })
    }

    /// The stream, or why there is none.
    func answer(_ request: Request) async -> Response {
        do throws(TapFilter.Invalid) {
            let filter = try filter(request)
            // Nobody reads the body that would end the view.
            if request.method == .head { return Response(status: .ok, headers: Self.headers) }
            do throws(TapRefusal) {
                let view = try hub.open(filter)
                return stream(view, silent: await silent().filter(filter.concerns).count)
            } catch {
                return Self.refused(error.description, .serviceUnavailable)
            }
        } catch {
            return Self.refused(error.description, .badRequest)
        }
    }

    private static let headers: HTTPFields = [
        .contentType: "text/event-stream", .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
    ]

    private func stream(_ view: TapView, silent: Int) -> Response {
        let (hub, beat) = (hub, beat)
        let body = ResponseBody { writer in
            defer { hub.close(view) }
            let pulse = Task { while (try? await Task.sleep(for: beat)) != nil { hub.keepAlive(view) } }
            defer { pulse.cancel() }
            for await event in view.events {
                try await writer.write(ByteBuffer(bytes: Self.text(event)))
                guard case .hello = event, silent > 0 else { continue }
                try await writer.write(ByteBuffer(bytes: Self.event("silent", ["proxies": .int(Int64(silent))])))
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: Self.headers, body: body)
    }

    /// One event in the form of the HTML standard, section 9.2.
    static func text(_ event: TapEvent) -> [UInt8] {
        switch event {
        case .alive: Array(": \n\n".utf8)
        case .hello(let proxies): Self.event("hello", ["proxies": .int(Int64(proxies))])
        case .lost(let count): Self.event("lost", ["count": .int(Int64(count))])
        case .request(let entry): Self.event("request", entry)
        }
    }

    private static func event(_ name: String, _ data: JSONValue) -> [UInt8] {
        Array("event: \(name)\ndata: ".utf8) + data.serialized() + Array("\n\n".utf8)
    }

    private static func refused(_ words: String, _ status: HTTPResponse.Status) -> Response {
        AdminRoutes.json((["error": .string(words)] as JSONValue).serialized(), status: status)
    }
}
