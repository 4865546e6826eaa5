import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Traffic features that no other suite shows on the wire: delegates, CORS, hashing, inheritance of policies,
    /// localities, pods behind headless services, other names of a service.
    @Suite(.serialized) struct TrafficFeatureTests {
        private static let namespace = "features"
        private static let caller = Task {
            let mesh = try await LocalMesh.shared()
            func sample(_ name: String, _ app: String, at locality: String, _ arguments: String...) -> String {
                Manifests.sample(
                    name: name, app: app, version: name, namespace: namespace,
                    arguments: arguments + ["--port", "9080"]
                ).located(locality)
            }
            let services = ["delegated", "cors", "near", "spread"].map {
                Manifests.service(name: $0, app: "echo", port: 9080, namespace: namespace)
            }
            try await mesh.start(
                namespace: namespace,
                [
                    sample("echo-east", "echo", at: "east.a", "echo"),
                    sample("echo-west", "echo", at: "west.b", "echo"),
                    sample("pair-east", "pair", at: "east.a", "flaky", "--fail", "1000000", "--status", "500"),
                    sample("pair-west", "pair", at: "west.b", "flaky", "--fail", "0"),
                    Manifests.client(namespace: namespace).located("east.a"),
                    Manifests.service(name: "pair", port: 9080, namespace: namespace), set, others, routes, policies,
                ] + services)
            let caller = Caller(mesh: mesh, namespace: namespace)
            try await eventually("all rules and both pods of the set are live", within: 120) {
                let paths = ["delegated", "cors", "hashed", "hashed:9081", "near", "spread", "set-1.set", "alias"].map {
                    $0.contains(":") ? "\($0)/plain" : "\($0):9080/plain"
                }
                let delegate = try await caller.get("http://delegated:9080/a/live")
                let codes = Set(try await caller.codes(paths))
                return delegate.headers["x-delegate"] == "a" && codes == ["200"] ? true : nil
            }
            return caller
        }

        private static let set = """
            apiVersion: apps/v1
            kind: StatefulSet
            metadata: {name: set, namespace: features}
            spec:
              serviceName: set
              replicas: 2
              selector: {matchLabels: {app: set}}
              template:
                metadata: {labels: {app: set}}
                spec:
                  containers:
                  - {name: app, image: weft/samples, args: [echo, --port, "9080"], ports: [{containerPort: 9080}]}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: set, namespace: features}
            spec: {clusterIP: None, selector: {app: set}, ports: [{name: http, port: 9080}]}
            """

        private static let others = """
            apiVersion: v1
            kind: Service
            metadata: {name: alias, namespace: features}
            spec: {type: ExternalName, externalName: near.features.svc.cluster.local, ports: [{name: http, port: 9080}]}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: hashed, namespace: features}
            spec:
              selector: {app: echo}
              ports: [{name: http, port: 9080}, {name: http-other, port: 9081, targetPort: 9080}]
            """

        private static let routes = """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: delegated, namespace: features}
            spec:
              hosts: [delegated]
              http:
              - match: [{uri: {prefix: /a/}}]
                delegate: {name: part-a}
              - match: [{uri: {prefix: /plain}}]
                route: [{destination: {host: delegated}}]
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: part-a, namespace: features}
            spec:
              http:
              - match: [{uri: {prefix: /a/gone}}]
                directResponse: {status: 410}
              - headers: {response: {set: {x-delegate: a}}}
                route: [{destination: {host: delegated}}]
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: cors, namespace: features}
            spec:
              hosts: [cors]
              http:
              - corsPolicy:
                  allowOrigins: [{exact: "https://shop.example"}, {regex: 'https://[a-z]+\\.partner\\.example'}]
                  allowMethods: [GET, PUT]
                  allowHeaders: [x-token]
                  exposeHeaders: [x-total]
                  maxAge: 2h
                  allowCredentials: true
                route: [{destination: {host: cors}}]
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: hashed, namespace: features}
            spec:
              hosts: [hashed]
              http:
              - match: [{uri: {prefix: /inherits}}]
                route: [{destination: {host: hashed, subset: inherits, port: {number: 9080}}}]
              - match: [{uri: {prefix: /own}}]
                route: [{destination: {host: hashed, subset: own, port: {number: 9080}}}]
              - match: [{port: 9081}]
                route: [{destination: {host: hashed, port: {number: 9081}}}]
              - route: [{destination: {host: hashed, port: {number: 9080}}}]
            """

        private static let policies = """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: hashed, namespace: features}
            spec:
              host: hashed
              trafficPolicy:
                loadBalancer: {consistentHash: {httpHeaderName: x-user}}
                portLevelSettings: [{port: {number: 9081}, loadBalancer: {simple: ROUND_ROBIN}}]
              subsets:
              - {name: inherits, labels: {app: echo}}
              - {name: own, labels: {app: echo}, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}
            ---
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: near, namespace: features}
            spec: {host: near, trafficPolicy: {outlierDetection: {consecutive5xxErrors: 5}}}
            ---
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: spread, namespace: features}
            spec:
              host: spread
              trafficPolicy:
                loadBalancer:
                  localityLbSetting: {distribute: [{from: "east/a/*", to: {"east/a/*": 20, "west/b/*": 80}}]}
            ---
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: pair, namespace: features}
            spec:
              host: pair
              trafficPolicy:
                loadBalancer: {localityLbSetting: {failover: [{from: east, to: west}]}}
                outlierDetection: {consecutive5xxErrors: 3, interval: 1s, baseEjectionTime: 120s, maxEjectionPercent: 100}
            """

        /// How many answers each server gave.
        private func servers(_ url: String, _ count: Int, _ arguments: String = "") async throws -> [String: Int] {
            let caller = try await Self.caller.value
            let text = try await caller.shell("curl -s --max-time 60 \(arguments) '\(url)?n=[1-\(count)]'")
            var counts: [String: Int] = [:]
            for line in text.split(separator: "\n") {
                let name = Answer("HTTP/1.1 200 OK\n\n\(line)").echoed("hostname") ?? "no answer"
                counts[name.split(separator: "-").prefix(2).joined(separator: "-"), default: 0] += 1
            }
            return counts
        }

        @Test func delegatesDecideWithinTheirPart() async throws {
            let caller = try await Self.caller.value
            let first = try await caller.get("http://delegated:9080/a/x")
            #expect(first.status == 200 && first.headers["x-delegate"] == "a", "\(first)")
            #expect(try await caller.get("http://delegated:9080/a/gone").status == 410)
            let plain = try await caller.get("http://delegated:9080/plain")
            #expect(plain.status == 200 && plain.headers["x-delegate"] == nil, "\(plain)")
            #expect(try await caller.get("http://delegated:9080/elsewhere").status == 404)
        }

        @Test func preflightsAreAnsweredByTheProxy() async throws {
            let caller = try await Self.caller.value
            func preflight(_ origin: String) async throws -> Answer {
                try await caller.get(
                    "-X", "OPTIONS", "-H", "Origin: \(origin)", "-H", "Access-Control-Request-Method: PUT",
                    "http://cors:9080/")
            }
            for origin in ["https://shop.example", "https://big.partner.example"] {
                let answer = try await preflight(origin)
                #expect(answer.status == 200 && answer.echoed("hostname") == nil, "\(answer)")
                #expect(answer.headers["access-control-allow-origin"] == origin, "\(answer)")
                #expect(answer.headers["access-control-allow-methods"] == "GET,PUT", "\(answer)")
                #expect(answer.headers["access-control-allow-headers"] == "x-token", "\(answer)")
                #expect(answer.headers["access-control-allow-credentials"] == "true", "\(answer)")
                #expect(answer.headers["access-control-max-age"] == "7200", "\(answer)")
            }
            let foreign = try await preflight("https://evil.example")
            #expect(foreign.headers["access-control-allow-origin"] == nil, "\(foreign)")
            let plain = try await caller.get("-H", "Origin: https://shop.example", "http://cors:9080/")
            #expect(plain.headers["access-control-allow-origin"] == "https://shop.example", "\(plain)")
            #expect(plain.headers["access-control-expose-headers"] == "x-total", "\(plain)")
        }

        @Test func aHeaderKeepsToItsServer() async throws {
            var seen: Set<String> = []
            for user in 0..<12 {
                let counts = try await servers("http://hashed:9080/", 6, "-H 'x-user: user-\(user)'")
                #expect(counts.values.reduce(0, +) == 6 && counts.count == 1, "user-\(user): \(counts)")
                seen.formUnion(counts.keys)
            }
            #expect(seen == ["echo-east", "echo-west"])
        }

        @Test func subsetsInheritAndNarrowerSettingsWin() async throws {
            let user = "-H 'x-user: bob'"
            #expect(try await servers("http://hashed:9080/inherits", 10, user).count == 1)
            #expect(try await servers("http://hashed:9080/own", 10, user).count == 2)
            #expect(try await servers("http://hashed:9081/", 10, user).count == 2)
        }

        @Test func theOwnLocalityComesFirstOrSharesAsTold() async throws {
            #expect(try await servers("http://near:9080/", 40) == ["echo-east": 40])
            let shares = try await servers("http://spread:9080/", 300)
            #expect(shares.values.reduce(0, +) == 300)
            // 240 are expected; five standard deviations either way.
            #expect((205...275).contains(shares["echo-west"] ?? 0), "\(shares)")
        }

        @Test func theNextLocalityTakesOverFromOneThatFails() async throws {
            let caller = try await Self.caller.value
            #expect(try await caller.codes(["http://pair:9080/"]) == ["500"], "the own locality comes first")
            try await eventually("the own locality is ejected, and the other one serves") {
                let codes = try await caller.codes(["'http://pair:9080/?n=[1-20]'"])
                return codes == Array(repeating: "200", count: 20) ? true : nil
            }
        }

        @Test func eachPodOfAStatefulSetHasItsName() async throws {
            let caller = try await Self.caller.value
            for pod in ["set-0", "set-1"] {
                let answer = try await caller.get("http://\(pod).set.features.svc.cluster.local:9080/")
                #expect(answer.echoed("hostname") == pod, "\(answer)")
                let peer = answer.echoed("headers", "x-forwarded-client-cert") ?? ""
                #expect(peer.contains("/ns/features/sa/default"), "no mutual TLS to \(pod): \(answer)")
            }
            let any = try await caller.get("http://set:9080/")
            #expect(any.echoed("hostname")?.hasPrefix("set-") == true, "\(any)")
        }

        @Test func anExternalNameIsAnotherNameOfItsService() async throws {
            let caller = try await Self.caller.value
            let answer = try await caller.get("http://alias:9080/")
            #expect(answer.status == 200 && answer.echoed("hostname")?.hasPrefix("echo-") == true, "\(answer)")
            #expect(answer.echoed("headers", "host") == "alias:9080", "\(answer)")
        }
    }
}
