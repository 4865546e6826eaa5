import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// Who calls, by which name, and what the hops on the way add to the headers.
extension Exchange {
    /// - Returns: Whether the request enters the trusted network here.
    func judgeCaller() -> Bool {
        let verdict = connection.manager.trust.apply(
            to: &head, from: connection.caller, internalOnly: routeTable?.internalOnlyHeaders ?? [])
        if let client = verdict.client { record.client = client }
        if verdict.isHTTPS, head.version != .http2, head.scheme == .http { head.scheme = .https }
        return verdict.isEdge
    }

    /// The client's address: the one that `x-forwarded-for` vouches for, as far as hops are trusted.
    var clientIP: String { record.client ?? connection.connection.info.remoteIP }

    /// ``clientIP`` with a port, which is 0 when nobody has said it.
    var clientAddress: String {
        if let client = record.client { return LogContext.Endpoint.text(client, 0) }
        let info = connection.connection.info
        return LogContext.Endpoint.text(info.remoteIP, info.remotePort)
    }

    /// `strip_trailing_host_dot`, `strip_any_host_port`, `strip_matching_host_port`.
    func normalizeHost() {
        let manager = connection.manager.manager
        guard manager.stripTrailingHostDot || manager.stripAnyHostPort || manager.stripMatchingHostPort else { return }
        var name = HostName(head.host)
        if manager.stripTrailingHostDot { name.stripDot() }
        if manager.stripAnyHostPort {
            name.stripPort()
        } else if manager.stripMatchingHostPort {
            name.stripPort(ifEqual: connection.connection.info.destinationPort)
        }
        if name.text != head.host { head.host = name.text }
    }

    /// Answers `expect: 100-continue` for upstreams that are never asked.
    func answerContinue() {
        guard head.headers.holds(.expect), connection.manager.manager.answersContinue, head.expectsContinue
        else { return }
        head.headers.remove(.expect)
        stream.inform(ResponseHead(status: 100))
    }

    /// False when headers `x-envoy-*` that the proxy makes are not wanted.
    var makesEnvoyHeaders: Bool { !connection.manager.manager.router.suppressesEnvoyHeaders }

    /// The host before a rewrite, for the upstream.
    func noteHost(_ before: String, _ action: RouteAction) {
        if makesEnvoyHeaders { head.headers.set("x-envoy-original-host", before) }
        guard action.appendXForwardedHost, !before.isEmpty else { return }
        guard let known = head.headers.string(.forwardedHost), !known.isEmpty else {
            return head.headers.set(.forwardedHost, before)
        }
        if known.split(separator: ",").last?.trimmingSpaces() != before {
            head.headers.set(.forwardedHost, "\(known),\(before)")
        }
    }

    private static var via: HeaderName { "via" }

    static func append(via: String, to headers: inout HeaderBlock) {
        let before = headers.joined(Self.via).map { String(decoding: $0, as: UTF8.self) }
        headers.set(Self.via, before.map { "\($0), \(via)" } ?? via)
    }

    /// Of what a client says about transfer codings only `trailers` concerns an upstream.
    static func sanitizeTE(_ headers: inout HeaderBlock) {
        if headers.hasToken(.te, "trailers") { headers.set(.te, "trailers") } else { headers.remove(.te) }
    }

    /// What HTTP/2 accepts with 200, HTTP/1.1 accepts with 101.
    func acceptUpgrade(_ response: inout ResponseHead) {
        guard head.method != .connect, (200...299).contains(response.status) else { return }
        response.status = 101
        if let type = head.headers.string(.upgrade) { response.headers.set(.upgrade, type) }
        response.headers.remove(.contentLength)
    }

    /// HTTP/2 always passes trailers on; HTTP/1 when it was told to.
    func takesTrailers(_ version: HTTPProtocolVersion, _ enabled: Bool) -> Bool { enabled || version == .http2 }

    /// What the request calls its upstream, where the cluster wants that to be the TLS server name.
    func upstreamName(of host: CompiledHost, in cluster: WorkerCluster) -> UpstreamName? {
        guard let wanted = cluster.compiled.cluster.automaticServerName, host.target.tls != nil else { return nil }
        var text = head.host
        if !wanted.header.isEmpty, let own = head.headers.first(wanted.header), !own.isEmpty { text = own }
        let name = RequestAuthority.split(text).host
        let isAddress = (try? SocketAddress(ipAddress: name, port: 0)) != nil
        return UpstreamName(
            serverName: wanted.setsServerName && !isAddress && !name.isEmpty ? name : nil,
            expectedName: wanted.validatesName && !name.isEmpty ? name : nil)
    }

    /// The request's trailers, as far as the upstream's connection takes them.
    var upstreamTrailers: HeaderBlock? {
        guard let requestTrailers, let cluster else { return requestTrailers }
        return attempt?.version == .http2 || !cluster.compiled.cluster.dropsTrailers ? requestTrailers : nil
    }
}

/// A host with an optional port, as `Host` and `:authority` have it.
struct HostName {
    private(set) var text: String
    init(_ text: String) { self.text = text }

    private var portStart: String.Index? {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        if let bracket = text.lastIndex(of: "]"), bracket > colon { return nil }
        return colon
    }

    mutating func stripDot() {
        let end = portStart ?? text.endIndex
        guard end > text.startIndex, text[text.index(before: end)] == "." else { return }
        text.remove(at: text.index(before: end))
    }

    /// - Parameter port: Another port stays.
    mutating func stripPort(ifEqual port: UInt16? = nil) {
        guard let start = portStart, let stated = UInt32(text[text.index(after: start)...]),
            port.map({ UInt32($0) == stated }) ?? true
        else { return }
        text = String(text[..<start])
    }
}

/// An address of this machine that means something to others; read once.
enum OwnAddress {
    static let ip: String = {
        let devices = (try? System.enumerateDevices()) ?? []
        let addresses = devices.compactMap { $0.address?.ipAddress }
        return addresses.first { !$0.contains(":") && !$0.hasPrefix("127.") } ?? "127.0.0.1"
    }()
}
