import NIOHTTP1
import Synchronization

/// Fails or dawdles for the first answers to each key, then recovers. Safe to call from any thread.
///
/// The key is the query parameter `key`, otherwise the path. A request may override the settings: `fail` and `status`
/// fail the first answers; `delay` (with `slow`, only the first `slow` answers) holds them back.
/// `GET /attempts?key=K` tells how many requests were counted for K.
final class Flaky: Sendable {
    struct Settings: Sendable {
        var fail = 0
        var status = 503
        /// `nil`: every answer is delayed.
        var slow: Int?
        var delayMilliseconds = 0
    }
    private let counts = Mutex<[String: Int]>([:])
    private let settings: Settings
    private static let keyLimit = 100_000

    init(_ settings: Settings) { self.settings = settings }

    func answer(_ request: SampleRequest) async -> SampleResponse {
        let query = request.query
        let key = query["key"] ?? request.path
        if request.path == "/attempts" {
            return .text("\(counts.withLock { $0[query["key"] ?? "/", default: 0] })\n")
        }
        let number = count(key)
        let plan = settings(overriddenBy: query)
        if plan.delayMilliseconds > 0, number <= plan.slow ?? .max {
            try? await Task.sleep(for: .milliseconds(plan.delayMilliseconds))
        }
        if number <= plan.fail { return .text("failure \(number) of \(plan.fail)\n", status: plan.status) }
        return SampleResponse(
            headers: [("content-type", "text/plain"), ("x-attempt", String(number))], body: "ok after \(number)\n")
    }

    private func count(_ key: String) -> Int {
        counts.withLock { counts in
            if counts.count >= Flaky.keyLimit, counts[key] == nil { counts.removeAll() }
            let number = counts[key, default: 0] + 1
            counts[key] = number
            return number
        }
    }

    private func settings(overriddenBy query: [String: String]) -> Settings {
        var plan = settings
        if let fail = query["fail"].flatMap({ Int($0) }) { plan.fail = fail }
        if let status = query["status"].flatMap({ Int($0) }), (200...599).contains(status) { plan.status = status }
        if let delay = query["delay"].flatMap(Flaky.milliseconds) {
            plan.delayMilliseconds = delay
            plan.slow = nil
        }
        if let slow = query["slow"].flatMap({ Int($0) }) { plan.slow = slow }
        return plan
    }

    /// `3s`, `250ms` or a number of seconds; at most a minute.
    static func milliseconds(_ text: String) -> Int? {
        let isMilliseconds = text.hasSuffix("ms")
        let digits = isMilliseconds ? text.dropLast(2) : text.hasSuffix("s") ? text.dropLast() : text[...]
        guard let value = Double(digits), value >= 0 else { return nil }
        return Int(min(60_000, isMilliseconds ? value : value * 1000))
    }
}
