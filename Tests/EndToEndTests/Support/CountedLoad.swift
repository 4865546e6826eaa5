import Foundation
import TestSupport
import Testing

/// One request of a load, as its client saw it.
struct SentRequest {
    var status: Int
    var seconds: Double
    /// Seconds since 1970 at its end.
    var ended: Double
    /// Whether the answer has the text that the load looked for.
    var isMarked = false
}

extension LocalMesh {
    /// The single value of a query to the store, as the dashboard asks it; 0 when there is none.
    func query(_ text: String, at time: Double? = nil) async throws -> Double {
        var arguments = [
            "curl", "-s", "--get", "--data-urlencode", "query=\(text)",
            "http://127.0.0.1:\(dashboardPort)/prometheus/api/v1/query",
        ]
        if let time { arguments.insert(contentsOf: ["--data-urlencode", "time=\(time)"], at: 3) }
        let answer = try await command(arguments).checked().out
        let json = try JSONSerialization.jsonObject(with: Data(answer.utf8)) as? [String: Any]
        let data = try #require(json?["data"] as? [String: Any], "\(answer)")
        let first = (data["result"] as? [[String: Any]])?.first?["value"] as? [Any]
        return (first?.last as? String).flatMap(Double.init) ?? 0
    }
}

/// What a load counted, held against what the store says of it.
struct CountedLoad {
    let mesh: LocalMesh
    let sent: [SentRequest]
    /// Matchers of the series that count the same requests.
    let matchers: String

    /// Bounds of `istio_request_duration_milliseconds`.
    private static let bounds = [
        0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300_000, 600_000, 1_800_000,
        3_600_000,
    ]

    /// Seconds within the load, at most a minute; shorter only where the load was.
    var length: Double {
        guard let first = sent.first, let last = sent.last else { return 0 }
        return min(60, (last.ended - first.ended) * 0.8).rounded(.down)
    }
    var until: Double { (sent.last?.ended ?? 0) - 1 }
    var within: [SentRequest] { sent.filter { $0.ended > until - length && $0.ended <= until } }
    private var window: String { "[\(Int(length))s]" }

    /// Requests a second in the window, as the store has it.
    func rate(_ more: String = "") async throws -> Double {
        try await mesh.query("sum(rate(istio_requests_total{\(matchers)\(more)}\(window)))", at: until)
    }

    /// Rates within 5 %, quantiles within one bucket (issue 5, line 1).
    func agrees() async throws {
        let own = Double(within.count) / length
        let told = try await rate()
        #expect(abs(told - own) <= own * 0.05, "the load says \(own), the store \(told) requests a second")
        let sorted = within.map { $0.seconds * 1000 }.sorted()
        func bucket(_ value: Double) -> Int { Self.bounds.firstIndex { value <= $0 } ?? Self.bounds.count }
        for share in [0.5, 0.99] {
            let own = sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
            let told = try await mesh.query(
                "histogram_quantile(\(share), sum by (le) (rate(istio_request_duration_milliseconds_bucket"
                    + "{\(matchers)}\(window))))", at: until)
            #expect(
                abs(bucket(own) - bucket(told)) <= 1, "p\(share): the load says \(own) ms, the store \(told) ms")
        }
    }
}

extension Caller {
    /// Requests one after the other, with a `delay` of 15 ms, every twentieth of 300 ms, where the URL takes one.
    ///
    /// Times begin when the request may be sent: what the sidecar sees of it, without the name's look-up. The delay keeps
    /// what the client itself needs (half a millisecond) from counting for more than a bucket.
    /// - Parameter mark: text whose presence in the body is told.
    func load(_ url: String, count: Int, mark: String = "no such text") async throws -> [SentRequest] {
        let script = """
            for i in $(seq \(count)); do
              delay=15ms; [ $((i % 20)) = 0 ] && delay=300ms
              body=$(curl -s -w '\\n%{http_code} %{time_pretransfer} %{time_total}' --max-time 20 "\(url)?delay=$delay")
              case "$body" in *'\(mark)'*) marked=1;; *) marked=0;; esac
              echo "${body##*$'\\n'} $marked $(date +%s.%3N)"
              sleep 0.05
            done
            """
        return try await shell(script, timeout: 400).split(separator: "\n").compactMap { line in
            let parts = line.split(separator: " ")
            guard parts.count == 5, let status = Int(parts[0]), let begun = Double(parts[1]),
                let finished = Double(parts[2]), let ended = Double(parts[4])
            else { return nil }
            return SentRequest(status: status, seconds: finished - begun, ended: ended, isMarked: parts[3] == "1")
        }
    }
}
