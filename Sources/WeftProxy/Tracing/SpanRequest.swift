import NIOCore
import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting

/// Writes finished spans as the requests that collectors take.
enum SpanRequest {
    private static let exportPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

    /// - Returns: `nil` when the provider exports nothing or names no usable address.
    static func make(
        _ spans: [FinishedSpan], _ provider: TracingProvider, node: ObservedNode
    ) -> (RequestHead, ByteBuffer)? {
        switch provider {
        case .zipkin(let zipkin):
            let body = ByteBuffer(string: ZipkinSpans.json(spans, node: node))
            let host = zipkin.hostname.isEmpty ? zipkin.cluster : zipkin.hostname
            return (post(zipkin.endpoint, host: host, "application/json", body, [:]), body)
        case .openTelemetry(let settings):
            guard let exporter = settings.exporter else { return nil }
            let body = OTLPSpans.message(spans, settings, node: node)
            switch exporter.transport {
            case .http(let uri):
                guard let target = TokenKeyStore.request(uri) else { return nil }
                return (
                    post(target.pathString, host: target.host, "application/x-protobuf", body, exporter.headers), body
                )
            case .grpc(let authority):
                return (
                    GRPCMessage.head(exportPath, host: authority ?? exporter.cluster, metadata: exporter.headers),
                    GRPCMessage.framed(body)
                )
            }
        }
    }

    private static func post(
        _ path: String, host: String, _ type: String, _ body: ByteBuffer, _ headers: [String: String]
    ) -> RequestHead {
        var head = RequestHead(.post, path, authority: host)
        head.headers.set(.contentType, type)
        head.headers.set(.contentLength, String(body.readableBytes))
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) { head.headers.set(name, value) }
        head.framing = .length(UInt64(body.readableBytes))
        return head
    }
}

/// The parts of gRPC over HTTP/2 that a call of the proxy itself needs.
enum GRPCMessage {
    static func head(_ path: String, host: String, metadata: [String: String]) -> RequestHead {
        var head = RequestHead(.post, path, authority: host)
        head.headers.set(.te, "trailers")
        head.headers.set(.contentType, "application/grpc")
        for (name, value) in metadata.sorted(by: { $0.key < $1.key }) { head.headers.set(name, value) }
        head.framing = .chunked
        return head
    }

    /// A message with gRPC's prefix: not compressed, then the length.
    static func framed(_ message: [UInt8]) -> ByteBuffer { framed(ByteBuffer(bytes: message)) }

    static func framed(_ message: ByteBuffer) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(message.readableBytes + 5)
        buffer.writeInteger(UInt8(0))
        buffer.writeInteger(UInt32(clamping: message.readableBytes))
        buffer.writeImmutableBuffer(message)
        return buffer
    }
}

/// Spans in OTLP (opentelemetry.io, OTLP 1.0: `ExportTraceServiceRequest`), written as bytes: a busy proxy that traces
/// every request has no time for twenty objects a span (ADR 0070).
enum OTLPSpans {
    /// Bytes that a span usually needs.
    private static let usualSize = 1_024

    static func message(_ spans: [FinishedSpan], _ settings: OpenTelemetryTracing, node: ObservedNode) -> ByteBuffer {
        let writer = ProtobufWriter(capacity: spans.count * usualSize)
        // resource_spans
        writer.write(1) {
            // resource
            writer.write(1) {
                for (name, value) in attributes(settings, node) { attribute(1, name, value, writer) }
            }
            // scope_spans
            writer.write(2) {
                // scope
                writer.write(1) {
                    writer.write(1, "weft-proxy")
                    writer.write(2, WeftVersion.current)
                }
                for span in spans { writer.write(2) { write(span, writer) } }
            }
        }
        return ByteBuffer(bytes: writer.bytes)
    }

    private static func attributes(_ settings: OpenTelemetryTracing, _ node: ObservedNode) -> [(String, String)] {
        var all: [(String, String)] = []
        if settings.detectsEnvironment {
            for pair in (Environment.value("OTEL_RESOURCE_ATTRIBUTES") ?? "").split(separator: ",") {
                let parts = pair.split(separator: "=", maxSplits: 1).map { $0.trimmingSpaces() }
                if parts.count == 2 { all.append((parts[0], parts[1])) }
            }
        }
        // What is detected comes before what is configured.
        if !all.contains(where: { $0.0 == "service.name" }) {
            let name = settings.serviceName.isEmpty ? "unknown_service:envoy" : settings.serviceName
            all.append(("service.name", name))
        }
        if !node.id.isEmpty { all.append(("service.instance.id", node.id)) }
        return all
    }

    /// A `KeyValue` whose value is a text.
    private static func attribute(_ field: Int, _ name: String, _ value: String, _ writer: ProtobufWriter) {
        writer.write(field) {
            writer.write(1, name)
            writer.write(2) { writer.write(1, value) }
        }
    }

    private static func write(_ span: FinishedSpan, _ writer: ProtobufWriter) {
        // trace_id, span_id, trace_state, parent_span_id, name, kind, the times in nanoseconds since 1970, attributes, status
        writer.write(1, bytesOf: span.context.traceHigh, span.context.traceLow)
        writer.write(2, bytesOf: span.context.spanID)
        if !span.context.state.isEmpty { writer.write(3, span.context.state) }
        if span.context.parentID != 0 { writer.write(4, bytesOf: span.context.parentID) }
        writer.write(5, span.name)
        writer.write(6, span.isClient ? clientKind : serverKind)
        writer.write(7, fixed: UInt64(clamping: span.start))
        writer.write(8, fixed: UInt64(clamping: span.end))
        for (name, value) in span.tags { attribute(9, name, value, writer) }
        if span.isError { writer.write(15) { writer.write(3, errorCode) } }
    }

    /// `SPAN_KIND_SERVER`, `SPAN_KIND_CLIENT`, `STATUS_CODE_ERROR`.
    private static let serverKind: UInt64 = 2
    private static let clientKind: UInt64 = 3
    private static let errorCode: UInt64 = 2
}

/// Spans in Zipkin's JSON, version 2.
enum ZipkinSpans {
    static func json(_ spans: [FinishedSpan], node: ObservedNode) -> String {
        JSONValue.array(spans.map { span($0, node) }).text()
    }

    private static func span(_ span: FinishedSpan, _ node: ObservedNode) -> JSONValue {
        var value: JSONValue = [
            "traceId": .string(span.context.traceIDText), "id": .string(span.context.spanIDText),
            "name": .string(span.name), "kind": span.isClient ? "CLIENT" : "SERVER",
            "timestamp": .int(span.start / 1_000), "duration": .int(max(1, (span.end - span.start) / 1_000)),
            "localEndpoint": ["serviceName": .string(node.cluster)],
            "tags": .object(Dictionary(span.tags.map { ($0.0, .string($0.1)) }, uniquingKeysWith: { $1 })),
        ]
        if span.context.parentID != 0 { value["parentId"] = .string(span.context.parentIDText) }
        if span.isShared { value["shared"] = true }
        return value
    }
}
