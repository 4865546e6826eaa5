import WeftCore
import WeftHTTP
import WeftIR
import WeftTransport

/// What TLS has agreed on with clients and upstreams, and who was tried.
extension LogContext {
    func secured(_ name: FormatOperatorName) -> FormatValue {
        let upstream = exchange?.record.extras?.upstreamTLS
        let peer = upstream?.peer
        switch name {
        case .tlsVersion: return FormatValue(filled(downstreamTLS?.version))
        case .tlsCipher: return FormatValue(filled(downstreamTLS?.cipher))
        case .tlsSessionID: return FormatValue(filled(downstreamTLS?.sessionID))
        case .upstreamTLSVersion: return FormatValue(filled(upstream?.version))
        case .upstreamTLSCipher: return FormatValue(filled(upstream?.cipher))
        case .upstreamTLSSessionID: return FormatValue(filled(upstream?.sessionID))
        case .upstreamPeerSubject: return FormatValue(filled(peer?.subject))
        case .upstreamPeerIssuer: return FormatValue(filled(peer?.issuer))
        case .upstreamPeerURINames: return FormatValue(filled(peer?.uriNames.joined(separator: ",")))
        case .upstreamPeerDNSNames: return FormatValue(filled(peer?.dnsNames.joined(separator: ",")))
        case .upstreamPeerIPNames: return FormatValue(filled(peer?.ipAddresses.joined(separator: ",")))
        case .upstreamPeerCertificate: return FormatValue(filled(peer.map { $0.certificatePEM.pathEscaped }))
        case .upstreamPoolDuration:
            return exchange?.record.extras?.poolNanoseconds.map { .int($0 / 1_000_000) } ?? .none
        default: return attempted(name)
        }
    }

    private func filled(_ text: String?) -> String? { text.flatMap { $0.isEmpty ? nil : $0 } }

    private var downstreamTLS: TLSFacts? {
        info.isTLS ? exchange.flatMap { TLSFacts($0.connection.connection.channel) } : nil
    }

    /// Endpoints in the order in which they were tried.
    private func attempted(_ name: FormatOperatorName) -> FormatValue {
        let hosts = exchange?.record.extras?.attempted ?? []
        let texts: [String]
        switch name {
        case .hostsAttempted: texts = hosts.map(\.name)
        case .hostsAttemptedWithoutPort: texts = hosts.map { Endpoint.ip($0.name) }
        case .hostNamesAttempted: texts = hosts.map { filled($0.endpoint.hostname) ?? $0.name }
        case .hostNamesAttemptedWithoutPort: texts = hosts.map { filled($0.endpoint.hostname) ?? Endpoint.ip($0.name) }
        default: return .none
        }
        return FormatValue(filled(texts.joined(separator: ",")))
    }

    func certificateTime(_ wanted: FormatOperator.CertificateTime) -> FormatValue {
        let peer = wanted.isUpstream ? exchange?.record.extras?.upstreamTLS?.peer : info.peer
        guard let validity = peer?.validity else { return .none }
        let nanoseconds = (wanted.isEnd ? validity.end : validity.start) * 1_000_000_000
        return .text(
            wanted.format.map { LogClock.format(nanoseconds, $0, isLocal: false) } ?? LogClock.standard(nanoseconds))
    }
}
