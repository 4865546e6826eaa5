import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting

/// The filters before the router.
extension Exchange {
    /// A request header or pseudo header by name.
    func header(_ name: String) -> String? {
        switch name.lowercased() {
        case ":method": head.method.description
        case ":path": head.target
        case ":authority", "host": head.host
        case ":scheme": head.scheme.rawValue
        case let other: head.headers.first(other)
        }
    }

    func authorize(_ engine: RBACEngine, _ name: String) {
        var engine = engine
        if let own = resolveRoute()?.accessPolicies[name] {
            guard let own else { return }
            engine = own
        }
        var view = connection.policyView
        view.head = head
        view.remoteIP = trustedClientIP()
        if let filterState { view.metadata = filterState.metadata }
        let decision = engine.evaluate(view)
        engine.counts.add(decision)
        if let shadow = engine.evaluateShadow(view) {
            engine.counts.add(shadow)
            record.shadowPolicies.append(shadow)
            keptState().tell("envoy.filters.http.rbac", shadow.metadata(prefix: engine.shadowStatPrefix))
        }
        guard !decision.allowed else { return }
        reply(.accessDenied(policy: decision.policy), provenance: decision.provenance)
    }

    /// The address that `x-forwarded-for` vouches for, as far as hops are trusted.
    func trustedClientIP() -> String {
        clientIP
    }
}

extension StringProtocol {
    func trimmingSpaces() -> String {
        var part = self[...]
        while part.first == " " { part = part.dropFirst() }
        while part.last == " " { part = part.dropLast() }
        return String(part)
    }
}
