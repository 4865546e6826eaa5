import TestSupport
import Testing
import WeftCore

/// What lists and marks say about configuration: mutual TLS as policies ask for it, rules of both routing APIs.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ListsInBrowserTests {
    private static func cell(_ name: String, _ head: String) -> String {
        """
        (() => {
          const heads = [...document.querySelectorAll('main thead th')].map((one) => one.textContent);
          const row = [...document.querySelectorAll('main tbody tr')].find((one) => one.cells[0].textContent === '\(name)');
          return row?.cells[heads.indexOf('\(head)')]?.textContent ?? 'none';
        })()
        """
    }

    /// The mode that policies ask for beside the share of requests that came so; who has no sidecar asks for nothing.
    @Test(arguments: [
        (
            "workloads",
            ["front-v1": "STRICT, 100%", "cart-v1": "DISABLE, 100%", "stock-v1": "0%", "gate-v1": "PERMISSIVE"]
        ),
        ("applications", ["front": "STRICT, 100%", "cart": "DISABLE, 100%", "stock": "0%", "gate": "PERMISSIVE"]),
        ("services", ["front": "STRICT, 100%", "cart": "DISABLE, 100%", "stock": "0%"]),
        ("namespaces", ["shop": "DISABLE and STRICT, 87.0%", "edge": "PERMISSIVE"]),
    ])
    func listsTellTheModeOfMutualTLS(_ path: String, _ expected: [String: String]) async throws {
        try await StagedBrowser.run(.secured) { page, stage, visit in
            try await visit(path)
            for (name, words) in expected {
                #expect(try await page.text(Self.cell(name, "mTLS")) == words, "\(name)")
            }
            #expect(page.complaints == [])
        }
    }

    @Test(arguments: [
        ("workloads/shop/front-v1", "STRICT shop/default"), ("workloads/shop/cart-v1", "DISABLE shop/cart"),
        ("services/shop/cart", "DISABLE shop/cart"), ("applications/edge/gate", "PERMISSIVE the default"),
        ("workloads/shop/stock-v1", "–"),
    ])
    func detailsTellWhichPolicyAsks(_ path: String, _ words: String) async throws {
        try await StagedBrowser.run(.secured) { page, stage, visit in
            try await visit(path)
            let told = try await page.text(
                """
                [...document.querySelectorAll('main dt')].find((one) => one.textContent === 'callers have to use it')
                  .nextElementSibling.textContent
                """)
            #expect(told.hasPrefix(words), "\(told)")
            #expect(page.complaints == [])
        }
    }

    /// Nothing comes to a gateway that anybody counts: it has the rate of what it sends.
    @Test func gatewaysHaveTheRateThatTheySend() async throws {
        try await StagedBrowser.run(.shop) { page, stage, visit in
            for (path, name) in [("workloads", "gate-v1"), ("applications", "gate")] {
                try await visit(path)
                #expect(try await page.text(Self.cell(name, "rate")) == "40.0 rps out")
                #expect(try await page.text(Self.cell(name, "success")) == "100%")
            }
            #expect(page.complaints == [])
        }
    }

    /// Marks by the routes of the Gateway API: of the Services that they are attached to, and of those that they send to.
    @Test func routesOfTheGatewayAPIMarkNodes() async throws {
        try await StagedBrowser.run(.routed) { page, stage, visit in
            let marks = { (name: String) in
                try await page.text(
                    """
                    [...[...document.querySelectorAll('#graph .node')].find((one) => one.dataset.id.endsWith('/\(name)'))
                      .querySelectorAll('.badge text')].map((one) => one.textContent).sort().join()
                    """)
            }
            try await visit("graph?view=app")
            for (name, expected) in [("front", "M,RT"), ("cart", "RT,T"), ("stock", "RT,T,VS,∅"), ("gate", "")] {
                let found = try await marks(name)
                #expect(found == expected, "\(name)")
            }
            try await visit("graph?view=app&find=badge+~+M")
            #expect(try await page.value("document.querySelectorAll('#graph .edge').length") == 2)
            // And the objects are among those that speak about a service.
            try await visit("services/shop/cart/config")
            #expect(try await page.text("document.querySelector('main tbody').textContent").contains("GRPCRoutecalls"))
            #expect(page.complaints == [])
        }
    }

    /// Calls between services are a graph, like the mesh's own; a trace has its times above its bars, and two are compared
    /// when two are chosen.
    @Test func tracesShowCallsTimesAndPairs() async throws {
        try await StagedBrowser.run(.shop) { page, stage, visit in
            try await visit("traces/dependencies")
            let drawn = try await page.text(
                """
                [...document.querySelectorAll('.graph .node')].map((one) => one.dataset.id).sort().join() + '; '
                  + [...document.querySelectorAll('.graph .plate')].map((one) => one.textContent).join()
                """)
            #expect(drawn == "cart.shop,front.shop,stock.shop; 10 calls,10 calls")
            try await visit("traces/00000000000000aa0000000000000000")
            let ruler = "[...document.querySelectorAll('.ruler div span')].map((one) => one.textContent).join()"
            #expect(try await page.text(ruler) == "0,10 ms,20 ms,30 ms")
            try await visit("traces?service=front.shop")
            let button =
                "[...document.querySelectorAll('main button')].find((one) => one.textContent.startsWith('Compare'))"
            #expect(try await page.text("String(\(button).disabled)") == "true")
            _ = try await page.value(
                "[...document.querySelectorAll('main input[type=checkbox]')].slice(0, 2).forEach((one) => one.click())")
            _ = try await page.value("\(button).click()")
            try await page.wait(
                "two traces", until: "document.querySelector('main').textContent.includes('Two traces')")
            #expect(page.complaints == [])
        }
    }

    /// HEAD is GET without the body, for files and documents; nothing is left open by it.
    @Test func headsAreAnsweredAsGets() async throws {
        try await StagedBrowser.run(.shop) { page, stage, visit in
            try await visit("mesh")
            for path in [
                "/", "/main.js", "/style.css", "/pages/graph.js", "/api/workloads", "/api/services", "/api/config",
                "/api/mesh", "/api/proxies", "/prometheus/api/v1/labels", "/jaeger/api/services", "/api/tap/check",
            ] {
                let heads = try await page.text(
                    """
                    Promise.all(['GET', 'HEAD'].map(async (method) => {
                      const answer = await fetch('\(path)', { method });
                      const text = await answer.text();
                      return [answer.status, answer.headers.get('content-type'), answer.headers.get('content-security-policy'), text.length > 0];
                    })).then((both) => JSON.stringify(both))
                    """)
                let both = try #require(try JSONValue(parsing: Array(heads.utf8)).arrayValue)
                let (get, head) = (try #require(both[0].arrayValue), try #require(both[1].arrayValue))
                #expect(get.first == 200 && get.last == true, "\(path)")
                #expect(Array(head.dropLast()) == Array(get.dropLast()) && head.last == false, "\(path)")
            }
            // More than there may be viewers of the tap.
            let last = try await page.text(
                """
                (async () => {
                  for (let count = 0; count < 20; count += 1) await fetch('/api/tap', { method: 'HEAD' });
                  const answer = await fetch('/api/tap');
                  await answer.body.cancel();
                  return String(answer.status);
                })()
                """)
            #expect(last == "200")
        }
    }
}
