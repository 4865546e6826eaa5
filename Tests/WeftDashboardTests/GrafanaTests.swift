import Foundation
import Logging
import TestSupport
import Testing
import WeftCore
import WeftTelemetry

/// The dashboards for Grafana under `grafana/`, which `dev/grafana` writes.
struct GrafanaTests {
    private static let folder = Workspace.root + "grafana/"
    static let files = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()

    private func document(_ file: String) throws -> JSONValue {
        try JSONValue(parsing: try String(contentsOfFile: Self.folder + file, encoding: .utf8))
    }

    /// What Grafana makes of a query before it sends it.
    private func resolved(_ query: String) -> String {
        query.replacing("$__rate_interval", with: "1m").replacing(/\$[a-z]+/, with: ".*")
    }

    @Test func thereIsOneForEachOfIstios() {
        #expect(
            Self.files == [
                "weft-control-plane.json", "weft-mesh.json", "weft-performance.json", "weft-service.json",
                "weft-workload.json",
            ])
    }

    /// Our own store answers every query; on the shop's numbers those about requests have results.
    @Test(arguments: files) func everyQueryIsAnswered(_ file: String) throws {
        let store = try TimeSeriesStore(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let now: Int64 = 1_700_000_000_000
        SyntheticMesh.shop.fill(store, now: now)
        let prometheus = PrometheusAPI(store: store, version: "test", now: { now })
        let panels = try #require(try document(file)["panels"]?.arrayValue)
        var identifiers: Set<Int> = []
        for panel in panels {
            let title = panel["title"]?.stringValue ?? ""
            let isNew = identifiers.insert(panel["id"]?.intValue ?? 0).inserted
            #expect(isNew, "\(title): two panels of one number")
            for target in try #require(panel["targets"]?.arrayValue) {
                let query = resolved(try #require(target["expr"]?.stringValue))
                #expect(!query.contains("$"), "\(title): \(query)")
                var parameters = FormParameters()
                let encoded = query.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
                parameters.add(encoded: "query=\(encoded)".utf8)
                let answer = prometheus.respond("query", parameters)
                let body = try JSONValue(parsing: answer.body)
                #expect(answer.status == 200, "\(title): \(query): \(body)")
                let isFilled =
                    query.contains("istio_requests_total{") || query.contains("duration_milliseconds_bucket{")
                if isFilled, !query.contains(#""4..""#), !query.contains("_agent_") {
                    #expect(body[path: "data", "result"]?.arrayValue?.isEmpty == false, "\(title): \(query) is empty")
                }
            }
        }
    }

    /// A variable asks for the values of a label of series that a selector names.
    @Test(arguments: files) func everyVariableIsAQuery(_ file: String) throws {
        let variables = try #require(try document(file)[path: "templating", "list"]?.arrayValue)
        #expect(variables.first?["type"]?.stringValue == "datasource")
        for variable in variables.dropFirst() {
            let query = try #require(variable[path: "query", "query"]?.stringValue)
            let parts = try #require(query.wholeMatch(of: /label_values\((.+), ([a-z_]+)\)/), "\(query)")
            let store = try TimeSeriesStore(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            SyntheticMesh.shop.fill(store, now: 1_700_000_000_000)
            let prometheus = PrometheusAPI(store: store, version: "test", now: { 1_700_000_000_000 })
            var parameters = FormParameters()
            let encoded = resolved(String(parts.1)).addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            parameters.add(encoded: "match[]=\(encoded)".utf8)
            let answer = try JSONValue(parsing: prometheus.respond("label/\(parts.2)/values", parameters).body)
            #expect(answer["data"]?.arrayValue?.isEmpty == false, "\(query): \(answer)")
        }
    }
}
