import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// What the proxy does to headers on their way, in the order Envoy has.
extension Exchange {
    var isUpgrade: Bool { original.isUpgrade }

    func upgradeAllowed(_ action: RouteAction) -> Bool {
        let type = original.method == .connect ? "connect" : (head.headers.string(.upgrade) ?? "").lowercased()
        if let own = action.upgrades.first(where: { $0.type.lowercased() == type }) { return own.enabled }
        return manager.upgradeTypes.contains(type)
    }

    /// Before any filter: what identifies the caller and the request.
    func prepareRequest() {
        let facts = connection.manager
        takePeerMetadata()
        head.headers.reserve(fields: 8, bytes: 320)
        removeHopByHop(&head.headers, keepUpgrade: isUpgrade)
        if facts.manager.stripAnyHostPort { stripPort() }
        if facts.manager.generateRequestID,
            !head.headers.contains(.requestID) || isEdge && !facts.manager.preserveExternalRequestID
        {
            head.headers.set(.requestID, RequestID.make(&worker.random))
        }
        if isEdge {
            head.headers.remove(.envoyAttemptCount)
            head.headers.remove(.expectedTimeout)
            for name in Self.internalHeaders where head.headers.contains(name) { head.headers.remove(name) }
            if !facts.manager.skipXFFAppend {
                let ip = connection.connection.info.remoteIP
                head.headers.set(.forwardedFor, head.headers.string(.forwardedFor).map { "\($0),\(ip)" } ?? ip)
            }
        }
        if isEdge || !head.headers.contains(.forwardedProto) {
            let isTLS = connection.connection.info.isTLS && facts.direction != .inbound
            head.headers.set(.forwardedProto, isTLS ? "https" : "http")
        }
        forwardClientCertificate()
    }

    /// What only callers inside may ask of the router, and what only a proxy may say; taken from clients outside.
    private static let internalHeaders: [HeaderName] = [
        "x-envoy-retry-on", "x-envoy-retry-grpc-on", "x-envoy-max-retries", "x-envoy-retriable-status-codes",
        "x-envoy-retriable-header-names", "x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms",
        "x-envoy-hedge-on-per-try-timeout", "x-envoy-upstream-alt-stat-name", "x-envoy-ip-tags",
        "x-envoy-force-trace", "x-envoy-original-url", "x-envoy-internal", "x-envoy-external-address",
        "x-envoy-original-path", "x-envoy-original-host",
    ]

    /// Brings the path to the form that policies and routes are written for.
    /// - Returns: False when the request has been answered.
    func normalizePath() -> Bool {
        guard let normalizer = connection.manager.normalizer else { return true }
        switch normalizer.apply(head.path) {
        case .unchanged: return true
        case .changed(let path): head.path = path
        case .redirect(let path):
            reply(.redirect(status: 307, location: String(buffer: path)))
            return false
        case .reject:
            reply(.badRequest)
            return false
        }
        return true
    }

    private var isEdge: Bool { connection.manager.manager.useRemoteAddress }

    private func stripPort() {
        guard let colon = head.host.lastIndex(of: ":"), !head.host.hasSuffix("]") else { return }
        head.host = String(head.host[..<colon])
    }

    private func forwardClientCertificate() {
        let mode = connection.manager.manager.forwardClientCert
        switch mode {
        case .alwaysForwardOnly: return
        case .forwardOnly: if connection.connection.info.peer == nil { head.headers.remove(.forwardedClientCert) }
        case .sanitize: head.headers.remove(.forwardedClientCert)
        case .sanitizeSet, .appendForward:
            guard let own = connection.clientCertificateElement else {
                head.headers.remove(.forwardedClientCert)
                return
            }
            let before = mode == .appendForward ? head.headers.string(.forwardedClientCert) : nil
            head.headers.set(.forwardedClientCert, before.map { "\($0),\(own)" } ?? own)
        }
    }

    func removeHopByHop(_ headers: inout HeaderBlock, keepUpgrade: Bool) {
        if headers.contains(.connection), !headers.isExactly(.connection, "keep-alive"),
            !headers.isExactly(.connection, "close")
        {
            for name in (headers.string(.connection) ?? "").split(separator: ",") {
                let name = HeaderName(name.trimmingSpaces())
                if name != .upgrade, name != .connection, name != .keepAlive { headers.remove(name) }
            }
        }
        headers.remove(.keepAlive)
        headers.remove(.proxyConnection)
        headers.remove(.transferEncoding)
        guard !keepUpgrade else { return }
        headers.remove(.connection)
        headers.remove(.upgrade)
    }

    /// After the route is known: its rewrites and mutations.
    func mutateRequest(_ action: RouteAction) {
        if let expected = timeouts?.expected, expected > 0 {
            head.headers.set(.expectedTimeout, String(expected))
        }
        // Additions are made of the request as it came, before the rewrites (Envoy's order).
        if let weighted { applyToRequest(weighted.requestHeaders) }
        if let decision {
            if !decision.route.requestHeaders.isEmpty { applyToRequest(decision.route.requestHeaders) }
            if !decision.virtualHost.requestHeaders.isEmpty { applyToRequest(decision.virtualHost.requestHeaders) }
        }
        rewritePath(action)
        rewriteHost(action)
    }

