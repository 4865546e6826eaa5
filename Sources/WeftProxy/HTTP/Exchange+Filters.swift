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

    private func perRoute(_ name: String) -> PerRouteFilter? {
        resolveRoute()?.perFilter(name)
    }

    func authorize(_ engine: RBACEngine, _ name: String) {
        var engine = engine
        // Routes are not asked for when no virtual host could say anything else.
        if let own = resolveRoute()?.accessPolicies[name] {
            guard let own else { return }
            engine = own
        }
        var view = connection.policyView
        view.head = head
        view.remoteIP = trustedClientIP()
        let decision = engine.evaluate(view)
        if let shadow = engine.evaluateShadow(view) { record.shadowPolicies.append(shadow) }
        guard !decision.allowed else { return }
        reply(.accessDenied(policy: decision.policy), provenance: decision.provenance)
    }

    /// The address that `x-forwarded-for` vouches for, as far as hops are trusted.
    private func trustedClientIP() -> String {
        let hops = Int(manager.xffNumTrustedHops)
        guard hops > 0, let list = head.headers.string(.forwardedFor) else {
            return connection.connection.info.remoteIP
        }
        let all = list.split(separator: ",").map { String($0).trimmingSpaces() }
        let index = all.count - 1 - hops
        return index >= 0 ? all[index] : connection.connection.info.remoteIP
    }

    /// - Returns: The pause before the request goes on.
    func inject(_ configured: Fault, _ name: String) -> TimeAmount? {
        var fault = configured
        switch perRoute(name) {
        case .fault(let own): fault = own
        case .disabled: return nil
        default: break
        }
        var pause: TimeAmount?
        if let delay = fault.delayMilliseconds, happens(fault.delayPercentage) {
            pause = .milliseconds(Int64(clamping: delay))
            record.flag = "DI"
        }
        guard let abort = fault.abort, happens(fault.abortPercentage) else { return pause }
        let provenance = fault.provenance ?? decision?.route.provenance
        let answer = { [self] in
            switch abort {
            case .http(let status): reply(.faultAbort(status: status), provenance: provenance)
            case .grpc(let status):
                var headers = HeaderBlock()
                headers.set("content-type", "application/grpc")
                headers.set("grpc-status", String(status))
                reply(.faultAbort(status: 200), provenance: provenance, headers: headers)
            }
        }
        guard let pause else {
            answer()
            return nil
        }
        // Delay first, then the abort; the router is never reached.
        schedule(pause, answer)
        isHeldByFault = true
        return nil
    }

    private func happens(_ share: FractionalPercent) -> Bool {
        share.partsPerMillion > 0 && worker.decisions.next(upperBound: UInt32(1_000_000)) < share.partsPerMillion
    }

    func cors(_ name: String) {
        guard case .cors(let policy)? = perRoute(name), let origin = head.headers.string(.origin) else { return }
        guard decision?.allowedOrigins[name]?.contains(where: { $0.matches(origin) }) == true else { return }
        var headers = HeaderBlock()
        headers.set("access-control-allow-origin", origin)
        if policy.allowCredentials == true { headers.set("access-control-allow-credentials", "true") }
        if !policy.exposeHeaders.isEmpty { headers.set("access-control-expose-headers", policy.exposeHeaders) }
        guard head.method == .options, head.headers.first("access-control-request-method") != nil else {
            corsHeaders = headers
            return
        }
        if !policy.allowMethods.isEmpty { headers.set("access-control-allow-methods", policy.allowMethods) }
        if !policy.allowHeaders.isEmpty { headers.set("access-control-allow-headers", policy.allowHeaders) }
        if !policy.maxAge.isEmpty { headers.set("access-control-max-age", policy.maxAge) }
        reply(.corsPreflight, headers: headers)
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
