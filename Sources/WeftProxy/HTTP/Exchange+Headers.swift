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

    /// Whether the body of this POST is what an upstream without HTTP is to get.
    func endsPost(_ action: RouteAction) -> Bool {
        guard case .post = original.method else { return false }
        return action.upgrades.contains { $0.terminatesPost && $0.enabled && $0.type.lowercased() == "connect" }
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
        if let weighted {
            applyToRequest(weighted.requestHeaders)
            // Before all else, and the upstream is told nothing of the host before it.
            if let host = weighted.hostRewrite { head.host = host }
        }
        if let decision { for mutations in decision.requestMutations { applyToRequest(mutations) } }
        if forwarding.rewritesPath { rewritePath(forwarding.action) }
        if forwarding.rewritesHost { rewriteHost(forwarding.action) }
    }

    private func rewriteHost(_ action: RouteAction) {
        let before = head.host
        let host: String? =
            switch action.hostRewrite {
            case .literal(let host): host
            case .header(let name): head.headers.first(name)
            case .pathRegex: decision?.forward?.hostFromPath(original.target)
            case .auto, nil: nil
            }
        guard let host, !host.isEmpty else { return }
        head.host = host
        noteHost(before, action)
    }

    private func rewritePath(_ action: RouteAction) {
        guard let decision, action.pathRewrite != nil else { return }
        decision.forward?.rewrittenPath(head.target, matched: decision.route.match).map(rewritePath)
    }

    private func rewritePath(_ after: String) {
        let before = head.target
        head.target = after
        if makesEnvoyHeaders { head.headers.set("x-envoy-original-path", before) }
    }

    /// The target of a redirect, as RFC 9110 wants it: absolute.
    func location(_ redirect: Redirect, _ decision: RouteDecision) -> String {
        RedirectTarget(scheme: head.scheme.rawValue, authority: head.host, path: head.target)
            .location(redirect, decision: decision)
    }

    func redirectClient(_ redirect: Redirect, _ decision: RouteDecision) {
        let location = location(redirect, decision)
        // The request has the new path from here on: what is added to the answer and written to logs tells it.
        if let path = RedirectTarget.rewritten(head.target, redirect, decision) { rewritePath(path) }
        reply(.redirect(status: redirect.status, location: location), provenance: decision.route.provenance)
    }

    /// What was made, or where to look, is said with 201 and 3xx to be at the address that was asked for.
    func answer(_ direct: DirectResponse, _ decision: RouteDecision) {
        let reason = LocalReply.Reason.directResponse(status: direct.status, body: direct.body)
        var headers: HeaderBlock?
        if direct.status == 201 || (300...399).contains(direct.status), !head.path.readableBytesView.isEmpty {
            headers = HeaderBlock()
            headers?.set(.location, location(Redirect(), decision))
        }
        reply(reason, provenance: decision.route.provenance, headers: headers)
    }

    func mutateResponse(_ response: inout ResponseHead, serviceMilliseconds: Int64?) {
        removeHopByHop(&response.headers, keepUpgrade: response.status == 101)
        // RFC 9110, 8.6.
        if response.status == 204 { response.headers.remove(.contentLength) }
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
        if facts.keeps.contains(.response) { record.responseHeaders = response.headers }
        if facts.manager.properCaseHeaders { response.headers.useProperCase() }
    }

    /// What the route and its virtual host say about responses, the proxy's own among them.
    func applyResponseMutations(_ headers: inout HeaderBlock) {
        if let weighted { apply(weighted.responseHeaders, to: &headers) }
        guard let decision else { return }
        for mutations in decision.responseMutations { apply(mutations, to: &headers) }
    }

    /// To an own reply. A route that does not forward has a say in its own answer alone, not in what a filter said
    /// before it.
    func addToOwnReply(_ local: LocalReply, _ headers: inout HeaderBlock) {
        guard let decision, decision.forward != nil || local.code == "direct_response" else { return }
        // A filter that answered before the router: the weighted cluster is the route's choice all the same.
        if !takesWeighted, case .weighted? = decision.forward?.action.cluster {
            if weightedIndex == nil { weightedIndex = decision.forward?.weightedChoice(worker.decisions.next()) }
            takesWeighted = true
        }
        applyResponseMutations(&headers)
    }

    /// Values are expanded against the request as the lists before this one left it.
    func applyToRequest(_ mutations: HeaderMutations) {
        for name in mutations.remove { head.headers.drop(name) }
        guard !mutations.append.isEmpty else { return }
        let values = mutations.append.map { Substitution.bytes($0.value, self) }
        for (entry, value) in zip(mutations.append, values)
        where entry.name == ":authority" || entry.name.lowercased() == "host" {
            if !value.isEmpty { head.host = String(decoding: value, as: UTF8.self) }
        }
        Self.add(mutations.append, values, to: &head.headers)
    }

    func apply(_ mutations: HeaderMutations, to headers: inout HeaderBlock) {
        for name in mutations.remove { headers.drop(name) }
        guard !mutations.append.isEmpty else { return }
        let values = mutations.append.map { Substitution.bytes($0.value, self, response: headers) }
        Self.add(mutations.append, values, to: &headers)
    }

    /// As one step: all look at what was there before any of them. What replaces comes before what is added.
    private static func add(_ entries: [HeaderMutations.Append], _ values: [[UInt8]], to headers: inout HeaderBlock) {
        var added: [(HeaderMutations.Append, [UInt8])] = []
        var replacing: [(HeaderName, [UInt8])] = []
        for (entry, value) in zip(entries, values) {
            // An operator that has nothing to say adds no header, and replaces none.
            guard !value.isEmpty || entry.keepsEmpty, entry.name != ":authority" else { continue }
            let name = HeaderName(entry.name)
            guard name != .host else { continue }
            switch entry.action {
            case .appendIfExistsOrAdd: added.append((entry, value))
            case .addIfAbsent: if !headers.contains(name) { added.append((entry, value)) }
            case .overwriteIfExistsOrAdd: replacing.append((name, value))
            case .overwriteIfExists: if headers.contains(name) { replacing.append((name, value)) }
            }
        }
        for (name, value) in replacing { headers.set(name, value) }
        for (entry, value) in added { headers.append(nameBytes: entry.name.utf8, value: value) }
    }
}
