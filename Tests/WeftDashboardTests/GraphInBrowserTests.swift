import TestSupport
import Testing
import WeftCore

/// What the graph's choices change, in a real browser against the real server: percentiles, what is idle, boxes, the
/// small graphs of detail pages; and what the tap tells of proxies that have none.
@Suite(.serialized, .timeLimit(.minutes(10))) struct GraphInBrowserTests {
    /// The label of the edge between two workloads.
    private static func label(_ from: String, _ to: String) -> String {
        """
        [...document.querySelectorAll('#graph .plate')].find((one) => one.dataset.edge.includes('\(from)\\u0001')
          && one.dataset.edge.includes('/\(to)\\u0001'))?.textContent ?? 'none'
        """
    }

    /// Half of the requests take at most 10 ms, the rest at most 50 ms: the quantiles lie on straight lines between.
    @Test(arguments: [("50", "10 ms"), ("90", "42 ms"), ("95", "46 ms"), ("99", "49 ms"), ("junk", "46 ms")])
    func theLatencyIsOfTheChosenPercentile(_ percentile: String, _ expected: String) async throws {
        try await StagedBrowser.run(.shop) { page, stage, visit in
            try await visit("graph?view=workload&labels=latency&percentile=\(percentile)")
            #expect(try await page.text(Self.label("gate-v1", "front-v1")) == expected)
            // The panel of the edge names it and says the same.
            _ = try await page.value(
                "document.querySelector('#graph .edge[data-id*=\"gate-v1\"]').dispatchEvent(new Event('click'))")
            let panel = try await page.text("document.querySelector('.side .numbers dl').textContent")
            #expect(panel.contains("p\(percentile == "junk" ? "95" : percentile)\(expected)"), "\(panel)")
            #expect(page.complaints == [])
        }
    }

    @Test func thePercentileIsChosenOnThePage() async throws {
        try await StagedBrowser.run(.shop) { page, stage, visit in
            try await visit("graph?view=workload&labels=latency")
            #expect(try await page.text(Self.label("gate-v1", "front-v1")) == "46 ms")
            _ = try await page.value(
                """
                (() => {
                  const choice = [...document.querySelectorAll('main select')].find((one) => one.textContent.includes('p99'));
                  choice.value = '50';
                  choice.dispatchEvent(new Event('change'));
                })()
                """)
            try await page.wait("the other percentile", until: "\(Self.label("gate-v1", "front-v1")) === '10 ms'")
            #expect(try await page.text("location.hash").contains("percentile=50"))
        }
    }

    /// What has been known and does not flow is there when it is asked for, looks idle, and can be hidden by name.
    @Test func idleNodesAndEdgesAreShownWhenAskedFor() async throws {
        try await StagedBrowser.run(.quiet) { page, stage, visit in
            let ids = { (kind: String) in
                try await page.text(
                    "[...document.querySelectorAll('#graph .\(kind)')].map((one) => one.dataset.id.split('\\u0001').map((part) => part.split('/').at(-1)).join('>')).sort().join()"
                )
            }
            try await visit("graph?view=workload")
            #expect(try await page.value("document.querySelectorAll('#graph .edge').length") == 4)
            #expect(try await ids("idle[data-id]") == "")
            try await visit("graph?view=workload&idle=1")
            #expect(try await page.value("document.querySelectorAll('#graph .edge').length") == 5)
            #expect(try await ids("edge.idle") == "stock-v1>front-v1>http")
            #expect(try await ids("node.idle") == "spare-v1")
            try await visit("graph?view=workload&idle=1&hide=idle")
            #expect(try await page.value("document.querySelectorAll('#graph .edge').length") == 4)
            #expect(try await ids("idle[data-id]") == "")
            #expect(page.complaints == [])
        }
    }

    /// The versions of an app that stand below each other have a box around them, and nobody else is in it.
    @Test(arguments: ["versioned", "workload"]) func versionsOfAnAppHaveABox(_ view: String) async throws {
        try await StagedBrowser.run(.shop) { page, stage, visit in
            try await visit("graph?view=\(view)")
            let boxed = try await page.text(
                """
                [...document.querySelectorAll('#graph .box.app')].map((box) => {
                  const frame = box.querySelector('rect').getBoundingClientRect();
                  const inside = [...document.querySelectorAll('#graph .node')].filter((node) => {
                    const own = node.querySelector('rect').getBoundingClientRect();
                    return own.left >= frame.left && own.right <= frame.right && own.top >= frame.top && own.bottom <= frame.bottom;
                  });
                  return `${box.querySelector('title').textContent}: ${inside.map((one) => one.dataset.id).sort().join()}`;
                }).join(';')
                """)
            let nodes =
                view == "workload" ? "shop/workload/cart-v1,shop/workload/cart-v2" : "shop/app/cart/v1,shop/app/cart/v2"
            #expect(boxed == "app cart: \(nodes)")
        }
    }

    /// The page of one workload has a graph of its neighbours alone, and a node in it leads to its page.
    @Test(arguments: [
        ("workloads/shop/cart-v1", "cart-v1,front-v1,stock-v1", 2, "workload/front-v1", "#/workloads/shop/front-v1"),
        ("applications/shop/front", "cart,front,gate", 2, "app/gate", "#/applications/edge/gate"),
    ])
    func aDetailHasAGraphOfItsNeighbours(
        _ path: String, _ names: String, _ edges: Int, _ next: String, _ target: String
    ) async throws {
        try await StagedBrowser.run(.shop) { page, stage, visit in
            try await visit(path)
            let shown = try await page.text(
                "[...document.querySelectorAll('.mini .node')].map((one) => one.dataset.id.split('/').at(-1)).sort().join()"
            )
            #expect(shown == names)
            #expect(try await page.value("document.querySelectorAll('.mini .edge').length") == .int(Int64(edges)))
            _ = try await page.value(
                "document.querySelector('.mini .node[data-id$=\"\(next)\"]').dispatchEvent(new Event('click'))")
            try await page.wait("the neighbour's page", until: "location.hash.startsWith('\(target)')")
            #expect(page.complaints == [])
        }
    }

    /// The tap says how many proxies that are concerned cannot tell.
    @Test(arguments: [("", true), ("namespace=shop", true), ("namespace=edge", false)])
    func theTapTellsOfSilentProxies(_ filter: String, _ isTold: Bool) async throws {
        try await StagedBrowser.run(.shop) { page, stage, visit in
            try await visit("tap?\(filter)")
            _ = try await page.value(
                "[...document.querySelectorAll('main button')].find((one) => one.textContent === 'Start').click()")
            let words = "document.querySelector('main [role=status]').textContent"
            try await page.wait("the stream has begun", until: "\(words).startsWith('0 proxies tell')")
            if isTold {
                try await page.wait("who is silent", until: "\(words).includes('1 more are Envoy')")
            } else {
                // The event comes right behind the greeting, in order with what comes later: a second stream's greeting
                // is behind it.
                let kinds = try await page.text(
                    """
                    fetch('/api/tap?\(filter)').then(async (answer) => {
                      const reader = answer.body.getReader(), decoder = new TextDecoder();
                      let text = '';
                      while (!text.includes(': \\n\\n')) text += decoder.decode((await reader.read()).value);
                      await reader.cancel();
                      return text.match(/event: \\w+/g).join();
                    })
                    """)
                #expect(kinds == "event: hello")
            }
            #expect(page.complaints == [])
        }
    }
}
