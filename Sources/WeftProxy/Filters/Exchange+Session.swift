import WeftHTTP
import WeftIR
import WeftRouting

/// Stateful sessions: the request names its endpoint, the response tells it.
extension Exchange {
    func keepSession(_ configured: SessionEngine, _ name: String) {
        var engine = configured
        switch routeFilter(name) {
        case .statefulSession(let own)?: engine = own
        case .disabled?: return
        default: break
        }
        guard engine.concerns(head) else { return }
        let address = engine.address(in: head, now: worker.unixTime())
        pick.overrideAddress = address
        keptState().session = (engine, address)
    }

    /// Whether the session's endpoint was demanded and is another one.
    func isAstray(_ host: CompiledHost) -> Bool {
        guard let session = filterState?.session, session.engine.settings.isStrict, let address = session.address else {
            return false
        }
        return host.name != address
    }

    func tellSession(_ session: (engine: SessionEngine, address: String?), _ headers: inout HeaderBlock) {
        // Only an upstream's response is told: one of our own has no endpoint.
        guard responseStarted, let host = record.upstreamHost else { return }
        session.engine.write(host, known: session.address, to: &headers, now: worker.unixTime())
    }
}
