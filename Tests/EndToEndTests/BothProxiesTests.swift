import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// The features that every sidecar must have, the same for both data planes: each test runs with `weft-proxy` and
    /// with real Envoy, as sidecar of the client and of all servers.
    @Suite(.serialized) struct BothProxiesTests {
        enum Plane: String, CaseIterable, Sendable {
            case weft, envoy
            var namespace: String { "both-\(rawValue)" }
            var annotations: String {
                self == .weft ? "{}" : "{weft.dev/data-plane: envoy, weft.dev/envoy-path: /opt/weft/bin/envoy}"
            }
        }

        private struct Cast {
            var caller: Caller
            var outsider: Caller
            var tokens: TokenIssuer
        }

        private static let weft = Task { try await start(.weft) }
        private static let envoy = Task { try await start(.envoy) }
        private static func cast(_ plane: Plane) async throws -> Cast {
            try await (plane == .weft ? weft : envoy).value
        }

        private static func start(_ plane: Plane) async throws -> Cast {
            let mesh = try await LocalMesh.shared()
            let namespace = plane.namespace
            let tokens = try await TokenIssuer("tokens.example", folder: "\(mesh.home)/both-\(plane)")
            func sample(_ name: String, _ app: String, _ arguments: String...) -> String {
                Manifests.sample(
                    name: name, app: app, version: name, namespace: namespace,
                    arguments: arguments + ["--port", "9080"], annotations: plane.annotations)
            }
            let manifests = [
                sample("echo-one", "echo", "echo"), sample("echo-two", "echo", "echo"),
                sample("frail", "frail", "flaky", "--fail", "2"),
                Manifests.client(namespace: namespace, annotations: plane.annotations),
                Manifests.service(name: "echo", port: 9080, namespace: namespace),
                Manifests.service(name: "frail", port: 9080, namespace: namespace),
                rules.replacingOccurrences(of: "$NS", with: namespace)
                    .replacingOccurrences(of: "$KEYS", with: tokens.keySet),
            ]
            try await mesh.start(namespace: namespace, manifests)
            try await mesh.start(
                namespace: namespace + "-out", injected: false,
                [
                    Manifests.client(namespace: namespace + "-out")
                ])
            let cast = Cast(
                caller: Caller(mesh: mesh, namespace: namespace),
                outsider: Caller(mesh: mesh, namespace: namespace + "-out"), tokens: tokens)
            try await eventually("\(plane): the rules are live", within: 90) {
                let codes = try await cast.caller.codes(
                    ["echo:9080/teapot", "echo:9080/forbidden", "echo:9080/token", "frail:9080/?key=start"])
                return codes == ["418", "403", "403", "200"] ? true : nil
            }
            return cast
        }

        private static let rules = #"""
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: echo, namespace: $NS}
            spec:
              host: echo
              subsets: [{name: one, labels: {version: echo-one}}, {name: two, labels: {version: echo-two}}]
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: echo, namespace: $NS}
            spec:
              hosts: [echo]
              http:
              - match: [{headers: {x-user: {exact: jason}}}]
                route: [{destination: {host: echo, subset: two}}]
              - match: [{uri: {exact: /teapot}}]
                fault: {abort: {httpStatus: 418, percentage: {value: 100}}}
                route: [{destination: {host: echo}}]
              - match: [{uri: {exact: /late}}]
                fault: {delay: {fixedDelay: 600ms, percentage: {value: 100}}}
                route: [{destination: {host: echo, subset: one}}]
              - match: [{uri: {prefix: /split}}]
                route:
                - {destination: {host: echo, subset: one}, weight: 80}
                - {destination: {host: echo, subset: two}, weight: 20}
              - route: [{destination: {host: echo, subset: one}}]
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: frail, namespace: $NS}
            spec:
              hosts: [frail]
              http:
              - match: [{uri: {exact: /once}}]
                retries: {attempts: 0}
                route: [{destination: {host: frail}}]
              - retries: {attempts: 3, perTryTimeout: 5s, retryOn: 5xx}
                route: [{destination: {host: frail}}]
            ---
            apiVersion: security.istio.io/v1
            kind: PeerAuthentication
            metadata: {name: default, namespace: $NS}
            spec: {mtls: {mode: STRICT}}
            ---
            apiVersion: security.istio.io/v1
            kind: RequestAuthentication
            metadata: {name: tokens, namespace: $NS}
            spec:
              selector: {matchLabels: {app: echo}}
              jwtRules:
              - issuer: tokens.example
                jwks: '$KEYS'
                outputClaimToHeaders: [{header: x-role, claim: role}]
            ---
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: deny, namespace: $NS}
            spec:
              selector: {matchLabels: {app: echo}}
              action: DENY
              rules:
              - to: [{operation: {paths: [/forbidden]}}]
              - from: [{source: {notRequestPrincipals: ["*"]}}]
                to: [{operation: {paths: [/token]}}]
              - from: [{source: {notPrincipals: [cluster.local/ns/$NS/sa/default]}}]
              - to: [{operation: {paths: [/admin]}}]
                when: [{key: "request.auth.claims[role]", notValues: [admin]}]
            """#

        @Test(arguments: Plane.allCases) func routing(_ plane: Plane) async throws {
            let caller = try await Self.cast(plane).caller
            for (header, server) in [("x-user: jason", "echo-two-"), ("x-user: ann", "echo-one-")] {
                for _ in 0..<5 {
                    let answer = try await caller.get("-H", header, "http://echo:9080/")
                    #expect(answer.echoed("hostname")?.hasPrefix(server) == true, "\(header): \(answer)")
                }
            }
        }

        @Test(arguments: Plane.allCases) func split(_ plane: Plane) async throws {
            let caller = try await Self.cast(plane).caller
            let text = try await caller.shell("curl -s --max-time 60 'http://echo:9080/split?n=[1-300]'")
            let names = text.split(separator: "\n").map { String($0) }
            #expect(names.count == 300)
            // 60 are expected; five standard deviations either way.
            let two = names.count { $0.contains("echo-two-") }
            #expect((25...95).contains(two), "\(two) of 300")
        }

        @Test(arguments: Plane.allCases) func faults(_ plane: Plane) async throws {
            let caller = try await Self.cast(plane).caller
            let abort = try await caller.get("http://echo:9080/teapot")
            #expect(abort.status == 418 && abort.body == "fault filter abort", "\(abort)")
            let line = try await caller.lines(["http://echo:9080/late"], format: "%{http_code} %{time_total}")
            let parts = line.first?.split(separator: " ") ?? []
            // Envoy counts from the beginning of its loop's turn, which lies a little before the request's arrival.
            #expect(parts.first == "200" && (parts.last.flatMap { Double($0) } ?? 0) >= 0.55, "\(line)")
        }

        @Test(arguments: Plane.allCases) func retries(_ plane: Plane) async throws {
            let caller = try await Self.cast(plane).caller
            let codes = try await caller.codes(
                ["'http://frail:9080/?key=hidden'", "'http://frail:9080/once?key=seen'"])
            #expect(codes == ["200", "503"])
            let attempts = try await caller.get("http://frail:9080/attempts?key=hidden")
            #expect(attempts.body == "3\n", "\(attempts)")
        }

        @Test(arguments: Plane.allCases) func strictMutualTLS(_ plane: Plane) async throws {
            let cast = try await Self.cast(plane)
            let answer = try await cast.caller.get("http://echo:9080/")
            let peer = answer.echoed("headers", "x-forwarded-client-cert") ?? ""
            #expect(peer.contains("URI=spiffe://cluster.local/ns/\(plane.namespace)/sa/default"), "\(answer)")
            #expect(try await cast.outsider.codes(["http://echo.\(plane.namespace):9080/"]) == ["000"])
        }

        @Test(arguments: Plane.allCases) func authorization(_ plane: Plane) async throws {
            let caller = try await Self.cast(plane).caller
            let refused = try await caller.get("http://echo:9080/forbidden")
            #expect(refused.status == 403 && refused.body == "RBAC: access denied", "\(refused)")
            #expect(try await caller.codes(["http://echo:9080/x/../forbidden --path-as-is"]) == ["403"])
            #expect(try await caller.codes(["http://echo:9080/allowed"]) == ["200"])
        }

        @Test(arguments: Plane.allCases) func tokens(_ plane: Plane) async throws {
            let cast = try await Self.cast(plane)
            let caller = cast.caller
            func header(_ token: String) -> String { "-H 'authorization: Bearer \(token)'" }
            let user = try await cast.tokens.token(["role": "user"])
            let admin = try await cast.tokens.token(["role": "admin"])
            let late = try await cast.tokens.token(lifetime: -600)
            let codes = try await caller.codes([
                "http://echo:9080/token", "http://echo:9080/token \(header(user))", "http://echo:9080/ \(header(late))",
                "http://echo:9080/ \(header(user + "x"))", "http://echo:9080/admin \(header(user))",
                "http://echo:9080/admin \(header(admin))", "http://echo:9080/admin",
            ])
            #expect(codes == ["403", "200", "401", "401", "403", "200", "403"])
            let answer = try await caller.get("-H", "authorization: Bearer \(admin)", "http://echo:9080/token")
            #expect(answer.echoed("headers", "x-role") == "admin", "\(answer)")
        }
    }
}
