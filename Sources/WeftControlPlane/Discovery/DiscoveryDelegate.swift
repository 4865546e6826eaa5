import WeftADS
import WeftIdentity
import WeftTranslate
import WeftXDS

/// Joins discovery streams to the push loop: turns a stream's node into the proxy that configuration is made for.
struct DiscoveryDelegate: ADSDelegate {
    let coordinator: PushCoordinator
    /// `nil` registers no machines.
    var machines: MachineRegistry?

    func connected(_ session: ADSSession) async throws {
        let node = session.node
        guard var identity = ProxyIdentity(nodeID: node.id, metadata: node.metadata) else {
            throw ADSRefusal("node id \"\(node.id)\" is not of the form TYPE~ADDRESS~POD.NAMESPACE~DOMAIN")
        }
        identity.provenAccount = session.peer?.serviceAccount
        try await machines?.connected(session.id, identity)
        await coordinator.connected(
            ProxySession(
                id: session.id, identity: identity, isAuthenticated: session.peer != nil,
                userAgent: node.userAgentName, version: node.userAgentVersion,
                publish: { session.publish($0, number: $1) }))
    }

    func disconnected(_ session: ADSSession) async {
        await machines?.disconnected(session.id)
        await coordinator.disconnected(session.id)
    }

    func reported(_ session: ADSSession, _ health: HealthInformation) async {
        await machines?.reported(session.id, health)
    }

    func sent(_ session: ADSSession, _ type: ResourceType, nonce: String, version: String, names: [String]) async {
        await coordinator.sent(nonce, type, names: names, to: session.id)
    }

    func delivered(_ session: ADSSession, number: UInt64) async {
        await coordinator.delivered(number, to: session.id)
    }

    func acknowledged(_ session: ADSSession, _ type: ResourceType, nonce: String, version: String) async {
        await coordinator.acknowledged(nonce, type, by: session.id)
    }

    func rejected(_ session: ADSSession, _ type: ResourceType, nonce: String, version: String, reason: String) async {
        await coordinator.rejected(nonce, type, message: reason, by: session.id)
    }
}
