/// An answer of one of the HTTP APIs, before it goes on a wire.
package struct APIResponse: Sendable {
    package var status: Int
    package var body: [UInt8]
    package var contentType: String

    package init(status: Int, body: [UInt8], contentType: String = "application/json") {
        self.status = status
        self.body = body
        self.contentType = contentType
    }
}

/// Prometheus's HTTP API, version 1, over a ``TimeSeriesStore``. Knows no server: a request is a path and parameters.
package struct PrometheusAPI: Sendable {
    let store: TimeSeriesStore
    let limits: QueryLimits
    let statuses: @Sendable () -> [TargetStatus]
    let metadata: @Sendable () -> [String: MetricMetadata]
    let now: @Sendable () -> Int64
    let version: String
    let tables = SharedAnswers()

    /// - Parameters:
    ///   - now: Milliseconds since 1970.
    ///   - version: Of this program, for `status/buildinfo`.
    package init(
        store: TimeSeriesStore, limits: QueryLimits = QueryLimits(), version: String,
        now: @escaping @Sendable () -> Int64, statuses: @escaping @Sendable () -> [TargetStatus] = { [] },
        metadata: @escaping @Sendable () -> [String: MetricMetadata] = { [:] }
    ) {
        self.store = store
        self.limits = limits
        self.version = version
        self.now = now
        self.statuses = statuses
        self.metadata = metadata
    }

    /// Answers one request; blocks for as long as a query takes, and stops when its task is cancelled.
    /// - Parameter path: Behind `/api/v1/`.
    package func respond(_ path: String, _ parameters: FormParameters) -> APIResponse {
        do {
            return success(try answer(path.split(separator: "/").map(String.init), parameters))
        } catch let error as PromQLError {
            return failure(error)
        } catch {
            return failure(PromQLError(.internal, "\(error)"))
        }
    }

    private func answer(
        _ path: [String], _ parameters: FormParameters
    ) throws -> (inout JSONText) -> Void {
        switch path.first {
        case "query" where path.count == 1: return try query(parameters)
        case "query_range" where path.count == 1: return try queryRange(parameters)
        case "series" where path.count == 1: return try series(parameters)
        case "labels" where path.count == 1: return try labels(parameters)
        case "label" where path.count == 3 && path[2] == "values": return try values(path[1], parameters)
        case "metadata" where path.count == 1: return try metadata(parameters)
        case "targets" where path.count == 1: return targets(parameters)
        case "status" where path.count == 2: return try status(path[1])
        case "rules" where path.count == 1: return { $0.object { $0.empty("groups") } }
        case "alerts" where path.count == 1: return { $0.object { $0.empty("alerts") } }
        case "query_exemplars" where path.count == 1: return { $0.list { _ in } }
        default: throw PromQLError(.notFound, "there is no /api/v1/\(path.joined(separator: "/"))")
        }
    }

    private func success(_ body: (inout JSONText) -> Void) -> APIResponse {
        var text = JSONText()
        text.object { text in
            text.strings([("status", "success")])
            text.key("data")
            body(&text)
        }
        return APIResponse(status: 200, body: text.bytes)
    }

    func failure(_ error: PromQLError) -> APIResponse {
        var text = JSONText()
        text.object { text in
            text.strings([("status", "error"), ("errorType", error.kind.rawValue), ("error", error.message)])
        }
        let status =
            switch error.kind {
            case .badData: 400
            case .execution: 422
            case .canceled, .timeout, .unavailable: 503
            case .notFound: 404
            case .internal: 500
            }
        return APIResponse(status: status, body: text.bytes)
    }

    // MARK: - Queries

    private func parse(_ parameters: FormParameters) throws(PromQLError) -> Expression {
        do {
            return try PromQLParser.parse(parameters["query"] ?? "")
        } catch {
            throw PromQLError(.badData, "invalid parameter \"query\": \(error.message)")
        }
    }

    private func engine(_ parameters: FormParameters) throws(PromQLError) -> QueryEngine {
        var limits = limits
        if let text = parameters["timeout"] {
            let wanted = Duration.milliseconds(try Self.duration(text, "timeout"))
            limits.timeout = min(limits.timeout, wanted)
        }
        return QueryEngine(source: store, limits: limits)
    }

    private func query(_ parameters: FormParameters) throws -> (inout JSONText) -> Void {
        let time = try parameters["time"].map { try Self.time($0, "time") } ?? now()
        let result = try engine(parameters).instant(try parse(parameters), at: time)
        return { Self.write(result, to: &$0) }
    }

    private func queryRange(_ parameters: FormParameters) throws -> (inout JSONText) -> Void {
        let start = try Self.time(try Self.required(parameters, "start"), "start")
        let end = try Self.time(try Self.required(parameters, "end"), "end")
        guard end >= start else {
            throw PromQLError(.badData, "invalid parameter \"end\": end timestamp must not be before start time")
        }
        let step = try Self.duration(try Self.required(parameters, "step"), "step")
        guard step > 0 else {
            throw PromQLError(
                .badData,
                "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. "
                    + "Try a positive integer")
        }
        let result = try engine(parameters).range(try parse(parameters), start: start, end: end, step: step)
        return { Self.write(result, to: &$0) }
    }

    static func write(_ result: QueryResult, to text: inout JSONText) {
        text.object { text in
            text.key("resultType")
            switch result {
            case .scalar(let point):
                text.string("scalar")
                text.key("result")
                text.point(point)
            case .string(let value, let time):
                text.string("string")
                text.key("result")
                text.list { text in
                    text.time(time)
                    text.string(value)
                }
            case .vector(let list):
                text.string("vector")
                text.key("result")
                text.list { text in
                    for one in list {
                        text.object { text in
                            text.labels("metric", one.labels)
                            text.key("value")
                            text.point(one.point)
                        }
                    }
                }
            case .matrix(let list):
                text.string("matrix")
                text.key("result")
                text.list { text in
                    for one in list {
                        text.object { text in
                            text.labels("metric", one.labels)
                            text.key("values")
                            text.list { text in for point in one.points { text.point(point) } }
                        }
                    }
                }
            }
        }
    }

    // MARK: - Parameters

    static func required(_ parameters: FormParameters, _ name: String) throws(PromQLError) -> String {
        guard let text = parameters[name], !text.isEmpty else {
            throw PromQLError(.badData, "invalid parameter \"\(name)\": it is missing")
        }
        return text
    }

    /// Milliseconds of a time: seconds since 1970, or RFC 3339.
    static func time(_ text: String, _ name: String) throws(PromQLError) -> Int64 {
        if let seconds = Double(text), seconds.isFinite, seconds.magnitude < 9e12 {
            return Int64((seconds * 1000).rounded())
        }
        if let time = TimeText.milliseconds(text) { return time }
        throw PromQLError(
            .badData, "invalid parameter \"\(name)\": cannot parse \(PromQLText.quoted(text)) to a valid timestamp")
    }

    /// Milliseconds of a duration: seconds, or `5m`.
    static func duration(_ text: String, _ name: String) throws(PromQLError) -> Int64 {
        if let seconds = Double(text), seconds.isFinite, seconds.magnitude < 9e12 {
            return Int64((seconds * 1000).rounded())
        }
        if let value = PromQLLexer.milliseconds(text) { return value }
        throw PromQLError(
            .badData, "invalid parameter \"\(name)\": cannot parse \(PromQLText.quoted(text)) to a valid duration")
    }
}

extension JSONText {
    mutating func point(_ point: QueryResult.Point) {
        list { text in
            text.time(point.time)
            text.string(PromQLText.number(point.value))
        }
    }

    mutating func labels(_ key: String, _ labels: Labels) {
        self.key(key)
        object { text in text.strings(labels.pairs.map { ($0.name, $0.value) }) }
    }

    mutating func empty(_ key: String) {
        self.key(key)
        list { _ in }
    }
}
