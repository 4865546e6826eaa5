import WeftADS
import WeftIdentity
import WeftTranslate
import WeftXDS

/// Joins discovery streams to the push loop: turns a stream's node into the proxy that configuration is made for.
struct DiscoveryDelegate: ADSDelegate {
    let coordinator: PushCoordinator

    func connected(_ session: ADSSession) async throws {
        let node = session.node
        guard var identity = ProxyIdentity(nodeID: node.id, metadata: node.metadata) else {
            throw ADSRefusal("node id \"\(node.id)\" is not of the form TYPE~ADDRESS~POD.NAMESPACE~DOMAIN")
        }
        identity.provenAccount = session.peer?.serviceAccount
        await coordinator.connected(
            ProxySession(
                id: session.id, identity: identity, isAuthenticated: session.peer != nil,
                userAgent: node.userAgentName, version: node.userAgentVersion,
                publish: { session.publish($0) }))
    }

    func disconnected(_ session: ADSSession) async { await coordinator.disconnected(session.id) }

    func sent(_ session: ADSSession, _ type: ResourceType, nonce: String, version: String) async {
        await coordinator.sent(nonce, type, to: session.id)
    }

    func acknowledged(_ session: ADSSession, _ type: ResourceType, nonce: String, version: String) async {
        await coordinator.acknowledged(nonce, type, by: session.id)
    }

    func rejected(_ session: ADSSession, _ type: ResourceType, nonce: String, version: String, reason: String) async {
        await coordinator.rejected(reason, type, by: session.id)
    }
}
