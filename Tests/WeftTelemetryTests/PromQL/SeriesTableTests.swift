import Logging
import Testing
import WeftCore
import WeftTelemetry

@Suite struct SeriesTableTests {
    private static let now: Int64 = 1_700_000_060_000

    private func api() throws -> PrometheusAPI {
        let store = try TimeSeriesStore(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        for (labels, value) in [
            (["__name__": "m", "from": "a", "to": "<b>"], 1.5), (["__name__": "m", "from": "b", "to": "a"], .infinity),
            (["__name__": "m", "from": "c"], 3), (["__name__": "n", "from": "a"], 4),
        ] {
            let id = try #require(store.identify(Labels(labels)))
            store.append([(series: id, value: value)], at: Self.now)
        }
        return PrometheusAPI(store: store, version: "1", now: { Self.now })
    }

    private func ask(_ queries: [String], time: String? = nil) throws -> (status: Int, body: JSONValue) {
        let parameters = queries.map { ("query", $0) } + (time.map { [("time", $0)] } ?? [])
        let answer = try api().respondTable(FormParameters(parameters))
        return (answer.status, try JSONValue(parsing: answer.body))
    }

    /// Rows as a page reads them: labels by name, and the value.
    private func rows(_ document: JSONValue, _ index: Int) -> [[String: String]] {
        let strings = (document["strings"]?.arrayValue ?? []).compactMap(\.stringValue)
        let table = document["tables"]?[index] ?? [:]
        let names = (table["labels"]?.arrayValue ?? []).compactMap { $0.intValue.map { strings[Int($0)] } }
        let keys = (table["keys"]?.arrayValue ?? []).compactMap(\.intValue)
        return (table["values"]?.arrayValue ?? []).enumerated().map { row, value in
            var found = ["value": value.text()]
            for (column, name) in names.enumerated() where keys[row * names.count + column] >= 0 {
                found[name] = strings[Int(keys[row * names.count + column])]
            }
            return found
        }
    }

    @Test func everyVectorIsThereWithItsLabels() throws {
        let (status, document) = try ask(["sum by (from, to) (m)", "n", "m{from=\"nobody\"}"])
        #expect(status == 200)
        #expect(document["time"]?.intValue == 1_700_000_060)
        #expect(
            Set(rows(document, 0)) == [
                ["from": "a", "to": "<b>", "value": "1.5"], ["from": "b", "to": "a", "value": "null"],
                ["from": "c", "value": "3"],
            ])
        #expect(rows(document, 1) == [["__name__": "n", "from": "a", "value": "4"]])
        #expect(rows(document, 2).isEmpty)
        // Each text once.
        let strings = (document["strings"]?.arrayValue ?? []).compactMap(\.stringValue)
        #expect(Set(strings).count == strings.count)
        #expect(rows(try ask(["m"], time: "1699999000").body, 0).isEmpty)
    }

    @Test(arguments: [
        (["m["], 400, "invalid parameter"), (["1"], 400, "instant vectors"), (["m[5m]"], 400, "instant vectors"),
        ([], 400, "queries, not 0"), (Array(repeating: "m", count: 33), 400, "queries, not 33"),
        (["m + on() m"], 422, "many-to-many"),
    ])
    func whatIsWrongIsSaid(_ queries: [String], _ status: Int, _ words: String) throws {
        let answer = try ask(queries)
        #expect(answer.status == status, "\(answer)")
        #expect(answer.body["status"]?.stringValue == "error")
        #expect(answer.body.text().contains(words))
    }
}
