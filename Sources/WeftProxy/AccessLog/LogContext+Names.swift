import NIOCore
import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// The values of operators without arguments.
extension LogContext {
    func value(_ name: FormatOperatorName) -> FormatValue {
        switch name {
        case .bytesReceived: .int(exchange.map { Int64($0.record.bytesReceived) } ?? Int64(connection.received))
        case .bytesSent: .int(exchange.map { Int64($0.record.bytesSent) } ?? Int64(connection.sent))
        case .duration: .int((now - started).nanoseconds / 1_000_000)
        case .responseFlags: .text(flags)
        case .responseFlagsLong: FormatValue(ResponseFlag.long(flags))
        case .routeName: FormatValue(exchange?.routeName)
        case .virtualClusterName: .none
        case .requestedServerName: FormatValue(filled(info.serverName))
        case .filterChainName: FormatValue(filled(info.filterChainName))
        case .connectionID: .int(Int64(clamping: info.id))
        case .hostname: FormatValue(Environment.hostname)
        case .accessLogType:
            .text((exchange == nil ? connection.type : AccessLogFilter.LogType.downstreamEnd).rawValue)
        case .traceID: FormatValue(exchange?.span?.context.traceIDText)
        case .spanID: FormatValue(exchange?.span?.context.spanIDText)
        case .uniqueID: FormatValue(exchange.map { RequestID.text(&$0.worker.random) })
        default: exchangeValue(name)
        }
    }

    private func filled(_ text: String?) -> String? { text.flatMap { $0.isEmpty ? nil : $0 } }

    private func exchangeValue(_ name: FormatOperatorName) -> FormatValue {
        let record = exchange?.record
        switch name {
        case .protocolName: return FormatValue(exchange.map { "\($0.original.version.name)" })
        case .upstreamProtocol: return FormatValue(record?.upstreamLocal == nil ? nil : record?.upstreamProtocol)
        case .responseCode: return .int(Int64(record?.status ?? 0))
        case .responseCodeDetails: return FormatValue(details)
        case .connectionTerminationDetails: return FormatValue(connection.termination)
        case .requestHeadersBytes: return .int(Int64(exchange?.head.byteCount ?? 0))
        // Envoy counts `:status` and its three digits.
        case .responseHeadersBytes: return .int(Int64(response.map { $0.byteCount + 10 } ?? 0))
        case .responseTrailersBytes: return .int(Int64(record?.extras?.responseTrailers?.byteCount ?? 0))
        case .requestDuration: return milliseconds(.requestStart, .requestEnd)
        case .requestSendDuration: return milliseconds(.requestStart, .upstreamEnd)
        case .responseDuration: return milliseconds(.requestStart, .responseStart)
        case .responseSendDuration: return milliseconds(.responseStart, .downstreamEnd)
        case .streamID: return FormatValue(exchange?.head.headers.string(.requestID))
        case .localReplyBody: return FormatValue(localReplyBody)
        case .upstreamAttempts: return .int(Int64(exchange?.attemptCount ?? connection.attempts))
        case .upstreamTransportFailure:
            return FormatValue(record?.extras?.transportFailure ?? connection.transportFailure)
        case .peerURINames: return FormatValue(filled(info.peer?.uriNames.joined(separator: ",")))
        case .peerDNSNames: return FormatValue(filled(info.peer?.dnsNames.joined(separator: ",")))
        case .peerIPNames: return FormatValue(filled(info.peer?.ipAddresses.joined(separator: ",")))
        case .peerEmailNames: return FormatValue(filled(info.peer?.emailNames.joined(separator: ",")))
        case .peerIssuer: return FormatValue(filled(info.peer?.issuer))
        case .peerSerial: return FormatValue(filled(info.peer?.serialNumber))
        case .peerCertificate: return FormatValue(filled(info.peer.map { $0.certificatePEM.pathEscaped }))
        case .ownURINames: return FormatValue(info.isTLS ? filled(info.ownNames.joined(separator: ",")) : nil)
        case .peerShortFingerprint: return FormatValue(info.peer?.shortFingerprint)
        case .peerSubject: return FormatValue(filled(info.peer?.subject))
        case .peerFingerprint: return FormatValue(info.peer?.fingerprint)
        default: return address(name)
        }
    }

