import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// What the proxy does to headers on their way, in the order Envoy has.
extension Exchange {
    var isUpgrade: Bool { original.isUpgrade }

    func upgradeAllowed(_ action: RouteAction) -> Bool {
        let type = original.method.isConnect ? "connect" : (head.headers.string(.upgrade) ?? "").lowercased()
        if let own = action.upgrades.first(where: { $0.type.lowercased() == type }) {
            terminatesConnect = own.terminatesConnect && original.method.isConnect
            return own.enabled
        }
        return manager.upgradeTypes.contains(type)
    }

    /// Before any filter: what identifies the caller and the request.
    func prepareRequest() {
        let facts = connection.manager
        takePeerMetadata()
        answerContinue()
        removeHopByHop(&head.headers, keepUpgrade: isUpgrade)
        let isEdge = judgeCaller()
        if let via = facts.manager.via { Self.append(via: via, to: &head.headers) }
        if facts.manager.generateRequestID,
            !head.headers.holds(.requestID) || isEdge && !facts.manager.preserveExternalRequestID
        {
            let (high, low) = (worker.random.next(), worker.random.next())
            head.headers.set(.requestID, length: RequestID.length) { RequestID.write(high, low, to: $0) }
        }
        forwardClientCertificate()
    }

    /// Brings the path to the form that policies and routes are written for.
    /// - Returns: False when the request has been answered.
    func normalizePath() -> Bool {
        if let first = head.path.readableBytesView.first, first != UInt8(ascii: "/") {
            reply(.relativePath)
            return false
        }
        guard let normalizer = connection.manager.normalizer else { return true }
        switch normalizer.apply(head.path) {
        case .unchanged: return true
        case .changed(let path): head.path = path
        case .redirect(let path):
            let target = String(buffer: path)
            head.path = path
            reply(.pathRedirect(location: target))
            return false
        case .reject:
            reply(.pathRefused)
            return false
        }
        return true
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

    private static let hopByHop: HeaderNameSet = [
        .connection, .keepAlive, .proxyConnection, .transferEncoding, .upgrade, .te,
    ]

    func removeHopByHop(_ headers: inout HeaderBlock, keepUpgrade: Bool) {
        guard headers.mayContain(Self.hopByHop) else { return }
        if headers.connectionOption == .other {
            for name in (headers.string(.connection) ?? "").split(separator: ",") {
                let name = HeaderName(name.trimmingSpaces())
                if name != .upgrade, name != .connection, name != .keepAlive { headers.remove(name) }
            }
        }
        headers.remove(.keepAlive)
        headers.remove(.proxyConnection)
        headers.remove(.transferEncoding)
        if headers.contains(.te), !headers.isExactly(.te, "trailers") { Self.sanitizeTE(&headers) }
        guard !keepUpgrade else { return }
        headers.remove(.connection)
        headers.remove(.upgrade)
    }

    /// After the route is known: its rewrites and mutations.
    func mutateRequest(_ forwarding: CompiledForward) {
        if let expected = timeouts?.expected, expected > 0, makesEnvoyHeaders {
            head.headers.set(.expectedTimeout, decimal: expected)
        }
        // Additions are made of the request as it came, before the rewrites (Envoy's order).
        if let weighted { applyToRequest(weighted.requestHeaders) }
        if let decision, decision.changesRequest {
            if !decision.route.requestHeaders.isEmpty { applyToRequest(decision.route.requestHeaders) }
            if !decision.virtualHost.requestHeaders.isEmpty { applyToRequest(decision.virtualHost.requestHeaders) }
            if let table = decision.tableRequestHeaders { applyToRequest(table) }
        }
        if forwarding.rewritesPath { rewritePath(forwarding.action) }
        if forwarding.rewritesHost { rewriteHost(forwarding.action) }
    }

    private func rewriteHost(_ action: RouteAction) {
        guard weighted?.hostRewrite != nil || action.hostRewrite != nil else { return }
        let before = head.host
        if let host = weighted?.hostRewrite {
            // Of a weighted cluster, Envoy tells the upstream nothing of the host before.
            head.host = host
            return
        }
        switch action.hostRewrite {
        case .literal(let host): head.host = host
        case .header(let name):
            guard let host = head.headers.first(name) else { return }
            head.host = host
        case .pathRegex: head.host = decision?.forward?.hostFromPath(original.target) ?? head.host
        case .auto, nil: return
        }
        noteHost(before, action)
    }

    private func rewritePath(_ action: RouteAction) {
        guard let decision, action.pathRewrite != nil else { return }
        let before = head.target
        guard let after = decision.forward?.rewrittenPath(before, matched: decision.route.match) else { return }
        head.target = after
        if makesEnvoyHeaders { head.headers.set("x-envoy-original-path", before) }
    }

    /// The target of a redirect, as RFC 9110 wants it: absolute.
    func location(_ redirect: Redirect, _ decision: RouteDecision) -> String {
        let isTLS = head.headers.string(.forwardedProto) == "https"
        return RedirectTarget(scheme: isTLS ? "https" : "http", authority: head.host, path: head.target)
            .location(redirect, decision: decision)
    }

    func mutateResponse(_ response: inout ResponseHead, serviceMilliseconds: Int64?) {
        removeHopByHop(&response.headers, keepUpgrade: response.status == 101)
        if response.headers.mayContain(PeerMetadata.headers) {
            response.headers.remove(PeerMetadata.idHeader)
            response.headers.remove(PeerMetadata.header)
        }
        record.grpcStatus = response.headers.string(.grpcStatus)
        if let serviceMilliseconds, makesEnvoyHeaders {
            response.headers.set(.envoyUpstreamServiceTime, decimal: UInt64(clamping: serviceMilliseconds))
        }
        applyResponseMutations(&response.headers)
        if let decision, decision.countsAttemptsInResponse {
            response.headers.set(.envoyAttemptCount, decimal: UInt64(attemptCount))
        }
        if !hashCookies.isEmpty { for line in hashCookies { response.headers.append(.setCookie, line) } }
    }

    /// For upstream's responses and our own.
    func finishResponse(_ response: inout ResponseHead) {
        if connection.connection.closesAfterResponse { stream.closeAfterResponse() }
        if let state = filterState { addHeaders(to: &response, state) }
        let facts = connection.manager
        switch facts.manager.serverHeader {
        case .overwrite: response.headers.set(.server, facts.serverName)
        case .appendIfAbsent: if !response.headers.contains(.server) { response.headers.set(.server, facts.serverName) }
        case .passThrough: break
        }
        if !response.headers.contains(.date) { response.headers.set(.date, worker.date.now()) }
        if let via = facts.manager.via { Self.append(via: via, to: &response.headers) }
        if facts.manager.alwaysSetRequestIDInResponse, let id = head.headers.string(.requestID) {
            response.headers.set(.requestID, id)
        }
        if facts.keeps.contains(.response) { record.keptExtras().responseHeaders = response.headers }
        if facts.manager.properCaseHeaders { response.headers.useProperCase() }
    }

    /// What the route and its virtual host say about responses, the proxy's own among them.
    func applyResponseMutations(_ headers: inout HeaderBlock) {
        if let weighted { apply(weighted.responseHeaders, to: &headers) }
        guard let decision, decision.changesResponse else { return }
        if !decision.route.responseHeaders.isEmpty { apply(decision.route.responseHeaders, to: &headers) }
        if !decision.virtualHost.responseHeaders.isEmpty { apply(decision.virtualHost.responseHeaders, to: &headers) }
        if let table = decision.tableResponseHeaders { apply(table, to: &headers) }
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
        guard !value.isEmpty || entry.keepsEmpty || entry.action == .overwriteIfExists else { return }
        switch entry.action {
        case .appendIfExistsOrAdd: headers.append(entry.name, value)
        case .addIfAbsent: if headers.first(entry.name) == nil { headers.append(entry.name, value) }
        case .overwriteIfExistsOrAdd: headers.set(entry.name, value)
        case .overwriteIfExists: if headers.first(entry.name) != nil { headers.set(entry.name, value) }
        }
    }
}
