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
    /// Hands a whole snapshot to the stream, which sends what differs from what the proxy has, and says when it has.
    var publish: @Sendable (_ snapshot: XDSSnapshot, _ number: UInt64) -> Void

    /// `POD.NAMESPACE`.
    var name: String { "\(identity.podName).\(identity.namespace)" }
}
