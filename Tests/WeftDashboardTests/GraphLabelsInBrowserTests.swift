import TestSupport
import Testing
import WeftCore

/// Labels of edges in a real browser, by the boxes in which it draws them: whatever they say and however many there are,
/// none covers another one or a node.
@Suite(.serialized, .timeLimit(.minutes(10))) struct GraphLabelsInBrowserTests {
    static let views = ["versioned", "app", "workload", "service"]
    private static let all = "rate,share,success,latency,throughput,mtls"

    /// How many labels there are, and which of them covers what.
    private static let covered = """
        (() => {
          const box = (one) => ({ name: one.dataset.edge ?? one.dataset.id, ...one.getBoundingClientRect().toJSON() });
          const plates = [...document.querySelectorAll('#graph .plate')].map(box);
          const nodes = [...document.querySelectorAll('#graph .node')].map(box);
          const meet = (a, b) => a.left < b.right - 0.1 && b.left < a.right - 0.1 && a.top < b.bottom - 0.1 && b.top < a.bottom - 0.1;
          const found = [];
          plates.forEach((plate, index) => {
            for (const other of [...plates.slice(index + 1), ...nodes]) if (meet(plate, other)) found.push(`${plate.name} covers ${other.name}`);
          });
          return `${plates.length} labels: ${found.slice(0, 5).join('; ')}`;
        })()
        """

    @Test(arguments: views, [("", 1), ("&services=1", 2), ("&idle=1", 1)])
    func noLabelOfBookinfoCoversAnything(_ view: String, _ more: (choice: String, factor: Int)) async throws {
        try await StagedBrowser.run(.bookinfo) { page, stage, visit in
            try await visit("graph?view=\(view)&labels=\(Self.all)\(more.choice)")
            let edges = try await page.text("String(document.querySelectorAll('#graph .edge').length)")
            #expect(try #require(Int(edges)) >= (view == "service" ? 4 : 5))
            #expect(try await page.text(Self.covered) == "\(edges) labels: ")
            // Everything is in sight, labels too.
            let outside = try await page.text(
                """
                (() => {
                  const frame = document.getElementById('graph').getBoundingClientRect();
                  return String([...document.querySelectorAll('#graph .plate, #graph .node')].map((one) => one.getBoundingClientRect())
                    .filter((one) => one.left < frame.left || one.right > frame.right || one.top < frame.top || one.bottom > frame.bottom).length);
                })()
                """)
            #expect(outside == "0")
            #expect(page.complaints == [])
        }
    }

    /// As many edges as are drawn one by one, between few nodes, some of them back and to themselves.
    @Test(arguments: views) func noLabelOfACrowdCoversAnything(_ view: String) async throws {
        try await StagedBrowser.run(.crowd) { page, stage, visit in
            try await visit("graph?view=\(view)&labels=\(Self.all)")
            #expect(try await page.text(Self.covered) == "280 labels: ")
            #expect(page.complaints == [])
        }
    }

    /// Of 5,000 edges those of a chosen node have labels.
    @Test func noLabelOfAChosenNodeOfALargeMeshCoversAnything() async throws {
        try await StagedBrowser.run(.large) { page, stage, visit in
            try await visit("graph?view=workload&range=120&labels=\(Self.all)")
            for name in ["w0", "w123", "w499"] {
                _ = try await page.value(
                    "document.querySelector('#graph .node[data-id$=\"/\(name)-v1\"]').dispatchEvent(new Event('click', { bubbles: true }))"
                )
                // As large as one reads them: the letters of a graph seen from far away are all one or two dots wide.
                _ = try await page.value(
                    """
                    (() => {
                      const drawing = document.getElementById('graph'), lines = document.querySelector('#graph .plate').querySelectorAll('text').length;
                      const height = () => document.querySelector('#graph .plate rect').getBoundingClientRect().height;
                      for (let step = 0; step < 40 && height() < lines * 12; step += 1) drawing.dispatchEvent(new KeyboardEvent('keydown', { key: '+' }));
                    })()
                    """)
                let found = try await page.text(Self.covered)
                #expect(found == "20 labels: ", "\(name): \(found)")
            }
            #expect(page.complaints == [])
        }
    }

    /// A label stays where it is while numbers change: the same graph read again has its labels at the same places.
    @Test func labelsStayWhereTheyAre() async throws {
        try await StagedBrowser.run(.bookinfo) { page, stage, visit in
            try await visit("graph?view=workload&labels=\(Self.all)")
            let places =
                "[...document.querySelectorAll('#graph .plate rect:first-child')].map((one) => [one.getAttribute('x'), one.getAttribute('y')]).join(' ')"
            let before = try await page.text(places)
            _ = try await page.value("document.querySelector('#graph .plate').dataset.old = '1'")
            try await page.wait("another drawing", until: "!document.querySelector('#graph .plate[data-old]')")
            #expect(try await page.text(places) == before)
            #expect(page.complaints == [])
        }
    }
}
