import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// VirtualService, what a rule does to a request: rewrite, redirect, headers, timeout, faults, mirror.
    @Suite(.serialized) struct VirtualServiceActionTests {
        private static let namespace = "vsaction"
        private static let caller = Task {
            let mesh = try await LocalMesh.shared()
            func sample(_ name: String, _ command: String...) -> String {
                Manifests.sample(
                    name: name, app: name, version: "v1", namespace: namespace, arguments: command + ["--port", "9080"])
            }
            try await mesh.start(
                namespace: namespace,
                [
                    sample("echo", "echo"), sample("slow", "flaky", "--fail", "0"),
                    sample("shadow", "flaky", "--fail", "0"),
                    Manifests.service(name: "echo", port: 9080, namespace: namespace),
                    Manifests.service(name: "slow", port: 9080, namespace: namespace),
                    Manifests.service(name: "shadow", port: 9080, namespace: namespace),
                    Manifests.client(namespace: namespace), paths, actions,
                ])
            let caller = Caller(mesh: mesh, namespace: namespace)
            try await eventually("both VirtualServices and all workloads are live") {
                let paths = ["echo:9080/go-uri", "slow:9080/abort", "echo:9080/", "slow:9080/", "shadow:9080/"]
                return try await caller.codes(paths) == ["301", "418", "200", "200", "200"] ? true : nil
            }
            return caller
        }

        private static let paths = #"""
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: echo, namespace: vsaction}
            spec:
              hosts: [echo]
              http:
              - match: [{uri: {prefix: /old/}}]
                rewrite: {uri: /new/v2/}
                route: [{destination: {host: echo}}]
              - match: [{uri: {exact: /one}}]
                rewrite: {uri: /two, authority: other.example}
                route: [{destination: {host: echo}}]
              - match: [{uri: {prefix: /users/}}]
                rewrite: {uriRegexRewrite: {match: "^/users/([^/]+)/orders/([0-9]+)$", rewrite: '/orders/\2/of/\1'}}
                route: [{destination: {host: echo}}]
              - match: [{uri: {exact: /go-uri}}]
                redirect: {uri: /there}
              - match: [{uri: {exact: /go-all}}]
                redirect: {uri: /x, authority: other.example, scheme: https, port: 8443, redirectCode: 308}
              - match: [{uri: {prefix: /go-host}}]
                redirect: {authority: other.example, redirectCode: 302}
              - match: [{uri: {exact: /headers}}]
                headers:
                  request: {set: {x-set: new, Host: inner.example}, add: {x-add: two}, remove: [x-secret]}
                  response: {set: {content-type: text/html}, add: {x-answer: "yes"}, remove: [x-envoy-upstream-service-time]}
                route:
                - destination: {host: echo}
                  headers: {request: {set: {x-hop: first}}, response: {set: {x-back: second}}}
              - route: [{destination: {host: echo}}]
            """#

        private static let actions = """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: slow, namespace: vsaction}
            spec:
              hosts: [slow]
              http:
              - match: [{uri: {prefix: /timeout}}]
                timeout: 300ms
                route: [{destination: {host: slow}}]
              - match: [{uri: {exact: /abort}}]
                fault: {abort: {httpStatus: 418, percentage: {value: 100}}}
                route: [{destination: {host: slow}}]
              - match: [{uri: {exact: /half}}]
                fault: {abort: {httpStatus: 503, percentage: {value: 50}}}
                route: [{destination: {host: slow}}]
              - match: [{uri: {exact: /delay}}]
                fault: {delay: {fixedDelay: 700ms, percentage: {value: 100}}}
                route: [{destination: {host: slow}}]
              - match: [{uri: {exact: /never}}]
                fault:
                  delay: {fixedDelay: 60s, percentage: {value: 0}}
                  abort: {httpStatus: 500, percentage: {value: 0}}
                route: [{destination: {host: slow}}]
              - match: [{uri: {exact: /mirror}}]
                mirror: {host: shadow}
                mirrorPercentage: {value: 100}
                route: [{destination: {host: slow}}]
              - match: [{uri: {exact: /mirror-half}}]
                mirrors: [{destination: {host: shadow}, percentage: {value: 50}}]
                route: [{destination: {host: slow}}]
              - route: [{destination: {host: slow}}]
            """

        @Test func rewritesPathAndAuthority() async throws {
            let caller = try await Self.caller.value
            let table = [
                ("/old/a/b?q=1", "/new/v2/a/b?q=1"), ("/one?q=1", "/two?q=1"),
                ("/users/ann/orders/7?page=/users/bob/orders/8", "/orders/7/of/ann?page=/users/bob/orders/8"),
                ("/users/ann", "/users/ann"), ("/plain", "/plain"),
            ]
            for (asked, arrived) in table {
                let answer = try await caller.get("http://echo:9080\(asked)")
                #expect(answer.echoed("url") == arrived, "\(asked): \(answer)")
                // A rewrite that changes nothing is told as well, as Envoy does.
                let original = asked == "/plain" ? nil : asked
                #expect(answer.echoed("headers", "x-envoy-original-path") == original, "\(asked): \(answer)")
                let host = asked.hasPrefix("/one") ? "other.example" : "echo:9080"
                #expect(answer.echoed("headers", "host") == host, "\(asked): \(answer)")
            }
        }

        @Test func redirects() async throws {
            let caller = try await Self.caller.value
            let seen = try await caller.lines(
                ["'http://echo:9080/go-uri?q=1'", "http://echo:9080/go-all", "'http://echo:9080/go-host/a?q=1'"],
                format: "%{http_code} %header{location}")
            #expect(
                seen == [
                    "301 http://echo:9080/there?q=1", "308 https://other.example:8443/x",
                    "302 http://other.example/go-host/a?q=1",
                ])
        }

        @Test func headerOperations() async throws {
            let caller = try await Self.caller.value
            let answer = try await caller.get(
                "-H", "x-set: old", "-H", "x-add: one", "-H", "x-secret: s", "http://echo:9080/headers")
            #expect(answer.status == 200)
            #expect(answer.echoed("headers", "x-set") == "new", "\(answer)")
            #expect(answer.echoed("headers", "x-add") == "one,two", "\(answer)")
            #expect(answer.echoed("headers", "x-secret") == nil, "\(answer)")
            #expect(answer.echoed("headers", "host") == "inner.example", "\(answer)")
            #expect(answer.echoed("headers", "x-hop") == "first", "\(answer)")
            #expect(answer.headers["content-type"] == "text/html", "\(answer)")
            #expect(answer.headers["x-answer"] == "yes", "\(answer)")
            #expect(answer.headers["x-back"] == "second", "\(answer)")
            let other = try await caller.get("http://echo:9080/")
            let time = "x-envoy-upstream-service-time"
            #expect(other.headers[time] != nil && answer.headers[time] == nil, "\(answer)")
        }

        @Test func timeoutGives504() async throws {
            let caller = try await Self.caller.value
            #expect(try await caller.get("http://slow:9080/timeout/quick").status == 200)
            let late = try await caller.get("http://slow:9080/timeout/slow?delay=5s")
            #expect(late.status == 504, "\(late)")
            #expect(late.body == "upstream request timeout")
            #expect(late.headers["x-weft-reason"] == "response_timeout", "\(late)")
            #expect(late.headers["x-weft-config"] == "VirtualService/vsaction/slow", "\(late)")
            try await caller.sidecarLogged(" 504 UT response_timeout")
        }

        @Test func injectedAborts() async throws {
            let caller = try await Self.caller.value
            let abort = try await caller.get("http://slow:9080/abort")
            #expect(abort.status == 418, "\(abort)")
            #expect(abort.body == "fault filter abort")
            #expect(abort.headers["x-weft-config"] == "VirtualService/vsaction/slow", "\(abort)")
            try await caller.sidecarLogged(" 418 FI fault_filter_abort")
            let half = try await caller.codes(["'http://slow:9080/half?n=[1-400]'"])
            #expect(half.count == 400)
            // Five standard deviations of 400 fair coins.
            #expect((150...250).contains(half.count { $0 == "503" }), "\(half)")
            #expect(half.allSatisfy { $0 == "503" || $0 == "200" }, "\(half)")
            let never = try await caller.codes(["'http://slow:9080/never?n=[1-20]'"])
            #expect(never == Array(repeating: "200", count: 20))
        }

        @Test func injectedDelay() async throws {
            let caller = try await Self.caller.value
            let line = try await caller.lines(["http://slow:9080/delay"], format: "%{http_code} %{time_total}")
            let parts = line.first?.split(separator: " ") ?? []
            #expect(parts.first == "200", "\(line)")
            #expect((parts.last.flatMap { Double($0) } ?? 0) >= 0.7, "\(line)")
            try await caller.sidecarLogged(" 200 DI via_upstream")
        }

        @Test func mirrorsACopy() async throws {
            let caller = try await Self.caller.value
            func copies(_ key: String) async throws -> Int {
                let answer = try await caller.get("http://shadow:9080/attempts?key=\(key)")
                return Int(answer.body.trimmingCharacters(in: .whitespacesAndNewlines)) ?? -1
            }
            let posts = try await caller.codes(["-d payload 'http://slow:9080/mirror?key=all&n=[1-30]'"])
            #expect(posts == Array(repeating: "200", count: 30))
            try await eventually("30 copies arrive") { try await copies("all") == 30 ? true : nil }
            let half = try await caller.codes(["'http://slow:9080/mirror-half?key=half&n=[1-400]'"])
            #expect(half == Array(repeating: "200", count: 400))
            let arrived = try await eventually("about half of the copies arrive") {
                let count = try await copies("half")
                return count >= 150 ? count : nil
            }
            #expect(arrived <= 250)
            // What the caller sees is the real service's answer.
            let real = try await caller.get("http://slow:9080/attempts?key=all")
            #expect(real.body == "30\n", "\(real)")
        }
    }
}
