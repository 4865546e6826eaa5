import SwiftProtobuf
import WeftIR
import WeftProto

extension HTTPConnectionManager {
    func wire(_ target: Target) throws -> WireManager {
        var wire = WireManager()
        wire.statPrefix = statPrefix
        switch codec {
        case .auto: wire.codecType = .auto
        case .http1: wire.codecType = .http1
        case .http2: wire.codecType = .http2
        }
        switch routes {
        case .inline(let table): wire.routeConfig = try table.wire(target)
        case .rds(let name):
            wire.rds.routeConfigName = name
            wire.rds.configSource = .init(file: routesFile)
        case .scoped(let scoped): wire.scopedRoutes = try scoped.wire(routesFile: routesFile, target)
        }
        wire.httpFilters = try filters.compactMap { try $0.wire(target) }
        if router != RouterOptions(), let last = wire.httpFilters.indices.last {
            wire.httpFilters[last].typedConfig = try pack(router.wire())
        }
        wire.accessLog = try accessLogs.map { try $0.wire() }
        try setTracing(&wire)
        setHeaders(&wire)
        setPaths(&wire)
        setTimes(&wire)
        try setProtocol(&wire)
        return wire
    }

    private func setHeaders(_ wire: inout WireManager) {
        wire.useRemoteAddress = .init(useRemoteAddress)
        wire.xffNumTrustedHops = xffNumTrustedHops
        wire.skipXffAppend = skipXFFAppend
        switch forwardClientCert {
        case .sanitize: wire.forwardClientCertDetails = .sanitize
        case .forwardOnly: wire.forwardClientCertDetails = .forwardOnly
        case .appendForward: wire.forwardClientCertDetails = .appendForward
        case .sanitizeSet: wire.forwardClientCertDetails = .sanitizeSet
        case .alwaysForwardOnly: wire.forwardClientCertDetails = .alwaysForwardOnly
        }
        if clientCertDetails != ClientCertDetails() {
            wire.setCurrentClientCertDetails.subject = .init(clientCertDetails.subject)
            wire.setCurrentClientCertDetails.cert = clientCertDetails.cert
            wire.setCurrentClientCertDetails.chain = clientCertDetails.chain
            wire.setCurrentClientCertDetails.dns = clientCertDetails.dns
            wire.setCurrentClientCertDetails.uri = clientCertDetails.uri
        }
        wire.serverName = serverName ?? ""
        switch serverHeader {
        case .overwrite: wire.serverHeaderTransformation = .overwrite
        case .appendIfAbsent: wire.serverHeaderTransformation = .appendIfAbsent
        case .passThrough: wire.serverHeaderTransformation = .passThrough
        }
        wire.generateRequestID = .init(generateRequestID)
        wire.preserveExternalRequestID = preserveExternalRequestID
        wire.alwaysSetRequestIDInResponse = alwaysSetRequestIDInResponse
        wire.via = via ?? ""
        setTrust(&wire)
    }

    private func setPaths(_ wire: inout WireManager) {
        wire.normalizePath = .init(normalizePath)
        wire.mergeSlashes = mergeSlashes
        switch escapedSlashes {
        case .keepUnchanged: wire.pathWithEscapedSlashesAction = .keepUnchanged
        case .rejectRequest: wire.pathWithEscapedSlashesAction = .rejectRequest
        case .unescapeAndRedirect: wire.pathWithEscapedSlashesAction = .unescapeAndRedirect
        case .unescapeAndForward: wire.pathWithEscapedSlashesAction = .unescapeAndForward
        }
        if stripAnyHostPort { wire.stripAnyHostPort = true }
        wire.stripMatchingHostPort = stripMatchingHostPort
        wire.stripTrailingHostDot = stripTrailingHostDot
        wire.upgradeConfigs = upgradeTypes.map { type in
            var value = WireManager.UpgradeConfig()
            value.upgradeType = type
            return value
        }
    }

