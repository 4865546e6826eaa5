import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Zones: two clients and two servers, one of each in either zone, so that each zone has capacity for its own.
    @Suite(.serialized) struct TrafficZoneTests {
        typealias Plane = BothProxiesTests.Plane

        private static func start(_ plane: Plane) async throws -> Caller {
            let mesh = try await LocalMesh.shared()
            let namespace = "zones-\(plane)"
            let metadata =
                "proxyMetadata: {ISTIO_META_ENABLE_SELF_DISCOVERY: \"true\", "
                + "ISTIO_META_SELF_DISCOVERY_GROUPING_LABEL_NAMES: app}"
            let own = plane.annotations == "{}" ? "" : ", " + plane.annotations.dropFirst().dropLast()
            func client(_ zone: String) -> String {
                Manifests.deployment(
                    name: "client-\(zone)", app: "client", version: zone, namespace: namespace,
                    container: #"{name: curl, image: curlimages/curl, command: [sleep, "86400"]}"#,
                    annotations: "{proxy.istio.io/config: '\(metadata)'\(own)}"
                ).located("east.\(zone)")
            }
            func server(_ zone: String) -> String {
                Manifests.sample(
                    name: "echo-\(zone)", app: "echo", version: zone, namespace: namespace,
                    arguments: ["echo", "--port", "9080"]
                ).located("east.\(zone)")
            }
            try await mesh.start(
                namespace: namespace,
                ["a", "b"].flatMap { [client($0), server($0)] } + [
                    Manifests.service(name: "client", port: 9080, namespace: namespace),
                    Manifests.service(name: "echo", port: 9080, namespace: namespace),
                    Manifests.service(name: "everywhere", app: "echo", port: 9080, namespace: namespace),
                    """
                    apiVersion: networking.istio.io/v1
                    kind: DestinationRule
                    metadata: {name: echo, namespace: \(namespace)}
                    spec:
                      host: echo
                      trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN, zoneAwareLbSetting: {enabled: true, minClusterSize: 1}}}
                    """,
                ])
            return Caller(mesh: mesh, namespace: namespace, workload: "deploy/client-a")
        }

        @Test(arguments: Plane.allCases) func theOwnZoneServesAsFarAsItHasCapacity(_ plane: Plane) async throws {
            let caller = try await Self.start(plane)
            func servers(_ host: String) async throws -> [String: Int] {
                let text = try await caller.shell("curl -s --max-time 60 'http://\(host):9080/?n=[1-40]'")
                let names = text.split(separator: "\n").map { line in
                    Answer("HTTP/1.1 200 OK\n\n\(line)").echoed("hostname").map { String($0.prefix(6)) } ?? "none"
                }
                return Dictionary(names.map { ($0, 1) }, uniquingKeysWith: +)
            }
            try await eventually("requests stay in the zone", within: 60) {
                try await servers("echo") == ["echo-a": 40] ? true : nil
            }
            let everywhere = try await servers("everywhere")
            #expect(everywhere["echo-a", default: 0] > 0 && everywhere["echo-b", default: 0] > 0, "\(everywhere)")
            // Of a zone without a server the requests go to the other one.
            try await caller.mesh.kubectl("scale", "-n", caller.namespace, "deployment/echo-a", "--replicas=0")
                .checked()
            try await eventually("the other zone serves", within: 60) {
                try await servers("echo") == ["echo-b": 40] ? true : nil
            }
        }
    }
}
