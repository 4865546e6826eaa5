import Foundation
import TestSupport
import Testing
import WeftTelemetry

/// The same samples and the same queries for Debian's Prometheus and for Weft: equal within float tolerance.
@Suite struct PrometheusComparisonTests {
    /// One question: a query at one time, or over a range.
    struct Question {
        var query: String
        /// Seconds since 1970.
        var start: Int
        var end: Int?
        var step: Int?
    }
    /// What was answered: values by series and time, or an error's kind.
    enum Answer: Equatable {
        case values([String: [Int64: Double]])
        case text(String)
        case error
    }

    private static let start = Int(ScriptedMetrics.start / 1000)
    private static let questions: [Question] = ComparedQueries.all.flatMap { query in
        [
            Question(query: query, start: start + 3607), Question(query: query, start: start + 5400),
            Question(query: query, start: start + 1215, end: start + 4815, step: 97),
        ]
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/prometheus")))
    func sameAnswers() async throws {
        let folder = try Workspace.folder("prometheus-comparison")
        let metrics = ScriptedMetrics()
        let server = try await prometheus(folder, metrics)
        defer { server.stop() }
        let answers = try await ask(folder, port: server.port)
        let engine = QueryEngine(source: metrics.source)
        var differences: [String] = []
        var equal = 0
        for (question, theirs) in zip(Self.questions, answers) {
            let ours = Self.answer(question, engine)
            if let difference = Self.difference(ours, theirs) {
                differences.append(
                    "\(question.query) [\(question.start - Self.start)\(question.end == nil ? "" : " range")]: \(difference)"
                )
            } else {
                equal += 1
            }
        }
        print("Prometheus comparison: \(ComparedQueries.all.count) queries, \(equal) of \(answers.count) answers equal")
        #expect(answers.count == Self.questions.count)
        // Two empty answers are equal too; most must not be.
        let full = answers.count { if case .values(let values) = $0 { !values.isEmpty } else { false } }
        #expect(full > 800)
        #expect(differences.isEmpty, "\(differences.count) differ:\n\(differences.prefix(60).joined(separator: "\n"))")
    }

    @Test func thereAreEnoughQueries() {
        #expect(Set(ComparedQueries.all).count >= 150)
        #expect(Set(ComparedQueries.all).count == ComparedQueries.all.count)
    }

    // MARK: - Prometheus

    private struct Server {
        var process: ServerProcess
        var port: UInt16
        func stop() { process.stop() }
    }

    private func prometheus(_ folder: String, _ metrics: ScriptedMetrics) async throws -> Server {
        try metrics.openMetrics.write(toFile: folder + "/samples.txt", atomically: true, encoding: .utf8)
        try "scrape_configs: []\n".write(toFile: folder + "/prometheus.yml", atomically: true, encoding: .utf8)
        try await command(
            ["promtool", "tsdb", "create-blocks-from", "openmetrics", folder + "/samples.txt", folder + "/data"],
            timeout: 240
        ).checked()
        let port = try RawListener.freePorts(1)[0]
        let process = try ServerProcess(
            "prometheus", "/usr/bin/prometheus",
            [
                "--config.file=\(folder)/prometheus.yml", "--storage.tsdb.path=\(folder)/data",
                "--storage.tsdb.retention.time=100y", "--web.listen-address=127.0.0.1:\(port)",
            ], log: folder + "/prometheus.log")
        try await process.waitForPort(port)
        try await eventually("Prometheus ready") {
            let answer = try await command(["curl", "-s", "http://127.0.0.1:\(port)/-/ready"])
            return answer.out.contains("Ready") ? true : nil
        }
        return Server(process: process, port: port)
    }

    private func ask(_ folder: String, port: UInt16) async throws -> [Answer] {
        var configuration = ""
        for (index, question) in Self.questions.enumerated() {
            var fields = ["query=\(question.query)"]
            if let end = question.end, let step = question.step {
                fields += ["start=\(question.start)", "end=\(end)", "step=\(step)"]
            } else {
                fields.append("time=\(question.start)")
            }
            let path = question.end == nil ? "query" : "query_range"
            if index > 0 { configuration += "next\n" }
            configuration += "url = \"http://127.0.0.1:\(port)/api/v1/\(path)\"\n"
            for field in fields {
                let escaped = field.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
                configuration += "data-urlencode = \"\(escaped)\"\n"
            }
            configuration += "output = \"\(folder)/\(index).json\"\nsilent\n"
        }
        try configuration.write(toFile: folder + "/curl", atomically: true, encoding: .utf8)
        try await command(["curl", "-s", "-K", folder + "/curl"], timeout: 500).checked()
        return try Self.questions.indices.map {
            try Self.parse(Data(contentsOf: URL(filePath: "\(folder)/\($0).json")))
        }
    }

    /// The answer in a document of the HTTP API.
    static func parse(_ data: Data) throws -> Answer {
        let document = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        guard let content = document["data"] as? [String: Any], let kind = content["resultType"] as? String else {
            return .error
        }
        if kind == "string" { return .text((content["result"] as? [Any])?.last as? String ?? "") }
        if kind == "scalar" { return .values(["{}": points([content["result"] as? [Any] ?? []])]) }
        var values: [String: [Int64: Double]] = [:]
        for entry in content["result"] as? [[String: Any]] ?? [] {
            let labels = Labels(entry["metric"] as? [String: String] ?? [:])
            let list = entry["values"] as? [[Any]] ?? [entry["value"] as? [Any] ?? []]
            values[key(labels)] = points(list)
        }
        return .values(values)
    }

    private static func points(_ list: [[Any]]) -> [Int64: Double] {
        var result: [Int64: Double] = [:]
        for point in list {
            guard let time = (point.first as? NSNumber)?.doubleValue, let text = point.last as? String else { continue }
            result[Int64((time * 1000).rounded())] = number(text)
        }
        return result
    }

    private static func number(_ text: String) -> Double {
        switch text {
        case "NaN": .nan
        case "+Inf": .infinity
        case "-Inf": -.infinity
        default: Double(text) ?? .nan
        }
    }

    private static func key(_ labels: Labels) -> String {
        labels.pairs.map { "\($0.name)=\(PromQLText.quoted($0.value))" }.joined(separator: ",")
    }

    // MARK: - Weft

    private static func answer(_ question: Question, _ engine: QueryEngine) -> Answer {
        do {
            let expression = try PromQLParser.parse(question.query)
            guard let end = question.end, let step = question.step else {
                return answer(try engine.instant(expression, at: Int64(question.start) * 1000))
            }
            return answer(
                try engine.range(
                    expression, start: Int64(question.start) * 1000, end: Int64(end) * 1000, step: Int64(step) * 1000))
        } catch {
            return .error
        }
    }

    private static func answer(_ result: QueryResult) -> Answer {
        switch result {
        case .scalar(let point): return .values(["{}": [point.time: point.value]])
        case .string(let text, _): return .text(text)
        case .vector(let list):
            return .values(
                Dictionary(list.map { (key($0.labels), [$0.point.time: $0.point.value]) }) { first, _ in first })
        case .matrix(let list):
            return .values(
                Dictionary(
                    list.map { one in
                        (key(one.labels), Dictionary(uniqueKeysWithValues: one.points.map { ($0.time, $0.value) }))
                    }
                ) { first, _ in first })
        }
    }

    // MARK: - Comparison

    private static func difference(_ ours: Answer, _ theirs: Answer) -> String? {
        guard case .values(let mine) = ours, case .values(let other) = theirs else {
            return ours == theirs ? nil : "Weft \(shortened(ours)), Prometheus \(shortened(theirs))"
        }
        if Set(mine.keys) != Set(other.keys) {
            return "series differ: only Weft \(Set(mine.keys).subtracting(other.keys).prefix(2)), only Prometheus "
                + "\(Set(other.keys).subtracting(mine.keys).prefix(2))"
        }
        for (series, points) in mine {
            let others = other[series] ?? [:]
            if Set(points.keys) != Set(others.keys) {
                return "\(series): steps differ: \(points.count) and \(others.count)"
            }
            for (time, value) in points {
                guard let expected = others[time], !isClose(value, expected) else { continue }
                return "\(series) at \(time): Weft \(value), Prometheus \(expected)"
            }
        }
        return nil
    }

    private static func isClose(_ left: Double, _ right: Double) -> Bool {
        if left.isNaN || right.isNaN { return left.isNaN && right.isNaN }
        if left == right { return true }
        return (left - right).magnitude <= 1e-9 * max(left.magnitude, right.magnitude, 1e-12)
    }

    private static func shortened(_ answer: Answer) -> String { String("\(answer)".prefix(160)) }
}