    private func setTimes(_ wire: inout WireManager) {
        if let idleTimeoutMilliseconds {
            wire.commonHTTPProtocolOptions.idleTimeout = .init(milliseconds: idleTimeoutMilliseconds)
        }
        if let streamIdleTimeoutMilliseconds {
            wire.streamIdleTimeout = .init(milliseconds: streamIdleTimeoutMilliseconds)
        }
        if let requestTimeoutMilliseconds { wire.requestTimeout = .init(milliseconds: requestTimeoutMilliseconds) }
        if let requestHeadersTimeoutMilliseconds {
            wire.requestHeadersTimeout = .init(milliseconds: requestHeadersTimeoutMilliseconds)
        }
        if let maxConnectionDurationMilliseconds {
            wire.commonHTTPProtocolOptions.maxConnectionDuration = .init(
                milliseconds: maxConnectionDurationMilliseconds)
        }
        if let closeDelayMilliseconds { wire.delayedCloseTimeout = .init(milliseconds: closeDelayMilliseconds) }
        if let drainTimeoutMilliseconds { wire.drainTimeout = .init(milliseconds: drainTimeoutMilliseconds) }
        if let maxRequestsPerConnection {
            wire.commonHTTPProtocolOptions.maxRequestsPerConnection = .init(maxRequestsPerConnection)
        }
        if let maxStreamDurationMilliseconds {
            wire.commonHTTPProtocolOptions.maxStreamDuration = .init(milliseconds: maxStreamDurationMilliseconds)
        }
        wire.commonHTTPProtocolOptions.maxHeadersCount = .init(maxHeadersCount)
        wire.maxRequestHeadersKb = .init(maxRequestHeadersKilobytes)
    }

    private func setProtocol(_ wire: inout WireManager) throws {
        wire.httpProtocolOptions.acceptHTTP10 = !refusesHTTP10
        wire.proxy100Continue = !answersContinue
        setHTTP1(&wire)
        if preserveHeaderCase {
            var formatter = Envoy_Config_Core_V3_TypedExtensionConfig()
            formatter.name = "preserve_case"
            formatter.typedConfig = try pack(
                Envoy_Extensions_Http_HeaderFormatters_PreserveCase_V3_PreserveCaseFormatterConfig())
            wire.httpProtocolOptions.headerKeyFormat.statefulFormatter = formatter
        }
        if let http2MaxConcurrentStreams {
            wire.http2ProtocolOptions.maxConcurrentStreams = .init(http2MaxConcurrentStreams)
        }
        http2?.write(to: &wire.http2ProtocolOptions)
        if upgradeTypes.contains("connect") { wire.http2ProtocolOptions.allowConnect = true }
    }
}

extension HTTPConnectionManager {
    init(_ wire: WireManager, _ reader: WireReader) throws {
        let routes: Routes
        var file: String?
        switch wire.routeSpecifier {
        case .routeConfig(let table):
            routes = .inline(try reader.at("route_config") { try RouteConfiguration(table, reader) })
        case .rds(let rds):
            routes = .rds(rds.routeConfigName)
            file = try reader.at("rds.config_source") { try rds.configSource.file(reader) }
        case .scopedRoutes(let scoped):
            routes = .scoped(try reader.at("scoped_routes") { try ScopedRoutes(scoped, reader) })
            file = try reader.at("scoped_routes.rds_config_source") { try scoped.rdsConfigSource.file(reader) }
        case nil: throw reader.error("route specifier of a kind that is not supported")
        }
        let filters = try reader.map("http_filters", wire.httpFilters) { try HTTPFilter.read($0, reader) }.compactMap {
            $0
        }
        guard case .router = filters.last?.kind else { throw reader.error("the last HTTP filter must be the router") }
        self.init(statPrefix: wire.statPrefix, routes: routes, filters: filters)
        routesFile = file
        switch wire.codecType {
        case .auto: codec = .auto
        case .http1: codec = .http1
        case .http2: codec = .http2
        case .http3, .UNRECOGNIZED: throw reader.error("codec_type \(wire.codecType.rawValue) is not supported")
        }
        accessLogs = try reader.map("access_log", wire.accessLog) { try AccessLog($0, reader) }
        try readTracing(wire, reader)
        if let last = wire.httpFilters.last?.typedConfig {
            router = RouterOptions(try reader.unpack(last, as: Envoy_Extensions_Filters_Http_Router_V3_Router.self))
        }
        try readHeaders(wire, reader)
        readPaths(wire, reader)
        readTimes(wire, reader)
        try readProtocol(wire, reader)
    }

