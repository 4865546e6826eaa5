import Synchronization

/// A regular expression of a schema. `Regex` is not `Sendable`, so each use is made under a lock.
final class PatternBox: Sendable {
    let source: String
    private let regex: Mutex<Regex<AnyRegexOutput>>

    /// `nil` when the pattern is not one that Swift can read; such a pattern matches nothing and is not checked.
    init?(_ source: String) {
        guard let regex = try? Regex(source) else { return nil }
        self.source = source
        self.regex = Mutex(regex)
    }

    func matches(_ text: String) -> Bool {
        regex.withLock { regex in (try? regex.firstMatch(in: text)) != nil }
    }
}
