import Synchronization
import Testing
import WeftTelemetry

@testable import WeftControlPlane

/// A real Prometheus or Jaeger behind the dashboard.
@Suite struct ExternalToolTests {
    private final class Server: Sendable {
        let asked = Mutex<[String]>([])
        let answer: ExternalTool.Answer?
        init(_ answer: ExternalTool.Answer?) { self.answer = answer }
        struct Away: Error, CustomStringConvertible { var description: String { "connection refused" } }
        func fetch(_ url: String) throws -> ExternalTool.Answer {
            asked.withLock { $0.append(url) }
            guard let answer else { throw Away() }
            return answer
        }
    }

    private func ask(
        _ kind: ExternalTool.Kind, _ path: String, _ pairs: [(String, String)] = [],
        answer: ExternalTool.Answer? = .init(status: 200, type: "application/json", body: Array("{}".utf8))
    ) async throws -> (response: APIResponse, asked: [String]) {
        let server = Server(answer)
        let tool = try ExternalTool(kind, base: "http://real:9090/prefix/") { try server.fetch($0) }
        let response = await tool.respond(path, FormParameters(pairs))
        return (response, server.asked.withLock { $0 })
    }

    @Test func questionsGoOnWithTheirParameters() async throws {
        let found = try await ask(.prometheus, "query", [("query", "rate(a{b=\"c\"}[1m]) > 0"), ("time", "1.5")])
        #expect(
            found.asked == [
                "http://real:9090/prefix/api/v1/query?query=rate%28a%7Bb%3D%22c%22%7D%5B1m%5D%29%20%3E%200&time=1.5"
            ])
        #expect(found.response.status == 200)
        let labels = try await ask(.prometheus, "label/a%2Fb/values")
        #expect(labels.asked == ["http://real:9090/prefix/api/v1/label/a%2Fb/values"])
        let trace = try await ask(.jaeger, "traces/12ab")
        #expect(trace.asked == ["http://real:9090/prefix/api/traces/12ab"])
    }

    @Test func refusalsComeBackAsTheyAre() async throws {
        let words = Array(#"{"status":"error","error":"bad"}"#.utf8)
        let found = try await ask(
            .prometheus, "query", answer: .init(status: 400, type: "application/json; charset=utf-8", body: words))
        #expect(found.response.status == 400)
        #expect(found.response.body == words)
    }

    @Test(
        arguments: [
            (.prometheus, "admin/tsdb/delete_series"), (.prometheus, "../../-/quit"), (.prometheus, "query/.."),
            (.prometheus, "status/.."), (.prometheus, ""), (.jaeger, "admin"), (.jaeger, "traces//x"),
        ] as [(ExternalTool.Kind, String)])
    func onlyWhatReadsIsPassedOn(_ kind: ExternalTool.Kind, _ path: String) async throws {
        let found = try await ask(kind, path)
        #expect(found.asked.isEmpty)
        #expect(found.response.status == 404)
    }

    @Test func aToolThatIsAwayOrIsSomethingElseIsSaid() async throws {
        let away = try await ask(.prometheus, "query", answer: nil)
        #expect(away.response.status == 502)
        #expect(String(decoding: away.response.body, as: UTF8.self).contains("connection refused"))
        let page = try await ask(.jaeger, "services", answer: .init(status: 200, type: "text/html", body: []))
        #expect(page.response.status == 502)
        #expect(String(decoding: page.response.body, as: UTF8.self).contains("without JSON"))
    }

    @Test(arguments: ["", "prometheus:9090", "ftp://a", "http://", "http://a?x=1", "http://user@a"])
    func refusesAddresses(_ text: String) {
        #expect(throws: ExternalTool.InvalidAddress.self) {
            try ExternalTool(.prometheus, base: text) { _ in .init(status: 200, type: "", body: []) }
        }
    }
}
