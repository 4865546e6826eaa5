import Foundation
import Hummingbird
import Logging
import TestSupport
import WeftAdmin
import WeftCore
import WeftDashboard
import WeftTelemetry

/// `dev/dashboard-bench`: how long the graph of 500 workloads and 5,000 edges takes in a real Chromium, from the
/// dashboard's own server over the real store; a table in Markdown.
@main struct DashboardBench {
    private static let visits = 20

    static func main() async throws {
        let logger = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
        let store = try TimeSeriesStore(logger: logger)
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        LargeMesh.fill(store, now: now)
        let api = PrometheusAPI(store: store, version: "bench", now: { Int64(Date().timeIntervalSince1970 * 1000) })
        let router = Router(context: BasicRequestContext.self)
        Dashboard.add(to: router, source: LargeMesh())
        router.post("/prometheus/table") { request, _ in
            var parameters = FormParameters()
            parameters.add(encoded: try await request.body.collect(upTo: 1 << 20).readableBytesView)
            return AdminRoutes.json(await answer(api, parameters))
        }
        let port = Int(CommandLine.arguments.dropFirst().first ?? "") ?? 26_590
        let service = HTTPService(
            router: router, sockets: [.address(host: "127.0.0.1", port: port)], logger: logger)
        let serving = Task { try await service.run() }
        let browser = try Browser(name: "bench")
        defer { browser.stop() }
        let times = try await measure(try await browser.page(), "http://127.0.0.1:\(port)/")
        serving.cancel()
        print(report(times, store.statistics.series))
        if times.interactive.quantile(0.95) > 2000 { exit(1) }
    }

    @concurrent private static func answer(_ api: PrometheusAPI, _ parameters: FormParameters) async -> [UInt8] {
        api.respondTable(parameters).body
    }

    // MARK: - Measuring

    /// Milliseconds of every visit, by part.
    private struct Times {
        var parts: [String: [Double]] = [:]
        var interactive: [Double] = []
        var bytes: [Double] = []
    }

    /// Settles when the graph stands and the browser has painted it, and answers a click on a node.
    private static let drawn = """
        new Promise((done, fail) => {
          const look = () => {
            if (document.querySelector('main')?.getAttribute('aria-busy') !== 'false') return setTimeout(look, 5);
            const nodes = document.querySelectorAll('#graph .node');
            if (nodes.length !== 500) return fail(new Error(`${nodes.length} nodes`));
            requestAnimationFrame(() => setTimeout(() => {
              const shown = performance.now();
              nodes[7].dispatchEvent(new Event('click'));
              requestAnimationFrame(() => setTimeout(() => done({
                shown, clicked: performance.now() - shown,
                parts: performance.getEntriesByType('measure').map((one) => [one.name, one.duration]),
                read: performance.getEntriesByType('resource').filter((one) => one.name.endsWith('/prometheus/table'))
                  .map((one) => [one.responseStart - one.requestStart, one.duration, one.encodedBodySize]).at(-1),
                edges: document.querySelectorAll('#graph .batch .head').length,
              })));
            }));
          };
          look();
        })
        """

    private static func measure(_ page: BrowserPage, _ address: String) async throws -> Times {
        var times = Times()
        for visit in 0...visits {
            try await page.open("about:blank")
            try await page.open("\(address)#/graph?view=workload&refresh=0&range=60")
            let found = try await page.value(drawn)
            // The first one starts the browser's own processes.
            guard visit > 0 else { continue }
            let number = { (value: JSONValue?) in value?.doubleValue ?? 0 }
            times.interactive.append(number(found["shown"]))
            times.parts["answer to a click on a node", default: []].append(number(found["clicked"]))
            times.parts["server: queries", default: []].append(number(found["read"]?[0]))
            times.parts["server and transfer of the series", default: []].append(number(found["read"]?[1]))
            times.bytes.append(number(found["read"]?[2]))
            for part in found["parts"]?.arrayValue ?? [] {
                let name = part[0]?.stringValue ?? ""
                let words = [
                    "read": "page: all that is read", "build": "page: series to graph", "layout": "page: layout",
                    "draw": "page: drawing",
                ]
                if let text = words[name] { times.parts[text, default: []].append(number(part[1])) }
            }
        }
        return times
    }

    private static func report(_ times: Times, _ series: Int) -> String {
        var lines = ["| part | p50 | p95 | goal |", "| --- | --- | --- | --- |"]
        func line(_ name: String, _ values: [Double], _ goal: String = "") {
            let (middle, high) = (values.quantile(0.5), values.quantile(0.95))
            lines.append(
                "| \(name) | \(String(format: "%.0f ms", middle)) | \(String(format: "%.0f ms", high)) | \(goal) |")
        }
        for (name, values) in times.parts.sorted(by: { $0.key < $1.key }) { line(name, values) }
        let isMet = times.interactive.quantile(0.95) <= 2000
        line("**from opening the page to a graph that answers**", times.interactive, isMet ? "met" : "missed")
        lines.append("")
        lines.append(
            "\(visits) visits; \(series) series in the store; "
                + "\(Int(times.bytes.quantile(0.5)) / 1024) KiB of JSON for the graph.")
        return lines.joined(separator: "\n")
    }
}

extension [Double] {
    /// The nearest value of the sorted ones.
    fileprivate func quantile(_ share: Double) -> Double {
        guard !isEmpty else { return 0 }
        return sorted()[Swift.min(count - 1, Int(Double(count) * share))]
    }
}
