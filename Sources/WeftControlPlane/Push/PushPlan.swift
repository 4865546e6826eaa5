/// In what order the shares of a push are made, and which proxies can be served when one is ready. Pure.
///
/// Proxies of a group have the same shares. Groups are completed one after the other, so that the first proxies have
/// their configuration long before the last share is made.
struct PushPlan {
    /// Shares that are made at a time.
    static let width = 4

    private struct Group {
        var missing: Set<ShareKey>
        var ids: [String]
    }
    private var queue: [ShareKey] = []
    private var position = 0
    private var groups: [Group] = []
    private var waiting: [ShareKey: [Int]] = [:]

    init(groups wanted: [[ShareKey]: [String]]) {
        for (keys, ids) in wanted.sorted(by: { ($0.value.first ?? "") < ($1.value.first ?? "") }) {
            groups.append(Group(missing: Set(keys), ids: ids))
            for key in keys {
                if waiting[key] == nil { queue.append(key) }
                waiting[key, default: []].append(groups.count - 1)
            }
        }
    }

    /// The share to be made next; `nil` when all have been given out.
    mutating func next() -> ShareKey? {
        guard position < queue.count else { return nil }
        defer { position += 1 }
        return queue[position]
    }

    /// - Returns: the proxies that have all their shares now.
    mutating func made(_ key: ShareKey) -> [String] {
        var ready: [String] = []
        for index in waiting.removeValue(forKey: key) ?? [] {
            groups[index].missing.remove(key)
            if groups[index].missing.isEmpty { ready += groups[index].ids }
        }
        return ready
    }
}
