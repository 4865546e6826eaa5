/// Jaeger's query HTTP API over a ``SpanStore``: what its page, Kiali and Grafana ask. Knows no server.
package struct JaegerAPI: Sendable {
    private let store: SpanStore
    private let now: @Sendable () -> Int64

    /// - Parameter now: Microseconds since 1970.
    package init(store: SpanStore, now: @escaping @Sendable () -> Int64) {
        self.store = store
        self.now = now
    }

    /// Traces that are given at most, whatever is asked for.
    static let traceLimit = 1500

    /// - Parameter path: Behind `/api/`.
    package func respond(_ path: String, _ parameters: FormParameters) -> APIResponse {
        let parts = path.split(separator: "/").map { FormParameters.decoded(Array($0.utf8)[...]) }
        do {
            switch (parts.first, parts.count) {
            case ("services", 1): return list(store.services)
            case ("services", 3) where parts[2] == "operations": return list(names(store.operations(of: parts[1])))
            case ("operations", 1): return try operations(parameters)
            case ("traces", 1): return try search(parameters)
            case ("traces", 2): return try trace(parts[1])
            case ("dependencies", 1): return try dependencies(parameters)
            default: return failure(404, "there is no /api/\(path)")
            }
        } catch {
            return failure(400, error.description)
        }
    }

    private func names(_ operations: [(name: String, kind: String)]) -> [String] {
        Set(operations.map(\.name)).sorted()
    }

    // MARK: - Answers

    private func answer(_ total: Int, _ body: (inout JSONText) -> Void) -> APIResponse {
        var text = JSONText()
        text.object { text in
            text.key("data")
            text.list(body)
            for (name, value) in [("total", Int64(total)), ("limit", 0), ("offset", 0)] {
                text.key(name)
                text.integer(value)
            }
            text.key("errors")
            text.null()
        }
        return APIResponse(status: 200, body: text.bytes)
    }

    private func list(_ values: [String]) -> APIResponse {
        answer(values.count) { text in for value in values { text.string(value) } }
    }

    private func failure(_ status: Int, _ message: String) -> APIResponse {
        var text = JSONText()
        text.object { text in
            text.key("data")
            text.null()
            for name in ["total", "limit", "offset"] {
                text.key(name)
                text.integer(0)
            }
            text.key("errors")
            text.list { text in
                text.object { text in
                    text.key("code")
                    text.integer(Int64(status))
                    text.strings([("msg", message)])
                }
            }
        }
        return APIResponse(status: status, body: text.bytes)
    }

    private func operations(_ parameters: FormParameters) throws(SpanError) -> APIResponse {
        guard let service = parameters["service"], !service.isEmpty else {
            throw SpanError("parameter \"service\" is missing")
        }
        let kind = parameters["spanKind"] ?? ""
        let found = store.operations(of: service).filter { kind.isEmpty || $0.kind == kind }
        return answer(found.count) { text in
            for one in found {
                text.object { text in text.strings([("name", one.name), ("spanKind", one.kind)]) }
            }
        }
    }

    private func dependencies(_ parameters: FormParameters) throws(SpanError) -> APIResponse {
        let end = try Self.integer(parameters, "endTs").map { $0 * 1000 } ?? now()
        let back = try Self.integer(parameters, "lookback").map { $0 * 1000 } ?? 86_400_000_000
        let found = store.dependencies(from: end - back, through: end)
        return answer(found.count) { text in
            for one in found {
                text.object { text in
                    text.strings([("parent", one.parent), ("child", one.child)])
                    text.key("callCount")
                    text.integer(Int64(one.calls))
                }
            }
        }
    }

    private func trace(_ id: String) throws(SpanError) -> APIResponse {
        guard let wanted = SpanText.identifier(id, longest: 32) else {
            throw SpanError("\(PromQLText.quoted(id)) is no trace identifier: up to 32 hexadecimal digits are one")
        }
        guard let trace = store.trace(wanted) ?? store.trace(Self.other(wanted)) else {
            return failure(404, "trace not found")
        }
        return answer(1) { JaegerDocument.write(trace, to: &$0) }
    }

    /// A trace of 64 bits may be known by 16 digits or by 32 with zeros before them.
    private static func other(_ id: String) -> String {
        id.utf8.count == 16 ? String(repeating: "0", count: 16) + id : String(id.suffix(16))
    }

    private func search(_ parameters: FormParameters) throws(SpanError) -> APIResponse {
        let ids = parameters.all("traceID")
        if !ids.isEmpty {
            let found = ids.compactMap { SpanText.identifier($0, longest: 32) }.compactMap(store.trace)
            return answer(found.count) { text in for trace in found { JaegerDocument.write(trace, to: &text) } }
        }
        let search = try TraceSearch(parameters, now: now())
        let found = store.traces(
            limit: search.limit, of: search.service, in: search.window, where: search.matches)
        return answer(found.count) { text in for trace in found { JaegerDocument.write(trace, to: &text) } }
    }

    /// - Returns: `nil` where the parameter is not given.
    static func integer(_ parameters: FormParameters, _ name: String) throws(SpanError) -> Int64? {
        guard let text = parameters[name], !text.isEmpty else { return nil }
        guard let value = Int64(text), value.magnitude < 1 << 52 else {
            throw SpanError("parameter \"\(name)\" is \(PromQLText.quoted(text)), which is no whole number")
        }
        return value
    }
}

