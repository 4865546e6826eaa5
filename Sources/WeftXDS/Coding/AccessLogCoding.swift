import SwiftProtobuf
import WeftCore
import WeftIR
import WeftProto

private typealias WireFile = Envoy_Extensions_AccessLoggers_File_V3_FileAccessLog
private typealias WireStdout = Envoy_Extensions_AccessLoggers_Stream_V3_StdoutAccessLog
private typealias WireStderr = Envoy_Extensions_AccessLoggers_Stream_V3_StderrAccessLog
private typealias WireHTTPService = Envoy_Extensions_AccessLoggers_Grpc_V3_HttpGrpcAccessLogConfig
private typealias WireTCPService = Envoy_Extensions_AccessLoggers_Grpc_V3_TcpGrpcAccessLogConfig
private typealias WireFormat = Envoy_Config_Core_V3_SubstitutionFormatString

extension AccessLog {
    func wire() throws -> Envoy_Config_Accesslog_V3_AccessLog {
        var wire = Envoy_Config_Accesslog_V3_AccessLog()
        switch sink {
        case .file(let path, let format, let omitsEmpty):
            wire.name = "envoy.access_loggers.file"
            var file = WireFile()
            file.path = path
            switch format {
            case .standard: break
            case .text(let text): file.logFormat.textFormatSource.inlineString = text
            case .json(let members): file.logFormat.jsonFormat = .init(members)
            }
            if omitsEmpty { file.logFormat.omitEmptyValues = true }
            wire.typedConfig = try pack(file)
        case .service(let service):
            wire.name = "envoy.access_loggers.\(service.kind.rawValue)_grpc"
            wire.typedConfig = try service.wire()
        }
        if let filter { wire.filter = try filter.wire() }
        return wire
    }

    init(_ wire: Envoy_Config_Accesslog_V3_AccessLog, _ reader: WireReader) throws {
        let any = wire.typedConfig
        switch any.messageName {
        case WireFile.protoMessageName:
            let file = try reader.unpack(any, as: WireFile.self)
            guard !file.path.isEmpty else { throw reader.error("path is missing") }
            let format: WireFormat? = if case .logFormat(let format)? = file.accessLogFormat { format } else { nil }
            self.init(try Self.file(file.path, format, reader))
        case WireStdout.protoMessageName:
            let stream = try reader.unpack(any, as: WireStdout.self)
            let format: WireFormat? = if case .logFormat(let format)? = stream.accessLogFormat { format } else { nil }
            self.init(try Self.file("/dev/stdout", format, reader))
        case WireStderr.protoMessageName:
            let stream = try reader.unpack(any, as: WireStderr.self)
            let format: WireFormat? = if case .logFormat(let format)? = stream.accessLogFormat { format } else { nil }
            self.init(try Self.file("/dev/stderr", format, reader))
        case WireHTTPService.protoMessageName, WireTCPService.protoMessageName:
            self.init(.service(try AccessLogService(any, reader)))
        default: throw reader.error("access log \(wire.name) (\(any.messageName)) is not supported")
        }
        if wire.hasFilter { filter = try reader.at("filter") { try AccessLogFilter(wire.filter, reader) } }
    }

    private static func file(_ path: String, _ wire: WireFormat?, _ reader: WireReader) throws -> Sink {
        guard let wire else { return .file(path: path, format: .standard, omitsEmptyValues: false) }
        let format = try reader.at("log_format") { try Format(wire, reader) }
        return .file(path: path, format: format, omitsEmptyValues: wire.omitEmptyValues)
    }
}

extension AccessLog.Format {
    init(_ wire: Envoy_Config_Core_V3_SubstitutionFormatString, _ reader: WireReader) throws {
        switch wire.format {
        case .textFormat(let text): self = .text(text)
        case .textFormatSource(let source): self = .text(String(decoding: try source.inline(reader), as: UTF8.self))
        case .jsonFormat(let members): self = .json([String: JSONValue](members))
        case nil: self = .standard
        }
        try wire.checkFormatters(reader)
        for text in strings {
            do throws(FormatError) { _ = try FormatTemplate(text) } catch { throw reader.error("\(error)") }
        }
    }

    /// All format strings in it.
    private var strings: [String] {
        func strings(_ value: JSONValue) -> [String] {
            switch value {
            case .string(let text): [text]
            case .object(let members): members.values.flatMap(strings)
            case .array(let elements): elements.flatMap(strings)
            default: []
            }
        }
        switch self {
        case .standard: return []
        case .text(let text): return [text]
        case .json(let members): return members.values.flatMap(strings)
        }
    }
}

extension Envoy_Config_Core_V3_SubstitutionFormatString {
    /// The operators of these extensions are always there.
    func checkFormatters(_ reader: WireReader) throws {
        for (index, formatter) in formatters.enumerated() {
            let any = formatter.typedConfig
            if any.holds(Envoy_Extensions_Formatter_ReqWithoutQuery_V3_ReqWithoutQuery.self)
                || any.holds(Envoy_Extensions_Formatter_Metadata_V3_Metadata.self)
            {
                continue
            }
            throw reader.at("formatters", index: index) {
                reader.error("formatter \(formatter.name) (\(any.messageName)) is not supported")
            }
        }
    }
}

