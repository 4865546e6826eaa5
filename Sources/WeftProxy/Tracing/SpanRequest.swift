import FoundationEssentials
import NIOCore
import SwiftProtobuf
import WeftCore
import WeftHTTP
import WeftIR
import WeftProto
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
            let message = OTLPSpans.message(spans, settings, node: node)
            guard let bytes: [UInt8] = try? message.serializedBytes() else { return nil }
            switch exporter.transport {
            case .http(let uri):
                guard let target = TokenKeyStore.request(uri) else { return nil }
                let body = ByteBuffer(bytes: bytes)
                return (
                    post(target.pathString, host: target.host, "application/x-protobuf", body, exporter.headers), body
                )
            case .grpc(let authority):
                return (
                    GRPCMessage.head(exportPath, host: authority ?? exporter.cluster, metadata: exporter.headers),
                    GRPCMessage.framed(bytes)
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
    static func framed(_ message: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(message.count + 5)
        buffer.writeInteger(UInt8(0))
        buffer.writeInteger(UInt32(clamping: message.count))
        buffer.writeBytes(message)
        return buffer
    }
}

/// Spans in OTLP (opentelemetry.io, OTLP 1.0).
enum OTLPSpans {
    private typealias Attribute = Opentelemetry_Proto_KeyValue

    static func message(
        _ spans: [FinishedSpan], _ settings: OpenTelemetryTracing, node: ObservedNode
    ) -> Opentelemetry_Proto_ExportTraceServiceRequest {
        var group = Opentelemetry_Proto_ScopeSpans()
        group.scope.name = "weft-proxy"
        group.scope.version = WeftVersion.current
        group.spans = spans.map(span)
        var resource = Opentelemetry_Proto_ResourceSpans()
        resource.scopeSpans = [group]
        resource.resource.attributes = attributes(settings, node)
        var message = Opentelemetry_Proto_ExportTraceServiceRequest()
        message.resourceSpans = [resource]
        return message
    }

    private static func attributes(_ settings: OpenTelemetryTracing, _ node: ObservedNode) -> [Attribute] {
        var all: [(String, String)] = []
        if settings.detectsEnvironment {
            for pair in (Environment.value("OTEL_RESOURCE_ATTRIBUTES") ?? "").split(separator: ",") {
                let parts = pair.split(separator: "=", maxSplits: 1).map { $0.trimmingSpaces() }
                if parts.count == 2 { all.append((parts[0], parts[1])) }
            }
        }
        let name = settings.serviceName.isEmpty ? "unknown_service:envoy" : settings.serviceName
        all.removeAll { $0.0 == "service.name" }
        all.append(("service.name", name))
        if !node.id.isEmpty { all.append(("service.instance.id", node.id)) }
        return all.map(attribute)
    }

    private static func attribute(_ name: String, _ value: String) -> Attribute {
        var attribute = Attribute()
        attribute.key = name
        attribute.value.stringValue = value
        return attribute
    }

    private static func span(_ span: FinishedSpan) -> Opentelemetry_Proto_Span {
        var wire = Opentelemetry_Proto_Span()
        wire.traceID = bytes(span.context.traceHigh) + bytes(span.context.traceLow)
        wire.spanID = bytes(span.context.spanID)
        if span.context.parentID != 0 { wire.parentSpanID = bytes(span.context.parentID) }
        wire.traceState = span.context.state
        wire.name = span.name
        wire.kind = span.isClient ? .client : .server
        wire.startTimeUnixNano = UInt64(clamping: span.start)
        wire.endTimeUnixNano = UInt64(clamping: span.end)
        wire.attributes = span.tags.map(attribute)
        if span.isError { wire.status.code = .error }
        return wire
    }

    private static func bytes(_ number: UInt64) -> Data {
        var buffer = ByteBuffer()
        buffer.writeInteger(number)
        return Data(buffer.readableBytesView)
    }
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
