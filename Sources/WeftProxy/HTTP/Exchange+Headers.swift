import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// What the proxy does to headers on their way, in the order Envoy has.
extension Exchange {
    var isUpgrade: Bool { original.method == .connect || original.headers.first("upgrade") != nil }

    func upgradeAllowed(_ action: RouteAction) -> Bool {
        let type = original.method == .connect ? "connect" : (original.headers.first("upgrade") ?? "").lowercased()
        if let own = action.upgrades.first(where: { $0.type.lowercased() == type }) { return own.enabled }
        return manager.upgradeTypes.contains(type)
    }

    /// Before any filter: what identifies the caller and the request.
    func prepareRequest() {
        let info = connection.connection.info
        takePeerMetadata()
        removeHopByHop(&head.headers, keepUpgrade: isUpgrade)
        dropPeerMetadata(&head.headers)
        if manager.stripAnyHostPort { stripPort() }
        if manager.generateRequestID,
            head.headers.first("x-request-id") == nil || isEdge && !manager.preserveExternalRequestID
        {
            head.headers.set("x-request-id", RequestID.make(&worker.random))
        }
        if isEdge {
            head.headers.drop("x-envoy-attempt-count")
            head.headers.drop("x-envoy-expected-rq-timeout-ms")
            if !manager.skipXFFAppend {
                let before = head.headers.first("x-forwarded-for").map { "\($0)," } ?? ""
                head.headers.set("x-forwarded-for", before + info.remoteIP)
            }
        }
        if isEdge || head.headers.first("x-forwarded-proto") == nil {
            head.headers.set(
                "x-forwarded-proto", info.isTLS && connection.manager.direction != .inbound ? "https" : "http")
        }
        forwardClientCertificate(info)
    }

    /// What proxies tell each other about workloads is nothing for applications, and nothing to believe from them.
    private func dropPeerMetadata(_ headers: inout HeaderBlock) {
        headers.drop("x-envoy-peer-metadata")
        headers.drop("x-envoy-peer-metadata-id")
    }