extension [String: JSONValue] {
    init(_ wire: Google_Protobuf_Struct) { self = wire.fields.mapValues(JSONValue.init) }
}

extension Google_Protobuf_Struct {
    init(_ members: [String: JSONValue]) {
        self.init()
        fields = members.mapValues(Google_Protobuf_Value.init)
    }
}

extension JSONValue {
    init(_ wire: Google_Protobuf_Value) {
        switch wire.kind {
        case .stringValue(let text): self = .string(text)
        case .numberValue(let number): self = Int64(exactly: number).map { .int($0) } ?? .double(number)
        case .boolValue(let flag): self = .bool(flag)
        case .listValue(let list): self = .array(list.values.map { JSONValue($0) })
        case .structValue(let members): self = .object([String: JSONValue](members))
        case .nullValue, nil: self = .null
        }
    }
}

extension Google_Protobuf_Value {
    init(_ value: JSONValue) {
        self.init()
        switch value {
        case .null: nullValue = .nullValue
        case .bool(let flag): boolValue = flag
        case .int(let number): numberValue = Double(number)
        case .double(let number): numberValue = number
        case .string(let text): stringValue = text
        case .array(let elements): listValue.values = elements.map { Google_Protobuf_Value($0) }
        case .object(let members): structValue = .init(members)
        }
    }
}

extension AccessLogService {
    fileprivate func wire() throws -> Google_Protobuf_Any {
        var common = Envoy_Extensions_AccessLoggers_Grpc_V3_CommonGrpcAccessLogConfig()
        common.logName = logName
        common.grpcService.envoyGrpc.clusterName = cluster
        common.grpcService.envoyGrpc.authority = authority ?? ""
        common.grpcService.initialMetadata = metadata.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) }
        common.bufferFlushInterval = .init(milliseconds: flushMilliseconds)
        common.bufferSizeBytes = .init(bufferBytes)
        common.transportApiVersion = .v3
        common.customTags = customTags.map { $0.wire() }
        guard kind == .http else {
            var wire = WireTCPService()
            wire.commonConfig = common
            return try pack(wire)
        }
        var wire = WireHTTPService()
        wire.commonConfig = common
        wire.additionalRequestHeadersToLog = requestHeaders
        wire.additionalResponseHeadersToLog = responseHeaders
        wire.additionalResponseTrailersToLog = responseTrailers
        return try pack(wire)
    }

    fileprivate init(_ any: Google_Protobuf_Any, _ reader: WireReader) throws {
        guard any.messageName == WireHTTPService.protoMessageName else {
            let wire = try reader.unpack(any, as: WireTCPService.self)
            try self.init(.tcp, wire.commonConfig, reader)
            return
        }
        let wire = try reader.unpack(any, as: WireHTTPService.self)
        try self.init(.http, wire.commonConfig, reader)
        requestHeaders = wire.additionalRequestHeadersToLog
        responseHeaders = wire.additionalResponseHeadersToLog
        responseTrailers = wire.additionalResponseTrailersToLog
    }

    private init(
        _ kind: Kind, _ wire: Envoy_Extensions_AccessLoggers_Grpc_V3_CommonGrpcAccessLogConfig, _ reader: WireReader
    ) throws {
        let service = try GRPCTarget(wire.grpcService, reader)
        guard !wire.logName.isEmpty else { throw reader.error("common_config.log_name is missing") }
        self.init(kind: kind, logName: wire.logName, cluster: service.cluster)
        authority = service.authority
        metadata = service.metadata
        if wire.hasBufferFlushInterval { flushMilliseconds = wire.bufferFlushInterval.milliseconds }
        if wire.hasBufferSizeBytes { bufferBytes = wire.bufferSizeBytes.value }
        customTags = try reader.map("common_config.custom_tags", wire.customTags) { try CustomTag($0, reader) }
    }
}

/// A gRPC service behind one of the proxy's clusters (`GrpcService.envoy_grpc`).
struct GRPCTarget {
    var cluster: String
    var authority: String?
    var metadata: [String: String] = [:]
    /// `nil` when the configuration names none.
    var timeoutMilliseconds: UInt64?

    init(_ wire: Envoy_Config_Core_V3_GrpcService, _ reader: WireReader) throws {
        guard case .envoyGrpc(let target)? = wire.targetSpecifier, !target.clusterName.isEmpty else {
            throw reader.error("grpc_service.envoy_grpc.cluster_name is missing")
        }
        cluster = target.clusterName
        authority = target.authority.isEmpty ? nil : target.authority
        for item in wire.initialMetadata { metadata[item.key.lowercased()] = item.value }
        timeoutMilliseconds = wire.hasTimeout ? wire.timeout.milliseconds : nil
    }
}

extension Envoy_Config_Core_V3_HeaderValue {
    init(_ key: String, _ value: String) {
        self.init()
        self.key = key
        self.value = value
    }
}
