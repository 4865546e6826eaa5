import Synchronization
package import WeftIdentity
package import WeftXDS

/// One proxy's open stream, as the control plane sees it.
///
/// ``publish(_:)`` may be called from anywhere, at any time; it never waits. Only the newest snapshot is kept: a proxy
/// that is slow misses the ones in between.
package final class ADSSession: Sendable {
    /// Unique in this process.
    package let id: String
    package let node: ADSNode
    /// Who the proxy has proved to be; `nil` on a port without authentication.
    package let peer: SPIFFEIdentity?
    let snapshots: AsyncStream<Publication>
    private let continuation: AsyncStream<Publication>.Continuation
    private let state = Mutex<[ResourceType: ServerSubscription.Status]>([:])
    private static let counter = Atomic<UInt64>(0)

    init(node: ADSNode, peer: SPIFFEIdentity?) {
        let number = Self.counter.wrappingAdd(1, ordering: .relaxed).newValue
        self.id = "\(node.id)-\(number)"
        self.node = node
        self.peer = peer
        (snapshots, continuation) = AsyncStream.makeStream(of: Publication.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Brings the proxy to `snapshot`: what differs from what it has is sent.
    /// - Parameter number: told to the delegate when everything of it has been sent; higher for newer snapshots.
    package func publish(_ snapshot: XDSSnapshot, number: UInt64 = 0) {
        continuation.yield(Publication(snapshot: snapshot, number: number))
    }

    /// How far the proxy is with each type, for `proxy-status`.
    package var status: [ResourceType: ServerSubscription.Status] { state.withLock { $0 } }

    func update(_ status: [ResourceType: ServerSubscription.Status]) { state.withLock { $0 = status } }
    func finish() { continuation.finish() }
}

/// A snapshot on its way to a stream.
struct Publication: Sendable {
    var snapshot: XDSSnapshot
    var number: UInt64
}

/// Why a proxy is not served, in words for its log. A delegate throws it from `connected`.
package struct ADSRefusal: Error, Hashable, CustomStringConvertible {
    package let description: String
    package init(_ reason: String) { description = reason }
}

/// What the control plane wants to know about streams. Calls for one session come one after the other, in order.
package protocol ADSDelegate: Sendable {
    /// A proxy connected. Publish to the session here or later; nothing is answered before the first snapshot.
    /// - Throws: to refuse the proxy.
    func connected(_ session: ADSSession) async throws
    /// About to be sent.
    /// - Parameter names: the resources in the response, and those that it removes.
    func sent(_ session: ADSSession, _ type: ResourceType, nonce: String, version: String, names: [String]) async
    /// Everything of a published snapshot has been sent (or nothing had to be).
    func delivered(_ session: ADSSession, number: UInt64) async
    func acknowledged(_ session: ADSSession, _ type: ResourceType, nonce: String, version: String) async
    func rejected(_ session: ADSSession, _ type: ResourceType, nonce: String, version: String, reason: String) async
    func disconnected(_ session: ADSSession) async
    /// The proxy says how its application is.
    func reported(_ session: ADSSession, _ health: HealthInformation) async
}

extension ADSDelegate {
    package func reported(_ session: ADSSession, _ health: HealthInformation) async {}
}
