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
        if action.timeoutMilliseconds > 0 {
            head.headers.set("x-envoy-expected-rq-timeout-ms", String(action.timeoutMilliseconds))
        }
        guard let decision else { return }
        if let weighted { apply(weighted.requestHeaders, to: &head.headers) }
        apply(decision.route.requestHeaders, to: &head.headers)
        apply(decision.virtualHost.requestHeaders, to: &head.headers)
    }

    private func rewriteHost(_ action: RouteAction) {
        let before = head.host
        switch action.hostRewrite {
        case .literal(let host): head.host = host
        case .header(let name): head.host = head.headers.first(name) ?? head.host
        case .auto, nil: return
        }
        if action.appendXForwardedHost { head.headers.set("x-forwarded-host", before) }
    }

    private func rewritePath(_ action: RouteAction) {
        guard let decision, let rewrite = action.pathRewrite else { return }
        let before = head.target
        switch rewrite {
        case .prefix(let new):
            head.target = PathRewriter.replacePrefix(of: before, matched: decision.route.match.path, by: new)
        case .regex: return
        }
        if head.target != before { head.headers.set("x-envoy-original-path", before) }
    }

    /// The target of a redirect, as RFC 9110 wants it: absolute.
    func location(_ redirect: Redirect) -> String {
        let isTLS = head.headers.first("x-forwarded-proto") == "https"
        let scheme = redirect.httpsRedirect ? "https" : redirect.scheme ?? (isTLS ? "https" : "http")
        var host = redirect.host ?? head.host
        if redirect.host == nil, redirect.httpsRedirect || redirect.port != nil, let colon = host.lastIndex(of: ":") {
            host = String(host[..<colon])
        }
        if let port = redirect.port, !(scheme == "https" && port == 443), !(scheme == "http" && port == 80) {
            host += ":\(port)"
        }
        var path = head.target
        switch redirect.path {
        case .full(let new): path = new
        case .prefix(let new):
            if let match = decision?.route.match.path {
                path = PathRewriter.replacePrefix(of: path, matched: match, by: new)
            }
        case .regex, nil: break
        }
        if redirect.stripQuery, let mark = path.firstIndex(of: "?") { path = String(path[..<mark]) }
        return "\(scheme)://\(host)\(path)"
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

    /// What consistent load balancing hashes; `nil` when no policy applies.
    func requestHash() -> UInt64? {
        guard let policies = action?.hashPolicies, !policies.isEmpty else { return nil }
        var result: UInt64?
        for policy in policies {
            let (text, isTerminal) = hashed(policy)
            guard let text else { continue }
            var hash = result ?? 0xcbf2_9ce4_8422_2325
            for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
            result = hash
            if isTerminal { break }
        }
        return result
    }

    private func hashed(_ policy: HashPolicy) -> (String?, Bool) {
        switch policy {
        case .header(let name, let terminal): (head.headers.first(name), terminal)
        case .sourceIP(let terminal): (connection.connection.info.remoteIP, terminal)
        case .cookie(let name, _, _, let terminal): (Cookies.value(name, in: head.headers.first("cookie")), terminal)
        case .queryParameter(let name, let terminal): (Cookies.query(name, in: head.target), terminal)
        }
    }
}
