import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Issue 5, line 3: the dashboard of the real mesh in a real browser.
    @Suite(.serialized) struct MeshInBrowserTests {
        private static let namespace = "dashboard-test"
        private static let talking = "dashboard-logs"
        /// Its application and its proxy both have something to tell, once a second.
        private static let talker = """
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: talker, namespace: dashboard-logs}
            spec:
              selector: {matchLabels: {app: talker}}
              template:
                metadata: {labels: {app: talker}}
                spec:
                  containers:
                  - name: talker
                    image: curlimages/curl
                    command: [bash, -c, "while :; do echo tick $SECONDS; curl -s -o /dev/null http://productpage.bookinfo:9080/health; sleep 1; done"]
            """
        private let settled = "document.querySelector('main')?.getAttribute('aria-busy') === 'false'"

        private func browsing(_ body: (LocalMesh, BrowserPage) async throws -> Void) async throws {
            let mesh = try await LocalMesh.shared()
            let browser = try Browser(name: "mesh")
            do {
                try await body(mesh, try await browser.page())
            } catch {
                browser.stop()
                throw error
            }
            browser.stop()
        }

        private func visit(_ mesh: LocalMesh, _ page: BrowserPage, _ path: String) async throws {
            _ = try await page.value("document.querySelector('main')?.setAttribute('aria-busy', 'left')")
            try await page.open("http://127.0.0.1:\(mesh.dashboardPort)/#/\(path)")
            try await page.wait("\(path) has read its numbers", until: settled)
        }

        private func load(_ mesh: LocalMesh, requests: Int) async throws {
            let address = "http://127.0.0.1:\(mesh.httpPort)/productpage"
            _ = try await command(
                ["bash", "-c", "for i in $(seq \(requests)); do curl -s -o /dev/null --max-time 10 \(address); done"],
                timeout: 300)
        }

        @Test func everyPageShowsTheMesh() async throws {
            try await browsing { mesh, page in
                try await load(mesh, requests: 20)
                try await visit(mesh, page, "graph?ns=bookinfo&view=workload&refresh=3&range=300")
                for name in ["productpage-v1", "details-v1", "reviews-v1", "istio-ingressgateway"] {
                    try await load(mesh, requests: 2)
                    try await page.wait(
                        "\(name) is in the graph", within: 120,
                        until: "document.querySelector('#graph').textContent.includes('\(name)')")
                }
                let pod = try #require(
                    try await mesh.pods(namespace: "bookinfo").first { $0.name.hasPrefix("productpage-v1-") }
                ).name
                for (path, words) in [
                    ("namespaces?range=300", ["bookinfo", "istio-system"]),
                    ("applications", ["productpage", "reviews"]),
                    ("workloads", ["reviews-v3", "istio-ingressgateway"]), ("services", ["productpage", "http 9080"]),
                    ("workloads/bookinfo/productpage-v1", [pod]),
                    (
                        "workloads/bookinfo/productpage-v1/proxy",
                        ["\(pod).bookinfo", "listeners", "clusters", "SYNCED"]
                    ),
                    ("workloads/bookinfo/productpage-v1/in?range=300", ["istio-ingressgateway"]),
                    ("config", ["bookinfo-gateway"]), ("traces", []), ("metrics", ["Requests by answer"]),
                    ("metrics/control", ["Connected proxies"]),
                    ("mesh", ["cluster.local", "\(pod).bookinfo", "SYNCED"]),
                    ("tap", ["Told by"]),
                ] {
                    try await visit(mesh, page, path)
                    let shown = try await page.text("document.querySelector('main').textContent")
                    for word in words { #expect(shown.contains(word), "\(path) lacks “\(word)”: \(shown.prefix(800))") }
                    #expect(try await page.text("document.getElementById('state').className") == "", "\(path)")
                }
                #expect(page.complaints == [])
            }
        }

        /// A token may do what its account may: a viewer's change is refused by the API server, an editor's is made,
        /// and what somebody else changed meanwhile is not overwritten.
        @Test func changesAreMadeWithTheReadersOwnRights() async throws {
            try await browsing { mesh, page in
                try await prepare(mesh)
                let (viewer, editor) = (try await token(mesh, "viewer"), try await token(mesh, "editor"))
                try await visit(mesh, page, "config/new/timeout?for=bookinfo/details")
                try await page.wait("the form's text is sound", until: "\(verdict).startsWith('Sound')")

                try await signIn(page, viewer)
                try await page.wait("the viewer may not", until: "\(findings).includes('Forbidden')")
                try await signOut(page)
                try await signIn(page, editor)
                try await page.wait("admission was asked", until: "\(verdict).includes('The API server was asked')")
                try await page.wait("it may be applied", until: "!document.querySelector('.editor p button').disabled")
                try await page.click(".editor p button")
                try await page.wait(
                    "it is applied", until: "document.querySelector('.editor').textContent.includes('Applied:')")
                #expect(try await timeout(mesh) == "2s")

                try await openAgain(mesh, page, with: "2s")
                try await mesh.kubectl(
                    "patch", "virtualservice", "details", "-n", "bookinfo", "--type=merge", "-p",
                    #"{"metadata":{"labels":{"by":"somebody-else"}}}"#
                ).checked()
                try await change(page, to: "3s")
                try await page.wait("the conflict is told", until: "\(findings).includes('open the object again')")
                try await openAgain(mesh, page, with: "somebody-else")
                try await change(page, to: "4s")
                try await page.wait(
                    "the second change is sound", until: "!document.querySelector('.editor p button').disabled")
                try await page.click(".editor p button")
                try await page.wait(
                    "it is changed", until: "document.querySelector('.editor').textContent.includes('Applied:')")
                #expect(try await timeout(mesh) == "4s")
                let labels = try await mesh.kubectl(
                    "get", "virtualservice", "details", "-n", "bookinfo", "-o", "jsonpath={.metadata.labels.by}")
                #expect(labels.out == "somebody-else")

                try await visit(mesh, page, "config/VirtualService/bookinfo/details")
                for _ in 0..<2 {
                    _ = try await page.value("[...document.querySelectorAll('main button')].at(-1).click()")
                }
                try await eventually("the object is gone") {
                    let left = try await mesh.kubectl("get", "virtualservice", "details", "-n", "bookinfo")
                    return left.all.contains("NotFound") ? true : nil
                }
            }
        }

        /// What a proxy proves itself with comes from the proxy, by way of the API server and the reader's own rights.
        @Test func certificatesAreReadWithTheReadersOwnRights() async throws {
            try await browsing { mesh, page in
                try await prepare(mesh)
                let pod = try #require(
                    try await mesh.pods(namespace: "bookinfo").first { $0.name.hasPrefix("details-v1-") }
                ).name
                let url = "http://127.0.0.1:\(mesh.dashboardPort)/api/certificates?namespace=bookinfo&pod="
                func ask(_ pod: String, _ token: String?) async throws -> (code: String, body: String) {
                    let headers = token.map { ["-H", "authorization: Bearer \($0)"] } ?? []
                    let text = try await command(["curl", "-s", "-w", "\n%{http_code}"] + headers + [url + pod])
                        .checked().out
                    let lines = text.split(separator: "\n")
                    return (lines.last.map(String.init) ?? "", lines.dropLast().joined(separator: "\n"))
                }
                let (viewer, editor) = (try await token(mesh, "viewer"), try await token(mesh, "editor"))
                #expect(try await ask(pod, nil).code == "401")
                #expect(try await ask(pod, "nonsense").code == "401")
                #expect(try await ask(pod, viewer).code == "403")
                #expect(try await ask("nobody-1", editor).code == "404")
                let (code, body) = try await ask(pod, editor)
                #expect(code == "200")
                let identity = "spiffe://cluster.local/ns/bookinfo/sa/bookinfo-details"
                let all = try #require(try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [[String: Any]])
                let own = try #require(all.first { ($0["names"] as? [String]) == [identity] }, "\(body)")
                #expect(!body.contains("PRIVATE KEY"))

                // The page shows the same, to those who may see it.
                try await visit(mesh, page, "workloads/bookinfo/details-v1/proxy")
                #expect(try await page.text("document.querySelector('main').textContent").contains("your own rights"))
                try await signIn(page, editor)
                let serial = try #require(own["serial"] as? String)
                try await page.wait(
                    "the certificate",
                    until: """
                        [...document.querySelectorAll('main tbody tr')].some((row) => row.textContent.includes('\(identity)') \
                        && row.textContent.includes('\(serial)'))
                        """)
            }
        }

        @Test func logsOfApplicationAndProxyAreShownTogether() async throws {
            try await browsing { mesh, page in
                try await prepare(mesh)
                try await mesh.start(namespace: Self.talking, [Self.talker])
                try await visit(mesh, page, "workloads/\(Self.talking)/talker/logs")
                #expect(try await page.text("document.querySelector('main').textContent").contains("your own rights"))
                try await signIn(page, try await token(mesh, "editor"))
                try await page.wait(
                    "lines of both",
                    until: """
                        [...document.querySelectorAll('ol.log .proxy')].some((line) => line.textContent.includes('productpage')) \
                        && document.querySelector('ol.log .application')?.textContent.includes('tick')
                        """)
                // It follows: what is written later is shown without a click, and a filter takes the rest away.
                let last = try await page.text(
                    "[...document.querySelectorAll('ol.log .application')].at(-1).textContent")
                try await page.wait(
                    "a new line",
                    until: "[...document.querySelectorAll('ol.log .application')].at(-1).textContent !== `\(last)`")
                try await page.fill("main input[type=search]", "tick")
                try await page.wait("only ticks", until: "!document.querySelector('ol.log .proxy')")
            }
        }

        /// The control plane is killed and started again; the page says so and goes on by itself.
        @Test func thePageOutlivesTheControlPlane() async throws {
            try await browsing { mesh, page in
                try await visit(mesh, page, "mesh?refresh=1")
                _ = try await page.value("window.sameDocument = true")
                let before = try await mesh.pods(namespace: "istio-system", selector: "app=istiod").map(\.name)
                try await mesh.kubectl(
                    ["delete", "pod", "-n", "istio-system", "-l", "app=istiod", "--grace-period=0", "--force"]
                ).checked()
                try await eventually("another control plane is ready", within: 120) {
                    let pods = try await mesh.pods(namespace: "istio-system", selector: "app=istiod")
                    return pods.contains { !before.contains($0.name) && $0.ready == "1/1" } ? true : nil
                }
                _ = try await page.value("document.querySelector('main').setAttribute('aria-busy', 'left')")
                try await page.wait(
                    "the page shows the mesh again", within: 120,
                    until: """
                        \(settled) && document.getElementById('state').className === '' \
                        && document.querySelector('main').textContent.includes('productpage-v1')
                        """)
                #expect(try await page.text("String(window.sameDocument)") == "true")
            }
        }

        // MARK: - Steps

        private let verdict = "document.querySelector('.editor [role=status]').textContent"
        private let findings = "document.querySelector('.editor .messages').textContent"

        /// Accounts: one that may read, one that may change the mesh's configuration and read logs.
        private func prepare(_ mesh: LocalMesh) async throws {
            let accounts = ["viewer", "editor"].map {
                "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: \($0), namespace: \(Self.namespace)}"
            }
            let bindings = [("viewer", "view"), ("editor", "cluster-admin")].map { account, role in
                """
                apiVersion: rbac.authorization.k8s.io/v1
                kind: ClusterRoleBinding
                metadata: {name: dashboard-test-\(account)}
                roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: \(role)}
                subjects: [{kind: ServiceAccount, name: \(account), namespace: \(Self.namespace)}]
                """
            }
            let own = "apiVersion: v1\nkind: Namespace\nmetadata: {name: \(Self.namespace)}"
            try await mesh.apply(([own] + accounts + bindings).joined(separator: "\n---\n"))
        }

        private func token(_ mesh: LocalMesh, _ account: String) async throws -> String {
            try await mesh.kubectl("create", "token", account, "-n", Self.namespace).checked().out
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }

        private func signIn(_ page: BrowserPage, _ token: String) async throws {
            try await button(page, "Sign in")
            try await page.wait("the question", until: "document.querySelector('dialog[open] input')")
            try await page.fill("dialog input", token)
            _ = try await page.value("document.querySelector('dialog form').requestSubmit()")
        }

        private func signOut(_ page: BrowserPage) async throws { try await button(page, "Sign out") }

        private func button(_ page: BrowserPage, _ text: String) async throws {
            _ = try await page.value(
                "[...document.querySelectorAll('#controls button')].find((one) => one.textContent === '\(text)').click()"
            )
        }

        private func openAgain(_ mesh: LocalMesh, _ page: BrowserPage, with words: String) async throws {
            // The dashboard sees the object by watching, a moment after it was made.
            try await eventually("the editor has the object") {
                try await visit(mesh, page, "config")
                try await visit(mesh, page, "config/VirtualService/bookinfo/details/edit?refresh=1")
                return try await page.text("document.querySelector('.paper textarea')?.value ?? ''").contains(words)
                    ? true : nil
            }
        }

        private func change(_ page: BrowserPage, to timeout: String) async throws {
            let text = try await page.text("document.querySelector('.paper textarea').value")
            try await page.fill(".paper textarea", text.replacing(/timeout: .*/, with: "timeout: \(timeout)"))
        }

        private func timeout(_ mesh: LocalMesh) async throws -> String {
            try await mesh.kubectl(
                "get", "virtualservice", "details", "-n", "bookinfo", "-o", "jsonpath={.spec.http[0].timeout}"
            ).checked().out
        }
    }
}
