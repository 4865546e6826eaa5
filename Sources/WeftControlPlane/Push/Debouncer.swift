/// Decides when a burst of changes is over. Pure: instants come in, a deadline comes out.
///
/// A push is due when nothing changed for `quiet`, but never later than `limit` after the first change.
struct DebounceMachine: Sendable, Hashable {
    typealias Instant = ContinuousClock.Instant
    let quiet: Duration
    let limit: Duration
    private var first: Instant?
    private var last: Instant?
    /// How many changes the coming push stands for.
    private(set) var changes = 0

    init(quiet: Duration = .milliseconds(100), limit: Duration = .seconds(10)) {
        self.quiet = quiet
        self.limit = limit
    }

    /// When to push next; `nil` when nothing changed.
    var deadline: Instant? {
        guard let first, let last else { return nil }
        return min(last + quiet, first + limit)
    }

    mutating func changed(at now: Instant) {
        if first == nil { first = now }
        last = now
        changes += 1
    }

    /// Takes the push if it is due: the number of changes it stands for, or `nil`.
    mutating func take(at now: Instant) -> Int? {
        guard let deadline, now >= deadline else { return nil }
        defer { self = DebounceMachine(quiet: quiet, limit: limit) }
        return changes
    }
}
