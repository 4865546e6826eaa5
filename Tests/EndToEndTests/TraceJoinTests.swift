import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Spans of an application's own SDK and of the proxies in one trace, for both ways of passing contexts on.
    @Suite(.serialized) struct TraceJoinTests {
        private static let namespace = "bookinfo"
        private static let client = "tracer"
        private static let packages = LocalMesh.root + ".build-tools/otel"

        private static let ready = Task {
            let mesh = try await LocalMesh.shared()
            try await mesh.apply(Manifests.client(namespace: namespace, name: client))
            try await mesh.waitForDeployment(client, namespace: namespace)
            return mesh
        }

        /// Runs with every request of Bookinfo traced, by a provider of the mesh configuration.
        private func traced(_ mesh: LocalMesh, by provider: String, _ body: () async throws -> Void) async throws {
            let providers = """
                extensionProviders:
                - name: own-otlp
                  opentelemetry: {service: jaeger-collector.istio-system.svc.cluster.local, port: 4317}
                - name: own-zipkin
                  zipkin: {service: zipkin.istio-system.svc.cluster.local, port: 9411}
                """
            try await mesh.withMeshConfig(providers) {
                try await mesh.apply(
                    """
                    apiVersion: telemetry.istio.io/v1
                    kind: Telemetry
                    metadata: {name: traces, namespace: \(Self.namespace)}
                    spec:
                      tracing: [{providers: [{name: \(provider)}], randomSamplingPercentage: 100}]
                    """)
                try await body()
                try await mesh.kubectl("delete", "telemetry", "-n", Self.namespace, "traces").checked()
            }
        }

        /// Runs Python in the client's pod.
        private func python(_ mesh: LocalMesh, _ script: String) async throws -> String {
            try await mesh.kubectl(
                [
                    "exec", "-i", "-n", Self.namespace, "deploy/\(Self.client)", "-c", "curl", "--", "env",
                    "PYTHONPATH=\(Self.packages)", "PYTHONDONTWRITEBYTECODE=1", "python3", "-",
                ], input: script, timeout: 120
            ).checked().out.trimmingCharacters(in: .whitespacesAndNewlines)
        }

        private struct Spans {
            /// Services by span.
            var services: [String: String] = [:]
            var parents: [String: String] = [:]
            var operations: [String: String] = [:]

            /// Services on the way from a span up to the root.
            func path(_ span: String) -> [String] {
                var (path, current, seen) = ([String](), span, Set<String>())
                while seen.insert(current).inserted, let service = services[current] {
                    if path.last != service { path.append(service) }
                    guard let parent = parents[current] else { break }
                    current = parent
                }
                return path.reversed()
            }
        }

        /// The spans of a trace as Jaeger's API has them.
        private func trace(_ mesh: LocalMesh, _ id: String) async throws -> Spans {
            let answer = try await command([
                "curl", "-s", "http://127.0.0.1:\(mesh.dashboardPort)/jaeger/api/traces/\(id)",
            ]).checked().out
            let json = try JSONSerialization.jsonObject(with: Data(answer.utf8)) as? [String: Any]
            guard let trace = (json?["data"] as? [[String: Any]])?.first else { return Spans() }
            let processes = trace["processes"] as? [String: [String: Any]] ?? [:]
            var spans = Spans()
            for span in trace["spans"] as? [[String: Any]] ?? [] {
                guard let id = span["spanID"] as? String, let process = span["processID"] as? String else { continue }
                spans.services[id] = processes[process]?["serviceName"] as? String
                spans.operations[id] = span["operationName"] as? String
                let references = span["references"] as? [[String: Any]]
                spans.parents[id] = references?.first?["spanID"] as? String
            }
            return spans
        }

        private static let hops = ["productpage", "details", "reviews", "ratings"]

        /// Asks for pages until one's trace has the SDK's span and every hop's, in one tree. One version of the reviews
        /// of three asks for no ratings, so each look is at several pages.
        private func expectJoined(_ mesh: LocalMesh, applications: [String], _ script: String) async throws {
            var last: [Spans] = []
            _ = try? await eventually("one trace with the application's span and every hop's", within: 90) {
                () -> Bool? in
                let pages = try await python(mesh, script).split(separator: "\n").map(String.init)
                // Proxies send their spans in batches.
                return try? await eventually("the spans of \(pages)", within: 15) { () -> Bool? in
                    last = []
                    for page in pages { last.append(try await trace(mesh, page)) }
                    return last.contains { isWhole($0, applications) } ? true : nil
                }
            }
            #expect(last.contains { isWhole($0, applications) }, "no page has a whole trace; last seen: \(last)")
        }

        /// Whether a span of the ratings is reached from the application through the page and the reviews without a gap,
        /// and every hop is there.
        private func isWhole(_ trace: Spans, _ applications: [String]) -> Bool {
            let services = Set(trace.services.values)
            let hasAll = Self.hops.allSatisfy { hop in services.contains { $0.hasPrefix(hop + ".") } }
            guard hasAll, services.isSuperset(of: applications) else { return false }
            let reached = trace.services.filter { $0.value.hasPrefix("ratings.") }.map { trace.path($0.key) }
            return reached.contains { path in
                path.starts(with: applications)
                    && ["productpage.", "reviews.", "ratings."].allSatisfy { hop in
                        path.contains { $0.hasPrefix(hop) }
                    }
            }
        }

        @Test func openTelemetryAndW3C() async throws {
            let mesh = try await Self.ready.value
            try await traced(mesh, by: "own-otlp") {
                try await expectJoined(
                    mesh, applications: ["over-http", "in-gzip", "over-grpc"],
                    """
                    import urllib.request
                    from opentelemetry import trace, propagate
                    from opentelemetry.sdk.resources import Resource
                    from opentelemetry.sdk.trace import TracerProvider
                    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
                    from opentelemetry.exporter.otlp.proto.http import Compression
                    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
                    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GRPCExporter
                    collector = "jaeger-collector.istio-system"
                    def tracer(name, exporter):
                        provider = TracerProvider(resource=Resource.create({"service.name": name}))
                        provider.add_span_processor(SimpleSpanProcessor(exporter))
                        return provider.get_tracer("test")
                    over_http = tracer("over-http", OTLPSpanExporter(f"http://{collector}:4318/v1/traces"))
                    in_gzip = tracer(
                        "in-gzip", OTLPSpanExporter(f"http://{collector}:4318/v1/traces", compression=Compression.Gzip))
                    over_grpc = tracer("over-grpc", GRPCExporter(f"{collector}:4317", insecure=True))
                    for _ in range(6):
                        with over_http.start_as_current_span("visit"), in_gzip.start_as_current_span("part"), \\
                                over_grpc.start_as_current_span("step") as span:
                            headers = {}
                            propagate.inject(headers)
                            request = urllib.request.Request("http://productpage:9080/productpage", headers=headers)
                            urllib.request.urlopen(request, timeout=20).read()
                            print(format(span.get_span_context().trace_id, "032x"))
                    """)
            }
        }

        /// Without a Telemetry or a provider: the mesh as it is installed.
        @Test func aFreshMeshKeepsTraces() async throws {
            let mesh = try await Self.ready.value
            try await expectJoined(
                mesh, applications: [],
                """
                import os, urllib.request
                for _ in range(6):
                    trace_id = os.urandom(16).hex()
                    headers = {"traceparent": f"00-{trace_id}-{os.urandom(8).hex()}-01"}
                    request = urllib.request.Request("http://productpage:9080/productpage", headers=headers)
                    urllib.request.urlopen(request, timeout=20).read()
                    print(trace_id)
                """)
        }

        @Test func zipkinAndB3() async throws {
            let mesh = try await Self.ready.value
            try await traced(mesh, by: "own-zipkin") {
                try await expectJoined(
                    mesh, applications: ["python-app"],
                    """
                    import urllib.request
                    from opentelemetry.sdk.resources import Resource
                    from opentelemetry.sdk.trace import TracerProvider
                    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
                    from opentelemetry.exporter.zipkin.json import ZipkinExporter
                    provider = TracerProvider(resource=Resource.create({"service.name": "python-app"}))
                    exporter = ZipkinExporter(endpoint="http://zipkin.istio-system:9411/api/v2/spans")
                    provider.add_span_processor(SimpleSpanProcessor(exporter))
                    tracer = provider.get_tracer("test")
                    for _ in range(6):
                        with tracer.start_as_current_span("visit") as span:
                            context = span.get_span_context()
                            trace_id = format(context.trace_id, "032x")
                            span_id = format(context.span_id, "016x")
                            headers = {"x-b3-traceid": trace_id, "x-b3-spanid": span_id, "x-b3-sampled": "1"}
                            request = urllib.request.Request("http://productpage:9080/productpage", headers=headers)
                            urllib.request.urlopen(request, timeout=20).read()
                            print(trace_id)
                    provider.shutdown()
                    """)
            }
        }
    }
}
