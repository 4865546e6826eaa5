import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// HTTP/2 and gRPC through two sidecars with mutual TLS, routed by path. curl (nghttp2) is the client.
    @Suite(.serialized) struct HTTP2Tests {
        private static let namespace = "httptwo"
        private static let caller = Task {
            let mesh = try await LocalMesh.shared()
            func echo(_ version: String) -> String {
                Manifests.sample(
                    name: "echo-\(version)", app: "echo", version: version, namespace: namespace,
                    arguments: ["echo", "--port", "9080"])
            }
            // A port of a workload is what its oldest service declares: the undeclared one has a workload of its own.
            let plain = Manifests.sample(
                name: "plain", app: "plain", version: "v1", namespace: namespace, arguments: ["echo", "--port", "9080"])
            try await mesh.start(
                namespace: namespace,
                [echo("v1"), echo("v2"), plain, configuration, Manifests.client(namespace: namespace)])
            let caller = Caller(mesh: mesh, namespace: namespace)
            try await eventually("the routes are live") {
                let answer = try await caller.get("--http2-prior-knowledge", "http://echo:9080/v2/ready")
                let others = try await caller.codes(["http://echo:9080/v1", "http://echo-unnamed:5000/"])
                let isRouted = answer.echoed("hostname")?.hasPrefix("echo-v2-") == true
                return isRouted && others == ["200", "200"] ? true : nil
            }
            return caller
        }

        private static let configuration = """
            apiVersion: v1
            kind: Service
            metadata: {name: echo, namespace: httptwo}
            spec:
              selector: {app: echo}
              ports:
              - {name: http2, port: 9080}
              - {name: grpc-calls, port: 9090, targetPort: 9080}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: echo-unnamed, namespace: httptwo}
            spec:
              selector: {app: plain}
              ports: [{port: 5000, targetPort: 9080}]
            ---
            apiVersion: security.istio.io/v1
            kind: PeerAuthentication
            metadata: {name: default, namespace: httptwo}
            spec: {mtls: {mode: STRICT}}
            ---
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: echo, namespace: httptwo}
            spec:
              host: echo
              subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: echo, namespace: httptwo}
            spec:
              hosts: [echo]
              http:
              - match: [{uri: {prefix: /v2/}}, {uri: {exact: /weft.samples.Echo/Second}}]
                route: [{destination: {host: echo, subset: v2}}]
              - match: [{uri: {prefix: /refused}}, {uri: {prefix: /weft.samples.Refused/}}]
                fault: {abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}}
                route: [{destination: {host: echo, subset: v1}}]
              - route: [{destination: {host: echo, subset: v1}}]
            ---
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: no-secrets, namespace: httptwo}
            spec:
              action: DENY
              rules: [{to: [{operation: {paths: [/weft.samples.Secret/*]}}]}]
            """

        @Test func routesHTTP2ByPath() async throws {
            let caller = try await Self.caller.value
            for (path, version) in [("/v1/a", "v1"), ("/v2/a?b=c", "v2")] {
                let answer = try await caller.get("--http2-prior-knowledge", "http://echo:9080\(path)")
                #expect(answer.description.hasPrefix("HTTP/2 200"), "\(answer)")
                #expect(answer.echoed("hostname")?.hasPrefix("echo-\(version)-") == true, "\(answer)")
                #expect(answer.echoed("protocol") == "HTTP/2", "\(answer)")
                #expect(answer.echoed("url") == path)
                let peer = answer.echoed("headers", "x-forwarded-client-cert") ?? ""
                #expect(peer.contains("URI=spiffe://cluster.local/ns/httptwo/sa/default"), "\(answer)")
            }
        }

        @Test func bodiesAndParallelStreamsGoThrough() async throws {
            let caller = try await Self.caller.value
            // 300 KB is more than a flow-control window: it needs window updates both ways. The parallel requests come on
            // connections of their own (curl 7.88 cannot share one that begins with the preface, whoever serves it);
            // the sidecar carries them as streams of few connections.
            let sent = try await caller.shell(
                """
                head -c 300000 /dev/zero | tr '\\0' 'x' > /tmp/large
                curl -s --http2-prior-knowledge --data-binary @/tmp/large http://echo:9080/large > /tmp/answer
                wc -c < /tmp/large; tr -cd x < /tmp/answer | wc -c
                curl -s -Z --parallel-immediate --parallel-max 50 --http2-prior-knowledge -o /dev/null -w '%{http_code} %{http_version}\\n' \
                'http://echo:9080/v2/parallel/[1-50]' | sort | uniq -c
                """)
            let lines = sent.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
            #expect(lines.first == "300000", "\(sent)")
            #expect((lines.dropFirst().first.flatMap { Int($0) } ?? 0) >= 300_000, "\(sent)")
            #expect(lines.last == "50 200 2", "\(sent)")
        }

        @Test func versionsMeetInTheSidecars() async throws {
            let caller = try await Self.caller.value
            // The port is declared http2: a caller that speaks HTTP/1.1 still reaches the workload with HTTP/2.
            let old = try await caller.get("--http1.1", "http://echo:9080/v1/old")
            #expect(old.description.hasPrefix("HTTP/1.1 200"), "\(old)")
            #expect(old.echoed("protocol") == "HTTP/2", "\(old)")
            // An undeclared port keeps the caller's version.
            for (flag, version) in [("--http1.1", "HTTP/1.1"), ("--http2-prior-knowledge", "HTTP/2")] {
                let answer = try await caller.get(flag, "http://echo-unnamed:5000/kept")
                #expect(answer.echoed("protocol") == version, "\(answer)")
            }
        }

        /// A unary call with one message of five bytes, framed as gRPC frames it.
        private func call(_ caller: Caller, _ method: String) async throws -> Answer {
            Answer(
                try await caller.shell(
                    """
                    printf '\\0\\0\\0\\0\\005hello' | curl -s -D - --http2-prior-knowledge --max-time 20 \
                    -H 'content-type: application/grpc' -H 'te: trailers' --data-binary @- \
                    http://echo:9090\(method) | tr -d '\\000\\005'
                    """))
        }

        @Test(arguments: [("First", "v1"), ("Second", "v2")])
        func callsAreRoutedByMethod(_ method: String, _ version: String) async throws {
            let caller = try await Self.caller.value
            let answer = try await call(caller, "/weft.samples.Echo/\(method)")
            #expect(answer.status == 200, "\(answer)")
            #expect(answer.headers["content-type"] == "application/grpc")
            #expect(answer.headers["x-echo-host"]?.hasPrefix("echo-\(version)-") == true, "\(answer)")
            #expect(answer.headers["x-echo-path"] == "/weft.samples.Echo/\(method)")
            #expect(answer.description.contains("hello"), "\(answer)")
            #expect(answer.description.contains("grpc-status: 0"), "the trailers are missing\n\(answer)")
        }

        @Test func refusedCallsCarryAStatus() async throws {
            let caller = try await Self.caller.value
            // Refusals of the proxies are gRPC answers: status 200 and `grpc-status` in the head.
            let fault = try await call(caller, "/weft.samples.Refused/Any")
            #expect(fault.status == 200, "\(fault)")
            #expect(fault.headers["grpc-status"] == "14", "\(fault)")
            let denied = try await eventually("the policy is live") {
                let answer = try await call(caller, "/weft.samples.Secret/Read")
                return answer.headers["grpc-status"] == "0" ? nil : answer
            }
            #expect(denied.status == 200, "\(denied)")
            #expect(denied.headers["grpc-status"] == "7", "\(denied)")
            #expect(denied.headers["grpc-message"]?.contains("RBAC") == true, "\(denied)")
            #expect(denied.headers["x-weft-config"] == "AuthorizationPolicy/httptwo/no-secrets", "\(denied)")
            let unknown = try await caller.get("--http2-prior-knowledge", "http://echo:9080/weft.samples.Secret/Read")
            #expect(unknown.status == 403, "\(unknown)")
        }
    }
}
