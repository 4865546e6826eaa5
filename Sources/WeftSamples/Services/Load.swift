import NIOHTTP1
import Synchronization

/// Sends GET requests to one URL from several workers and counts the answers by status. Status 0: no answer.
struct Load: Sendable {
    struct Target: Sendable {
        var host: String
        var port: Int
        var path: String

        /// - Returns: `nil` unless `url` is `http://host[:port][/path]`.
        init?(_ url: String) {
            guard url.hasPrefix("http://") else { return nil }
            let rest = url.dropFirst(7)
            let authority = rest.prefix { $0 != "/" && $0 != "?" }
            let tail = rest.dropFirst(authority.count)
            let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
            guard let first = parts.first, !first.isEmpty, parts.count <= 2 else { return nil }
            guard let port = parts.count == 2 ? Int(parts[1]) : 80 else { return nil }
            host = String(first)
            self.port = port
            path = tail.hasPrefix("/") ? String(tail) : "/" + tail
        }
    }
    /// What happened: answers by status, and how long they took, sorted.
    struct Outcome: Sendable {
        var statuses: [Int: Int] = [:]
        var milliseconds: [Double] = []

        func percentile(_ share: Double) -> Double {
            milliseconds.isEmpty
                ? 0 : milliseconds[min(milliseconds.count - 1, Int(Double(milliseconds.count) * share))]
        }
    }
    let target: Target
    /// 0: until the process ends.
    var requests: Int
    var concurrency: Int
    /// Requests in a second over all workers; 0: as fast as it goes.
    var rate: Double

    func run() async -> Outcome {
        let started = Started()
        return await withTaskGroup(of: Outcome.self) { group in
            for _ in 0..<max(1, concurrency) {
                group.addTask {
                    var outcome = Outcome()
                    while take(started) { await one(&outcome) }
                    return outcome
                }
            }
            var all = Outcome()
            for await part in group {
                all.statuses.merge(part.statuses, uniquingKeysWith: +)
                all.milliseconds += part.milliseconds
            }
            all.milliseconds.sort()
            return all
        }
    }

    private func take(_ started: Started) -> Bool { requests == 0 || started.next() <= requests }

    private func one(_ outcome: inout Outcome) async {
        let clock = ContinuousClock()
        let begin = clock.now
        let answer = try? await SampleClient.get(
            host: target.host, port: target.port, path: target.path, headers: ["user-agent": "weft-load"])
        let taken = clock.now - begin
        // An endless run keeps no samples: its memory must not grow.
        if requests > 0 {
            outcome.statuses[answer?.0 ?? 0, default: 0] += 1
            outcome.milliseconds.append(taken / .milliseconds(1))
        }
        guard rate > 0 else { return }
        let pause = Duration.seconds(Double(max(1, concurrency)) / rate) - taken
        if pause > .zero { try? await Task.sleep(for: pause) }
    }
}

/// How many requests all workers have begun.
private final class Started: Sendable {
    private let count = Atomic<Int>(0)
    func next() -> Int { count.add(1, ordering: .relaxed).newValue }
}