/// What a search asks for.
struct TraceSearch: Sendable {
    let service: String?
    /// Microseconds since 1970.
    let window: ClosedRange<Int64>
    private let operation: String?
    private let tags: [String: String]
    private let least: Int64
    private let most: Int64
    let limit: Int

    init(_ parameters: FormParameters, now: Int64) throws(SpanError) {
        service = parameters["service"].flatMap { $0.isEmpty ? nil : $0 }
        guard service != nil else { throw SpanError("parameter \"service\" is missing") }
        operation = parameters["operation"].flatMap { $0.isEmpty || $0 == "all" ? nil : $0 }
        let end = try JaegerAPI.integer(parameters, "end") ?? now
        let back = try Self.duration(parameters["lookback"], "lookback") ?? 172_800_000_000
        let start = try JaegerAPI.integer(parameters, "start") ?? end - back
        // Backwards, it is an instant.
        window = start <= end ? start...end : end...end
        least = try Self.duration(parameters["minDuration"], "minDuration") ?? 0
        most = try Self.duration(parameters["maxDuration"], "maxDuration") ?? .max
        guard least <= most else { throw SpanError("\"maxDuration\" is shorter than \"minDuration\"") }
        let wanted = try JaegerAPI.integer(parameters, "limit") ?? 100
        guard wanted > 0 else { throw SpanError("\"limit\" is \(wanted); it must be above zero") }
        limit = Int(min(wanted, Int64(JaegerAPI.traceLimit)))
        tags = try Self.tags(parameters)
    }

    /// `tags={"http.status_code":"500"}` and `tag=key:value`.
    private static func tags(_ parameters: FormParameters) throws(SpanError) -> [String: String] {
        var tags: [String: String] = [:]
        for text in parameters.all("tag") {
            let parts = text.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { throw SpanError("tag \(PromQLText.quoted(text)) is not KEY:VALUE") }
            tags[String(parts[0])] = String(parts[1])
        }
        for text in parameters.all("tags") where !text.isEmpty {
            guard let values = SpanJSON.strings(Array(text.utf8)) else {
                throw SpanError("\"tags\" is no JSON object of strings: {\"error\":\"true\"} is one")
            }
            tags.merge(values) { $1 }
        }
        return tags
    }

    /// Microseconds of `1.5s`, `20ms`, `100us`, `1h`.
    static func duration(_ text: String?, _ name: String) throws(SpanError) -> Int64? {
        guard let text, !text.isEmpty, text != "custom" else { return nil }
        let units: [(String, Double)] = [
            ("us", 1), ("µs", 1), ("ns", 0.001), ("ms", 1000), ("s", 1_000_000), ("m", 60_000_000),
            ("h", 3_600_000_000),
            ("d", 86_400_000_000), ("w", 604_800_000_000),
        ]
        for (unit, size) in units where text.hasSuffix(unit) {
            if let value = Double(text.dropLast(unit.count)), value >= 0, value * size < 9e15 {
                return Int64(value * size)
            }
        }
        throw SpanError("parameter \"\(name)\" is \(PromQLText.quoted(text)), which is no duration; 1.5s or 20ms are")
    }

    /// Whether a span has what is asked for besides its service and its time.
    func matches(_ span: Span) -> Bool {
        guard operation == nil || span.operation == operation, span.duration >= least, span.duration <= most else {
            return false
        }
        return tags.allSatisfy { key, value in
            span.tags.contains { $0.key == key && $0.value.text == value }
                || span.resource.contains { $0.key == key && $0.value.text == value }
                || span.events.contains { $0.tags.contains { $0.key == key && $0.value.text == value } }
                || (key == "error" && value == String(span.isError))
        }
    }
}