    private func rewriteHost(_ action: RouteAction) {
        guard weighted?.hostRewrite != nil || action.hostRewrite != nil else { return }
        let before = head.host
        if let host = weighted?.hostRewrite {
            head.host = host
        } else {
            switch action.hostRewrite {
            case .literal(let host): head.host = host
            case .header(let name): head.host = head.headers.first(name) ?? head.host
            case .pathRegex: head.host = decision?.forward?.hostFromPath(original.target) ?? head.host
            case .auto, nil: return
            }
        }
        if head.host != before { head.headers.set("x-envoy-original-host", before) }
        if action.appendXForwardedHost { head.headers.set("x-forwarded-host", before) }
    }

    private func rewritePath(_ action: RouteAction) {
        guard let decision, action.pathRewrite != nil else { return }
        let before = head.target
        guard let after = decision.forward?.rewrittenPath(before, matched: decision.route.match) else { return }
        head.target = after
        if after != before { head.headers.set("x-envoy-original-path", before) }
    }

    /// The target of a redirect, as RFC 9110 wants it: absolute.
    func location(_ redirect: Redirect, _ decision: RouteDecision) -> String {
        let isTLS = head.headers.string(.forwardedProto) == "https"
        return RedirectTarget(scheme: isTLS ? "https" : "http", authority: head.host, path: head.target)
            .location(redirect, decision: decision)
    }

    func mutateResponse(_ response: inout ResponseHead, serviceMilliseconds: Int64) {
        removeHopByHop(&response.headers, keepUpgrade: response.status == 101)
        response.headers.remove(PeerMetadata.idHeader)
        response.headers.remove(PeerMetadata.header)
        record.grpcStatus = response.headers.string(.grpcStatus)
        response.headers.reserve(fields: 4, bytes: 160)
        response.headers.set(.envoyUpstreamServiceTime, String(serviceMilliseconds))
        applyResponseMutations(&response.headers)
        if let decision, decision.virtualHost.includeAttemptCountInResponse {
            response.headers.set(.envoyAttemptCount, String(attemptCount))
        }
        if !hashCookies.isEmpty { for line in hashCookies { response.headers.append(.setCookie, line) } }
    }

    /// For upstream's responses and our own.
    func finishResponse(_ response: inout ResponseHead) {
        if let state = filterState { addHeaders(to: &response, state) }
        let facts = connection.manager
        switch facts.manager.serverHeader {
        case .overwrite: response.headers.set(.server, facts.serverName)
        case .appendIfAbsent: if !response.headers.contains(.server) { response.headers.set(.server, facts.serverName) }
        case .passThrough: break
        }
        if !response.headers.contains(.date) { response.headers.set(.date, worker.date.now()) }
        if facts.manager.alwaysSetRequestIDInResponse, let id = head.headers.string(.requestID) {
            response.headers.set(.requestID, id)
        }
    }

    /// What the route and its virtual host say about responses, the proxy's own among them.
    func applyResponseMutations(_ headers: inout HeaderBlock) {
        guard let decision else { return }
        if let weighted { apply(weighted.responseHeaders, to: &headers) }
        if !decision.route.responseHeaders.isEmpty { apply(decision.route.responseHeaders, to: &headers) }
        if !decision.virtualHost.responseHeaders.isEmpty { apply(decision.virtualHost.responseHeaders, to: &headers) }
    }

    /// Values are expanded against the request as the mutations before them left it.
    func applyToRequest(_ mutations: HeaderMutations) {
        for name in mutations.remove { head.headers.drop(name) }
        for entry in mutations.append {
            let value = Substitution.expand(entry.value, self)
            if entry.name == ":authority" || entry.name.lowercased() == "host" {
                head.host = value
            } else {
                Self.add(entry, value, to: &head.headers)
            }
        }
    }

    func apply(_ mutations: HeaderMutations, to headers: inout HeaderBlock) {
        for name in mutations.remove { headers.drop(name) }
        for entry in mutations.append {
            Self.add(entry, Substitution.expand(entry.value, self, response: headers), to: &headers)
        }
    }

    private static func add(_ entry: HeaderMutations.Append, _ value: String, to headers: inout HeaderBlock) {
        // An operator that has nothing to say adds no header.
        guard !value.isEmpty || entry.action == .overwriteIfExists else { return }
        switch entry.action {
        case .appendIfExistsOrAdd: headers.append(entry.name, value)
        case .addIfAbsent: if headers.first(entry.name) == nil { headers.append(entry.name, value) }
        case .overwriteIfExistsOrAdd: headers.set(entry.name, value)
        case .overwriteIfExists: if headers.first(entry.name) != nil { headers.set(entry.name, value) }
        }
    }
}