    private mutating func readHeaders(_ wire: WireManager, _ reader: WireReader) throws {
        useRemoteAddress = wire.useRemoteAddress.value
        xffNumTrustedHops = wire.xffNumTrustedHops
        skipXFFAppend = wire.skipXffAppend
        switch wire.forwardClientCertDetails {
        case .forwardOnly: forwardClientCert = .forwardOnly
        case .appendForward: forwardClientCert = .appendForward
        case .sanitizeSet: forwardClientCert = .sanitizeSet
        case .alwaysForwardOnly: forwardClientCert = .alwaysForwardOnly
        default: forwardClientCert = .sanitize
        }
        let details = wire.setCurrentClientCertDetails
        clientCertDetails.subject = details.subject.value
        clientCertDetails.cert = details.cert
        clientCertDetails.chain = details.chain
        clientCertDetails.dns = details.dns
        clientCertDetails.uri = details.uri
        serverName = wire.serverName.isEmpty ? nil : wire.serverName
        switch wire.serverHeaderTransformation {
        case .appendIfAbsent: serverHeader = .appendIfAbsent
        case .passThrough: serverHeader = .passThrough
        default: serverHeader = .overwrite
        }
        generateRequestID = wire.hasGenerateRequestID ? wire.generateRequestID.value : true
        preserveExternalRequestID = wire.preserveExternalRequestID
        alwaysSetRequestIDInResponse = wire.alwaysSetRequestIDInResponse
        via = wire.via.isEmpty ? nil : wire.via
        try readTrust(wire, reader)
    }

    private mutating func readPaths(_ wire: WireManager, _ reader: WireReader) {
        normalizePath = wire.normalizePath.value
        mergeSlashes = wire.mergeSlashes
        switch wire.pathWithEscapedSlashesAction {
        case .rejectRequest: escapedSlashes = .rejectRequest
        case .unescapeAndRedirect: escapedSlashes = .unescapeAndRedirect
        case .unescapeAndForward: escapedSlashes = .unescapeAndForward
        default: escapedSlashes = .keepUnchanged
        }
        stripAnyHostPort = wire.stripAnyHostPort
        stripMatchingHostPort = wire.stripMatchingHostPort
        stripTrailingHostDot = wire.stripTrailingHostDot
        upgradeTypes = wire.upgradeConfigs.filter { !$0.hasEnabled || $0.enabled.value }.map {
            $0.upgradeType.lowercased()
        }
    }

    private mutating func readTimes(_ wire: WireManager, _ reader: WireReader) {
        let common = wire.commonHTTPProtocolOptions
        if common.hasIdleTimeout { idleTimeoutMilliseconds = common.idleTimeout.milliseconds }
        if common.hasMaxConnectionDuration {
            maxConnectionDurationMilliseconds = common.maxConnectionDuration.milliseconds
        }
        if common.hasMaxRequestsPerConnection { maxRequestsPerConnection = common.maxRequestsPerConnection.value }
        if common.hasMaxStreamDuration { maxStreamDurationMilliseconds = common.maxStreamDuration.milliseconds }
        if common.hasMaxHeadersCount { maxHeadersCount = common.maxHeadersCount.value }
        if wire.hasStreamIdleTimeout { streamIdleTimeoutMilliseconds = wire.streamIdleTimeout.milliseconds }
        if wire.hasRequestTimeout { requestTimeoutMilliseconds = wire.requestTimeout.milliseconds }
        if wire.hasRequestHeadersTimeout { requestHeadersTimeoutMilliseconds = wire.requestHeadersTimeout.milliseconds }
        if wire.hasDelayedCloseTimeout { closeDelayMilliseconds = wire.delayedCloseTimeout.milliseconds }
        if wire.hasDrainTimeout { drainTimeoutMilliseconds = wire.drainTimeout.milliseconds }
        if wire.hasMaxRequestHeadersKb { maxRequestHeadersKilobytes = wire.maxRequestHeadersKb.value }
    }

    private mutating func readProtocol(_ wire: WireManager, _ reader: WireReader) throws {
        typealias PreserveCase = Envoy_Extensions_Http_HeaderFormatters_PreserveCase_V3_PreserveCaseFormatterConfig
        refusesHTTP10 = !wire.httpProtocolOptions.acceptHTTP10
        answersContinue = !wire.proxy100Continue
        readHTTP1(wire.httpProtocolOptions)
        switch wire.httpProtocolOptions.headerKeyFormat.headerFormat {
        case .statefulFormatter(let formatter):
            guard formatter.typedConfig.holds(PreserveCase.self) else {
                throw reader.error("header formatter \(formatter.name) is not supported")
            }
            preserveHeaderCase = true
        case .properCaseWords: properCaseHeaders = true
        case nil: break
        }
        if wire.http2ProtocolOptions.hasMaxConcurrentStreams {
            http2MaxConcurrentStreams = wire.http2ProtocolOptions.maxConcurrentStreams.value
        }
        http2 = HTTP2ProtocolOptions(wire.http2ProtocolOptions)
    }
}
