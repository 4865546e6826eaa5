import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Telemetry objects are obeyed, by `weft-proxy` and by Envoy, and both ends of a call are known to both sides.
    @Suite(.serialized) struct TelemetryFeatureTests {
        private static let namespace = "telemetries"
        private static let envoy = "{weft.dev/data-plane: envoy, weft.dev/envoy-path: /opt/weft/bin/envoy}"

        private static let caller = Task {
            let mesh = try await LocalMesh.shared()
            try await mesh.start(
                namespace: namespace,
                [
                    Manifests.sample(
                        name: "echo-v1", app: "echo", version: "v1", namespace: namespace,
                        arguments: ["echo", "--port", "9080"]),
                    Manifests.sample(
                        name: "plain-v1", app: "plain", version: "v1", namespace: namespace,
                        arguments: ["echo", "--port", "9080"]),
                    Manifests.service(name: "echo", port: 80, targetPort: 9080, namespace: namespace),
                    Manifests.service(
                        name: "plain", port: 4000, targetPort: 9080, portName: "tcp", namespace: namespace),
                    Manifests.client(namespace: namespace),
                    Manifests.client(namespace: namespace, name: "envoy", annotations: envoy), telemetry,
                ])
            return Caller(mesh: mesh, namespace: namespace)
        }

        private static let telemetry = """
            apiVersion: telemetry.istio.io/v1
            kind: Telemetry
            metadata: {name: namespace, namespace: telemetries}
            spec:
              metrics:
              - overrides:
                - match: {metric: REQUEST_COUNT}
                  tagOverrides:
                    request_host: {value: request.host}
                    response_flags: {operation: REMOVE}
                - match: {metric: RESPONSE_SIZE}
                  disabled: true
              accessLogging:
              - providers: [{name: envoy}]
                filter: {expression: "request.url_path.startsWith('/told')"}
            """

        /// What a proxy's metrics say, as soon as a line of them has all the parts.
        private func metrics(_ caller: Caller, of address: String, line parts: [String]) async throws -> String {
            try await eventually("\(address) counts \(parts)") {
                let text = try await caller.shell("curl -s http://\(address):15020/stats/prometheus")
                let found = text.split(separator: "\n").contains { line in parts.allSatisfy { line.contains($0) } }
                return found ? text : nil
            }
        }

        private func address(_ caller: Caller, app: String) async throws -> String {
            try await caller.mesh.kubectl(
                "get", "pod", "-n", Self.namespace, "-l", "app=\(app)", "-o", "jsonpath={.items[0].status.podIP}"
            ).checked().out.trimmingCharacters(in: .whitespacesAndNewlines)
        }

        @Test func metricsHaveTheLabelsThatTelemetriesGiveThem() async throws {
            let caller = try await Self.caller.value
            try await eventually("the call arrives") {
                try await caller.codes(["http://echo/told"]) == ["200"] ? true : nil
            }
            let own = try await metrics(
                caller, of: "127.0.0.1",
                line: [
                    "istio_requests_total{", #"reporter="source""#, #"request_host="echo""#,
                    #"destination_workload="echo-v1""#, #"source_workload="client""#,
                ])
            let line = try #require(
                own.split(separator: "\n").first { $0.contains("istio_requests_total{") && $0.contains("request_host") }
            )
            #expect(!line.contains("response_flags"), "\(line)")
            #expect(!own.contains("istio_response_bytes"))
            #expect(own.contains("istio_request_bytes_bucket"))
            _ = try await metrics(
                caller, of: try await address(caller, app: "echo"),
                line: [
                    "istio_requests_total{", #"reporter="destination""#, #"request_host="echo""#,
                    #"source_workload="client""#, #"source_app="client""#, #"destination_workload="echo-v1""#,
                ])
        }

        @Test func plainConnectionsTellOfBothEndsToo() async throws {
            let caller = try await Self.caller.value
            try await eventually("the connection is forwarded") {
                try await caller.codes(["http://plain:4000/"]) == ["200"] ? true : nil
            }
            _ = try await metrics(
                caller, of: "127.0.0.1",
                line: [
                    "istio_tcp_connections_opened_total{", #"reporter="source""#, #"destination_workload="plain-v1""#,
                    #"source_workload="client""#,
                ])
            _ = try await metrics(
                caller, of: try await address(caller, app: "plain"),
                line: [
                    "istio_tcp_connections_opened_total{", #"reporter="destination""#, #"source_workload="client""#,
                    #"destination_workload="plain-v1""#, #"source_principal="spiffe://"#,
                ])
        }

        @Test(arguments: ["client", "envoy"])
        func logsTellOfRequestsThatMeetTheExpression(_ workload: String) async throws {
            var caller = try await Self.caller.value
            caller.workload = "deploy/\(workload)"
            try await eventually("the call arrives") {
                try await caller.codes(["http://echo/silent-\(workload)", "http://echo/told-\(workload)"])
                    == ["200", "200"] ? true : nil
            }
            try await caller.sidecarLogged("/told-\(workload)")
            let log = try await caller.mesh.kubectl(
                "logs", "-n", Self.namespace, caller.workload, "-c", "istio-proxy", "--tail=2000"
            ).checked()
            #expect(!log.out.contains("/silent-\(workload)"))
        }

        @Test func whatCannotBeEvaluatedIsRefused() async throws {
            let caller = try await Self.caller.value
            let refused = try await caller.mesh.kubectl(
                "apply", "-f", "-",
                input: """
                    apiVersion: telemetry.istio.io/v1
                    kind: Telemetry
                    metadata: {name: wrong, namespace: telemetries}
                    spec: {accessLogging: [{filter: {expression: "response.cod > 400"}}]}
                    """)
            #expect(refused.status != 0)
            #expect(refused.err.contains("spec.accessLogging[0].filter.expression"), "\(refused)")
            #expect(refused.err.contains("response.cod is no attribute"), "\(refused)")
        }
    }
}
