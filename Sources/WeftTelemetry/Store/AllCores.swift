import Dispatch
import Synchronization

/// Runs the same work for each number below a count, on all cores; the caller waits.
enum AllCores {
    private final class Results<Result: Sendable>: Sendable {
        let values: Mutex<[Result?]>
        init(count: Int) { values = Mutex(Array(repeating: nil, count: count)) }
    }

    /// - Returns: what `body` made of each number, in their order.
    static func map<Result: Sendable>(_ count: Int, _ body: @Sendable (Int) -> Result) -> [Result] {
        let results = Results<Result>(count: count)
        DispatchQueue.concurrentPerform(iterations: count) { number in
            let result = body(number)
            results.values.withLock { $0[number] = result }
        }
        return results.values.withLock { $0.compactMap { $0 } }
    }
}
