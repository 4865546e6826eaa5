import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// The Kubernetes Gateway API by kubectl: a Gateway is deployed and reports itself, routes carry requests, and routes of
    /// Services steer the mesh.
    @Suite(.serialized) struct GatewayAPITests {
        private static let namespace = "gateway-api"
        private static let mesh = Task {
            let mesh = try await LocalMesh.shared()
            try await mesh.start(
                namespace: namespace,
                ["one", "two"].flatMap { name in
                    [
                        Manifests.sample(
                            name: name, app: name, version: "v1", namespace: namespace,
                            arguments: ["echo", "--port", "9080"]),
                        Manifests.service(name: name, port: 9080, namespace: namespace),
                    ]
                } + [Manifests.client(namespace: namespace), gateway])
            return mesh
        }

        private static let gateway = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: edge, namespace: gateway-api}
            spec:
              gatewayClassName: istio
              infrastructure: {labels: {team: edge}}
              listeners:
              - {name: web, port: 80, protocol: HTTP, hostname: "*.edge.example"}
              - {name: alt, port: 8080, protocol: HTTP}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: edge, namespace: gateway-api}
            spec:
              parentRefs: [{name: edge, sectionName: web}]
              hostnames: [shop.edge.example]
              rules:
              - matches: [{path: {value: /two}}]
                filters:
                - {type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}
                - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-route, value: two}]}}
                backendRefs: [{name: two, port: 9080}]
              - matches: [{path: {type: Exact, value: /moved}}]
                filters: [{type: RequestRedirect, requestRedirect: {hostname: new.example, statusCode: 308}}]
              - matches: [{path: {value: /broken}}]
                backendRefs: [{name: nobody, port: 9080}]
              - backendRefs: [{name: one, port: 9080}]
            """

        private static var caller: Caller {
            get async throws { Caller(mesh: try await mesh.value, namespace: namespace) }
        }

        private func column(_ mesh: LocalMesh, _ kind: String, _ name: String, _ path: String) async throws -> String {
            try await mesh.kubectl(
                "get", "-n", Self.namespace, "\(kind).gateway.networking.k8s.io", name, "-o", "jsonpath=\(path)"
            ).checked().out
        }

        /// Waits until a condition of an object says so.
        private func wait(_ kind: String, _ name: String, _ condition: String) async throws {
            let mesh = try await Self.mesh.value
            try await mesh.kubectl(
                "wait", "-n", Self.namespace, "\(kind).gateway.networking.k8s.io/\(name)",
                "--for=condition=\(condition)",
                "--timeout=90s", timeout: 100
            ).checked()
        }

        @Test func aGatewayIsDeployedAndReportsItself() async throws {
            let mesh = try await Self.mesh.value
            try await wait("gateways", "edge", "Programmed")
            let row = try await mesh.kubectl(
                "get", "-n", Self.namespace, "gateways.gateway.networking.k8s.io"
            ).checked().out.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
            #expect(row.first == ["NAME", "CLASS", "ADDRESS", "ACCEPTED", "PROGRAMMED", "AGE"])
            #expect(row.last?.prefix(5) == ["edge", "istio", "127.0.0.1", "True", "True"])
            let labels = try await mesh.kubectl(
                "get", "deployment", "-n", Self.namespace, "edge-istio", "-o",
                "jsonpath={.metadata.labels.team} {.spec.template.metadata.labels.team}"
            ).checked().out
            #expect(labels == "edge edge")
            let classes = try await mesh.kubectl("get", "gatewayclass", "--no-headers").checked().out
            #expect(classes.contains("istio ") && classes.contains("weft "), "\(classes)")
            let attached = try await column(mesh, "gateways", "edge", "{.status.listeners[*].attachedRoutes}")
            #expect(attached == "1 0")
            // How far the proxies are comes when they have answered.
            let route = try await eventually("the route's state is told") {
                let text = try await column(
                    mesh, "httproutes", "edge",
                    "{range .status.parents[0].conditions[*]}{.type}={.status}/{.reason} {end}")
                let conditions = Set(text.split(separator: " "))
                return conditions.contains("Reconciled=True/Reconciled") ? conditions : nil
            }
            #expect(
                route == [
                    "Accepted=True/Accepted", "ResolvedRefs=False/BackendNotFound", "Reconciled=True/Reconciled",
                ])
        }

        @Test func requestsGoThroughTheDeployedGateway() async throws {
            try await wait("gateways", "edge", "Programmed")
            let caller = try await Self.caller
            let base = "http://edge-istio.\(Self.namespace)"
            func get(_ path: String, host: String = "shop.edge.example") async throws -> Answer {
                try await caller.get("-H", "Host: \(host)", base + path)
            }
            let first = try await eventually("the gateway answers") {
                let answer = try await get("/x")
                return answer.status == 200 ? answer : nil
            }
            #expect(first.echoed("hostname")?.hasPrefix("one-") == true, "\(first)")
            let second = try await get("/two/path?a=b")
            #expect(second.echoed("hostname")?.hasPrefix("two-") == true, "\(second)")
            #expect(second.echoed("url") == "/path?a=b")
            #expect(second.headers["x-route"] == "two")
            let moved = try await get("/moved")
            #expect(moved.status == 308)
            #expect(moved.headers["location"] == "http://new.example/moved")
            #expect(try await get("/broken").status == 500)
            #expect(try await get("/x", host: "other.edge.example").status == 404)
        }

        @Test func aServicesRouteSplitsTheMesh() async throws {
            let mesh = try await Self.mesh.value
            let caller = try await Self.caller
            try await mesh.apply(
                """
                apiVersion: gateway.networking.k8s.io/v1
                kind: HTTPRoute
                metadata: {name: split, namespace: \(Self.namespace)}
                spec:
                  parentRefs: [{group: "", kind: Service, name: one, port: 9080}]
                  rules:
                  - matches: [{headers: [{name: tester, value: "yes"}]}]
                    backendRefs: [{name: two, port: 9080}]
                  - matches: [{path: {value: /both}}]
                    backendRefs: [{name: one, port: 9080, weight: 1}, {name: two, port: 9080, weight: 1}]
                """)
            let url = "http://one.\(Self.namespace):9080"
            try await eventually("the header leads to two") {
                let answer = try await caller.get("-H", "tester: yes", url + "/")
                return answer.echoed("hostname")?.hasPrefix("two-") == true ? true : nil
            }
            var seen: Set<String> = []
            try await eventually("both versions answer") {
                if let name = try await caller.get(url + "/both").echoed("hostname") {
                    seen.insert(String(name.prefix(3)))
                }
                return seen == ["one", "two"] ? true : nil
            }
            #expect(try await caller.get(url + "/neither").status == 404)
            let controller = try await column(mesh, "httproutes", "split", "{.status.parents[0].controllerName}")
            #expect(controller == "istio.io/mesh-controller")
            try await mesh.kubectl("delete", "httproute", "-n", Self.namespace, "split").checked()
            try await eventually("the service is itself again") {
                try await caller.get(url + "/neither").status == 200 ? true : nil
            }
        }

        @Test func aBadRouteIsRefusedWithItsField() async throws {
            let mesh = try await Self.mesh.value
            let refused = try await mesh.kubectl(
                "apply", "-f", "-",
                input: """
                    apiVersion: gateway.networking.k8s.io/v1
                    kind: HTTPRoute
                    metadata: {name: bad, namespace: \(Self.namespace)}
                    spec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: one}], retry: {codes: [200]}}]}
                    """)
            #expect(refused.status != 0)
            #expect(refused.err.contains("spec.rules[0].backendRefs[0].port"), "\(refused)")
            #expect(refused.err.contains("spec.rules[0].retry.codes[0]"), "\(refused)")
        }

        /// `gatewayTopology` of a Gateway's pods: rules see the client that the load balancer before them has written down.
        @Test func rulesSeeTheClientBehindALoadBalancer() async throws {
            let mesh = try await Self.mesh.value
            try await mesh.apply(
                """
                apiVersion: gateway.networking.k8s.io/v1
                kind: Gateway
                metadata: {name: behind, namespace: \(Self.namespace)}
                spec:
                  gatewayClassName: istio
                  infrastructure:
                    annotations: {proxy.istio.io/config: "gatewayTopology: {numTrustedProxies: 1}"}
                  listeners: [{name: web, port: 80, protocol: HTTP}]
                ---
                apiVersion: gateway.networking.k8s.io/v1
                kind: HTTPRoute
                metadata: {name: behind, namespace: \(Self.namespace)}
                spec: {parentRefs: [{name: behind}], rules: [{backendRefs: [{name: one, port: 9080}]}]}
                ---
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: behind, namespace: \(Self.namespace)}
                spec:
                  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: behind}]
                  rules: [{from: [{source: {remoteIpBlocks: [192.0.2.0/24]}}]}]
                """)
            try await wait("gateways", "behind", "Programmed")
            let caller = try await Self.caller
            let requests = ["192.0.2.7", "198.51.100.1, 192.0.2.7", "192.0.2.7, 198.51.100.1", "198.51.100.1"].map {
                "http://behind-istio.\(Self.namespace)/ -H 'x-forwarded-for: \($0)'"
            }
            try await eventually("the last address decides, which the load balancer wrote") {
                let codes = try await caller.codes(requests + ["http://behind-istio.\(Self.namespace)/"])
                guard codes == ["200", "200", "403", "403", "403"] else { throw StepFailure("\(codes)") }
                return true
            }
        }

        @Test func aGatewayThatGoesTakesItsDeploymentAlong() async throws {
            let mesh = try await Self.mesh.value
            try await mesh.apply(
                """
                apiVersion: gateway.networking.k8s.io/v1
                kind: Gateway
                metadata: {name: brief, namespace: \(Self.namespace)}
                spec: {gatewayClassName: weft, listeners: [{name: web, port: 80, protocol: HTTP}]}
                """)
            try await wait("gateways", "brief", "Programmed")
            try await mesh.kubectl(
                "delete", "gateways.gateway.networking.k8s.io", "-n", Self.namespace, "brief"
            ).checked()
            try await eventually("Deployment and Service are gone") {
                let left = try await mesh.kubectl(
                    "get", "deployment,service,serviceaccount", "-n", Self.namespace, "-l",
                    "gateway.networking.k8s.io/gateway-name=brief", "-o", "name")
                return left.out.isEmpty ? true : nil
            }
        }
    }
}
