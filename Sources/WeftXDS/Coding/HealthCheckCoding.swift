import Foundation
import SwiftProtobuf
import WeftIR
import WeftProto

typealias WireHealthCheck = Envoy_Config_Core_V3_HealthCheck
private typealias WireEventSink = Envoy_Extensions_HealthCheck_EventSinks_File_V3_HealthCheckEventFileSink

extension HealthCheck {
    func wire() throws -> WireHealthCheck {
        var wire = WireHealthCheck()
        wire.timeout = .init(milliseconds: timeoutMilliseconds)
        wire.interval = .init(milliseconds: intervalMilliseconds)
        if initialJitterMilliseconds > 0 { wire.initialJitter = .init(milliseconds: initialJitterMilliseconds) }
        if intervalJitterMilliseconds > 0 { wire.intervalJitter = .init(milliseconds: intervalJitterMilliseconds) }
        wire.intervalJitterPercent = intervalJitterPercent
        wire.unhealthyThreshold = .init(unhealthyThreshold)
        wire.healthyThreshold = .init(healthyThreshold)
        wire.reuseConnection = .init(reusesConnection)
        wire.noTrafficInterval = .init(milliseconds: noTrafficIntervalMilliseconds)
        if let value = noTrafficHealthyIntervalMilliseconds {
            wire.noTrafficHealthyInterval = .init(milliseconds: value)
        }
        if let value = unhealthyIntervalMilliseconds { wire.unhealthyInterval = .init(milliseconds: value) }
        if let value = unhealthyEdgeIntervalMilliseconds { wire.unhealthyEdgeInterval = .init(milliseconds: value) }
        if let value = healthyEdgeIntervalMilliseconds { wire.healthyEdgeInterval = .init(milliseconds: value) }
        wire.alwaysLogHealthCheckFailures = alwaysLogsFailures
        wire.alwaysLogHealthCheckSuccess = alwaysLogsSuccess
        if !alpnProtocols.isEmpty { wire.tlsOptions.alpnProtocols = alpnProtocols }
        if let transportSocketMatch { wire.transportSocketMatchCriteria = .init(strings: transportSocketMatch) }
        wire.eventLogger = try eventLogs.map { path in
            var sink = WireEventSink()
            sink.eventLogPath = path
            var extended = Envoy_Config_Core_V3_TypedExtensionConfig()
            extended.name = "envoy.health_check.event_sinks.file"
            extended.typedConfig = try pack(sink)
            return extended
        }
        switch kind {
        case .http(let http): wire.httpHealthCheck = http.wire()
        case .tcp(let tcp):
            wire.tcpHealthCheck = .init()
            if !tcp.send.isEmpty { wire.tcpHealthCheck.send = .init(tcp.send) }
            wire.tcpHealthCheck.receive = tcp.receive.map(WireHealthCheck.Payload.init)
        case .grpc(let grpc):
            wire.grpcHealthCheck.serviceName = grpc.serviceName
            wire.grpcHealthCheck.authority = grpc.authority
            wire.grpcHealthCheck.initialMetadata = grpc.requestHeaders.wireAppend
        }
        return wire
    }

    init(_ wire: WireHealthCheck, _ reader: WireReader) throws {
        let kind: Kind
        switch wire.healthChecker {
        case .httpHealthCheck(let http):
            kind = .http(try reader.at("http_health_check") { try HTTP(http, reader) })
        case .tcpHealthCheck(let tcp):
            var value = TCP()
            if tcp.hasSend { value.send = try reader.at("tcp_health_check.send") { try tcp.send.bytes(reader) } }
            value.receive = try reader.map("tcp_health_check.receive", tcp.receive) { try $0.bytes(reader) }
            kind = .tcp(value)
        case .grpcHealthCheck(let grpc):
            var value = GRPC()
            value.serviceName = grpc.serviceName
            value.authority = grpc.authority
            value.requestHeaders = .init(grpc.initialMetadata, remove: [])
            kind = .grpc(value)
        case nil: throw reader.error("health check of a kind that is not supported")
        }
        for (name, isSet) in [
            ("timeout", wire.hasTimeout), ("interval", wire.hasInterval),
            ("unhealthy_threshold", wire.hasUnhealthyThreshold), ("healthy_threshold", wire.hasHealthyThreshold),
        ] where !isSet { throw reader.error("\(name) is required") }
        self.init(
            kind, timeoutMilliseconds: wire.timeout.milliseconds, intervalMilliseconds: wire.interval.milliseconds,
            unhealthyThreshold: wire.unhealthyThreshold.value, healthyThreshold: wire.healthyThreshold.value)
        initialJitterMilliseconds = wire.initialJitter.milliseconds
        intervalJitterMilliseconds = wire.intervalJitter.milliseconds
        intervalJitterPercent = wire.intervalJitterPercent
        reusesConnection = wire.hasReuseConnection ? wire.reuseConnection.value : true
        if wire.hasNoTrafficInterval { noTrafficIntervalMilliseconds = wire.noTrafficInterval.milliseconds }
        noTrafficHealthyIntervalMilliseconds =
            wire.hasNoTrafficHealthyInterval ? wire.noTrafficHealthyInterval.milliseconds : nil
        unhealthyIntervalMilliseconds = wire.hasUnhealthyInterval ? wire.unhealthyInterval.milliseconds : nil
        unhealthyEdgeIntervalMilliseconds =
            wire.hasUnhealthyEdgeInterval ? wire.unhealthyEdgeInterval.milliseconds : nil
        healthyEdgeIntervalMilliseconds = wire.hasHealthyEdgeInterval ? wire.healthyEdgeInterval.milliseconds : nil
        alwaysLogsFailures = wire.alwaysLogHealthCheckFailures
        alwaysLogsSuccess = wire.alwaysLogHealthCheckSuccess
        alpnProtocols = wire.tlsOptions.alpnProtocols
        if wire.hasTransportSocketMatchCriteria { transportSocketMatch = wire.transportSocketMatchCriteria.strings }
        if !wire.eventLogPath.isEmpty { eventLogs = [wire.eventLogPath] }
        eventLogs += try reader.map("event_logger", wire.eventLogger) { logger in
            guard logger.typedConfig.holds(WireEventSink.self) else {
                throw reader.error("event logger \(logger.name) (\(logger.typedConfig.messageName)) is not supported")
            }
            return try reader.unpack(logger.typedConfig, as: WireEventSink.self).eventLogPath
        }
    }
}

