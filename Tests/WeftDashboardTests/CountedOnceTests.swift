import Foundation
import TestSupport
import Testing
import WeftCore

/// Requests that two proxies tell of are counted once, wherever the dashboard shows them, and quantiles are of all of them.
@Suite(.serialized, .timeLimit(.minutes(5))) struct CountedOnceTests {
    /// The labels of all edges of the graph, a line's words beside each other.
    private static let labels =
        "[...document.querySelectorAll('#graph .plate')].map((one) => [...one.querySelectorAll('text')]"
        + ".map((text) => text.textContent).filter(Boolean).join(' ')).sort().join(', ')"

    /// Caller and callee call the service by two names; half of the app is slow.
    @Test(arguments: [
        // 18 in a second take at most 10 ms, two from 10 to 50: the 95th of a hundred is the middle of the second bucket.
        ("app", "20.0 rps 30 ms 100%, 5.00 rps 9.5 ms"),
        ("versioned", "18.0 rps 9.5 ms 100%, 2.00 rps 48 ms 100%, 5.00 rps 9.5 ms"),
        ("workload", "18.0 rps 9.5 ms 100%, 2.00 rps 48 ms 100%, 5.00 rps 9.5 ms"), ("service", "25.0 rps 25 ms 100%"),
    ]) func edgesTellOfEveryRequestOnce(_ view: String, _ expected: String) async throws {
        try await StagedBrowser.run(.market) { page, _, visit in
            try await visit("graph?view=\(view)&labels=rate,latency,mtls&refresh=0")
            let locks = "[...document.querySelectorAll('#graph .lock')].map((one) => one.parentNode)"
            _ = try await page.value(
                "\(locks).forEach((one) => one.append(Object.assign(document.createElementNS("
                    + "'http://www.w3.org/2000/svg', 'text'), { textContent: one.querySelector('title').textContent.slice(12) })))"
            )
            #expect(
                try await page.text(Self.labels)
                    == expected.components(separatedBy: ", ").sorted().joined(separator: ", "))
            #expect(page.complaints == [])
        }
    }

    /// The service's numbers have what its callers answered by themselves; the side panel's chart what its tables say.
    @Test func servicesKnowOfRequestsThatNeverArrived() async throws {
        try await StagedBrowser.run(.market) { page, _, visit in
            try await visit("services?refresh=0")
            let row = "[...document.querySelectorAll('tbody tr')].find((row) => row.cells[0].textContent === 'booth')"
            #expect(
                try await page.text("[...\(row).cells].slice(5, 8).map((cell) => cell.textContent).join(' ')")
                    == "1 ✔ 25.0 rps 80.0%")
            try await visit("namespaces?refresh=0")
            #expect(try await page.text("document.querySelector('tbody tr').textContent").contains("25.0 rps80.0%"))
            try await visit("services/market/booth?refresh=0")
            let charted = "[...document.querySelectorAll('figure.panel li')].map((one) => one.textContent).join(', ')"
            #expect(try await page.text(charted).hasPrefix("200 20.0 rps, 503 5.00 rps, no failure 80.0%"))
            // Traffic has a tab of its own.
            try await visit("services/market/booth/traffic?refresh=0")
            #expect(try await page.text("document.querySelector('main').textContent").contains("25.0 rps80.0%"))
            try await visit("graph?view=workload&refresh=0&chosen=market/workload/stall-v1")
            try await page.wait("the chart of the side panel", until: "document.querySelector('.side figure.panel li')")
            #expect(
                try await page.text("document.querySelector('.side figure.panel li').textContent") == "200 18.0 rps")
            #expect(
                try await page.text("document.querySelector('.side .numbers').textContent").contains(
                    "booth.market.svc.cluster.local"))
            // The objects of a service are its app's, whatever the app is called.
            let badges = try await page.text(
                "[...document.querySelectorAll('#graph .badge text')].map((one) => one.textContent).join()")
            #expect(badges == "VS,VS,VS")
            #expect(page.complaints == [])
        }
    }
}
