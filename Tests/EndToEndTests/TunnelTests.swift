import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// DestinationRule `tunnel`: connections out of the mesh through an HTTP proxy that the mesh does not own, by CONNECT
    /// and by POST, from the sidecar itself and from the egress gateway, with either data plane.
    @Suite(.serialized) struct TunnelTests {
        private static let script = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "forward_proxy.py"
        ).path(percentEncoded: false)
        private static let envoy = "{weft.dev/data-plane: envoy, weft.dev/envoy-path: /opt/weft/bin/envoy}"

        private struct Cast {
            var weft: Caller
            var envoy: Caller
            func caller(_ name: String) -> Caller { name == "envoy" ? envoy : weft }
        }

        private static let cast = Task {
            let mesh = try await LocalMesh.shared()
            try await mesh.start(
                namespace: "beyond", injected: false,
                [
                    Manifests.deployment(
                        name: "proxy", app: "proxy", version: "v1", namespace: "beyond",
                        container: "{name: app, image: ours/proxy, command: [python3, \(script), \"3128\"]}"),
                    Manifests.sample(
                        name: "target", app: "target", version: "v1", namespace: "beyond",
                        arguments: ["echo", "--port", "9080"]),
                    Manifests.service(name: "proxy", port: 3128, portName: "tcp", namespace: "beyond"),
                    Manifests.service(name: "target", port: 9080, portName: "tcp", namespace: "beyond"),
                ])
            try await mesh.start(
                namespace: "tunnels",
                [
                    Manifests.client(namespace: "tunnels"),
                    Manifests.client(namespace: "tunnels", name: "envoy", annotations: envoy), entries, routes,
                ])
            let cast = Cast(
                weft: Caller(mesh: mesh, namespace: "tunnels"),
                envoy: Caller(mesh: mesh, namespace: "tunnels", workload: "deploy/envoy"))
            let requests = all("live")
            try await eventually("every tunnel carries bytes", within: 120) {
                let codes = try await cast.weft.codes(requests) + cast.envoy.codes(requests)
                return Set(codes) == ["200"] ? true : nil
            }
            return cast
        }

        /// curl's arguments; nobody has the address but the ServiceEntry.
        private static func request(_ port: Int, _ path: String) -> String {
            "--resolve far.example:\(port):192.0.2.77 http://far.example:\(port)/\(path)"
        }

        private static func all(_ path: String) -> [String] { [7001, 7002, 7003].map { request($0, path) } }

        /// The rule lives with its host: the egress gateway, of another namespace, has to see it too.
        private static let entries = """
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: far, namespace: tunnels}
            spec:
              hosts: [far.example]
              addresses: [192.0.2.77]
              ports:
              - {number: 7001, name: tcp-connect, protocol: TCP}
              - {number: 7002, name: tcp-post, protocol: TCP}
              - {number: 7003, name: tcp-gated, protocol: TCP}
              location: MESH_EXTERNAL
              resolution: NONE
            ---
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: proxy, namespace: beyond}
            spec:
              host: proxy.beyond.svc.cluster.local
              subsets:
              - name: connect
                trafficPolicy:
                  tunnel: {protocol: CONNECT, targetHost: target.beyond.svc.cluster.local, targetPort: 9080}
              - name: post
                trafficPolicy:
                  tunnel: {protocol: POST, targetHost: target.beyond.svc.cluster.local, targetPort: 9080}
            """

        private static let routes = """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {name: tunnels, namespace: tunnels}
            spec:
              selector: {istio: egressgateway}
              servers: [{port: {number: 443, name: tcp, protocol: TCP}, hosts: [far.example]}]
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: far, namespace: tunnels}
            spec:
              hosts: [far.example]
              gateways: [mesh, tunnels]
              tcp:
              - match: [{gateways: [mesh], port: 7001}]
                route: [{destination: {host: proxy.beyond.svc.cluster.local, subset: connect, port: {number: 3128}}}]
              - match: [{gateways: [mesh], port: 7002}]
                route: [{destination: {host: proxy.beyond.svc.cluster.local, subset: post, port: {number: 3128}}}]
              - match: [{gateways: [mesh], port: 7003}]
                route: [{destination: {host: istio-egressgateway.istio-system.svc.cluster.local, port: {number: 443}}}]
              - match: [{gateways: [tunnels], port: 443}]
                route: [{destination: {host: proxy.beyond.svc.cluster.local, subset: connect, port: {number: 3128}}}]
            """

        /// What the HTTP proxy was asked for so far.
        private func asked(_ mesh: LocalMesh) async throws -> [String] {
            try await mesh.kubectl("logs", "deploy/proxy", "-n", "beyond", "-c", "app").checked().out
                .split(separator: "\n").map(String.init)
        }

        @Test(arguments: [
            ("weft", 7001, "CONNECT"), ("envoy", 7001, "CONNECT"), ("weft", 7002, "POST"), ("envoy", 7002, "POST"),
        ])
        func theSidecarAsksTheProxyForTheTarget(_ plane: String, _ port: Int, _ method: String) async throws {
            let caller = try await Self.cast.value.caller(plane)
            let line = "\(method) target.beyond.svc.cluster.local:9080"
            let before = try await asked(caller.mesh).count { $0 == line }
            let text = try await caller.shell("curl -s -i --max-time 20 \(Self.request(port, "tunnelled"))")
            let answer = Answer(text)
            #expect(answer.echoed("hostname")?.hasPrefix("target-") == true, "\(answer)")
            #expect(answer.echoed("headers", "host") == "far.example:\(port)", "\(answer)")
            // A tunnel is for one connection: each asks anew, and a large body goes through whole.
            let large = try await caller.shell(
                "head -c 3000000 /dev/zero | curl -s -o /dev/null -w '%{http_code} %{size_upload}' --max-time 60 "
                    + "--data-binary @- \(Self.request(port, "large"))")
            #expect(large == "200 3000000")
            #expect(try await asked(caller.mesh).count { $0 == line } == before + 2)
        }

        @Test func theEgressGatewayAsksForItsClients() async throws {
            let caller = try await Self.cast.value.weft
            let before = try await asked(caller.mesh).count
            let answer = Answer(try await caller.shell("curl -s -i --max-time 20 \(Self.request(7003, "gated"))"))
            #expect(answer.echoed("hostname")?.hasPrefix("target-") == true, "\(answer)")
            #expect(try await asked(caller.mesh).count == before + 1)
            try await eventually("the egress gateway logged the tunnel") {
                let log = try await caller.mesh.kubectl(
                    "logs", "-n", "istio-system", "deploy/istio-egressgateway", "--tail=500"
                ).checked().out
                return log.contains("outbound|3128|connect|proxy.beyond.svc.cluster.local") ? true : nil
            }
        }

        /// A target that the proxy cannot reach ends the client's connection; nothing goes around the proxy.
        @Test func withoutTheProxyNothingGoesOut() async throws {
            let caller = try await Self.cast.value.weft
            let mesh = caller.mesh
            try await mesh.kubectl("scale", "deploy/proxy", "-n", "beyond", "--replicas=0").checked()
            try await eventually("no tunnel is left") {
                let codes = try await caller.codes(Self.all("cut"))
                return Set(codes) == ["000"] ? true : nil
            }
            try await mesh.kubectl("scale", "deploy/proxy", "-n", "beyond", "--replicas=1").checked()
            try await mesh.waitForDeployment("proxy", namespace: "beyond")
            try await eventually("tunnels are back") {
                try await caller.codes([Self.request(7001, "back")]) == ["200"] ? true : nil
            }
        }
    }
}
