package import WeftCore

/// Which part of which log is asked for.
package struct LogQuestion: Sendable, Hashable {
    package var namespace: String
    package var pod: String
    package var container: String
    /// The most lines to answer with, the newest ones.
    package var lines: Int
    /// From this time on (RFC 3339); `nil` for the last ``lines``.
    package var since: String?
}

/// Why something was not done: an HTTP status, and words for the person who asked.
package struct DashboardRefusal: Error, Sendable, Hashable {
    package var status: Int
    package var words: String

    package init(status: Int, words: String) {
        self.status = status
        self.words = words
    }
}

/// What the dashboard does with the rights of the person who looks at it: every call carries that person's own token,
/// and the API server decides (ADR 0066). Nothing of a token is kept or logged.
package protocol DashboardEditor: Sendable {
    /// What is wrong with a manifest: `{"objects": [{"group", "kind", "namespace", "name", "exists"}], "findings": [{"severity",
    /// "code", "text", "path", "line", "hint"}], "server": whether admission was asked}`. Without a token only what this
    /// process knows by itself is told.
    func check(_ manifest: String, version: String?, token: String?) async -> JSONValue
    /// Checks, and then creates or replaces every object: ``check(_:version:token:)``'s answer with `"applied"`.
    /// - Parameter version: the resource version that a person started from; `nil` replaces whatever is there.
    func apply(_ manifest: String, version: String?, token: String) async -> JSONValue
    /// - Parameter group: of the object's API: both Istio and the Gateway API have a `Gateway`.
    func delete(_ reference: ResourceReference, group: String, token: String) async throws(DashboardRefusal)
    /// Lines of a container's log, each behind its time.
    func log(_ question: LogQuestion, token: String) async throws(DashboardRefusal) -> [UInt8]
    /// The certificates that a pod's proxy holds, without their keys: a list of `{"use": "chain" or "root", "names",
    /// "serial", "from", "until"}`.
    func certificates(namespace: String, pod: String, token: String) async throws(DashboardRefusal) -> JSONValue
}