    /// Brings the path to the form that policies and routes are written for.
    /// - Returns: False when the request has been answered.
    func normalizePath() -> Bool {
        guard manager.normalizePath || manager.mergeSlashes || manager.escapedSlashes != .keepUnchanged else {
            return true
        }
        let slashes: PathNormalizer.EscapedSlashes =
            switch manager.escapedSlashes {
            case .keepUnchanged: .keep
            case .rejectRequest: .reject
            case .unescapeAndRedirect: .unescapeAndRedirect
            case .unescapeAndForward: .unescape
            }
        let normalizer = PathNormalizer(
            normalize: manager.normalizePath, mergeSlashes: manager.mergeSlashes, escapedSlashes: slashes)
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

    private var isEdge: Bool { manager.useRemoteAddress }

    private func stripPort() {
        guard let colon = head.host.lastIndex(of: ":"), !head.host.hasSuffix("]") else { return }
        head.host = String(head.host[..<colon])
    }

    private func forwardClientCertificate(_ info: ConnectionInfo) {
        let name = "x-forwarded-client-cert"
        switch manager.forwardClientCert {
        case .alwaysForwardOnly: return
        case .forwardOnly: if info.peer == nil { head.headers.drop(name) }
        case .sanitize: head.headers.drop(name)
        case .sanitizeSet, .appendForward:
            let before =
                manager.forwardClientCert == .appendForward && info.peer != nil ? head.headers.first(name) : nil
            head.headers.drop(name)
            guard let peer = info.peer else { return }
            var parts: [String] = []
            if let own = worker.localPrincipal { parts.append("By=\(own)") }
            parts.append("Hash=\(peer.fingerprint)")
            if manager.clientCertDetails.subject { parts.append("Subject=\"\(peer.subject)\"") }
            if manager.clientCertDetails.uri { parts += peer.uriNames.map { "URI=\($0)" } }
            if manager.clientCertDetails.dns { parts += peer.dnsNames.map { "DNS=\($0)" } }
            head.headers.set(name, (before.map { "\($0)," } ?? "") + parts.joined(separator: ";"))
        }
    }

    func removeHopByHop(_ headers: inout HeaderBlock, keepUpgrade: Bool) {
        for name in (headers.first("connection") ?? "").split(separator: ",") {
            let name = name.trimmingSpaces().lowercased()
            if name != "upgrade", name != "close", name != "keep-alive" { headers.drop(name) }
        }
        for name in ["keep-alive", "proxy-connection", "transfer-encoding"] { headers.drop(name) }
        guard !keepUpgrade else { return }
        headers.drop("connection")
        headers.drop("upgrade")
    }

    /// After the route is known: its rewrites and mutations.
    func mutateRequest(_ action: RouteAction) {
        rewritePath(action)
        rewriteHost(action)
        if let expected = timeouts?.expected, expected > 0 {
            head.headers.set("x-envoy-expected-rq-timeout-ms", String(expected))
        }
        guard let decision else { return }
        if let weighted { apply(weighted.requestHeaders, to: &head.headers) }
        apply(decision.route.requestHeaders, to: &head.headers)
        apply(decision.virtualHost.requestHeaders, to: &head.headers)
    }

    private func rewriteHost(_ action: RouteAction) {
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
        let isTLS = head.headers.first("x-forwarded-proto") == "https"
        return RedirectTarget(scheme: isTLS ? "https" : "http", authority: head.host, path: head.target)
            .location(redirect, decision: decision)
    }

    func mutateResponse(_ response: inout ResponseHead, serviceMilliseconds: Int64) {
        removeHopByHop(&response.headers, keepUpgrade: response.status == 101)
        response.headers.remove(PeerMetadata.idHeader)
        response.headers.remove(PeerMetadata.header)
        dropPeerMetadata(&response.headers)
        record.grpcStatus = response.headers.first("grpc-status")
        response.headers.set("x-envoy-upstream-service-time", String(serviceMilliseconds))
        if let decision {
            if let weighted { apply(weighted.responseHeaders, to: &response.headers) }
            apply(decision.route.responseHeaders, to: &response.headers)
            apply(decision.virtualHost.responseHeaders, to: &response.headers)
            if decision.virtualHost.includeAttemptCountInResponse {
                response.headers.set("x-envoy-attempt-count", String(attemptCount))
            }
        }
        for line in hashCookies { response.headers.append("set-cookie", line) }
        corsHeaders?.fields.forEach { response.headers.set($0.name, $0.value) }
        finishResponse(&response)
    }

    /// For upstream's responses and our own.
    func finishResponse(_ response: inout ResponseHead) {
        let name = manager.serverName ?? "envoy"
        switch manager.serverHeader {
        case .overwrite: response.headers.set("server", name)
        case .appendIfAbsent: if response.headers.first("server") == nil { response.headers.set("server", name) }
        case .passThrough: break
        }
        if manager.alwaysSetRequestIDInResponse, let id = head.headers.first("x-request-id") {
            response.headers.set("x-request-id", id)
        }
    }

    private func apply(_ mutations: HeaderMutations, to headers: inout HeaderBlock) {
        guard !mutations.isEmpty else { return }
        for name in mutations.remove { headers.drop(name) }
        for entry in mutations.append {
            let value = Substitution.expand(entry.value, self)
            if entry.name == ":authority" || entry.name.lowercased() == "host" {
                head.host = value
                continue
            }
            switch entry.action {
            case .appendIfExistsOrAdd: headers.append(entry.name, value)
            case .addIfAbsent: if headers.first(entry.name) == nil { headers.append(entry.name, value) }
            case .overwriteIfExistsOrAdd: headers.set(entry.name, value)
            case .overwriteIfExists: if headers.first(entry.name) != nil { headers.set(entry.name, value) }
            }
        }
    }
}
