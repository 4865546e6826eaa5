import WeftCore

/// Spans as JSON: OpenTelemetry's protocol and Zipkin's version 2.
package enum SpanJSON {
    /// A flat object of strings; numbers and booleans count as their text.
    static func strings(_ bytes: [UInt8]) -> [String: String]? {
        guard let object = (try? parse(bytes))?.objectValue else { return nil }
        var result: [String: String] = [:]
        for (key, value) in object {
            guard let text = text(value) else { return nil }
            result[key] = text
        }
        return result
    }

    private static func parse(_ bytes: [UInt8]) throws(SpanError) -> JSONValue {
        do {
            return try JSONValue(parsing: bytes, maximumDepth: 64)
        } catch {
            throw SpanError("the body is no JSON: \(error)")
        }
    }

    private static func text(_ value: JSONValue) -> String? {
        switch value {
        case .string(let text): text
        case .bool(let flag): flag ? "true" : "false"
        case .int(let number): String(number)
        case .double(let number): PromQLText.number(number)
        default: nil
        }
    }

    /// A number that may be written as a string, as 64-bit numbers are in protobuf's JSON.
    private static func unsigned(_ value: JSONValue?) -> UInt64 {
        switch value {
        case .string(let text)?: UInt64(text) ?? 0
        case .int(let number)?: UInt64(clamping: number)
        case .double(let number)?: number >= 0 && number < 1.8e19 ? UInt64(number) : 0
        default: 0
        }
    }

    // MARK: - OpenTelemetry

    /// - Returns: The spans; how many had to be left out, and why.
    package static func openTelemetry(
        _ bytes: [UInt8], limits: SpanLimits = SpanLimits()
    ) throws(SpanError) -> (spans: [Span], rejected: Int, problem: String?) {
        guard let list = try parse(bytes)["resourceSpans"]?.arrayValue else {
            throw SpanError("the body has no list \"resourceSpans\"")
        }
        var spans: [Span] = []
        var rejected = 0
        var problem: String?
        for entry in list {
            let resource = tags(entry[path: "resource", "attributes"], limits)
            for scope in entry["scopeSpans"]?.arrayValue ?? [] {
                for span in scope["spans"]?.arrayValue ?? [] {
                    switch spans.count < limits.spansPerRequest
                        ? openTelemetrySpan(span, limits).span(resource, limits)
                        : .failure(SpanError("more than \(limits.spansPerRequest) spans in one request"))
                    {
                    case .success(let span): spans.append(span)
                    case .failure(let error):
                        rejected += 1
                        problem = problem ?? error.description
                    }
                }
            }
        }
        return (spans, rejected, problem)
    }

    private static func openTelemetrySpan(_ json: JSONValue, _ limits: SpanLimits) -> RawSpan {
        var raw = RawSpan()
        raw.traceID = json["traceId"]?.stringValue.flatMap {
            $0.utf8.count == 32 ? SpanText.identifier($0, longest: 32) : nil
        }
        raw.spanID = json["spanId"]?.stringValue.flatMap {
            $0.utf8.count == 16 ? SpanText.identifier($0, longest: 16) : nil
        }
        raw.parentID = json["parentSpanId"]?.stringValue.flatMap { SpanText.identifier($0, longest: 16) }
        raw.name = json["name"]?.stringValue ?? ""
        raw.kind = enumeration(json["kind"], ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"])
        raw.start = unsigned(json["startTimeUnixNano"])
        raw.end = unsigned(json["endTimeUnixNano"])
        raw.tags = tags(json["attributes"], limits)
        raw.events = (json["events"]?.arrayValue ?? []).prefix(limits.events).map { event in
            let name = Tag("event", .string(SpanText.cut(event["name"]?.stringValue ?? "", limits)))
            return SpanEvent(
                time: Int64(clamping: unsigned(event["timeUnixNano"]) / 1000),
                tags: [name] + tags(event["attributes"], limits))
        }
        raw.status = enumeration(json[path: "status", "code"], ["UNSET", "OK", "ERROR"])
        raw.statusMessage = json[path: "status", "message"]?.stringValue ?? ""
        return raw
    }

    /// A number, or a name that ends with one of the words.
    private static func enumeration(_ value: JSONValue?, _ words: [String]) -> Int {
        if let text = value?.stringValue { return words.firstIndex { text.hasSuffix("_\($0)") } ?? 0 }
        return Int(clamping: unsigned(value))
    }

    private static func tags(_ value: JSONValue?, _ limits: SpanLimits) -> [Tag] {
        (value?.arrayValue ?? []).prefix(limits.tags).compactMap { entry in
            guard let key = entry["key"]?.stringValue, !key.isEmpty else { return nil }
            return Tag(SpanText.cut(key, limits), attribute(entry["value"], limits))
        }
    }

    private static func attribute(_ value: JSONValue?, _ limits: SpanLimits) -> TagValue {
        guard let (name, content) = value?.objectValue?.first else { return .string("") }
        switch name {
        case "stringValue": return .string(SpanText.cut(content.stringValue ?? "", limits))
        case "boolValue": return .bool(content.boolValue ?? false)
        case "intValue": return .integer(Int64(text(content) ?? "") ?? 0)
        case "doubleValue": return .double(content.doubleValue ?? 0)
        case "arrayValue":
            let parts = (content["values"]?.arrayValue ?? []).prefix(limits.tags).map { attribute($0, limits).text }
            return .string(SpanText.cut("[\(parts.joined(separator: ", "))]", limits))
        case "kvlistValue":
            let parts = tags(content["values"], limits).map { "\($0.key)=\($0.value.text)" }
            return .string(SpanText.cut("{\(parts.joined(separator: ", "))}", limits))
        default: return .string(SpanText.cut(text(content) ?? "", limits))
        }
    }

    // MARK: - Zipkin

    /// - Returns: The spans; how many had to be left out, and why.
    package static func zipkin(
        _ bytes: [UInt8], limits: SpanLimits = SpanLimits()
    ) throws(SpanError) -> (spans: [Span], rejected: Int, problem: String?) {
        guard let list = try parse(bytes).arrayValue else { throw SpanError("the body is no JSON list of spans") }
        var spans: [Span] = []
        var rejected = max(0, list.count - limits.spansPerRequest)
        var problem = rejected > 0 ? "more than \(limits.spansPerRequest) spans in one request" : nil
        for json in list.prefix(limits.spansPerRequest) {
            do {
                spans.append(try zipkinSpan(json, limits))
            } catch {
                rejected += 1
                problem = problem ?? error.description
            }
        }
        return (spans, rejected, problem)
    }

    private static func zipkinSpan(_ json: JSONValue, _ limits: SpanLimits) throws(SpanError) -> Span {
        guard let trace = json["traceId"]?.stringValue.flatMap({ SpanText.identifier($0, longest: 32) }) else {
            throw SpanError("a span has no traceId of 16 or 32 hexadecimal digits")
        }
        guard let id = json["id"]?.stringValue.flatMap({ SpanText.identifier($0, longest: 16) }) else {
            throw SpanError("a span of trace \(trace) has no id of 16 hexadecimal digits")
        }
        let kind = (json["kind"]?.stringValue ?? "").lowercased()
        var tags: [Tag] = (json["tags"]?.objectValue ?? [:]).sorted { $0.key < $1.key }.prefix(limits.tags).map {
            Tag(SpanText.cut($0.key, limits), .string(SpanText.cut(text($0.value) ?? "", limits)))
        }
        let isError = tags.contains { $0.key == "error" && $0.value.text != "false" }
        if RawSpan.kinds.contains(kind), !kind.isEmpty { tags.append(Tag("span.kind", .string(kind))) }
        for (key, tag) in [
            ("ipv4", "peer.ipv4"), ("ipv6", "peer.ipv6"), ("serviceName", "peer.service"), ("port", "peer.port"),
        ] {
            if let value = json["remoteEndpoint"]?[key].flatMap(text) {
                tags.append(Tag(tag, .string(SpanText.cut(value, limits))))
            }
        }
        let local = json["localEndpoint"]
        let service = local?["serviceName"]?.stringValue ?? ""
        var resource: [Tag] = []
        if let address = (local?["ipv4"] ?? local?["ipv6"])?.stringValue {
            resource.append(Tag("ip", .string(SpanText.cut(address, limits))))
        }
        let events = (json["annotations"]?.arrayValue ?? []).prefix(limits.events).map { annotation in
            SpanEvent(
                time: Int64(clamping: unsigned(annotation["timestamp"])),
                tags: [Tag("event", .string(SpanText.cut(annotation["value"]?.stringValue ?? "", limits)))])
        }
        return Span(
            traceID: trace, spanID: id,
            parentID: json["parentId"]?.stringValue.flatMap { SpanText.identifier($0, longest: 16) },
            service: service.isEmpty ? "unknown_service" : SpanText.cut(service, limits),
            operation: SpanText.cut(json["name"]?.stringValue ?? "", limits),
            kind: RawSpan.kinds.contains(kind) ? kind : "",
            start: Int64(clamping: unsigned(json["timestamp"])), duration: Int64(clamping: unsigned(json["duration"])),
            tags: tags, events: Array(events), resource: resource, isError: isError)
    }
}
