import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Ways out of the mesh: ServiceEntries of every resolution, Sidecar scopes, REGISTRY_ONLY, the egress gateway, and
    /// changes of the mesh's own configuration while it runs.
    @Suite(.serialized) struct EgressFeatureTests {
        private struct Cast {
            var caller: Caller
            /// Its Sidecar object lets it see one service.
            var hermit: Caller
            /// The address of the pod outside the mesh.
            var outside: String
        }

        private static let cast = Task {
            let mesh = try await LocalMesh.shared()
            func echo(_ namespace: String, _ name: String) -> [String] {
                [
                    Manifests.sample(
                        name: name, app: name, version: "v1", namespace: namespace,
                        arguments: ["echo", "--port", "9080"]),
                    Manifests.service(name: name, port: 9080, namespace: namespace),
                ]
            }
            try await mesh.start(namespace: "faraway", injected: false, echo("faraway", "outside"))
            let address = try await mesh.kubectl(
                "get", "pods", "-n", "faraway", "-l", "app=outside", "-o", "jsonpath={.items[0].status.podIP}"
            ).checked().out
            try await mesh.start(
                namespace: "egress",
                echo("egress", "echo") + [
                    Manifests.client(namespace: "egress"), Manifests.client(namespace: "egress", name: "hermit"),
                    entries.replacingOccurrences(of: "$ADDRESS", with: address), scope, gateway,
                ])
            let cast = Cast(
                caller: Caller(mesh: mesh, namespace: "egress"),
                hermit: Caller(mesh: mesh, namespace: "egress", workload: "deploy/hermit"), outside: address)
            try await eventually("the entries are live", within: 90) {
                let hosts = ["static.example", "dns.example", "robin.example", "gated.example"]
                let codes = try await cast.caller.codes(hosts.map { Self.request($0, 80, "192.0.2.9") })
                let hidden = try await cast.hermit.codes(["http://outside.faraway:9080/"])
                return Set(codes) == ["200"] && hidden == ["502"] ? true : nil
            }
            return cast
        }

        /// curl's arguments for a host that no DNS knows; nobody has the address.
        private static func request(_ host: String, _ port: Int, _ address: String) -> String {
            "--resolve \(host):\(port):\(address) http://\(host):\(port)/out"
        }

        private static let entries = """
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: static, namespace: egress}
            spec:
              hosts: [static.example]
              ports: [{number: 80, name: http, protocol: HTTP}]
              resolution: STATIC
              endpoints: [{address: $ADDRESS, ports: {http: 9080}}]
            ---
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: dns, namespace: egress}
            spec:
              hosts: [dns.example]
              ports: [{number: 80, name: http, protocol: HTTP}]
              resolution: DNS
              endpoints: [{address: outside.faraway.svc.cluster.local, ports: {http: 9080}}]
            ---
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: robin, namespace: egress}
            spec:
              hosts: [robin.example]
              ports: [{number: 80, name: http, protocol: HTTP}]
              resolution: DNS_ROUND_ROBIN
              endpoints: [{address: outside.faraway.svc.cluster.local, ports: {http: 9080}}]
            ---
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: none, namespace: egress}
            spec:
              hosts: [none.example, "*.wild.example"]
              ports: [{number: 9080, name: http, protocol: HTTP}]
              resolution: NONE
            ---
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: gated, namespace: egress}
            spec:
              hosts: [gated.example]
              ports: [{number: 80, name: http, protocol: HTTP}]
              resolution: DNS
              endpoints: [{address: outside.faraway.svc.cluster.local, ports: {http: 9080}}]
            """

        private static let scope = """
            apiVersion: networking.istio.io/v1
            kind: Sidecar
            metadata: {name: hermit, namespace: egress}
            spec:
              workloadSelector: {labels: {app: hermit}}
              egress: [{hosts: [./echo.egress.svc.cluster.local]}]
              outboundTrafficPolicy: {mode: REGISTRY_ONLY}
            """

        private static let gateway = """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {name: out, namespace: egress}
            spec:
              selector: {istio: egressgateway}
              servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [gated.example]}]
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: gated, namespace: egress}
            spec:
              hosts: [gated.example]
              gateways: [mesh, out]
              http:
              - match: [{gateways: [mesh], port: 80}]
                route: [{destination: {host: istio-egressgateway.istio-system.svc.cluster.local, port: {number: 80}}}]
              - match: [{gateways: [out], port: 80}]
                headers: {request: {set: {x-gate: out}}}
                route: [{destination: {host: gated.example, port: {number: 80}}}]
            """

        @Test(arguments: ["static.example", "dns.example", "robin.example"])
        func anEntryLeadsToItsEndpoints(_ host: String) async throws {
            let cast = try await Self.cast.value
            let answer = try await cast.caller.get(
                "--resolve", "\(host):80:192.0.2.9", "http://\(host)/resolved?by=\(host)")
            #expect(answer.echoed("hostname")?.hasPrefix("outside-") == true, "\(answer)")
            #expect(answer.echoed("headers", "host") == host, "\(answer)")
            try await cast.caller.sidecarLogged("outbound|80||\(host)")
        }

        @Test(arguments: [("none.example", "none.example"), ("a.b.wild.example", "*.wild.example")])
        func withoutResolutionTheAddressIsTheClients(_ host: String, _ cluster: String) async throws {
            let cast = try await Self.cast.value
            let answer = try await cast.caller.get(
                "--resolve", "\(host):9080:\(cast.outside)", "http://\(host):9080/as-dialled")
            #expect(answer.echoed("hostname")?.hasPrefix("outside-") == true, "\(answer)")
            try await cast.caller.sidecarLogged("outbound|9080||\(cluster)")
        }

        @Test func aSidecarSeesWhatItsScopeNamesAndNothingElse() async throws {
            let cast = try await Self.cast.value
            let requests = [
                "http://echo:9080/", "http://outside.faraway:9080/", Self.request("static.example", 80, "192.0.2.9"),
                Self.request("nobody.example", 9080, cast.outside),
            ]
            // Nobody listens at port 80 for it: that connection is closed.
            #expect(try await cast.hermit.codes(requests) == ["200", "502", "000", "502"])
            #expect(try await cast.caller.codes(requests) == ["200", "200", "200", "200"])
            let mesh = cast.hermit.mesh
            let clusters = try await mesh.istioctl("proxy-config", "clusters", "deploy/hermit.egress").checked().out
            #expect(clusters.contains("echo.egress.svc.cluster.local"))
            #expect(!clusters.contains("outside.faraway") && !clusters.contains("static.example"), "\(clusters)")
        }

        @Test func theEgressGatewayIsTheWayOut() async throws {
            let cast = try await Self.cast.value
            let answer = try await cast.caller.get(
                "--resolve", "gated.example:80:192.0.2.9", "http://gated.example/through-the-gate")
            #expect(answer.echoed("hostname")?.hasPrefix("outside-") == true, "\(answer)")
            #expect(answer.echoed("headers", "x-gate") == "out", "the gateway did not see the request: \(answer)")
            try await eventually("the egress gateway logged the request") {
                let log = try await cast.caller.mesh.kubectl(
                    "logs", "-n", "istio-system", "deploy/istio-egressgateway", "--tail=500"
                ).checked().out
                return log.contains("/through-the-gate") && log.contains("outbound|80||gated.example") ? true : nil
            }
        }

        /// The ConfigMap of the mesh changes, and every proxy follows without a restart.
        @Test func theMeshConfigurationIsLive() async throws {
            let cast = try await Self.cast.value
            let unknown = Self.request("nobody.example", 9080, cast.outside)
            #expect(try await cast.caller.codes([unknown]) == ["200"])
            try await cast.caller.mesh.withMeshConfig("outboundTrafficPolicy: {mode: REGISTRY_ONLY}") {
                try await eventually("unknown hosts are refused") {
                    try await cast.caller.codes([unknown]) == ["502"] ? true : nil
                }
                #expect(try await cast.caller.codes(["http://echo:9080/"]) == ["200"])
                // A document that cannot be read changes nothing.
                try await cast.caller.mesh.writeMeshConfig("outboundTrafficPolicy: {mode: [")
                try await eventually("the log explains") {
                    let log = try await cast.caller.mesh.kubectl(
                        "logs", "-n", "istio-system", "deploy/istiod", "--tail=300"
                    ).checked().out
                    return log.contains("mesh configuration in ConfigMap istio cannot be read") ? true : nil
                }
                #expect(try await cast.caller.codes([unknown]) == ["502"])
            }
            try await eventually("unknown hosts pass again") {
                try await cast.caller.codes([unknown]) == ["200"] ? true : nil
            }
        }
    }
}
