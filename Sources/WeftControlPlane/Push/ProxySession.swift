import WeftTranslate
import WeftXDS

/// One proxy's open stream, as the push loop needs it.
struct ProxySession: Sendable {
    /// Unique among all streams of this process.
    var id: String
    var identity: ProxyIdentity
    /// Whether the proxy has proved to be what it says; keys are kept from one that has not.
    var isAuthenticated: Bool
    var userAgent: String
    var version: String
    /// Hands a whole snapshot to the stream, which sends what differs from what the proxy has.
    var publish: @Sendable (XDSSnapshot) async throws -> Void
}
