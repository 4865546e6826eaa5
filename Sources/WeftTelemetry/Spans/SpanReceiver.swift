/// Takes spans in from the protocols that bring them, and answers as each of them asks.
package struct SpanReceiver: Sendable {
    private let store: SpanStore
    private let limits: SpanLimits

    package init(store: SpanStore, limits: SpanLimits = SpanLimits()) {
        self.store = store
        self.limits = limits
    }

    /// OTLP over gRPC: an `ExportTraceServiceRequest` in, an `ExportTraceServiceResponse` out.
    /// - Throws: ``SpanError`` for bytes that are no such message; nothing of them is kept.
    package func export(_ body: [UInt8]) throws(SpanError) -> [UInt8] {
        let (spans, rejected, problem) = try OTLPDecoder.decode(body, limits: limits)
        store.add(spans)
        return Self.partialSuccess(rejected, problem)
    }

    private static func partialSuccess(_ rejected: Int, _ problem: String?) -> [UInt8] {
        guard rejected > 0 else { return [] }
        var partial = ProtobufWriter()
        partial.varint(1, UInt64(rejected))
        partial.string(2, problem ?? "")
        var response = ProtobufWriter()
        response.message(1, partial.bytes)
        return response.bytes
    }

    /// OTLP over HTTP in protobuf.
    package func openTelemetry(_ body: [UInt8]) -> APIResponse {
        do {
            return APIResponse(status: 200, body: try export(body), contentType: "application/x-protobuf")
        } catch {
            // The error is a `google.rpc.Status`.
            var status = ProtobufWriter()
            status.varint(1, 3)
            status.string(2, error.description)
            return APIResponse(status: 400, body: status.bytes, contentType: "application/x-protobuf")
        }
    }

    /// OTLP over HTTP in JSON.
    package func openTelemetryJSON(_ body: [UInt8]) -> APIResponse {
        do {
            let (spans, rejected, problem) = try SpanJSON.openTelemetry(body, limits: limits)
            store.add(spans)
            var text = JSONText()
            text.object { text in
                guard rejected > 0 else { return }
                text.key("partialSuccess")
                text.object { text in
                    text.strings([("rejectedSpans", String(rejected)), ("errorMessage", problem ?? "")])
                }
            }
            return APIResponse(status: 200, body: text.bytes)
        } catch {
            var text = JSONText()
            text.object { text in
                text.key("code")
                text.integer(3)
                text.strings([("message", error.description)])
            }
            return APIResponse(status: 400, body: text.bytes)
        }
    }

    /// Zipkin's version 2 in JSON. Spans that make no sense are left out; when none is left, that is an error.
    package func zipkin(_ body: [UInt8]) -> APIResponse {
        do {
            let (spans, rejected, problem) = try SpanJSON.zipkin(body, limits: limits)
            store.add(spans)
            if spans.isEmpty, rejected > 0 { throw SpanError(problem ?? "no span makes sense") }
            return APIResponse(status: 202, body: [], contentType: "text/plain")
        } catch {
            return APIResponse(status: 400, body: Array("\(error)\n".utf8), contentType: "text/plain; charset=utf-8")
        }
    }
}
