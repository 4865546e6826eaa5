package import Hummingbird
import Logging

/// The endpoints that every long-lived executable has: health, readiness, log level.
package enum AdminRoutes {
    /// Adds `/healthz`, `/ready` and `/logging`.
    ///
    /// - Parameters:
    ///   - notReadyBecause: a reason for not being ready, or `nil` when ready.
    ///   - refusal: the answer to somebody who may not change the log level; `nil` when he may.
    package static func add(
        to router: Router<BasicRequestContext>, notReadyBecause: @escaping @Sendable () async -> String?,
        refusal: @escaping @Sendable (Request) async -> Response? = { _ in nil }
    ) {
        router.get("healthz") { _, _ in text("ok\n") }
        router.get("ready") { _, _ in
            if let reason = await notReadyBecause() {
                return text("not ready: \(reason)\n", status: .serviceUnavailable)
            }
            return text("ok\n")
        }
        router.get("logging") { _, _ in text("\(LineLogHandler.level)\n") }
        router.post("logging") { request, _ in
            if let refused = await refusal(request) { return refused }
            guard let word = request.uri.queryParameters["level"], let level = Logger.Level(rawValue: String(word))
            else {
                let known = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
                return text("say ?level= one of \(known)\n", status: .badRequest)
            }
            LineLogHandler.setLevel(level)
            return text("\(level)\n")
        }
    }

    package static func text(
        _ body: String, status: HTTPResponse.Status = .ok, type: String = "text/plain; charset=utf-8"
    ) -> Response {
        Response(status: status, headers: [.contentType: type], body: .init(byteBuffer: ByteBuffer(string: body)))
    }

    package static func json(_ body: [UInt8], status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }
}
