import SwiftProtobuf
import WeftCore
import WeftIR
import WeftProto

private typealias WireFilter = Envoy_Config_Accesslog_V3_AccessLogFilter
private typealias WireExpression = Envoy_Extensions_AccessLoggers_Filters_Cel_V3_ExpressionFilter
private typealias WireComparison = Envoy_Config_Accesslog_V3_ComparisonFilter
private typealias WireLogType = Envoy_Data_Accesslog_V3_AccessLogType

extension AccessLogFilter {
    func wire() throws -> Envoy_Config_Accesslog_V3_AccessLogFilter {
        var wire = WireFilter()
        switch self {
        case .status(let operation, let value): wire.statusCodeFilter.comparison = operation.wire(value)
        case .duration(let operation, let value): wire.durationFilter.comparison = operation.wire(value)
        case .notHealthCheck: wire.notHealthCheckFilter = .init()
        case .traceable: wire.traceableFilter = .init()
        case .runtime(let share, let isIndependent):
            wire.runtimeFilter.percentSampled = share.wire()
            wire.runtimeFilter.useIndependentRandomness = isIndependent
        case .and(let filters): wire.andFilter.filters = try filters.map { try $0.wire() }
        case .or(let filters): wire.orFilter.filters = try filters.map { try $0.wire() }
        case .header(let matcher): wire.headerFilter.header = matcher.wire()
        case .responseFlags(let flags):
            wire.responseFlagFilter = .init()
            wire.responseFlagFilter.flags = flags
        case .grpcStatus(let codes, let excludes):
            wire.grpcStatusFilter.statuses = codes.compactMap { .init(rawValue: Int($0)) }
            wire.grpcStatusFilter.exclude = excludes
        case .logType(let types, let excludes):
            wire.logTypeFilter.types = types.map(\.wire)
            wire.logTypeFilter.exclude = excludes
        case .metadata(let matcher, let orMissing):
            wire.metadataFilter.matcher = matcher.wire()
            wire.metadataFilter.matchIfKeyNotFound = .init(orMissing)
        case .expression(let text):
            var expression = WireExpression()
            expression.expression = text
            wire.extensionFilter.name = "envoy.access_loggers.extension_filters.cel"
            wire.extensionFilter.typedConfig = try pack(expression)
        }
        return wire
    }

    init(_ wire: Envoy_Config_Accesslog_V3_AccessLogFilter, _ reader: WireReader) throws {
        switch wire.filterSpecifier {
        case .statusCodeFilter(let filter):
            self = .status(.init(filter.comparison), reader.runtime.number(filter.comparison.value))
        case .durationFilter(let filter):
            self = .duration(.init(filter.comparison), reader.runtime.number(filter.comparison.value))
        case .notHealthCheckFilter: self = .notHealthCheck
        case .traceableFilter: self = .traceable
        case .runtimeFilter(let filter):
            self = .runtime(
                reader.runtime.sampled(filter.runtimeKey, filter.percentSampled),
                isIndependent: filter.useIndependentRandomness)
        case .andFilter(let filter): self = .and(try Self.several("and_filter", filter.filters, reader))
        case .orFilter(let filter): self = .or(try Self.several("or_filter", filter.filters, reader))
        case .headerFilter(let filter): self = .header(try HeaderMatcher(filter.header, reader))
        case .responseFlagFilter(let filter): self = .responseFlags(filter.flags)
        case .grpcStatusFilter(let filter):
            self = .grpcStatus(filter.statuses.map { UInt32(clamping: $0.rawValue) }, excludes: filter.exclude)
        case .logTypeFilter(let filter): self = .logType(filter.types.map(LogType.init), excludes: filter.exclude)
        case .metadataFilter(let filter):
            self = .metadata(
                try DynamicMetadataMatcher(filter.matcher, reader),
                orMissing: filter.hasMatchIfKeyNotFound ? filter.matchIfKeyNotFound.value : true)
        case .extensionFilter(let filter) where filter.typedConfig.holds(WireExpression.self):
            let text = try reader.unpack(filter.typedConfig, as: WireExpression.self).expression
            self = .expression(try reader.expression(text, of: .bool))
        case .extensionFilter(let filter):
            throw reader.error("access log filter \(filter.name) (\(filter.typedConfig.messageName)) is not supported")
        case nil: throw reader.error("the filter is of a kind that is not supported")
        }
    }

    private static func several(
        _ field: String, _ wires: [Envoy_Config_Accesslog_V3_AccessLogFilter], _ reader: WireReader
    ) throws -> [AccessLogFilter] {
        guard wires.count >= 2 else { throw reader.error("\(field) needs two filters or more") }
        return try reader.map("\(field).filters", wires) { try AccessLogFilter($0, reader) }
    }
}

extension WireReader {
    /// The text of an expression that the proxy can evaluate.
    /// - Parameter type: What it must come to; `nil` is anything.
    func expression(_ text: String, of type: RequestAttribute.ValueType?) throws -> String {
        do throws(AttributeExpressionError) {
            let expression = try AttributeExpression(parsing: text)
            guard type == nil || type == expression.type else {
                throw AttributeExpressionError(message: "it comes to \(expression.type)", position: 0)
            }
        } catch {
            throw self.error("the expression \(text) cannot be used: \(error)")
        }
        return text
    }
}

extension AccessLogFilter.Comparison {
    fileprivate init(_ wire: WireComparison) {
        self =
            switch wire.op {
            case .eq, .UNRECOGNIZED: .equal
            case .ge: .atLeast
            case .le: .atMost
            case .ne: .notEqual
            }
    }

    fileprivate func wire(_ value: UInt32) -> Envoy_Config_Accesslog_V3_ComparisonFilter {
        var wire = WireComparison()
        switch self {
        case .equal: wire.op = .eq
        case .atLeast: wire.op = .ge
        case .atMost: wire.op = .le
        case .notEqual: wire.op = .ne
        }
        wire.value.defaultValue = value
        // Envoy demands a key; nothing is looked up by it here.
        wire.value.runtimeKey = "access_log.comparison"
        return wire
    }
}

extension AccessLogFilter.LogType {
    fileprivate init(_ wire: Envoy_Data_Accesslog_V3_AccessLogType) {
        self =
            switch wire {
            case .notSet: .notSet
            case .tcpConnectionEnd: .tcpConnectionEnd
            case .downstreamEnd: .downstreamEnd
            default: .other
            }
    }

    fileprivate var wire: Envoy_Data_Accesslog_V3_AccessLogType {
        switch self {
        case .notSet: .notSet
        case .tcpConnectionEnd: .tcpConnectionEnd
        case .downstreamEnd: .downstreamEnd
        case .other: .downstreamPeriodic
        }
    }
}
