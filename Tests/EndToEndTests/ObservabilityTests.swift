import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// What the mesh tells of its traffic, held against what the load itself counted.
    @Suite(.serialized) struct ObservabilityTests {
        private static let namespace = "observed"
        private static let ready = Task {
            let mesh = try await LocalMesh.shared()
            // The status of an answer tells the load which version it came from.
            let split = [("v1", "0"), ("v2", "1000000")].map { version, failures in
                Manifests.sample(
                    name: "split-\(version)", app: "split", version: version, namespace: namespace,
                    arguments: ["flaky", "--port", "9080", "--fail", failures, "--status", "203"])
            }
            let flaky = Manifests.sample(
                name: "flaky", app: "flaky", version: "v1", namespace: namespace,
                arguments: ["flaky", "--port", "9080", "--fail", "0"])
            let pair = [("bad", "1000000"), ("good", "0")].map { name, failures in
                Manifests.sample(
                    name: "pair-\(name)", app: "pair", version: name, namespace: namespace,
                    arguments: ["flaky", "--port", "9080", "--fail", failures, "--status", "500"])
            }
            let services = ["split", "flaky", "pair"].map {
                Manifests.service(name: $0, port: 9080, namespace: namespace)
            }
            try await mesh.start(
                namespace: namespace,
                split + pair + [flaky] + services + [Manifests.client(namespace: namespace), routes])
            try await mesh.start(
                namespace: "observedplain", injected: false, [Manifests.client(namespace: "observedplain")])
            // A series counts from its second look on: every proxy of ours has been looked at before the load begins.
            try await eventually("all proxies are scraped") {
                try await mesh.query("count(up{namespace=\"\(namespace)\"} == 1)") >= 6 ? true : nil
            }
            return mesh
        }

        private static let routes = """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: split, namespace: \(namespace)}
            spec:
              host: split
              subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
            ---
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: pair, namespace: \(namespace)}
            spec:
              host: pair
              trafficPolicy:
                outlierDetection:
                  {consecutive5xxErrors: 3, interval: 1s, baseEjectionTime: 600s, maxEjectionPercent: 100}
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: pair, namespace: \(namespace)}
            spec:
              hosts: [pair]
              http: [{retries: {attempts: 0}, route: [{destination: {host: pair}}]}]
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: split, namespace: \(namespace)}
            spec:
              hosts: [split]
              http:
              - route:
                - {destination: {host: split, subset: v1}, weight: 90}
                - {destination: {host: split, subset: v2}, weight: 10}
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: flaky, namespace: \(namespace)}
            spec:
              hosts: [flaky]
              http:
              - match: [{uri: {prefix: /retried}}]
                retries: {attempts: 2, retryOn: 5xx, perTryTimeout: 5s}
                route: [{destination: {host: flaky}}]
              - retries: {attempts: 0}
                route: [{destination: {host: flaky}}]
            """

        // MARK: - The store

        private func requests(_ more: String) -> String {
            "sum(istio_requests_total{destination_service_namespace=\"\(Self.namespace)\",\(more)})"
        }

        /// The counter's growth over `body`, waited for: scrapes come a moment later.
        private func growth(
            _ mesh: LocalMesh, _ queries: [String], expect wanted: [Double], _ body: () async throws -> Void
        ) async throws -> [Double] {
            func all() async throws -> [Double] {
                var values: [Double] = []
                for text in queries { values.append(try await mesh.query(text)) }
                return values
            }
            let before = try await all()
            try await body()
            var grown: [Double] = []
            _ = try? await eventually("the counters have it", within: 40) {
                grown = zip(try await all(), before).map { $0 - $1 }
                return grown == wanted ? true : nil
            }
            return grown
        }

        // MARK: - Counts

        @Test func ratesSharesAndQuantilesAreTheLoads() async throws {
            let mesh = try await Self.ready.value
            let from = "source_workload=\"client\",reporter=\"source\""
            let sent = try await Caller(mesh: mesh, namespace: Self.namespace).load("http://split:9080/", count: 400)
            #expect(sent.count == 400)
            #expect(sent.allSatisfy { [200, 203].contains($0.status) })
            let minor = sent.count { $0.status == 203 }
            for (version, count) in [("v1", sent.count - minor), ("v2", minor)] {
                let counter = requests("\(from),destination_workload=\"split-\(version)\"")
                try await eventually("\(version)'s last requests are scraped") {
                    try await mesh.query(counter) >= Double(count) ? true : nil
                }
                #expect(try await mesh.query(counter) == Double(count))
            }
            let load = CountedLoad(mesh: mesh, sent: sent, matchers: "\(from),destination_service_name=\"split\"")
            try await load.agrees()
            let share = try await load.rate(",destination_workload=\"split-v2\"") / (try await load.rate())
            let real = Double(load.within.count { $0.status == 203 }) / Double(load.within.count)
            #expect(abs(share - real) <= 0.03, "the load says \(real), the store \(share)")
            // 400 draws of 1 in 10 spread by about 1.5 points.
            let all = Double(minor) / Double(sent.count)
            #expect(abs(all - 0.1) <= 0.06, "\(all)")
        }

        /// A workload that nobody has seen makes one request: its edge is there a scrape later.
        @Test func oneRequestMakesAnEdge() async throws {
            let mesh = try await Self.ready.value
            try await mesh.apply(Manifests.client(namespace: Self.namespace, name: "newcomer"))
            try await mesh.waitForDeployment("newcomer", namespace: Self.namespace)
            let caller = Caller(mesh: mesh, namespace: Self.namespace, workload: "deploy/newcomer")
            #expect(try await caller.codes(["http://flaky:9080/new"]) == ["200"])
            let begin = ContinuousClock.now
            // As the graph asks it; the window is as long as this may take.
            let edge =
                "sum(rate(istio_requests_total{source_workload=\"newcomer\",destination_workload=\"flaky\","
                + "source_workload_namespace=\"\(Self.namespace)\",reporter=\"source\"}[300s])) > 0"
            try await eventually("the edge is there", within: 120) {
                try await mesh.query(edge) > 0 ? true : nil
            }
            print("the first edge shows \(ContinuousClock.now - begin) after the first request")
            try await eventually("the terminal has it", within: 60) {
                _ = try await caller.codes(["http://flaky:9080/new"])
                let rows = try await mesh.weft("edges", "-n", Self.namespace, "-o", "json").checked().out
                let list = try JSONSerialization.jsonObject(with: Data(rows.utf8)) as? [[String: Any]] ?? []
                return list.contains { $0["src"] as? String == "newcomer" && $0["service"] as? String == "flaky" }
                    ? true : nil
            }
        }

        @Test func errorsAreExactAndARetryShows() async throws {
            let mesh = try await Self.ready.value
            // What another test's workload sent just before may not be scraped yet.
            let from = "source_workload=\"client\""
            let source = "\(from),reporter=\"source\",destination_service_name=\"flaky\""
            let callee = "\(from),reporter=\"destination\",destination_workload=\"flaky\""
            let run = UUID().uuidString
            let grown = try await growth(
                mesh,
                [
                    requests("\(source),response_code=\"200\""), requests("\(source),response_code=\"503\""),
                    requests("\(callee),response_code=\"200\""), requests("\(callee),response_code=\"503\""),
                    "sum(envoy_cluster_upstream_rq_retry{cluster_name=~\"outbound.*flaky.observed.*\",app=\"client\"})",
                ], expect: [37, 13, 37, 17, 4]
            ) {
                let caller = Caller(mesh: mesh, namespace: Self.namespace)
                // 13 errors, 35 successes, and 2 that succeed at the third try.
                let codes = try await caller.codes(
                    (0..<13).map { "'http://flaky:9080/e?key=\(run)e\($0)&fail=1'" }
                        + (0..<35).map { "'http://flaky:9080/s?key=\(run)s\($0)'" }
                        + (0..<2).map { "'http://flaky:9080/retried?key=\(run)r\($0)&fail=2'" })
                #expect(codes.count { $0 == "200" } == 37)
                #expect(codes.count { $0 == "503" } == 13)
            }
            #expect(grown == [37, 13, 37, 17, 4])
        }

        @Test func anEjectionShows() async throws {
            let mesh = try await Self.ready.value
            let caller = Caller(mesh: mesh, namespace: Self.namespace)
            let ejected =
                "sum(envoy_cluster_outlier_detection_ejections_active{cluster_name=~\"outbound.*pair.observed.*\","
                + "app=\"client\"})"
            let codes = try await eventually("both answer") {
                let codes = try await caller.codes(Array(repeating: "http://pair:9080/", count: 40))
                return codes.contains("500") ? codes : nil
            }
            #expect(codes.count { $0 == "500" } == 3, "\(codes)")
            try await eventually("the ejection is counted") { try await mesh.query(ejected) == 1 ? true : nil }
        }

        /// A pod without a sidecar and without a Service: no configuration tells of it, so the callee's proxy asks who has its
        /// address. Its requests are its workload's from then on.
        @Test func aCallerWithoutSidecarAndServiceIsNamed() async throws {
            let mesh = try await Self.ready.value
            let plain = Caller(mesh: mesh, namespace: "observedplain")
            let address = "http://flaky.observed:9080/plain"
            let named = requests(
                "reporter=\"destination\",destination_workload=\"flaky\",source_workload=\"client\","
                    + "source_workload_namespace=\"observedplain\",source_canonical_service=\"client\"")
            try await eventually("the caller has its name") {
                #expect(try await plain.codes([address]) == ["200"])
                return try await mesh.query(named) >= 1 ? true : nil
            }
            let unknown = requests(
                "reporter=\"destination\",destination_workload=\"flaky\",source_workload=\"unknown\"")
            let before = (named: try await mesh.query(named), unknown: try await mesh.query(unknown))
            let codes = try await plain.codes(Array(repeating: address, count: 10))
            #expect(codes == Array(repeating: "200", count: 10))
            // What came before may be counted late: more than ten is no failure of naming.
            try await eventually("ten more of the caller") {
                try await mesh.query(named) >= before.named + 10 ? true : nil
            }
            #expect(try await mesh.query(unknown) == before.unknown)
        }

        @Test func locksFollowANamespaceToStrict() async throws {
            let mesh = try await Self.ready.value
            let (meshed, plain) = (
                Caller(mesh: mesh, namespace: Self.namespace), Caller(mesh: mesh, namespace: "observedplain")
            )
            let callee = "reporter=\"destination\",destination_workload=\"flaky\",connection_security_policy="
            let queries = [requests("\(callee)\"mutual_tls\""), requests("\(callee)\"none\"")]
            let address = "http://flaky.observed:9080/lock"
            let before = try await mesh.query(queries[1])
            let permissive = try await growth(mesh, queries, expect: [10, 5]) {
                let answers = try await meshed.codes(Array(repeating: address, count: 10))
                #expect(answers == Array(repeating: "200", count: 10))
                let plainAnswers = try await plain.codes(Array(repeating: address, count: 5))
                #expect(plainAnswers == Array(repeating: "200", count: 5))
            }
            #expect(permissive == [10, 5])
            try await mesh.apply(
                """
                apiVersion: security.istio.io/v1
                kind: PeerAuthentication
                metadata: {name: default, namespace: \(Self.namespace)}
                spec: {mtls: {mode: STRICT}}
                """)
            var answered = before + 5
            try await eventually("plain text is refused") {
                let code = try await plain.codes([address])
                if code == ["200"] { answered += 1 }
                return code == ["000"] ? true : nil
            }
            // What was answered before is counted before the next look.
            try await eventually("plain requests of before are counted: \(answered)") {
                try await mesh.query(queries[1]) == answered ? true : nil
            }
            let strict = try await growth(mesh, queries, expect: [10, 0]) {
                let answers = try await meshed.codes(Array(repeating: address, count: 10))
                #expect(answers == Array(repeating: "200", count: 10))
                let plainAnswers = try await plain.codes(Array(repeating: address, count: 5))
                #expect(plainAnswers == Array(repeating: "000", count: 5))
            }
            #expect(strict == [10, 0])
            try await mesh.kubectl("delete", "peerauthentication", "-n", Self.namespace, "default").checked()
        }

        // MARK: - The terminal

        @Test func statAndTopShowTheTraffic() async throws {
            let mesh = try await Self.ready.value
            let caller = Caller(mesh: mesh, namespace: Self.namespace)
            for (arguments, column, name) in [
                (["stat", "-n", Self.namespace], "workload", "flaky"),
                (["stat", "services", "-n", Self.namespace], "service", "flaky"),
                (["stat", "namespaces", "-n", Self.namespace], "namespace", Self.namespace),
                (["top", "--once", "--sort", "p99", "-n", Self.namespace], "workload", "flaky"),
            ] {
                try await eventually("\(arguments)") {
                    _ = try await caller.codes(Array(repeating: "http://flaky:9080/stat", count: 5))
                    let result = try await command(
                        [mesh.binaries + "/weft"] + arguments + ["-o", "json"], environment: mesh.environment
                    ).checked()
                    let list = try JSONSerialization.jsonObject(with: Data(result.out.utf8)) as? [[String: Any]] ?? []
                    let row = list.first { $0[column] as? String == name }
                    return (row?["requestsPerSecond"] as? Double ?? 0) > 0 ? true : nil
                }
                let table = try await command([mesh.binaries + "/weft"] + arguments, environment: mesh.environment)
                #expect(table.checkedOut.contains("RPS") && table.checkedOut.contains(name), "\(table)")
            }
        }

        @Test func tapShowsRequestsWithTheirDecision() async throws {
            let mesh = try await Self.ready.value
            try await mesh.apply(
                """
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: no-delete, namespace: \(Self.namespace)}
                spec:
                  selector: {matchLabels: {app: flaky}}
                  action: DENY
                  rules: [{to: [{operation: {methods: [DELETE]}}]}]
                """)
            let caller = Caller(mesh: mesh, namespace: Self.namespace)
            try await eventually("the policy is in force") {
                try await caller.codes(["-X DELETE http://flaky:9080/"]) == ["403"] ? true : nil
            }
            // Requests go on until the tap has seen enough of them and ends by itself.
            let tapping = Task {
                try await mesh.weft(
                    "tap", "deploy/flaky.\(Self.namespace)", "--status", "4xx", "--count", "3", "-o", "json",
                    timeout: 90)
            }
            let traffic = Task {
                while !Task.isCancelled {
                    _ = try await caller.codes([
                        "-X DELETE 'http://flaky:9080/watched?token=secret'", "http://flaky:9080/watched",
                    ])
                }
            }
            let result = try await tapping.value
            traffic.cancel()
            _ = try? await traffic.value
            try result.checked()
            let lines = result.out.split(separator: "\n")
            #expect(lines.count == 3)
            #expect(!result.out.contains("secret"))
            for line in lines {
                let entry = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
                #expect(entry["method"] as? String == "DELETE")
                #expect(entry["path"] as? String == "/watched")
                #expect(entry["status"] as? Int == 403)
                #expect(entry["reporter"] as? String == "destination")
                #expect(entry["mtls"] as? Bool == true)
                #expect((entry["proxy"] as? String)?.hasPrefix("flaky-") == true)
                #expect((entry["details"] as? String)?.contains("rbac_access_denied") == true, "\(line)")
                #expect((entry["routeConfig"] as? String)?.contains("no-delete") == true, "\(line)")
                let source = entry["source"] as? [String: Any]
                #expect(source?["workload"] as? String == "client")
                #expect(source?["principal"] as? String == "spiffe://cluster.local/ns/observed/sa/default")
            }
            // The dashboard's stream is the same, and says what it cannot do.
            let base = "http://127.0.0.1:\(mesh.dashboardPort)/api/tap"
            #expect(try await command(["curl", "-s", "\(base)/check?status=6x"]).out.contains("status is"))
            #expect(try await command(["curl", "-s", "\(base)/check?status=5xx"]).out == "{}")
            let stream = try await command(["timeout", "2", "curl", "-sN", "\(base)?namespace=\(Self.namespace)"])
            #expect(stream.out.hasPrefix("event: hello\ndata: {\"proxies\":"), "\(stream)")
            try await mesh.kubectl("delete", "authorizationpolicy", "-n", Self.namespace, "no-delete").checked()
        }
    }
}

extension CommandResult {
    /// What it printed, if it succeeded.
    fileprivate var checkedOut: String { succeeded ? out : "" }
}
