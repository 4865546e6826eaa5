import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// DestinationRule `warmup` and its older spelling `warmupDurationSecs`: an endpoint that joins gets less than its
    /// share at first, and its whole share in the end. Told by counts of requests alone.
    @Suite(.serialized) struct WarmUpTests {
        private static let namespace = "warmth"
        /// Seconds in which a new endpoint warms up: long against what a hundred requests take.
        private static let window = 60

        private static let envoy = "{weft.dev/data-plane: envoy, weft.dev/envoy-path: /opt/weft/bin/envoy}"

        private static func server(_ name: String, replicas: Int) -> String {
            Manifests.sample(
                name: name, app: "warm", version: name, namespace: namespace, arguments: ["echo", "--port", "9080"]
            ).replacingOccurrences(of: "spec:\n  selector:", with: "spec:\n  replicas: \(replicas)\n  selector:")
        }

        private static func rule(_ host: String, _ balancer: String) -> String {
            """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: \(host), namespace: \(namespace)}
            spec: {host: \(host), trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN\(balancer)}}}
            """
        }

        private static let mesh = Task {
            let mesh = try await LocalMesh.shared()
            let hosts = ["warmed", "older", "cold"]
            try await mesh.start(
                namespace: namespace,
                [
                    server("settled", replicas: 1), server("fresh", replicas: 0),
                    Manifests.client(namespace: namespace),
                    Manifests.client(namespace: namespace, name: "envoy", annotations: envoy),
                    rule("warmed", ", warmup: {duration: \(window)s, minimumPercent: 5, aggression: 1}"),
                    rule("older", ", warmupDurationSecs: \(window)s"), rule("cold", ""),
                ] + hosts.map { Manifests.service(name: $0, app: "warm", port: 9080, namespace: namespace) })
            for workload in ["deploy/client", "deploy/envoy"] {
                let caller = Caller(mesh: mesh, namespace: namespace, workload: workload)
                try await eventually("\(workload) is served", within: 90) {
                    try await caller.codes(hosts.map { "http://\($0):9080/" }) == ["200", "200", "200"] ? true : nil
                }
            }
            return mesh
        }

        /// Of `count` requests after the first answer of the fresh endpoint, how many it got.
        ///
        /// One process of the client's pod makes them all, so that little time passes.
        private static func firstShare(_ host: String, count: Int) -> String {
            """
            for i in $(seq 4000); do
              case "$(curl -s --max-time 20 http://\(host):9080/)" in *fresh-*) break;; esac
              sleep 0.05
            done
            curl -s --max-time 60 "http://\(host):9080/?n=[1-\(count)]" | grep -c '"hostname".*fresh-'
            """
        }

        @Test func aNewEndpointGetsItsShareByAndBy() async throws {
            let mesh = try await Self.mesh.value
            let callers = ["client", "envoy"].map {
                Caller(mesh: mesh, namespace: Self.namespace, workload: "deploy/\($0)")
            }
            try await eventually("the settled endpoint is past its own warm-up", within: Self.window + 60) {
                let started = try await mesh.kubectl(
                    "get", "pods", "-n", Self.namespace, "-l", "version=settled", "-o",
                    "jsonpath={.items[0].status.startTime}"
                ).checked().out
                let date = try #require(ISO8601DateFormatter().date(from: started), "\(started)")
                return Date().timeIntervalSince(date) > Double(Self.window + 20) ? true : nil
            }
            try await mesh.kubectl("scale", "deploy/fresh", "-n", Self.namespace, "--replicas=1").checked()
            // Both planes and all three services at once: the window is the same for all.
            try await withThrowingTaskGroup(of: (String, Int).self) { group in
                for caller in callers {
                    for host in ["warmed", "older", "cold"] {
                        group.addTask {
                            let text = try await caller.shell(Self.firstShare(host, count: 100), timeout: 300)
                            return (
                                "\(caller.workload) \(host)",
                                Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? -1
                            )
                        }
                    }
                }
                for try await (name, count) in group {
                    // Turn by turn is 50; in the first third of the window a warming endpoint gets 5 to 25.
                    let expected = name.hasSuffix("cold") ? 45...55 : 0...35
                    #expect(expected.contains(count), "\(name): \(count) of 100")
                }
            }
            for caller in callers {
                for host in ["warmed", "older"] {
                    try await eventually("\(host): the endpoint has its whole share", within: 3 * Self.window) {
                        let text = try await caller.shell(
                            "curl -s --max-time 60 'http://\(host):9080/?n=[1-100]' | grep -c '\"hostname\".*fresh-'")
                        let count = Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? -1
                        return (45...55).contains(count) ? true : nil
                    }
                }
            }
        }
    }
}