    private var details: String? {
        let text = exchange?.record.details ?? connection.details
        return text == "-" ? nil : text
    }

    private func milliseconds(_ start: FormatOperator.TimePoint, _ end: FormatOperator.TimePoint) -> FormatValue {
        span(start, end).map { .int($0 / 1_000_000) } ?? .none
    }

    var upstreamHost: String? { exchange == nil ? connection.upstreamHost : exchange?.record.upstreamHost }
    var upstreamLocal: String? { exchange == nil ? connection.upstreamLocal : exchange?.record.upstreamLocal }
    var cluster: String? { exchange == nil ? connection.cluster : exchange?.clusterName }

    private func address(_ name: FormatOperatorName) -> FormatValue {
        switch name {
        case .upstreamHost: FormatValue(upstreamHost)
        case .upstreamRemoteAddress: FormatValue(upstreamRemote)
        case .upstreamHostName: FormatValue(filled(exchange?.record.host?.endpoint.hostname) ?? upstreamHost)
        case .upstreamHostNameWithoutPort:
            FormatValue(filled(exchange?.record.host?.endpoint.hostname) ?? upstreamHost.map(Endpoint.ip))
        case .upstreamRemoteAddressWithoutPort: FormatValue(upstreamRemote.map(Endpoint.ip))
        case .upstreamRemotePort: upstreamRemote.flatMap(Endpoint.port).map { .int($0) } ?? .none
        case .upstreamCluster: FormatValue(altStatName ?? cluster)
        case .upstreamClusterRaw: FormatValue(cluster)
        case .upstreamLocalAddress: FormatValue(upstreamLocal)
        case .upstreamLocalAddressWithoutPort: FormatValue(upstreamLocal.map(Endpoint.ip))
        case .upstreamLocalPort: upstreamLocal.flatMap(Endpoint.port).map { .int($0) } ?? .none
        default: downstream(name)
        }
    }

    /// The host, once there was a connection.
    private var upstreamRemote: String? { upstreamLocal == nil ? nil : upstreamHost }

    /// What a cluster wants to be called in logs and counters.
    private var altStatName: String? { filled(exchange?.cluster?.compiled.cluster.altStatName) }

    private func downstream(_ name: FormatOperatorName) -> FormatValue {
        switch name {
        case .downstreamLocalAddress: .text(Endpoint.text(info.destinationIP, info.destinationPort))
        case .downstreamLocalAddressWithoutPort: .text(info.destinationIP)
        case .downstreamLocalPort: .int(Int64(info.destinationPort))
        case .downstreamDirectLocalAddress: .text(Endpoint.text(info.localIP, info.localPort))
        case .downstreamDirectLocalAddressWithoutPort: .text(info.localIP)
        case .downstreamDirectLocalPort: .int(Int64(info.localPort))
        case .downstreamRemoteAddress: .text(exchange?.clientAddress ?? Endpoint.text(info.remoteIP, info.remotePort))
        case .downstreamRemoteAddressWithoutPort: .text(exchange?.clientIP ?? info.remoteIP)
        case .downstreamRemotePort: .int(Int64(info.remotePort))
        case .downstreamDirectRemoteAddress: .text(Endpoint.text(info.remoteIP, info.remotePort))
        case .downstreamDirectRemoteAddressWithoutPort: .text(info.remoteIP)
        case .downstreamDirectRemotePort: .int(Int64(info.remotePort))
        default: secured(name)
        }
    }

    /// Parts of `ADDRESS:PORT`, and the whole.
    enum Endpoint {
        static func text(_ ip: String, _ port: UInt16) -> String {
            ip.contains(":") ? "[\(ip)]:\(port)" : "\(ip):\(port)"
        }
        static func ip(_ text: String) -> String {
            let ip = text.lastIndex(of: ":").map { text[..<$0] } ?? text[...]
            return String(ip.filter { $0 != "[" && $0 != "]" })
        }
        static func port(_ text: String) -> Int64? {
            text.lastIndex(of: ":").flatMap { Int64(text[text.index(after: $0)...]) }
        }
    }
}
