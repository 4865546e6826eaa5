import WeftIR
import WeftRouting
import WeftTransport

/// What the certificate of a TLS peer must be, apart from its chain; no rules accept everyone who chains to the bundle.
struct PeerNameMatcher: Sendable {
    private struct Name: Sendable {
        let kind: SubjectAltNameMatcher.Kind
        let matcher: CompiledStringMatcher
        /// A whole DNS name, which a name with a wildcard in the certificate matches too.
        let host: String?
        let objectIdentifier: String
    }
    private let names: [Name]
    private let certificateHashes: Set<String>
    private let keyHashes: Set<String>

    init(_ rules: ValidationRules) {
        names = rules.subjectAltNames.map { name in
            var host: String?
            if name.kind == .dns, case .exact(let text) = name.matcher.pattern { host = text.lowercased() }
            return Name(
                kind: name.kind, matcher: CompiledStringMatcher(name.matcher), host: host,
                objectIdentifier: name.objectIdentifier)
        }
        certificateHashes = Set(rules.certificateHashes)
        keyHashes = Set(rules.keyHashes)
    }

    func accepts(_ peer: PeerIdentity?) -> Bool {
        if names.isEmpty, certificateHashes.isEmpty, keyHashes.isEmpty { return true }
        guard let peer else { return false }
        return isPinned(peer) && (names.isEmpty || names.contains { matches($0, peer) })
    }

    /// In place of the configured names the certificate must be for this one, a host name or an address.
    func accepts(_ peer: PeerIdentity?, name: String) -> Bool {
        guard let peer else { return false }
        let host = name.lowercased()
        return isPinned(peer)
            && (peer.dnsNames.contains { Self.matches($0.lowercased(), host: host) } || peer.ipAddresses.contains(host))
    }

    private func isPinned(_ peer: PeerIdentity) -> Bool {
        if certificateHashes.isEmpty, keyHashes.isEmpty { return true }
        if certificateHashes.contains(peer.fingerprint) { return true }
        return !keyHashes.isEmpty && keyHashes.contains(peer.keyFingerprint)
    }

    private func matches(_ name: Name, _ peer: PeerIdentity) -> Bool {
        switch name.kind {
        case .uri: peer.uriNames.contains { name.matcher.matches($0) }
        case .dns:
            peer.dnsNames.contains { text in
                name.host.map { Self.matches(text.lowercased(), host: $0) } ?? name.matcher.matches(text)
            }
        case .email: peer.emailNames.contains { name.matcher.matches($0) }
        case .ipAddress: peer.ipAddresses.contains { name.matcher.matches($0) }
        case .otherName:
            peer.otherNames.contains {
                $0.objectIdentifier == name.objectIdentifier && name.matcher.matches($0.value)
            }
        }
    }

    /// RFC 6125, 6.4.3: a star stands for one whole label, the first.
    private static func matches(_ pattern: String, host: String) -> Bool {
        if pattern == host { return true }
        guard pattern.hasPrefix("*."), let dot = host.firstIndex(of: "."), dot != host.startIndex else { return false }
        return host[dot...] == pattern.dropFirst()
    }
}
