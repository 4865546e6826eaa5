import SwiftProtobuf
import WeftCore
import WeftIR
import WeftProto

private typealias WireLocalReply = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_LocalReplyConfig
private typealias WireMapper = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_ResponseMapper
private typealias WireFormat = Envoy_Config_Core_V3_SubstitutionFormatString
private typealias WireLogFilter = Envoy_Config_Accesslog_V3_AccessLogFilter

extension LocalReplies {
    func write(to manager: inout WireManager) {
        var wire = WireLocalReply()
        wire.mappers = mappers.map { mapper in
            var value = WireMapper()
            value.filter = mapper.condition.wire()
            if let status = mapper.status { value.statusCode = .init(UInt32(status)) }
            if let body = mapper.body { value.body.inlineString = body }
            if let format = mapper.format { value.bodyFormatOverride = format.wire() }
            value.headersToAdd = mapper.headers.wireAppend
            return value
        }
        if let format { wire.bodyFormat = format.wire() }
        manager.localReplyConfig = wire
    }

    init(_ manager: WireManager, _ reader: WireReader) throws {
        self.init()
        let wire = manager.localReplyConfig
        mappers = try reader.map("mappers", wire.mappers) { wire in
            var mapper = Mapper(try reader.at("filter") { try Condition(wire.filter, reader) })
            if wire.hasStatusCode { mapper.status = try reader.status(wire.statusCode.value) }
            if wire.hasBody { mapper.body = String(decoding: try wire.body.inline(reader), as: UTF8.self) }
            if wire.hasBodyFormatOverride { mapper.format = try Format(wire.bodyFormatOverride, reader) }
            mapper.headers = HeaderMutations(wire.headersToAdd, remove: [])
            return mapper
        }
        if wire.hasBodyFormat { format = try Format(wire.bodyFormat, reader) }
    }
}

extension LocalReplies.Format {
    fileprivate func wire() -> WireFormat {
        var wire = WireFormat()
        switch body {
        case .text(let text): wire.textFormatSource.inlineString = text
        case .json(let value): wire.jsonFormat = Google_Protobuf_Value(json: value).structValue
        }
        wire.contentType = contentType ?? ""
        return wire
    }

    fileprivate init(_ wire: WireFormat, _ reader: WireReader) throws {
        try wire.checkFormatters(reader)
        switch wire.format {
        case .textFormat(let text): self.init(.text(text))
        case .textFormatSource(let source):
            self.init(.text(String(decoding: try source.inline(reader), as: UTF8.self)))
        case .jsonFormat(let members): self.init(.json(.object(members.fields.mapValues(\.json))))
        case nil: throw reader.error("a body format of a kind that is not supported")
        }
        contentType = wire.contentType.isEmpty ? nil : wire.contentType
    }
}

extension LocalReplies.Condition {
    fileprivate func wire() -> WireLogFilter {
        var wire = WireLogFilter()
        switch self {
        case .status(let comparison, let value):
            wire.statusCodeFilter.comparison.op =
                switch comparison {
                case .equal: .eq
                case .atLeast: .ge
                case .atMost: .le
                case .notEqual: .ne
                }
            wire.statusCodeFilter.comparison.value.defaultValue = value
        case .flags(let flags): wire.responseFlagFilter.flags = flags
        case .header(let matcher): wire.headerFilter.header = matcher.wire()
        case .and(let all): wire.andFilter.filters = all.map { $0.wire() }
        case .or(let all): wire.orFilter.filters = all.map { $0.wire() }
        }
        return wire
    }

    fileprivate init(_ wire: WireLogFilter, _ reader: WireReader) throws {
        switch wire.filterSpecifier {
        case .statusCodeFilter(let filter):
            let comparison: Comparison =
                switch filter.comparison.op {
                case .ge: .atLeast
                case .le: .atMost
                case .ne: .notEqual
                default: .equal
                }
            self = .status(comparison, reader.runtime.number(filter.comparison.value))
        case .responseFlagFilter(let filter): self = .flags(filter.flags)
        case .headerFilter(let filter): self = .header(try HeaderMatcher(filter.header, reader))
        case .andFilter(let list): self = .and(try list.filters.map { try Self($0, reader) })
        case .orFilter(let list): self = .or(try list.filters.map { try Self($0, reader) })
        default: throw reader.error("a filter of this kind is not supported for local replies")
        }
    }
}

extension Google_Protobuf_Value {
    fileprivate init(json: JSONValue) {
        self.init()
        switch json {
        case .null: nullValue = .nullValue
        case .bool(let flag): boolValue = flag
        case .int(let number): numberValue = Double(number)
        case .double(let number): numberValue = number
        case .string(let text): stringValue = text
        case .array(let values): listValue.values = values.map { Google_Protobuf_Value(json: $0) }
        case .object(let members): structValue.fields = members.mapValues { Google_Protobuf_Value(json: $0) }
        }
    }
}
