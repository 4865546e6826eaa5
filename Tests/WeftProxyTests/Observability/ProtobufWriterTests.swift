import NIOCore
import SwiftProtobuf
import Testing
import WeftIR
import WeftProto
import WeftRouting

@testable import WeftProxy

/// What is written field by field is what the generated messages read.
@Suite struct ProtobufWriterTests {
    @Test(arguments: [0, 1, 127, 128, 16_383, 16_384, 1 << 35, UInt64.max])
    func lengthsOfNumbers(_ number: UInt64) {
        let writer = ProtobufWriter()
        writer.write(1, number)
        #expect(writer.count == 1 + ProtobufWriter.size(number))
    }

    /// Lengths of one, two and three bytes, in messages of messages.
    @Test(arguments: [0, 1, 100, 125, 126, 127, 128, 129, 16_000, 16_380, 16_384, 70_000])
    func lengthsOfMessages(_ size: Int) throws {
        let text = String(repeating: "x", count: size)
        let writer = ProtobufWriter()
        writer.write(1) {
            writer.write(2) { for name in [text, "next"] { writer.write(2) { writer.write(5, name) } } }
        }
        let message = try Opentelemetry_Proto_ExportTraceServiceRequest(
            serializedBytes: Array(writer.bytes))
        #expect(message.resourceSpans.flatMap(\.scopeSpans).flatMap(\.spans).map(\.name) == [text, "next"])
    }

    private func span(_ state: String, parent: UInt64, isError: Bool, _ tags: [(String, String)]) -> FinishedSpan {
        var context = TraceContext(traceHigh: 1, traceLow: .max, spanID: 0x0102_0304_0506_0708, isSampled: true)
        context.state = state
        context.parentID = parent
        return FinishedSpan(
            context: context, name: "ingress", isClient: isError, isShared: false, start: 1_700_000_000_000_000_001,
            end: 1_700_000_000_000_000_777, tags: tags, isError: isError)
    }

    @Test func spansAreWhatTheProtocolWants() throws {
        let long = String(repeating: "\u{e4}", count: 300)
        let spans = [
            span("", parent: 0, isError: false, []),
            span("v=1", parent: 9, isError: true, [("http.url", long), ("empty", ""), ("\u{e9}", "\u{1F600}")]),
        ]
        var settings = OpenTelemetryTracing()
        settings.serviceName = "shop.default"
        let bytes = OTLPSpans.message(spans, settings, node: ObservedNode(id: "node-1"))
        let message = try Opentelemetry_Proto_ExportTraceServiceRequest(serializedBytes: Array(bytes.readableBytesView))
        let resource = try #require(message.resourceSpans.first)
        #expect(resource.resource.attributes.map(\.key) == ["service.name", "service.instance.id"])
        #expect(resource.resource.attributes.map(\.value.stringValue) == ["shop.default", "node-1"])
        let scoped = try #require(resource.scopeSpans.first)
        #expect(scoped.scope.name == "weft-proxy" && !scoped.scope.version.isEmpty && scoped.spans.count == 2)
        let (first, second) = (scoped.spans[0], scoped.spans[1])
        #expect(Array(first.traceID) == [0, 0, 0, 0, 0, 0, 0, 1] + Array(repeating: 0xff, count: 8))
        #expect(
            Array(first.spanID) == [1, 2, 3, 4, 5, 6, 7, 8] && first.parentSpanID.isEmpty && first.traceState == "")
        #expect(first.kind == .server && first.name == "ingress" && first.attributes.isEmpty && !first.hasStatus)
        #expect(first.startTimeUnixNano == 1_700_000_000_000_000_001)
        #expect(first.endTimeUnixNano == 1_700_000_000_000_000_777)
        #expect(Array(second.parentSpanID) == [0, 0, 0, 0, 0, 0, 0, 9] && second.traceState == "v=1")
        #expect(second.kind == .client && second.status.code == .error)
        #expect(second.attributes.map(\.key) == ["http.url", "empty", "\u{e9}"])
        #expect(second.attributes.map(\.value.stringValue) == [long, "", "\u{1F600}"])
    }
}
