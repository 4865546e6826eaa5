import NIOCore
import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting

/// The values of operators that take arguments.
extension LogContext {
    func value(_ operation: FormatOperator) -> FormatValue {
        switch operation {
        case .plain(let name): return value(name)
        case .request(let header): return FormatValue(request(header.name) ?? header.alternative.flatMap(request))
        case .requestWithoutQuery(let header):
            let text = request(header.name) ?? header.alternative.flatMap(request)
            return FormatValue(text.map { String($0.prefix { $0 != "?" }) })
        case .response(let header):
            return FormatValue(field(response, header.name) ?? header.alternative.flatMap { field(response, $0) })
        case .trailer(let header):
            let trailers = exchange?.record.extras?.responseTrailers
            return FormatValue(field(trailers, header.name) ?? header.alternative.flatMap { field(trailers, $0) })
        case .startTime(let time): return .text(text(startedAt, time))
        case .emitTime(let time): return .text(text(LogClock.now(), time))
        case .commonDuration(let start, let end, let unit): return duration(start, end, unit)
        case .grpcStatus(let style): return grpcValue(style)
        case .dynamicMetadata(let path): return metadata(path)
        case .queryParameter(let name): return FormatValue(exchange.flatMap { Cookies.query(name, in: $0.head.target) })
        case .queryParameters:
            let target = exchange?.head.target ?? ""
            return FormatValue(target.firstIndex(of: "?").map { String(target[target.index(after: $0)...]) })
        case .path(let source, let withQuery): return path(source, withQuery: withQuery)
        case .grpcMessageCounts(let style): return exchange?.filterState?.grpcCall?.filterState(style) ?? .none
        case .environment(let name): return FormatValue(Environment.value(name))
        case .certificateTime(let wanted): return certificateTime(wanted)
        }
    }

    private func request(_ name: String) -> String? {
        guard let exchange, !exchange.record.hasNoHead else { return nil }
        // The colon of a pseudo header may be left out in an alternative, as in Envoy's default format.
        switch name {
        // CONNECT has none.
        case ":path", "path": return exchange.head.target.isEmpty ? nil : exchange.head.target
        default: return exchange.header(name)
        }
    }

    private func field(_ headers: HeaderBlock?, _ name: String) -> String? {
        if name == ":status" { return exchange.map { String($0.record.status) } }
        return headers?.first(name)
    }

    private func text(_ nanoseconds: Int64, _ time: FormatOperator.Time) -> String {
        guard let format = time.format else {
            return time.isLocal
                ? LogClock.format(nanoseconds, "%Y-%m-%dT%H:%M:%S.%3f%z", isLocal: true)
                : LogClock.standard(nanoseconds)
        }
        return LogClock.format(nanoseconds, format, isLocal: time.isLocal)
    }

    private var requestEnd: NIODeadline? { exchange.flatMap { $0.requestEnded ? $0.completedAt : nil } }

    private func moment(_ point: FormatOperator.TimePoint) -> NIODeadline? {
        let times = exchange?.record.times
        return switch point {
        case .requestStart: started
        case .requestEnd: requestEnd
        case .upstreamStart: times?.upstreamStart
        case .upstreamEnd: times?.upstreamStart.flatMap { start in requestEnd.map { max(start, $0) } }
        case .responseStart, .downstreamStart: times?.responseStart
        case .responseEnd, .downstreamEnd: times?.responseStart == nil ? nil : now
        }
    }

    /// `nil` when one of the moments never came.
    func span(_ start: FormatOperator.TimePoint, _ end: FormatOperator.TimePoint) -> Int64? {
        guard let first = moment(start), let last = moment(end) else { return nil }
        return (last - first).nanoseconds
    }

    private func duration(
        _ start: FormatOperator.TimePoint, _ end: FormatOperator.TimePoint, _ unit: FormatOperator.TimeUnit
    ) -> FormatValue {
        guard let span = span(start, end) else { return .none }
        return switch unit {
        case .milliseconds: .int(span / 1_000_000)
        case .microseconds: .int(span / 1_000)
        case .nanoseconds: .int(span)
        }
    }

    private func grpcValue(_ style: FormatOperator.StatusStyle) -> FormatValue {
        guard let exchange, exchange.original.isGRPC, let code = grpcStatus else { return .none }
        return switch style {
        case .number: .int(Int64(code))
        case .camel: .text(GRPCStatus.camel(code))
        case .snake: .text(GRPCStatus.snake(code))
        }
    }

    private func metadata(_ path: [String]) -> FormatValue {
        guard let space = path.first, let value = exchange?.filterState?.metadata[space]?[Array(path.dropFirst())]
        else { return .none }
        return .json(JSONValue(value))
    }

    private func path(_ source: FormatOperator.PathSource, withQuery: Bool) -> FormatValue {
        guard let exchange else { return .none }
        let original = exchange.head.headers.string(.envoyOriginalPath)
        let text =
            switch source {
            case .original: original
            case .current: exchange.head.target
            case .originalOrCurrent: original ?? exchange.head.target
            }
        return FormatValue(withQuery ? text : text.map { String($0.prefix { $0 != "?" }) })
    }
}

extension JSONValue {
    init(_ value: DynamicValue) {
        self =
            switch value {
            case .null: .null
            case .string(let text): .string(text)
            case .number(let number): Int64(exactly: number).map { .int($0) } ?? .double(number)
            case .bool(let flag): .bool(flag)
            case .list(let elements): .array(elements.map(JSONValue.init))
            case .object(let members): .object(members.mapValues(JSONValue.init))
            }
    }
}
