/// Why spans were not taken in.
package struct SpanError: Error, Sendable, Hashable, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
}

/// Reads the `ExportTraceServiceRequest` of OpenTelemetry's protocol from protobuf
/// (opentelemetry-proto, `collector/trace/v1` and `trace/v1`; the numbers here are its field numbers).
package struct OTLPDecoder {
    private let limits: SpanLimits
    private var spans: [Span] = []
    /// Spans that were left out, and why the first was.
    package private(set) var rejected = 0
    package private(set) var problem: String?

    private init(limits: SpanLimits) { self.limits = limits }

    /// - Returns: The spans; how many had to be left out, and why.
    /// - Throws: ``SpanError`` for bytes that are no such message.
    package static func decode(
        _ bytes: [UInt8], limits: SpanLimits = SpanLimits()
    ) throws(SpanError) -> (spans: [Span], rejected: Int, problem: String?) {
        var decoder = OTLPDecoder(limits: limits)
        do {
            var reader = ProtobufReader(bytes[...])
            while let (field, value) = try reader.next() {
                if field == 1, let content = value.bytes { try decoder.resourceSpans(content) }
            }
        } catch {
            throw SpanError("the body is no ExportTraceServiceRequest: \(error)")
        }
        return (decoder.spans, decoder.rejected, decoder.problem)
    }

    private mutating func reject(_ reason: String) {
        rejected += 1
        if problem == nil { problem = reason }
    }

    private mutating func resourceSpans(_ bytes: ArraySlice<UInt8>) throws(ProtobufReader.Malformed) {
        var resource: [Tag] = []
        var scopes: [ArraySlice<UInt8>] = []
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            guard let content = value.bytes else { continue }
            if field == 1 { resource = try attributes(content, field: 1) }
            if field == 2 { scopes.append(content) }
        }
        for scope in scopes {
            var reader = ProtobufReader(scope)
            while let (field, value) = try reader.next() {
                guard field == 2, let content = value.bytes else { continue }
                try span(content, resource)
            }
        }
    }

    private mutating func span(_ bytes: ArraySlice<UInt8>, _ resource: [Tag]) throws(ProtobufReader.Malformed) {
        var raw = RawSpan()
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            switch field {
            case 1: raw.traceID = value.bytes.flatMap { SpanText.identifier($0, length: 16) }
            case 2: raw.spanID = value.bytes.flatMap { SpanText.identifier($0, length: 8) }
            case 4: raw.parentID = value.bytes.flatMap { SpanText.identifier($0, length: 8) }
            case 5: raw.name = value.string ?? ""
            case 6: raw.kind = Int(clamping: value.unsigned ?? 0)
            case 7: raw.start = value.unsigned ?? 0
            case 8: raw.end = value.unsigned ?? 0
            case 9:
                if let content = value.bytes, raw.tags.count < limits.tags, let tag = try keyValue(content) {
                    raw.tags.append(tag)
                }
            case 11:
                if let content = value.bytes, raw.events.count < limits.events { raw.events.append(try event(content)) }
            case 15: if let content = value.bytes { try status(content, &raw) }
            default: break
            }
        }
        guard spans.count < limits.spansPerRequest else {
            return reject("more than \(limits.spansPerRequest) spans in one request")
        }
        switch raw.span(resource, limits) {
        case .success(let span): spans.append(span)
        case .failure(let error): reject(error.description)
        }
    }

    private func status(_ bytes: ArraySlice<UInt8>, _ raw: inout RawSpan) throws(ProtobufReader.Malformed) {
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            if field == 2 { raw.statusMessage = value.string ?? "" }
            if field == 3 { raw.status = Int(clamping: value.unsigned ?? 0) }
        }
    }

    private func event(_ bytes: ArraySlice<UInt8>) throws(ProtobufReader.Malformed) -> SpanEvent {
        var event = SpanEvent(time: 0, tags: [])
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            switch field {
            case 1: event.time = Int64(clamping: (value.unsigned ?? 0) / 1000)
            case 2: event.tags.insert(Tag("event", .string(SpanText.cut(value.string ?? "", limits))), at: 0)
            case 3:
                if let content = value.bytes, event.tags.count < limits.tags, let tag = try keyValue(content) {
                    event.tags.append(tag)
                }
            default: break
            }
        }
        return event
    }

    // MARK: - Attributes

    /// - Parameter depth: Of lists and maps around it; what is nested deeper than four is left out.
    private func attributes(
        _ bytes: ArraySlice<UInt8>, field wanted: Int, depth: Int = 0
    ) throws(ProtobufReader.Malformed) -> [Tag] {
        var tags: [Tag] = []
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            guard field == wanted, let content = value.bytes, tags.count < limits.tags else { continue }
            if let tag = try keyValue(content, depth: depth) { tags.append(tag) }
        }
        return tags
    }

    private func keyValue(_ bytes: ArraySlice<UInt8>, depth: Int = 0) throws(ProtobufReader.Malformed) -> Tag? {
        var key = ""
        var found = TagValue.string("")
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            if field == 1 { key = value.string ?? "" }
            if field == 2, let content = value.bytes { found = try anyValue(content, depth: depth) }
        }
        return key.isEmpty ? nil : Tag(SpanText.cut(key, limits), found)
    }

    private func anyValue(_ bytes: ArraySlice<UInt8>, depth: Int) throws(ProtobufReader.Malformed) -> TagValue {
        var result = TagValue.string("")
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            switch field {
            case 1: result = .string(SpanText.cut(value.string ?? "", limits))
            case 2: result = .bool(value.unsigned != 0)
            case 3: result = .integer(Int64(bitPattern: value.unsigned ?? 0))
            case 4: result = .double(Double(bitPattern: value.unsigned ?? 0))
            case 5: if let content = value.bytes, depth < 4 { result = .string(try list(content, depth: depth)) }
            case 6:
                if let content = value.bytes, depth < 4 {
                    let pairs = try attributes(content, field: 1, depth: depth + 1).map { "\($0.key)=\($0.value.text)" }
                    result = .string(SpanText.cut("{\(pairs.joined(separator: ", "))}", limits))
                }
            case 7: result = .string("\(value.bytes?.count ?? 0) bytes")
            default: break
            }
        }
        return result
    }

    private func list(_ bytes: ArraySlice<UInt8>, depth: Int) throws(ProtobufReader.Malformed) -> String {
        var parts: [String] = []
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            guard field == 1, let content = value.bytes, parts.count < limits.tags else { continue }
            parts.append(try anyValue(content, depth: depth + 1).text)
        }
        return SpanText.cut("[\(parts.joined(separator: ", "))]", limits)
    }
}

