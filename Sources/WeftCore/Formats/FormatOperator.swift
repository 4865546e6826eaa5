/// One command operator of a format string.
package enum FormatOperator: Sendable, Hashable {
    /// Header names: the one asked for, and the one that stands in for it.
    package struct Header: Sendable, Hashable {
        package var name: String
        package var alternative: String?
    }
    package struct Time: Sendable, Hashable {
        /// `nil`: ISO 8601 with milliseconds.
        package var format: String?
        package var isLocal: Bool
    }
    /// When the certificate of a peer begins or ends to be valid.
    package struct CertificateTime: Sendable, Hashable {
        /// Of the upstream instead of the client.
        package var isUpstream: Bool
        package var isEnd: Bool
        /// `nil`: ISO 8601 with milliseconds.
        package var format: String?
    }
    package enum StatusStyle: Sendable, Hashable { case camel, snake, number }
    /// How an object of the filter state is written.
    package enum FilterStateStyle: Sendable, Hashable { case plain, typed }
    package enum PathSource: Sendable, Hashable { case original, current, originalOrCurrent }
    package enum TimePoint: String, Sendable, Hashable {
        case requestStart = "DS_RX_BEG"
        case requestEnd = "DS_RX_END"
        case upstreamStart = "US_TX_BEG"
        case upstreamEnd = "US_TX_END"
        case responseStart = "US_RX_BEG"
        case responseEnd = "US_RX_END"
        case downstreamStart = "DS_TX_BEG"
        case downstreamEnd = "DS_TX_END"
    }
    package enum TimeUnit: String, Sendable, Hashable {
        case milliseconds = "ms"
        case microseconds = "us"
        case nanoseconds = "ns"
    }

    case plain(FormatOperatorName)
    case request(Header)
    /// The value up to its first question mark.
    case requestWithoutQuery(Header)
    case response(Header)
    case trailer(Header)
    case startTime(Time)
    case emitTime(Time)
    case commonDuration(TimePoint, TimePoint, TimeUnit)
    case grpcStatus(StatusStyle)
    case dynamicMetadata([String])
    case queryParameter(String)
    case queryParameters
    case path(PathSource, withQuery: Bool)
    case environment(String)
    /// A moment of a peer's certificate.
    case certificateTime(CertificateTime)
    /// Messages that the filter `grpc_stats` has counted.
    case grpcMessageCounts(FilterStateStyle)

    /// - Throws: ``FormatError``.
    package init(_ name: String, _ arguments: String?) throws(FormatError) {
        switch name {
        case "REQ": self = .request(try Self.header(name, arguments))
        case "REQ_WITHOUT_QUERY": self = .requestWithoutQuery(try Self.header(name, arguments))
        case "RESP": self = .response(try Self.header(name, arguments))
        case "TRAILER": self = .trailer(try Self.header(name, arguments))
        case "START_TIME", "START_TIME_LOCAL":
            self = .startTime(Time(format: Self.filled(arguments), isLocal: name.hasSuffix("LOCAL")))
        case "EMIT_TIME", "EMIT_TIME_LOCAL":
            self = .emitTime(Time(format: Self.filled(arguments), isLocal: name.hasSuffix("LOCAL")))
        case "COMMON_DURATION": self = try Self.duration(arguments ?? "")
        case "GRPC_STATUS": self = .grpcStatus(try Self.style(arguments))
        case "GRPC_STATUS_NUMBER": self = .grpcStatus(.number)
        case "DYNAMIC_METADATA": self = .dynamicMetadata(Self.parts(try Self.needed(name, arguments)))
        case "METADATA": self = .dynamicMetadata(try Self.metadata(try Self.needed(name, arguments)))
        case "QUERY_PARAM": self = .queryParameter(try Self.needed(name, arguments))
        case "QUERY_PARAMS": self = .queryParameters
        case "PATH": self = try Self.path(arguments ?? "")
        case "FILTER_STATE": self = try Self.filterState(try Self.needed(name, arguments))
        case "DOWNSTREAM_PEER_CERT_V_START", "DOWNSTREAM_PEER_CERT_V_END", "UPSTREAM_PEER_CERT_V_START",
            "UPSTREAM_PEER_CERT_V_END":
            let isUpstream = name.hasPrefix("UPSTREAM")
            self = .certificateTime(
                .init(isUpstream: isUpstream, isEnd: name.hasSuffix("END"), format: Self.filled(arguments)))
        case "ENVIRONMENT": self = .environment(try Self.needed(name, arguments))
        default: self = .plain(try Self.plain(name, arguments))
        }
    }

    private static func plain(_ name: String, _ arguments: String?) throws(FormatError) -> FormatOperatorName {
        guard let known = FormatOperatorName(rawValue: name) else {
            let why = FormatOperatorName.withoutValue.contains(name) ? "is not implemented" : "does not exist"
            throw FormatError("the format operator %\(name)% \(why)")
        }
        // The one thing that a plain operator can be told: to leave white space in the details as it is.
        if let arguments, known != .responseCodeDetails || arguments != "ALLOW_WHITESPACES" {
            throw FormatError("the format operator %\(name)% takes no arguments, found \"\(arguments)\"")
        }
        return known
    }

    private static func filled(_ text: String?) -> String? { text.flatMap { $0.isEmpty ? nil : $0 } }

    private static func needed(_ name: String, _ arguments: String?) throws(FormatError) -> String {
        guard let arguments, !arguments.isEmpty else {
            throw FormatError("the format operator %\(name)% needs an argument: %\(name)(…)%")
        }
        return arguments
    }

    private static func parts(_ text: String) -> [String] { text.split(separator: ":").map(String.init) }

    /// - Returns: The path of dynamic metadata; the proxy keeps no other for logs.
    private static func metadata(_ arguments: String) throws(FormatError) -> [String] {
        let words = parts(arguments)
        guard words.first == "DYNAMIC", words.count > 1 else {
            throw FormatError(
                "%METADATA(…)% takes DYNAMIC and a namespace, %METADATA(DYNAMIC:NAMESPACE:KEY)%; other kinds are not "
                    + "implemented; found \"\(arguments)\"")
        }
        return Array(words.dropFirst())
    }

    /// The one object that filters of this proxy keep for logs.
    private static func filterState(_ arguments: String) throws(FormatError) -> FormatOperator {
        let words = parts(arguments)
        guard words.first == "envoy.filters.http.grpc_stats", words.count <= 2 else {
            throw FormatError(
                "%FILTER_STATE(…)% takes envoy.filters.http.grpc_stats, other objects are not kept, and then PLAIN or "
                    + "TYPED; found \"\(arguments)\"")
        }
        switch words.count > 1 ? words[1] : "TYPED" {
        case "PLAIN": return .grpcMessageCounts(.plain)
        case "TYPED": return .grpcMessageCounts(.typed)
        default: throw FormatError("%FILTER_STATE(…)% takes PLAIN or TYPED, found \"\(words[1])\"")
        }
    }

    private static func header(_ name: String, _ arguments: String?) throws(FormatError) -> Header {
        let names = try needed(name, arguments).split(separator: "?", omittingEmptySubsequences: false).map(String.init)
        guard names.count <= 2, names.allSatisfy({ !$0.isEmpty }) else {
            throw FormatError("%\(name)(…)% takes one header or two: %\(name)(A?B)%")
        }
        return Header(name: names[0].lowercased(), alternative: names.count > 1 ? names[1].lowercased() : nil)
    }

    private static func style(_ arguments: String?) throws(FormatError) -> StatusStyle {
        switch arguments {
        case nil, "", "CAMEL_STRING": .camel
        case "SNAKE_STRING": .snake
        case "NUMBER": .number
        default: throw FormatError("%GRPC_STATUS(…)% takes CAMEL_STRING, SNAKE_STRING or NUMBER")
        }
    }

    private static func duration(_ arguments: String) throws(FormatError) -> FormatOperator {
        let words = parts(arguments)
        guard words.count == 3, let start = TimePoint(rawValue: words[0]), let end = TimePoint(rawValue: words[1]),
            let unit = TimeUnit(rawValue: words[2])
        else {
            throw FormatError(
                "%COMMON_DURATION(START:END:UNIT)% takes DS_RX_BEG, DS_RX_END, US_TX_BEG, US_TX_END, US_RX_BEG, "
                    + "US_RX_END, DS_TX_BEG or DS_TX_END twice, then ms, us or ns; found \"\(arguments)\"")
        }
        return .commonDuration(start, end, unit)
    }

    private static func path(_ arguments: String) throws(FormatError) -> FormatOperator {
        let words = parts(arguments)
        let withQuery = words.first != "NQ"
        let source: PathSource
        switch words.count > 1 ? words[1] : "ORIG_OR_PATH" {
        case "ORIG": source = .original
        case "PATH": source = .current
        case "ORIG_OR_PATH": source = .originalOrCurrent
        default: throw FormatError("%PATH(…)% takes ORIG, PATH or ORIG_OR_PATH, found \"\(arguments)\"")
        }
        guard words.isEmpty || ["WQ", "NQ"].contains(words[0]), words.count <= 2 else {
            throw FormatError("%PATH(…)% takes WQ or NQ first, found \"\(arguments)\"")
        }
        return .path(source, withQuery: withQuery)
    }
}
