import NIOCore

/// In what order the shares of a push are made, and which proxies can be served when one is ready. Pure.
///
/// Proxies of a group have the same shares. Groups are completed one after the other, so that the first proxies have
/// their configuration long before the last share is made. Shares are spoken of by their places in ``keys``: looking
/// keys up for hundreds of proxies would take longer than most changes do. A plan that nothing was taken from can be
/// kept and copied, for the next push of the same proxies.
struct PushPlan: Sendable {
    /// Shares that are made at a time: more than there are cores would only delay the first.
    static let width = max(2, min(16, System.coreCount))

    struct Group: Sendable {
        /// Its shares, by their places.
        var shares: [Int]
        /// Its proxies.
        var ids: [String]
    }
    /// Each share once, in the order of making.
    private(set) var keys: [ShareKey] = []
    private(set) var groups: [Group] = []
    /// The groups that each share is for.
    private var waiting: [[Int]] = []
    /// How many shares each group is without.
    private var missing: [Int] = []
    private var position = 0

    init(groups wanted: [[ShareKey]: [String]]) {
        var places: [ShareKey: Int] = [:]
        for (shares, ids) in wanted.sorted(by: { ($0.value.first ?? "") < ($1.value.first ?? "") }) {
            var group = Group(shares: [], ids: ids)
            for key in shares {
                let place = places[key] ?? keys.count
                if place == keys.count {
                    places[key] = place
                    keys.append(key)
                    waiting.append([])
                }
                group.shares.append(place)
                waiting[place].append(groups.count)
            }
            missing.append(group.shares.count)
            groups.append(group)
        }
    }

    /// The share to be made next; `nil` when all have been given out.
    mutating func next() -> Int? {
        guard position < keys.count else { return nil }
        defer { position += 1 }
        return position
    }

    /// - Returns: the groups that have all their shares now.
    mutating func made(_ share: Int) -> [Group] {
        var ready: [Group] = []
        for index in waiting[share] {
            missing[index] -= 1
            if missing[index] == 0 { ready.append(groups[index]) }
        }
        waiting[share] = []
        return ready
    }
}
