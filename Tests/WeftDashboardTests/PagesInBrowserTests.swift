import Foundation
import TestSupport
import Testing
import WeftCore

/// Every page of the dashboard in a real browser, against the real server.
@Suite(.serialized, .timeLimit(.minutes(10))) struct PagesInBrowserTests {
    /// Every page that the shop has, with words that it must show.
    static let pages: [(path: String, shows: [String])] = [
        ("graph", ["gate", "front", "cart", "stock", "40.0 rps"]),
        ("graph?view=app&labels=rate,share,success", ["cart"]),
        ("graph?view=workload", ["cart-v2"]), ("graph?view=service", ["cart"]), ("graph?idle=1&animate=1", ["front"]),
        ("overview", ["shop", "92.0 rps", "PERMISSIVE", "3 healthy", "1 failing"]),
        ("namespaces", ["shop", "edge"]), ("applications", ["cart", "front"]), ("workloads", ["cart-v2", "stock-v1"]),
        ("services", ["cart", "http 80"]), ("workloads/shop/cart-v1", ["36.0 rps", "cart-v1-abc-1"]),
        ("workloads/shop/cart-v1/traffic", ["Called by", "front-v1", "Calls", "stock-v1"]),
        ("workloads/shop/cart-v1/in", ["Requests by caller", "front-v1 shop"]),
        ("workloads/shop/front-v1/out", ["Requests by destination", "cart shop"]),
        ("workloads/shop/cart-v1/config", ["VirtualService"]), ("workloads/shop/cart-v1/proxy", ["No proxy"]),
        ("applications/shop/cart", ["40.0 rps"]), ("services/shop/cart", ["40.0 rps"]),
        ("services/shop/cart/in", ["Duration"]), ("config", ["VirtualService", "DestinationRule", "cart"]),
        ("config/VirtualService/shop/cart", ["subset: v2"]), ("traces?service=front.shop", ["10 traces", "GET /"]),
        ("traces/00000000000000aa0000000000000000", ["stock.shop", "GET /stock"]),
        ("traces/00000000000000aa0000000000000001/00000000000000aa0000000000000002", ["Two traces"]),
        ("traces/dependencies", ["front.shop", "cart.shop"]),
        ("metrics", ["Requests by answer", "p95 by destination"]),
        ("metrics/service", ["Told by the callers", "Told by the service", "Request size"]),
        ("metrics/workload", ["In", "Out", "TCP connections", "Success by destination"]),
        ("metrics/performance", ["Memory"]),
        (
            "metrics/control",
            ["Configuration pushes", "Why pushes began", "Validation", "Injection", "Telemetry store"]
        ),
        ("config/GatewayClass/-/everywhere", ["controllerName"]), ("config/new", ["New objects"]),
        ("config/new/shift", ["Traffic shifting", "Service"]),
        ("config/new/route", ["Request routing"]), ("config/new/fault", ["Fault injection"]),
        ("config/new/timeout", ["Timeout and retries"]), ("config/new/breaker", ["Circuit breaker"]),
        ("config/new/mtls", ["Mutual TLS"]), ("config/new/authorization", ["Authorization"]),
        ("config/VirtualService/shop/cart/edit", ["Back, without a change"]),
        ("workloads/shop/cart-v1/logs", ["Logs are read with your own rights"]),
        ("tap", ["Nothing is told until you start"]),
        ("mesh", ["Control plane", "No proxy is connected", "certificate"]), ("nothing", ["There is no such page"]),
    ]

    @Test func everyPageShowsItsNumbersWithoutComplaint() async throws {
        try await StagedBrowser.run(.shop) { page, stage, visit in
            for (path, words) in Self.pages {
                try await visit(path)
                let shown = try await page.text("document.querySelector('main').textContent")
                for word in words { #expect(shown.contains(word), "\(path) lacks “\(word)”: \(shown.prefix(600))") }
                #expect(try await page.text("document.getElementById('state').className") == "", "\(path)")
                #expect(page.complaints == [], "\(path)")
            }
        }
    }

    /// The numbers in the lists are those that the store answers to PromQL, and those that were put in.
    @Test(arguments: [
        ("namespaces", "destination_workload_namespace", 5, ["shop": 92.0]),
        ("workloads", "destination_workload", 6, ["front-v1": 40, "cart-v1": 36, "cart-v2": 4, "stock-v1": 12]),
        ("services", "destination_service_name", 6, ["front": 40, "cart": 40, "stock": 12]),
    ])
    func listsShowTheAnswersOfTheStore(
        _ path: String, _ label: String, _ column: Int, _ expected: [String: Double]
    ) async throws {
        try await StagedBrowser.run(.shop) { page, stage, visit in
            try await visit(path)
            let answers = try stage.query(
                "sum by (\(label)) (rate(istio_requests_total{reporter=\"destination\"}[60s]))", by: label)
            #expect(Set(answers.keys) == Set(expected.keys))
            for (name, wanted) in expected {
                let value = try #require(answers[name])
                #expect(abs(value - wanted) < 1e-6, "\(name): \(value)")
                let cell = try await page.text(
                    """
                    [...document.querySelectorAll('tbody tr')].find((row) => row.cells[0].textContent === '\(name)')
                      .cells[\(column)].textContent
                    """)
                let formatted = try await page.text("import('/lib/format.js').then((one) => one.rate(\(value)))")
                #expect(cell == formatted, "\(name)")
            }
        }
    }

    @Test func graphTellsRatesFailuresAndMutualTLS() async throws {
        try await StagedBrowser.run(.shop) { page, stage, visit in
            try await visit("graph?view=workload&labels=rate,success,mtls")
            #expect(try await page.value("document.querySelectorAll('#graph .node').length") == 5)
            #expect(try await page.value("document.querySelectorAll('#graph .edge').length") == 4)
            let locks = try await page.text(
                "[...document.querySelectorAll('#graph .lock title')].map((one) => one.textContent).sort().join()")
            #expect(locks == "mutual TLS: 0%,mutual TLS: 100%,mutual TLS: 100%,mutual TLS: 100%")
            let badges = try await page.text(
                "[...document.querySelectorAll('#graph .badge text')].map((one) => one.textContent).sort().join()")
            #expect(badges == "T,T,VS,VS,∅")
            // By keyboard alone: to the failing workload, choose it, let go.
            _ = try await page.value(
                "[...document.querySelectorAll('#graph .node')].find((one) => one.dataset.id.endsWith('cart-v2')).focus()"
            )
            try await page.press("Enter")
            try await page.wait(
                "the side panel tells", until: "document.querySelector('.side .numbers').textContent.includes('75.0%')")
            try await page.press("Escape")
            try await page.wait(
                "the whole graph again",
                until: "document.querySelector('.side .numbers').textContent.includes('The whole graph')")
            #expect(page.complaints == [])
        }
    }

    /// With `--prometheus-url` and `--tracing-url` the pages read the tools' numbers, and complain of nothing.
    @Test func pagesReadTheRealTools() async throws {
        let tools = try Stage(.shop)
        try await tools.start()
        do {
            try await StagedBrowser.run(.empty, tools: tools) { page, _, visit in
                for (path, word) in [
                    ("graph?view=workload", "40.0 rps"), ("traces?service=front.shop", "10 traces"),
                    ("metrics/service", "Told by the service"), ("graph?view=app", "cart"),
                ] {
                    try await visit(path)
                    #expect(try await page.text("document.querySelector('main').textContent").contains(word), "\(path)")
                    #expect(page.complaints == [], "\(path)")
                }
            }
        } catch {
            await tools.end()
            throw error
        }
        await tools.end()
    }

    /// Numbers as the pages write them.
    @Test func numbersHaveTheirUnits() async throws {
        try await StagedBrowser.run(.empty) { page, _, visit in
            try await visit("mesh")
            for (call, expected) in [
                ("bytes(0.5)", "0.5 B"), ("bytes(0)", "0 B"), ("bytes(7)", "7 B"), ("bytes(1500)", "1.5 kB"),
                ("bytes(25e6)", "25 MB"), ("milliseconds(0.25)", "250 µs"), ("milliseconds(1500)", "1.50 s"),
                ("share(0.9996)", "99.96%"), ("share(1)", "100%"), ("rate(0.001)", "1.0e-3 rps"), ("span(7200)", "2 h"),
                (#"moment(1.25).replace(/\d\d:\d\d:0/, "")"#, "1.250"),
            ] {
                let text = try await page.text("import('/lib/format.js').then((one) => one.\(call))")
                #expect(text == expected, "\(call)")
            }
        }
    }

    @Test func everyPageSurvivesAnEmptyMesh() async throws {
        try await StagedBrowser.run(.empty) { page, stage, visit in
            for path in Self.pages.map(\.path)
            where !path.contains("/shop/") && !path.contains("everywhere") && !path.hasPrefix("traces/0") {
                try await visit(path)
                #expect(try await page.text("document.getElementById('state').className") == "", "\(path)")
                #expect(page.complaints == [], "\(path)")
            }
            try await visit("graph")
            #expect(try await page.text("document.querySelector('main').textContent").contains("No workloads yet"))
            // What is not there is a word on the page, not a broken one.
            try await visit("config/VirtualService/shop/cart")
            #expect(try await page.text("document.getElementById('state').textContent").contains("is not there"))
        }
    }

    @Test func markupInNamesIsText() async throws {
        try await StagedBrowser.run(.hostile) { page, stage, visit in
            let evil = SyntheticMesh.hostileText.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            let trace = "traces/00000000000000aa0000000000000000"
            for path in [
                "graph", "graph?view=app&labels=rate,share,success,latency,mtls", "graph?view=service&services=1",
                "graph?find=\(evil)&hide=\(evil)&ns=\(evil)", "namespaces", "applications", "workloads", "services",
                "workloads/\(evil)/\(evil)", "workloads/shop/front-v1/in", "config",
                "config/VirtualService/\(evil)/\(evil)",
                "traces?service=\(evil)", "traces?service=javascript:window.pwned=1&tags=\(evil)", trace,
                "\(trace)/\(trace.dropLast())1", "traces/dependencies", "metrics", "metrics/service?name=\(evil)",
                "mesh",
                "\(evil)/\(evil)", evil,
            ] {
                try await visit(path)
                #expect(try await page.value("window.pwned === undefined") == true, "\(path)")
                let strange = try await page.value(
                    """
                    [...document.querySelectorAll('body *')].filter((one) => ['IMG', 'IFRAME', 'OBJECT', 'EMBED'].includes(one.tagName)
                      || one.tagName === 'SCRIPT' && one.getAttribute('src') !== '/main.js'
                      || one.getAttributeNames().some((name) => /^(on|style$)/.test(name))
                      || /^\\s*javascript:/i.test(one.getAttribute('href') ?? '')).map((one) => one.outerHTML)
                    """)
                #expect(strange == [], "\(path)")
                // A refusal by the server (a name that is not there) is no complaint of the page's policy.
                #expect(page.complaints.filter { !$0.hasPrefix("network:") } == [], "\(path)")
            }
            try await visit("graph")
            for node in 0..<2 {
                _ = try await page.value(
                    "document.querySelectorAll('#graph .node')[\(node)].dispatchEvent(new Event('click'))")
                try await page.wait("the side panel", until: "document.querySelector('.side .numbers')")
            }
            #expect(try await page.value("window.pwned === undefined") == true)
            #expect(
                try await page.text("document.querySelector('#graph').textContent").contains("onerror"),
                "the hostile name is shown")
        }
    }

    /// 500 workloads and 5,000 edges: all are drawn, and the page answers. `dev/dashboard-bench` prints the figures.
    @Test func aLargeMeshIsDrawnWhole() async throws {
        try await StagedBrowser.run(.large) { page, stage, visit in
            try await page.open("\(stage.address)#/graph?view=workload&refresh=0&range=300")
            try await page.wait("the graph", within: 300, until: StagedBrowser.settled)
            #expect(try await page.value("document.querySelectorAll('#graph .node').length") == 500)
            // The lines of one look are one path, a line a move to its begin.
            let lines =
                "[...document.querySelectorAll('#graph .batch .line')].reduce((sum, one) => sum + one.getAttribute('d').split('M').length - 1, 0)"
            #expect(try await page.value(lines) == 5_000)
            let figures = try await page.text(
                "JSON.stringify(window.performance.getEntriesByType('measure').map((one) => [one.name, Math.round(one.duration)]))"
            )
            print("dashboard: 500 workloads, 5000 edges, milliseconds: \(figures)")
            // It answers: a node is chosen, its panel told, the rest steps back.
            _ = try await page.value("document.querySelector('#graph .node').dispatchEvent(new Event('click'))")
            try await page.wait(
                "its own edges, the others step back",
                until:
                    "document.querySelectorAll('#graph .edge').length === 20 && document.querySelector('#graph .batches.far')"
            )
            // A click beside every node finds the line that is nearest.
            _ = try await page.value(
                """
                (() => {
                  const drawing = document.querySelector('#graph'), line = document.querySelector('#graph .batch .line');
                  const [, x, y] = line.getAttribute('d').match(/M([-\\d.]+),([-\\d.]+)/).map(Number);
                  const at = drawing.createSVGPoint();
                  Object.assign(at, { x: x + 3, y });
                  const { x: clientX, y: clientY } = at.matrixTransform(drawing.getScreenCTM());
                  drawing.dispatchEvent(new MouseEvent('click', { clientX, clientY, bubbles: true }));
                })()
                """)
            try await page.wait(
                "the line's own panel", until: "document.querySelector('.side .numbers h2').textContent.includes('→')")
            try await visit("workloads?refresh=0&range=300")
            #expect(try await page.value("document.querySelectorAll('tbody tr').length") == 500)
            #expect(page.complaints == [])
        }
    }

    /// The control plane goes and comes again: the page says so and goes on, without being loaded again.
    @Test func thePageOutlivesTheControlPlane() async throws {
        try await StagedBrowser.run(.shop) { page, stage, visit in
            try await visit("graph?refresh=1")
            _ = try await page.value("window.sameDocument = true")
            await stage.stop()
            try await page.wait(
                "the page says that nobody answers", until: "document.getElementById('state').className === 'bad'")
            #expect(
                try await page.value("document.querySelectorAll('#graph .node').length") == 5, "the last graph stays")
            try await stage.start()
            try await page.wait("the page goes on", until: "document.getElementById('state').className === ''")
            #expect(try await page.value("window.sameDocument === true") == true)
            page.forgetComplaints()
            try await visit("workloads")
            #expect(try await page.value("document.querySelectorAll('tbody tr').length") == 5)
            #expect(page.complaints == [])
        }
    }
}