extension HealthCheck.HTTP {
    private static let methods: [(String, Envoy_Config_Core_V3_RequestMethod)] = [
        ("GET", .get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete), ("OPTIONS", .options),
        ("TRACE", .trace), ("PATCH", .patch),
    ]

    func wire() -> WireHealthCheck.HttpHealthCheck {
        var wire = WireHealthCheck.HttpHealthCheck()
        wire.host = host
        wire.path = path
        wire.method = Self.methods.first { $0.0 == method }?.1 ?? .methodUnspecified
        wire.requestHeadersToAdd = requestHeaders.wireAppend
        wire.requestHeadersToRemove = requestHeaders.remove
        wire.expectedStatuses = expectedStatuses.map { $0.wire() }
        wire.retriableStatuses = retriableStatuses.map { $0.wire() }
        wire.codecClientType = usesHTTP2 ? .http2 : .http1
        if let serviceName { wire.serviceNameMatcher = serviceName.wire() }
        if !send.isEmpty { wire.send = .init(send) }
        wire.receive = receive.map(WireHealthCheck.Payload.init)
        wire.responseBufferSize = .init(maxAnswerBytes)
        return wire
    }

    init(_ wire: WireHealthCheck.HttpHealthCheck, _ reader: WireReader) throws {
        self.init(path: wire.path)
        host = wire.host
        if wire.method != .methodUnspecified {
            guard let known = Self.methods.first(where: { $0.1 == wire.method }) else {
                throw reader.error("method \(wire.method.rawValue) is not supported")
            }
            method = known.0
        }
        requestHeaders = .init(wire.requestHeadersToAdd, remove: wire.requestHeadersToRemove)
        expectedStatuses = try reader.map("expected_statuses", wire.expectedStatuses) { try .init($0, reader) }
        retriableStatuses = try reader.map("retriable_statuses", wire.retriableStatuses) { try .init($0, reader) }
        switch wire.codecClientType {
        case .http1: usesHTTP2 = false
        case .http2: usesHTTP2 = true
        case .http3, .UNRECOGNIZED: throw reader.error("codec_client_type must be HTTP1 or HTTP2")
        }
        if wire.hasServiceNameMatcher {
            serviceName = try reader.at("service_name_matcher") { try StringMatcher(wire.serviceNameMatcher, reader) }
        }
        if wire.hasSend {
            guard ["POST", "PUT", "PATCH", "OPTIONS"].contains(method) else {
                throw reader.error("send needs the method POST, PUT, PATCH or OPTIONS")
            }
            send = try reader.at("send") { try wire.send.bytes(reader) }
        }
        receive = try reader.map("receive", wire.receive) { try $0.bytes(reader) }
        if wire.hasResponseBufferSize { maxAnswerBytes = wire.responseBufferSize.value }
    }
}

extension HealthCheck.StatusRange {
    func wire() -> Envoy_Type_V3_Int64Range {
        var wire = Envoy_Type_V3_Int64Range()
        wire.start = Int64(start)
        wire.end = Int64(end)
        return wire
    }

    init(_ wire: Envoy_Type_V3_Int64Range, _ reader: WireReader) throws {
        guard (100...600).contains(wire.start), (100...600).contains(wire.end), wire.start < wire.end else {
            throw reader.error("status range [\(wire.start), \(wire.end)) is out of range: from 100, end at most 600")
        }
        self.init(start: UInt16(wire.start), end: UInt16(wire.end))
    }
}

extension WireHealthCheck.Payload {
    init(_ bytes: [UInt8]) {
        self.init()
        text = bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    /// `text` is hexadecimal.
    func bytes(_ reader: WireReader) throws -> [UInt8] {
        switch payload {
        case .binary(let data): return [UInt8](data)
        case .text(let digits):
            let digits = Array(digits.utf8)
            let pairs = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
                UInt8(String(decoding: digits[$0...($0 + 1)], as: UTF8.self), radix: 16)
            }
            guard digits.count.isMultiple(of: 2), pairs.count * 2 == digits.count else {
                throw reader.error("text must be hexadecimal digits")
            }
            return pairs
        case nil: throw reader.error("payload is empty")
        }
    }
}
