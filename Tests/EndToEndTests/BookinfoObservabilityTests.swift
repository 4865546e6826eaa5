import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Issue 5, line 1, with Bookinfo itself: what the load counted, and what the graph draws.
    @Suite(.serialized) struct BookinfoObservabilityTests {
        private static let namespace = "bookload"
        private static let ready = Task {
            let mesh = try await LocalMesh.shared()
            try await mesh.start(namespace: namespace, [Manifests.client(namespace: namespace)])
            try await mesh.start(
                namespace: "bookplain", injected: false, [Manifests.client(namespace: "bookplain")])
            return mesh
        }
        private var source: String {
            "reporter=\"source\",source_workload=\"client\",source_workload_namespace=\"\(Self.namespace)\""
        }

        /// Reviews by 90 to 10 to a version without stars and one with; details fails below /details/99.
        private let rules = """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: observed-reviews, namespace: bookinfo}
            spec:
              host: reviews
              subsets: [{name: v1, labels: {version: v1}}, {name: v3, labels: {version: v3}}]
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: observed-reviews, namespace: bookinfo}
            spec:
              hosts: [reviews]
              http:
              - route:
                - {destination: {host: reviews, subset: v1}, weight: 90}
                - {destination: {host: reviews, subset: v3}, weight: 10}
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: observed-details, namespace: bookinfo}
            spec:
              hosts: [details]
              http:
              - match: [{uri: {prefix: /details/99}}]
                fault: {abort: {httpStatus: 503, percentage: {value: 100}}}
                route: [{destination: {host: details}}]
              - route: [{destination: {host: details}}]
            """

        private func withRules(_ body: (LocalMesh) async throws -> Void) async throws {
            let mesh = try await Self.ready.value
            try await mesh.apply(rules)
            do {
                try await body(mesh)
            } catch {
                try await mesh.kubectl(["delete", "-f", "-"], input: rules)
                throw error
            }
            try await mesh.kubectl(["delete", "-f", "-"], input: rules).checked()
        }

        @Test func ratesSharesQuantilesAndErrorsAreTheLoads() async throws {
            try await withRules { mesh in
                let caller = Caller(mesh: mesh, namespace: Self.namespace)
                try await eventually("the rules are in force") {
                    let codes = try await caller.codes(["http://details.bookinfo:9080/details/99"])
                    return codes == ["503"] ? true : nil
                }
                // Only v1 and v3 answer once the split is in force at the product page: v2's stars are black.
                try await eventually("the split is in force", within: 120) {
                    let pages = (0..<20).map { _ in "http://productpage.bookinfo:9080/productpage" }
                    let bodies = try await caller.shell(
                        pages.map { "curl -s --max-time 20 \($0)" }.joined(separator: "\n"))
                    return bodies.contains("color:black") ? nil : true
                }
                try await aLoadIsCounted(mesh, caller)
            }
        }

        private func aLoadIsCounted(_ mesh: LocalMesh, _ caller: Caller) async throws {
            let page = "\(source),destination_service_name=\"productpage\""
            let failed =
                "sum(istio_requests_total{\(source),destination_service_name=\"details\",response_code=\"503\"})"
            let reviews = { (version: String) in
                "sum(istio_requests_total{reporter=\"source\",source_workload=\"productpage-v1\","
                    + "destination_workload=\"reviews-\(version)\"})"
            }
            let counters = ["sum(istio_requests_total{\(page)})", failed, reviews("v1"), reviews("v3")]
            let before = try await Self.settled(mesh, counters)
            let sent = try await caller.load(
                "http://productpage.bookinfo:9080/productpage", count: 300, mark: "glyphicon-star")
            #expect(sent.count == 300)
            #expect(sent.allSatisfy { $0.status == 200 })
            let errors = try await caller.codes(
                Array(repeating: "http://details.bookinfo:9080/details/99", count: 17))
            #expect(errors == Array(repeating: "503", count: 17))
            let minor = sent.count(where: \.isMarked)
            let wanted = [300, 17, Double(300 - minor), Double(minor)]
            var grown: [Double] = []
            _ = try? await eventually("the counters have it", within: 60) {
                grown = zip(try await Self.values(mesh, counters), before).map { $0 - $1 }
                return grown == wanted ? true : nil
            }
            #expect(grown == wanted, "pages, failures, reviews v1 and v3")
            try await CountedLoad(mesh: mesh, sent: sent, matchers: page).agrees()
            // The share within the window, by the pages that had stars.
            let split = CountedLoad(
                mesh: mesh, sent: sent,
                matchers: "reporter=\"source\",source_workload=\"productpage-v1\",destination_service_name=\"reviews\"")
            let told = try await split.rate(",destination_workload=\"reviews-v3\"") / (try await split.rate())
            let own = Double(split.within.count(where: \.isMarked)) / Double(split.within.count)
            #expect(abs(told - own) <= 0.03, "the load says \(own), the store \(told)")
        }

        private static func values(_ mesh: LocalMesh, _ queries: [String]) async throws -> [Double] {
            var values: [Double] = []
            for text in queries { values.append(try await mesh.query(text)) }
            return values
        }

        /// The counters when what was sent before is all counted: they stand still over several scrapes.
        private static func settled(_ mesh: LocalMesh, _ queries: [String]) async throws -> [Double] {
            let scrapes = "sum(count_over_time(up{namespace=~\"bookinfo|\(namespace)\"}[300s]))"
            var last = try await values(mesh, queries)
            var begin = try await mesh.query(scrapes)
            return try await eventually("the counters stand still", within: 120) {
                let now = try await values(mesh, queries)
                let seen = try await mesh.query(scrapes)
                if now != last { (last, begin) = (now, seen) }
                // Three scrapes of each of the dozen proxies.
                return seen >= begin + 36 ? now : nil
            }
        }

        // MARK: - Locks

        /// The graph as it is drawn: open for a caller in plain text, closed for one in the mesh; when the namespace
        /// becomes strict the open lock goes and the closed one stays.
        @Test func locksInTheGraphFollowBookinfoToStrict() async throws {
            let mesh = try await Self.ready.value
            let meshed = Caller(mesh: mesh, namespace: Self.namespace)
            let plain = Caller(mesh: mesh, namespace: "bookplain")
            let address = "http://details.bookinfo:9080/details/0"
            let browser = try Browser(name: "locks")
            defer { browser.stop() }
            let page = try await browser.page()
            try await page.open(
                "http://127.0.0.1:\(mesh.dashboardPort)/#/graph?view=workload&labels=mtls&refresh=1&range=60")
            func lock(_ from: String) -> String {
                """
                [...document.querySelectorAll('#graph .plate')].find((one) => one.dataset.edge.startsWith('\(from)')
                  && one.dataset.edge.includes('bookinfo/workload/details-v1'))?.querySelector('.lock title')?.textContent
                """
            }
            let (safe, open) = (lock("\(Self.namespace)/workload/client"), lock("unknown/unknown"))
            func drawn(_ what: String, until condition: String, _ traffic: () async throws -> Void) async throws {
                try await eventually(what, within: 180) {
                    try await traffic()
                    return try await page.text("String(Boolean(\(condition)))") == "true" ? true : nil
                }
            }
            try await drawn(
                "a closed and an open lock", until: "\(safe) === 'mutual TLS: 100%' && \(open) === 'mutual TLS: 0%'"
            ) {
                let answers = (try await meshed.codes([address]), try await plain.codes([address]))
                #expect(answers == (["200"], ["200"]))
            }
            try await mesh.apply(
                """
                apiVersion: security.istio.io/v1
                kind: PeerAuthentication
                metadata: {name: default, namespace: bookinfo}
                spec: {mtls: {mode: STRICT}}
                """)
            do {
                try await drawn(
                    "the closed lock alone", until: "\(safe) === 'mutual TLS: 100%' && \(open) === undefined"
                ) {
                    let answer = try await meshed.codes([address])
                    #expect(answer == ["200"])
                    _ = try await plain.codes([address])
                }
                let refused = try await plain.codes([address])
                #expect(refused == ["000"])
                #expect(page.complaints == [])
            } catch {
                try await mesh.kubectl("delete", "peerauthentication", "-n", "bookinfo", "default")
                throw error
            }
            try await mesh.kubectl("delete", "peerauthentication", "-n", "bookinfo", "default").checked()
        }
    }
}
