import FoundationEssentials
import NIOCore
import SwiftProtobuf
import WeftCore
import WeftHTTP
import WeftIR
import WeftProto
import WeftTransport

/// Writes what an access log service is told (`envoy.data.accesslog.v3`).
enum AccessLogEntry {
    private typealias Common = Envoy_Data_Accesslog_V3_AccessLogCommon
    private typealias WireAddress = Envoy_Config_Core_V3_Address

    static func http(
        _ context: LogContext, _ service: AccessLogService, _ tags: [CompiledTag]
    ) -> Envoy_Data_Accesslog_V3_HTTPAccessLogEntry {
        var entry = Envoy_Data_Accesslog_V3_HTTPAccessLogEntry()
        entry.commonProperties = common(context, tags)
        guard let exchange = context.exchange else { return entry }
        switch exchange.original.version {
        case .http10: entry.protocolVersion = .http10
        case .http11: entry.protocolVersion = .http11
        case .http2: entry.protocolVersion = .http2
        }
        entry.request = request(exchange, service)
        entry.response = response(context, exchange, service)
        return entry
    }

    static func tcp(_ context: LogContext, _ tags: [CompiledTag]) -> Envoy_Data_Accesslog_V3_TCPAccessLogEntry {
        var entry = Envoy_Data_Accesslog_V3_TCPAccessLogEntry()
        entry.commonProperties = common(context, tags)
        entry.connectionProperties.receivedBytes = context.connection.received
        entry.connectionProperties.sentBytes = context.connection.sent
        return entry
    }

    /// The bytes of one `StreamAccessLogsMessage`: its entries are there already, as bytes.
    static func message(
        _ entries: [[UInt8]], identifying: Bool, _ service: AccessLogService, _ node: ObservedNode
    ) -> [UInt8] {
        var message = Envoy_Service_Accesslog_V3_StreamAccessLogsMessage()
        if identifying {
            message.identifier.logName = service.logName
            message.identifier.node.id = node.id
            message.identifier.node.cluster = node.cluster
        }
        let writer = ProtobufWriter()
        writer.write((try? message.serializedBytes() as [UInt8]) ?? [])
        // `http_logs` (2) or `tcp_logs` (3), which hold `log_entry` (1); the entries are encoded already.
        writer.write(service.kind == .http ? 2 : 3) { for entry in entries { writer.write(1, entry) } }
        return Array(writer.bytes)
    }

    private static func request(
        _ exchange: Exchange, _ service: AccessLogService
    ) -> Envoy_Data_Accesslog_V3_HTTPRequestProperties {
        var wire = Envoy_Data_Accesslog_V3_HTTPRequestProperties()
        let head = exchange.head
        wire.requestMethod = method(exchange.original.method)
        wire.scheme = head.scheme.rawValue
        wire.authority = head.host
        wire.path = head.target
        wire.userAgent = head.headers.string(.userAgent) ?? ""
        wire.referer = head.headers.first("referer") ?? ""
        wire.forwardedFor = head.headers.string(.forwardedFor) ?? ""
        wire.requestID = head.headers.string(.requestID) ?? ""
        wire.originalPath = head.headers.string(.envoyOriginalPath) ?? ""
        wire.requestHeadersBytes = UInt64(head.byteCount)
        wire.requestBodyBytes = UInt64(clamping: exchange.record.bytesReceived)
        for name in service.requestHeaders { wire.requestHeaders[name.lowercased()] = exchange.header(name) }
        return wire
    }

    private static func response(
        _ context: LogContext, _ exchange: Exchange, _ service: AccessLogService
    ) -> Envoy_Data_Accesslog_V3_HTTPResponseProperties {
        var wire = Envoy_Data_Accesslog_V3_HTTPResponseProperties()
        let record = exchange.record
        if record.status > 0 { wire.responseCode = .init(UInt32(clamping: record.status)) }
        wire.responseBodyBytes = UInt64(clamping: record.bytesSent)
        wire.responseHeadersBytes = UInt64(context.response?.byteCount ?? 0)
        if record.details != "-" { wire.responseCodeDetails = record.details }
        for name in service.responseHeaders { wire.responseHeaders[name.lowercased()] = context.response?.first(name) }
        for name in service.responseTrailers {
            wire.responseTrailers[name.lowercased()] = record.extras?.responseTrailers?.first(name)
        }
        return wire
    }

    private static func method(_ method: HTTPMethod) -> Envoy_Config_Core_V3_RequestMethod {
        switch method {
        case .get: .get
        case .head: .head
        case .post: .post
        case .put: .put
        case .delete: .delete
        case .connect: .connect
        case .options: .options
        case .trace: .trace
        case .patch: .patch
        case .other: .methodUnspecified
        }
    }

