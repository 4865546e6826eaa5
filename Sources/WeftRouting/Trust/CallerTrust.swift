import NIOCore
package import WeftHTTP
package import WeftIR

/// Who a request comes from, and what of its headers such a caller may say: `use_remote_address`,
/// `xff_num_trusted_hops`, `internal_address_config` and `internal_only_headers` of a connection manager.
///
/// Pure. Headers are changed in place; a request without `x-envoy-*` headers and without `x-forwarded-for` pays for a
/// few bit tests.
package final class CallerTrust: Sendable {
    /// What is known of the connection; made once for all its requests.
    package final class Peer: Sendable {
        package let ip: String
        package let isTLS: Bool
        package let localPort: UInt16
        /// An address of this machine that means something elsewhere, for peers on the loopback.
        package let ownIP: String
        package init(ip: String, isTLS: Bool, localPort: UInt16, ownIP: String) {
            self.ip = ip
            self.isTLS = isTLS
            self.localPort = localPort
            self.ownIP = ownIP
        }
    }
    package struct Verdict: Sendable, Hashable {
        /// The client, when it is another than the peer of the connection.
        package var client: String?
        /// It may give orders by `x-envoy-*` headers.
        package var isInternal = false
        /// The request enters the trusted network here.
        package var isEdge = false
        /// `x-forwarded-proto` is `https` now.
        package var isHTTPS = false
    }

    private let usesRemoteAddress: Bool
    private let trustedHops: Int
    private let skipsAppend: Bool
    private let appendsPort: Bool
    private let scheme: String?
    private let internalRanges: [IPPrefix]

    package init(_ manager: HTTPConnectionManager) {
        usesRemoteAddress = manager.useRemoteAddress
        trustedHops = Int(manager.xffNumTrustedHops)
        skipsAppend = manager.skipXFFAppend
        appendsPort = manager.appendXForwardedPort
        scheme = manager.schemeOverwrite
        internalRanges = manager.internalAddresses.map(IPPrefix.init)
    }

    /// Brings the headers about the caller into order.
    /// - Parameter internalOnly: Further headers that only callers inside may send.
    package func apply(to head: inout RequestHead, from peer: Peer, internalOnly: [HeaderName]) -> Verdict {
        head.headers.remove(Self.isInternalHeader)
        var verdict = Verdict()
        var mayBeInternal: Bool
        if usesRemoteAddress {
            mayBeInternal = !head.headers.contains(.forwardedFor)
            if trustedHops > 0 { verdict.client = Self.address(in: head.headers, skipping: trustedHops - 1)?.ip }
            appendPeer(to: &head.headers, peer)
        } else {
            let found = Self.address(in: head.headers, skipping: trustedHops)
            verdict.client = found?.ip
            mayBeInternal = found?.isOnlyOne ?? false
            Self.joinForwardedFor(&head.headers)
        }
        verdict.isHTTPS = describeConnection(&head, peer)
        if mayBeInternal, !internalRanges.isEmpty, let client = IPAddress(verdict.client ?? peer.ip) {
            verdict.isInternal = internalRanges.contains { $0.contains(client) }
        }
        verdict.isEdge = usesRemoteAddress && !verdict.isInternal
        if verdict.isInternal {
            head.headers.set(Self.isInternalHeader, "true")
        } else {
            if verdict.isEdge { head.headers.remove(anyOf: Self.edgeOnly) }
            head.headers.remove(anyOf: Self.orders)
            for name in internalOnly { head.headers.remove(name) }
        }
        if verdict.isEdge { head.headers.set(Self.externalAddress, verdict.client ?? peer.ip) }
        return verdict
    }

    private func appendPeer(to headers: inout HeaderBlock, _ peer: Peer) {
        guard !skipsAppend else { return Self.joinForwardedFor(&headers) }
        // A loopback address would tell the next hop nothing.
        let ip = peer.ip == "127.0.0.1" || peer.ip == "::1" ? peer.ownIP : peer.ip
        guard let before = headers.joined(.forwardedFor) else { return headers.append(.forwardedFor, ip) }
        headers.set(.forwardedFor, "\(String(decoding: before, as: UTF8.self)),\(ip)")
    }

    /// Several lines become one list.
    private static func joinForwardedFor(_ headers: inout HeaderBlock) {
        guard let first = headers.index(of: .forwardedFor), headers.index(of: .forwardedFor, from: first + 1) != nil,
            let all = headers.joined(.forwardedFor)
        else { return }
        headers.set(.forwardedFor, String(decoding: all, as: UTF8.self))
    }

    /// - Returns: Whether `x-forwarded-proto` says `https` in the end.
    private func describeConnection(_ head: inout RequestHead, _ peer: Peer) -> Bool {
        let isStranger = usesRemoteAddress && trustedHops == 0
        let isHTTPS: Bool
        if isStranger || !head.headers.contains(.forwardedProto) {
            head.headers.set(.forwardedProto, peer.isTLS ? "https" : "http")
            isHTTPS = peer.isTLS
        } else {
            isHTTPS = head.headers.isExactly(.forwardedProto, "https")
        }
        if appendsPort, isStranger || !head.headers.contains(Self.forwardedPort) {
            head.headers.set(Self.forwardedPort, String(peer.localPort))
        }
        guard let scheme else { return isHTTPS }
        head.headers.set(.forwardedProto, scheme)
        head.scheme = scheme == "https" ? .https : .http
        return head.scheme == .https
    }

    /// The address that stands before the last `count` ones of `x-forwarded-for`.
    /// - Returns: `nil` when there are not so many, or what stands there is no address.
    static func address(in headers: HeaderBlock, skipping count: Int) -> (ip: String, isOnlyOne: Bool)? {
        guard let value = headers.joined(.forwardedFor) else { return nil }
        let parts = value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard parts.count > count else { return nil }
        let text = String(decoding: HeaderBlock.trimmed(parts[parts.count - 1 - count]), as: UTF8.self)
        guard IPAddress(text) != nil else { return nil }
        return (text, parts.count == 1 && count == 0)
    }

    private static var isInternalHeader: HeaderName { "x-envoy-internal" }
    private static var externalAddress: HeaderName { "x-envoy-external-address" }
    private static var forwardedPort: HeaderName { "x-forwarded-port" }

    /// What only a proxy inside may say; taken from requests that enter the network here.
    private static let edgeOnly: HeaderNameSet = [
        "x-envoy-decorator-operation", "x-envoy-downstream-service-cluster", "x-envoy-downstream-service-node",
        "x-envoy-external-address", "x-envoy-original-path", "x-envoy-original-host", "x-envoy-attempt-count",
    ]

    /// What only callers inside may ask of the router.
    private static let orders: HeaderNameSet = [
        "x-envoy-retry-on", "x-envoy-retry-grpc-on", "x-envoy-max-retries", "x-envoy-retriable-status-codes",
        "x-envoy-retriable-header-names", "x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms",
        "x-envoy-upstream-rq-timeout-alt-response", "x-envoy-expected-rq-timeout-ms",
        "x-envoy-hedge-on-per-try-timeout", "x-envoy-upstream-alt-stat-name", "x-envoy-ip-tags",
        "x-envoy-force-trace", "x-envoy-original-url",
    ]
}
