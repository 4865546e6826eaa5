import SwiftProtobuf
import Testing
import WeftCore
import WeftIR
import WeftProto
import WeftTransport

@testable import WeftProxy

/// Spans on a real collector, and the context that upstreams get.
@Suite(.timeLimit(.minutes(2))) struct TracingTests {
    private static let requestID = "x-request-id: 0000000a-1111-4222-8333-444444444444"
    private static let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    private func openTelemetry(_ transport: OpenTelemetryTracing.Exporter.Transport) -> TracingProvider {
        var settings = OpenTelemetryTracing()
        settings.serviceName = "shop.default"
        settings.exporter = .init(cluster: "collector", transport: transport, timeoutMilliseconds: 5_000)
        settings.exporter?.headers = ["x-key": "k"]
        return .openTelemetry(settings)
    }

    private func spans(_ body: [UInt8]) throws -> [Opentelemetry_Proto_Span] {
        let message = try Opentelemetry_Proto_ExportTraceServiceRequest(serializedBytes: body)
        let resource = try #require(message.resourceSpans.first)
        #expect(
            resource.resource.attributes.contains { $0.key == "service.name" && $0.value.stringValue == "shop.default" }
        )
        return resource.scopeSpans.flatMap(\.spans)
    }

    private func tags(_ span: Opentelemetry_Proto_Span) -> [String: String] {
        Dictionary(span.attributes.map { ($0.key, $0.value.stringValue) }, uniquingKeysWith: { $1 })
    }

    private func first(_ server: CollectorServer) async throws -> CollectorServer.Received {
        var iterator = server.received.makeAsyncIterator()
        return try #require(await iterator.next())
    }

    @Test func exportsOverHTTP() async throws {
        let upstream = try await CollectorServer(.http1, body: "hello")
        let collector = try await CollectorServer(.http1)
        var tracing = Tracing()
        tracing.provider = openTelemetry(.http(uri: "http://otel:4318/v1/traces"))
        tracing.customTags = [
            CustomTag(tag: "fixed", source: .literal("yes")),
            CustomTag(tag: "asked", source: .requestHeader(name: "x-asked", default: "none")),
            CustomTag(tag: "status", source: .format("is %RESPONSE_CODE%")),
        ]
        let proxy = try await ObservedProxy(
            ["up": (upstream.port, false), "collector": (collector.port, false)]
        ) { $0.tracing = tracing }
        _ = try await proxy.get("/a?b", Self.requestID, "traceparent: \(Self.parent)", "tracestate: v=1")
        let forwarded = try await first(upstream)
        let sent = try await first(collector)
        #expect(sent.path == "/v1/traces")
        #expect(sent.headers["content-type"] == "application/x-protobuf" && sent.headers["x-key"] == "k")
        let span = try #require(try spans(sent.body).first)
        let hex = span.spanID.map { byte in String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }.joined()
        #expect(forwarded.headers["traceparent"] == "00-0af7651916cd43dd8448eb211c80319c-\(hex)-01")
        #expect(forwarded.headers["tracestate"] == "v=1" && span.traceState == "v=1")
        #expect(span.kind == .server && span.name == "ingress" && span.endTimeUnixNano >= span.startTimeUnixNano)
        let tags = tags(span)
        #expect(tags["http.url"] == "http://shop/a?b" && tags["http.method"] == "GET")
        #expect(tags["http.status_code"] == "200" && tags["response_size"] == "5")
        #expect(tags["upstream_cluster"] == "up" && tags["component"] == "proxy" && tags["node_id"] == "node-1")
        #expect(tags["guid:x-request-id"] == "0000000a-1111-9222-8333-444444444444", "the decision is in the id")
        #expect(tags["fixed"] == "yes" && tags["asked"] == "none" && tags["status"] == "is 200")
        await proxy.stop()
        await upstream.stop()
        await collector.stop()
    }

    @Test func exportsOverGRPCWithASpanForEachTry() async throws {
        let upstream = try await CollectorServer(.http1)
        let collector = try await CollectorServer(.http2)
        var tracing = Tracing()
        tracing.provider = openTelemetry(.grpc(authority: "otel"))
        tracing.spawnsUpstreamSpan = true
        let proxy = try await ObservedProxy(
            ["up": (upstream.port, false), "collector": (collector.port, true)], direction: .outbound,
            route: { $0.operation = "shop:80/*" }
        ) { $0.tracing = tracing }
        _ = try await proxy.get("/", Self.requestID)
        let forwarded = try await first(upstream)
        let sent = try await first(collector)
        #expect(sent.path == "/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        #expect(sent.headers["content-type"] == "application/grpc" && sent.headers["te"] == "trailers")
        let found = try spans(Array(sent.body.dropFirst(5)))
        let own = try #require(found.first { $0.name == "shop:80/*" })
        let tried = try #require(found.first { $0.name == "router up egress" })
        #expect(own.kind == .client && own.parentSpanID.isEmpty)
        #expect(tried.parentSpanID == own.spanID && tried.traceID == own.traceID)
        #expect(forwarded.headers["x-envoy-decorator-operation"] == "shop:80/*")
        #expect(tags(tried)["upstream_address"] == "127.0.0.1:\(upstream.port)")
        await proxy.stop()
        await upstream.stop()
        await collector.stop()
    }

    /// The span says which rule of which object decided, how it ended, and how often it was tried again.
    @Test func theSpanHasTheDecision() async throws {
        let collector = try await CollectorServer(.http1)
        let gone = try await CollectorServer(.http1)
        let port = gone.port
        await gone.stop()
        var tracing = Tracing()
        tracing.provider = openTelemetry(.http(uri: "http://otel:4318/v1/traces"))
        let object = ResourceReference(kind: "VirtualService", namespace: "shop", name: "cart")
        let proxy = try await ObservedProxy(
            ["up": (port, false), "collector": (collector.port, false)],
            route: { route in
                route.provenance = Provenance(object, rule: 2)
                var action = RouteAction(cluster: .cluster("up"))
                action.retryPolicy = RetryPolicy(retryOn: ["connect-failure"])
                action.retryPolicy?.numRetries = 2
                route.action = .forward(action)
            }
        ) { $0.tracing = tracing }
        let answer = try await proxy.get("/", Self.requestID)
        #expect(answer.hasPrefix("HTTP/1.1 503"))
        let span = try #require(try spans(try await first(collector).body).first)
        let tags = tags(span)
        #expect(tags["weft.config"] == "VirtualService shop/cart rule 2")
        #expect(tags["weft.route"] == "only")
        #expect(tags["retry.count"] == "2")
        #expect(tags["response_code_details"]?.contains("upstream_reset") == true, "\(tags)")
        #expect(span.status.code == .error)
        await proxy.stop()
        await collector.stop()
    }

    @Test func exportsToZipkin() async throws {
        let upstream = try await CollectorServer(.http1)
        let collector = try await CollectorServer(.http1)
        var tracing = Tracing()
        tracing.provider = .zipkin(ZipkinTracing(cluster: "collector", endpoint: "/api/v2/spans"))
        let proxy = try await ObservedProxy(
            ["up": (upstream.port, false), "collector": (collector.port, false)]
        ) { $0.tracing = tracing }
        _ = try await proxy.get(
            "/", Self.requestID, "b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90")
        let forwarded = try await first(upstream)
        #expect(forwarded.headers["x-b3-traceid"] == "80f198ee56343ba864fe8b2a57d3eff7")
        #expect(forwarded.headers["x-b3-sampled"] == "1" && forwarded.headers["b3"] == nil)
        let sent = try await first(collector)
        #expect(sent.path == "/api/v2/spans" && sent.headers["content-type"] == "application/json")
        let json = try JSONValue(parsing: String(decoding: sent.body, as: UTF8.self))
        let span = try #require(json[0])
        #expect(span["traceId"] == "80f198ee56343ba864fe8b2a57d3eff7" && span["id"] == "e457b5a2e4d86bd1")
        #expect(span["parentId"] == "05e3ac9a4f6e3b90" && span["shared"] == true && span["kind"] == "SERVER")
        #expect(span["localEndpoint"]?["serviceName"] == "shop" && span["tags"]?["http.method"] == "GET")
        await proxy.stop()
        await upstream.stop()
        await collector.stop()
    }

    /// What is not sampled is passed on as such and never sent.
    @Test func unsampledRequestsAreNotExported() async throws {
        let upstream = try await CollectorServer(.http1)
        let collector = try await CollectorServer(.http1)
        var tracing = Tracing()
        tracing.randomSampling = 0
        tracing.provider = openTelemetry(.http(uri: "http://otel/v1/traces"))
        let proxy = try await ObservedProxy(
            ["up": (upstream.port, false), "collector": (collector.port, false)]
        ) { $0.tracing = tracing }
        _ = try await proxy.get("/unsampled", Self.requestID)
        _ = try await proxy.get("/forced", "x-request-id: 0000000a-1111-a222-8333-444444444444")
        let forwarded = try await first(upstream)
        #expect(forwarded.headers["traceparent"]?.hasSuffix("-00") == true)
        let found = try spans(try await first(collector).body)
        #expect(found.map { tags($0)["http.url"] } == ["http://shop/forced"])
        await proxy.stop()
        await upstream.stop()
        await collector.stop()
    }

    /// A collector that is not there costs spans, not requests.
    @Test func aMissingCollectorIsCounted() async throws {
        let upstream = try await CollectorServer(.http1)
        var tracing = Tracing()
        tracing.provider = openTelemetry(.http(uri: "http://otel/v1/traces"))
        let proxy = try await ObservedProxy(["up": (upstream.port, false)]) { $0.tracing = tracing }
        #expect(try await proxy.get("/", Self.requestID).hasPrefix("HTTP/1.1 200 "))
        while proxy.plane.tracing.failed.count == 0 { try await Task.sleep(for: .milliseconds(10)) }
        #expect(proxy.plane.tracing.sent.count == 0)
        await proxy.stop()
        await upstream.stop()
    }
}
