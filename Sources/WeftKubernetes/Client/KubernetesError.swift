package import WeftCore

/// A refusal by the API server: its `Status` object, or what stands in for one.
package struct KubernetesError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The HTTP status code.
    package var code: Int
    /// The machine-readable word: `NotFound`, `Conflict`, `AlreadyExists`, `Expired`…
    package var reason: String
    package var message: String
    /// The whole `Status`, when the server sent one.
    package var status: JSONValue?

    package init(code: Int, reason: String, message: String, status: JSONValue? = nil) {
        self.code = code
        self.reason = reason
        self.message = message
        self.status = status
    }

    /// Reads an error answer; a body that is no `Status` becomes the message.
    package init(code: Int, body: some Collection<UInt8>) {
        guard let json = try? JSONValue(parsing: body), json["kind"]?.stringValue == "Status" else {
            let text = String(decoding: body.prefix(512), as: UTF8.self)
            self.init(code: code, reason: Self.reason(for: code), message: text.isEmpty ? "HTTP status \(code)" : text)
            return
        }
        self.init(status: json, code: code)
    }

    /// Reads a `Status`, as error answers and `ERROR` watch events carry it.
    package init(status: JSONValue, code: Int? = nil) {
        let code = status["code"]?.intValue ?? code ?? 500
        self.init(
            code: code, reason: status["reason"]?.stringValue ?? Self.reason(for: code),
            message: status["message"]?.stringValue ?? "HTTP status \(code)", status: status)
    }

    package var isNotFound: Bool { code == 404 }
    package var isConflict: Bool { code == 409 && reason == "Conflict" }
    package var isAlreadyExists: Bool { code == 409 && reason == "AlreadyExists" }
    /// The watched version is too old: list again.
    package var isGone: Bool { code == 410 }
    package var description: String { "\(message) (\(reason), \(code))" }

    private static func reason(for code: Int) -> String {
        switch code {
        case 400: "BadRequest"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "NotFound"
        case 405: "MethodNotAllowed"
        case 409: "Conflict"
        case 410: "Expired"
        case 422: "Invalid"
        case 429: "TooManyRequests"
        case 503: "ServiceUnavailable"
        default: "InternalError"
        }
    }
}