    private static func common(_ context: LogContext, _ tags: [CompiledTag]) -> Common {
        var wire = Common()
        wire.sampleRate = 1
        let info = context.info
        wire.downstreamRemoteAddress = address(info.remoteIP, info.remotePort)
        wire.downstreamDirectRemoteAddress = address(info.remoteIP, info.remotePort)
        wire.downstreamLocalAddress = address(info.destinationIP, info.destinationPort)
        if info.isTLS { wire.tlsProperties = tls(info) }
        let started = context.startedAt
        wire.startTime.seconds = started / 1_000_000_000
        wire.startTime.nanos = Int32(started % 1_000_000_000)
        times(context, &wire)
        if let host = context.upstreamHost { wire.upstreamRemoteAddress = address(host) }
        if let local = context.upstreamLocal { wire.upstreamLocalAddress = address(local) }
        wire.upstreamCluster = context.cluster ?? ""
        wire.responseFlags = ResponseFlag.wire(context.flags)
        wire.upstreamTransportFailureReason = context.value(.upstreamTransportFailure).string ?? ""
        wire.routeName = context.value(.routeName).string ?? ""
        wire.upstreamRequestAttemptCount = UInt32(
            clamping: context.exchange?.attemptCount ?? context.connection.attempts)
        wire.connectionTerminationDetails = context.connection.termination ?? ""
        wire.streamID = context.value(.streamID).string ?? ""
        wire.accessLogType = context.exchange == nil ? .tcpConnectionEnd : .downstreamEnd
        for tag in tags { if let value = tag.value(context) { wire.customTags[tag.tag] = value } }
        return wire
    }

    private static func times(_ context: LogContext, _ wire: inout Common) {
        func duration(_ span: Int64?) -> Google_Protobuf_Duration? {
            span.map { Google_Protobuf_Duration(seconds: $0 / 1_000_000_000, nanos: Int32($0 % 1_000_000_000)) }
        }
        if let total = duration((context.now - context.started).nanoseconds) { wire.duration = total }
        if let span = duration(context.span(.requestStart, .requestEnd)) { wire.timeToLastRxByte = span }
        if let span = duration(context.span(.requestStart, .upstreamStart)) { wire.timeToFirstUpstreamTxByte = span }
        if let span = duration(context.span(.requestStart, .upstreamEnd)) { wire.timeToLastUpstreamTxByte = span }
        if let span = duration(context.span(.requestStart, .responseStart)) {
            wire.timeToFirstUpstreamRxByte = span
            wire.timeToFirstDownstreamTxByte = span
        }
        if let span = duration(context.span(.requestStart, .responseEnd)) {
            wire.timeToLastUpstreamRxByte = span
            wire.timeToLastDownstreamTxByte = span
        }
    }

    private static func tls(_ info: ConnectionInfo) -> Envoy_Data_Accesslog_V3_TLSProperties {
        typealias Name = Envoy_Data_Accesslog_V3_TLSProperties.CertificateProperties.SubjectAltName
        var wire = Envoy_Data_Accesslog_V3_TLSProperties()
        wire.tlsSniHostname = info.serverName
        guard let peer = info.peer else { return wire }
        wire.peerCertificateProperties.subject = peer.subject
        let uris = peer.uriNames.map { text in
            var name = Name()
            name.uri = text
            return name
        }
        let hosts = peer.dnsNames.map { text in
            var name = Name()
            name.dns = text
            return name
        }
        wire.peerCertificateProperties.subjectAltName = uris + hosts
        return wire
    }

    private static func address(_ text: String) -> Envoy_Config_Core_V3_Address {
        address(LogContext.Endpoint.ip(text), UInt16(clamping: LogContext.Endpoint.port(text) ?? 0))
    }

    private static func address(_ ip: String, _ port: UInt16) -> Envoy_Config_Core_V3_Address {
        var wire = WireAddress()
        wire.socketAddress.address = ip
        wire.socketAddress.portValue = UInt32(port)
        return wire
    }
}

extension ResponseFlag {
    /// - Parameter flags: Short names, separated by commas.
    static func wire(_ flags: String) -> Envoy_Data_Accesslog_V3_ResponseFlags {
        var wire = Envoy_Data_Accesslog_V3_ResponseFlags()
        for flag in flags.split(separator: ",") {
            switch flag {
            case "UAEX": wire.unauthorizedDetails.reason = .externalService
            default: if let member = members[String(flag)] { wire[keyPath: member] = true }
            }
        }
        return wire
    }

    private static var members: [String: WritableKeyPath<Envoy_Data_Accesslog_V3_ResponseFlags, Bool>] {
        [
            "LH": \.failedLocalHealthcheck, "UH": \.noHealthyUpstream, "UT": \.upstreamRequestTimeout,
            "LR": \.localReset, "UR": \.upstreamRemoteReset, "UF": \.upstreamConnectionFailure,
            "UC": \.upstreamConnectionTermination, "UO": \.upstreamOverflow, "NR": \.noRouteFound,
            "DI": \.delayInjected, "FI": \.faultInjected, "RL": \.rateLimited, "RLSE": \.rateLimitServiceError,
            "DC": \.downstreamConnectionTermination, "URX": \.upstreamRetryLimitExceeded, "SI": \.streamIdleTimeout,
            "IH": \.invalidEnvoyRequestHeaders, "DPE": \.downstreamProtocolError,
            "UMSDR": \.upstreamMaxStreamDurationReached, "RFCF": \.responseFromCacheFilter,
            "NFCF": \.noFilterConfigFound, "DT": \.durationTimeout, "UPE": \.upstreamProtocolError,
            "NC": \.noClusterFound, "OM": \.overloadManager, "DF": \.dnsResolutionFailure,
            "DR": \.downstreamRemoteReset,
        ]
    }
}