/// A span of OpenTelemetry, from protobuf or JSON, before it is one of ours.
struct RawSpan {
    var traceID: String?
    var spanID: String?
    var parentID: String?
    var name = ""
    var kind = 0
    /// Nanoseconds since 1970.
    var start: UInt64 = 0
    var end: UInt64 = 0
    var tags: [Tag] = []
    var events: [SpanEvent] = []
    var status = 0
    var statusMessage = ""

    static let kinds = ["", "internal", "server", "client", "producer", "consumer"]

    func span(_ resource: [Tag], _ limits: SpanLimits) -> Result<Span, SpanError> {
        guard let traceID else { return .failure(SpanError("a span has no trace identifier of 16 bytes")) }
        guard let spanID else { return .failure(SpanError("a span of trace \(traceID) has no identifier of 8 bytes")) }
        var tags = tags
        let isError = status == 2
        if isError { tags.append(Tag("error", .bool(true))) }
        if status > 0 { tags.append(Tag("otel.status_code", .string(isError ? "ERROR" : "OK"))) }
        if !statusMessage.isEmpty {
            tags.append(Tag("otel.status_description", .string(SpanText.cut(statusMessage, limits))))
        }
        let kind = Self.kinds.indices.contains(kind) ? Self.kinds[kind] : ""
        if !kind.isEmpty { tags.append(Tag("span.kind", .string(kind))) }
        let service = resource.first { $0.key == "service.name" }?.value.text ?? ""
        return .success(
            Span(
                traceID: traceID, spanID: spanID, parentID: parentID,
                service: service.isEmpty ? "unknown_service" : service,
                operation: SpanText.cut(name, limits), kind: kind, start: Int64(clamping: start / 1000),
                duration: end > start ? Int64(clamping: (end - start) / 1000) : 0, tags: tags, events: events,
                resource: resource.filter { $0.key != "service.name" }, isError: isError))
    }
}
