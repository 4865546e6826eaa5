package import WeftCore
package import WeftHTTP
package import WeftIR

/// What access log filters look at. A value for one request or connection.
package struct LogFilterView {
    /// 0 when there was no response.
    package var status: UInt32 = 0
    package var durationMilliseconds: UInt64 = 0
    package var isHealthCheck = false
    /// Traced because a service demanded it (`x-envoy-force-trace`); Envoy's filter asks for nothing less.
    package var isTraced = false
    /// Response flags, separated by commas; `-` is none.
    package var flags = "-"
    /// As the trailers or headers of the response say, or what the HTTP status stands for.
    package var grpcStatus: UInt32 = 2
    package var type = AccessLogFilter.LogType.notSet
    package var head: RequestHead?
    package var metadata: [String: DynamicValue] = [:]
    /// The first eight digits of the request id; `nil` when there is none.
    package var requestNumber: UInt64?
    /// Values of attributes, for expressions; `nil` is missing.
    package var attribute: (RequestAttribute) -> AttributeValue? = { _ in nil }

    package init() {}
}

/// An access log filter with its matchers compiled. Immutable.
package indirect enum CompiledLogFilter: Sendable {
    case status(AccessLogFilter.Comparison, UInt32)
    case duration(AccessLogFilter.Comparison, UInt32)
    case notHealthCheck
    case traceable
    case runtime(FractionalPercent, isIndependent: Bool)
    case and([CompiledLogFilter])
    case or([CompiledLogFilter])
    case header(CompiledHeaderMatcher)
    case responseFlags(Set<String>)
    case grpcStatus(Set<UInt32>, excludes: Bool)
    case logType([AccessLogFilter.LogType], excludes: Bool)
    case metadata(CompiledMetadataMatcher, orMissing: Bool)
    case expression(CompiledExpression)

    package init(_ filter: AccessLogFilter) {
        switch filter {
        case .status(let comparison, let value): self = .status(comparison, value)
        case .duration(let comparison, let value): self = .duration(comparison, value)
        case .notHealthCheck: self = .notHealthCheck
        case .traceable: self = .traceable
        case .runtime(let share, let isIndependent): self = .runtime(share, isIndependent: isIndependent)
        case .and(let filters): self = .and(filters.map(CompiledLogFilter.init))
        case .or(let filters): self = .or(filters.map(CompiledLogFilter.init))
        case .header(let matcher): self = .header(CompiledHeaderMatcher(matcher))
        case .responseFlags(let flags): self = .responseFlags(Set(flags))
        case .grpcStatus(let codes, let excludes): self = .grpcStatus(Set(codes), excludes: excludes)
        case .logType(let types, let excludes): self = .logType(types, excludes: excludes)
        case .metadata(let matcher, let orMissing):
            self = .metadata(CompiledMetadataMatcher(matcher), orMissing: orMissing)
        case .expression(let text): self = .expression(CompiledExpression(text))
        }
    }

    /// - Parameter draw: A random number, asked for at most once.
    package func accepts(_ view: LogFilterView, draw: () -> UInt64) -> Bool {
        switch self {
        case .status(let comparison, let value): comparison.holds(UInt64(view.status), UInt64(value))
        case .duration(let comparison, let value): comparison.holds(view.durationMilliseconds, UInt64(value))
        case .notHealthCheck: !view.isHealthCheck
        case .traceable: view.isTraced
        case .runtime(let share, let isIndependent):
            (isIndependent ? draw() : view.requestNumber ?? draw()) % 1_000_000 < UInt64(share.partsPerMillion)
        case .and(let filters): filters.allSatisfy { $0.accepts(view, draw: draw) }
        case .or(let filters): filters.contains { $0.accepts(view, draw: draw) }
        case .header(let matcher): view.head.map { matcher.matches($0) } ?? false
        case .responseFlags(let wanted): Self.has(view.flags, wanted)
        case .grpcStatus(let codes, let excludes): codes.contains(view.grpcStatus) != excludes
        case .logType(let types, let excludes): types.contains(view.type) != excludes
        case .metadata(let matcher, let orMissing):
            matcher.finds(view.metadata) ? matcher.matches(view.metadata) : orMissing
        case .expression(let expression): expression.value(view.attribute) == .bool(true)
        }
    }

    /// Attributes that expressions of the filter look at.
    package var attributes: Set<RequestAttribute> {
        switch self {
        case .and(let filters), .or(let filters): filters.reduce(into: []) { $0.formUnion($1.attributes) }
        case .expression(let expression): expression.attributes
        default: []
        }
    }

    private static func has(_ flags: String, _ wanted: Set<String>) -> Bool {
        guard flags != "-" else { return false }
        return wanted.isEmpty || flags.split(separator: ",").contains { wanted.contains(String($0)) }
    }
}

extension AccessLogFilter.Comparison {
    fileprivate func holds(_ left: UInt64, _ right: UInt64) -> Bool {
        switch self {
        case .equal: left == right
        case .atLeast: left >= right
        case .atMost: left <= right
        case .notEqual: left != right
        }
    }
}
