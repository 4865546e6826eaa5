/// One series in memory: its labels and what has not gone to a block.
final class HeadSeries {
    let id: UInt32
    let labels: Labels
    var open = ChunkEncoder()
    /// Chunks that wait for their block to be written.
    var closed: [Chunk] = []
    /// Of the youngest sample, in memory or on disk.
    var lastTime: Int64 = .min

    init(id: UInt32, labels: Labels) {
        self.id = id
        self.labels = labels
    }

    func chunks(from: Int64, through: Int64) -> [Chunk] {
        var result = closed.filter { $0.maxTime >= from && $0.minTime <= through }
        if open.count > 0, open.maxTime >= from, open.minTime <= through { result.append(open.chunk) }
        return result
    }

    var newestInHead: Int64 { open.count > 0 ? open.maxTime : closed.last?.maxTime ?? .min }
}

/// Labels, interned, and which series have them. Not thread-safe: the store's lock guards it.
struct SeriesIndex {
    private(set) var series: [UInt32: HeadSeries] = [:]
    private var bySet: [Labels: UInt32] = [:]
    private var interned: Set<Label> = []
    /// By the names that a set has.
    private var shapes: [[String]: LabelShape] = [:]
    /// Name, then value, then numbers in rising order.
    private var postings: [String: [String: [UInt32]]] = [:]
    private(set) var nextID: UInt32 = 1

    var count: Int { series.count }

    func find(_ labels: Labels) -> HeadSeries? { bySet[labels].flatMap { series[$0] } }

    /// - Parameter id: Of a series that the log remembers; `nil` for a new one.
    mutating func insert(_ labels: Labels, id: UInt32? = nil) -> HeadSeries {
        let names = labels.pairs.map(\.name)
        let shape = shapes[names] ?? .new()
        shapes[names] = shape
        let shared = Labels(
            sorted: labels.pairs.map { label in
                let (inserted, known) = interned.insert(label)
                return inserted ? label : known
            }, shape: shape)
        let id = id ?? nextID
        nextID = max(nextID, id &+ 1)
        let made = HeadSeries(id: id, labels: shared)
        series[id] = made
        bySet[shared] = id
        for label in shared.pairs { Self.add(id, to: &postings[label.name, default: [:]][label.value, default: []]) }
        return made
    }

    private static func add(_ id: UInt32, to list: inout [UInt32]) {
        guard let last = list.last, last >= id else { return list.append(id) }
        let place = list.firstIndex { $0 >= id } ?? list.count
        if list[place] != id { list.insert(id, at: place) }
    }

    mutating func remove(_ ids: Set<UInt32>) {
        for id in ids {
            guard let gone = series.removeValue(forKey: id) else { continue }
            bySet[gone.labels] = nil
        }
        for (name, values) in postings {
            var kept = values
            for (value, list) in values where list.contains(where: ids.contains) {
                let rest = list.filter { !ids.contains($0) }
                kept[value] = rest.isEmpty ? nil : rest
            }
            postings[name] = kept.isEmpty ? nil : kept
        }
        interned = Set(series.values.flatMap(\.labels.pairs))
        let kept = Set(series.values.map(\.labels.shape))
        shapes = shapes.filter { kept.contains($0.value) }
    }

    var names: [String] { postings.keys.sorted() }
    func values(_ name: String) -> [String] { postings[name]?.keys.sorted() ?? [] }

    /// The numbers of all series that every matcher allows, rising.
    func select(_ matchers: [LabelMatcher]) -> [UInt32] {
        var result: [UInt32]?
        // Matchers that demand a label narrow by the index, the rest look at what is left.
        var rest: [LabelMatcher] = []
        for matcher in matchers {
            guard !matcher.matchesEmpty else {
                rest.append(matcher)
                continue
            }
            let list = postings(matcher)
            result = result.map { Self.intersection($0, list) } ?? list
            if result?.isEmpty ?? false { return [] }
        }
        let candidates = result ?? series.keys.sorted()
        guard !rest.isEmpty else { return candidates }
        return candidates.filter { id in
            guard let labels = series[id]?.labels else { return false }
            return rest.allSatisfy { $0.matches(labels) }
        }
    }

    private func postings(_ matcher: LabelMatcher) -> [UInt32] {
        guard let values = postings[matcher.name] else { return [] }
        if matcher.kind == .equal { return values[matcher.value] ?? [] }
        if matcher.kind == .matches, let alternatives = matcher.alternatives {
            return Self.union(Set(alternatives).compactMap { values[$0] })
        }
        return Self.union(values.filter { matcher.matches($0.key) }.map(\.value))
    }

    private static func union(_ lists: [[UInt32]]) -> [UInt32] {
        guard lists.count > 1 else { return lists.first ?? [] }
        // A series has one value for a name, so no number comes twice.
        return lists.joined().sorted()
    }

    private static func intersection(_ left: [UInt32], _ right: [UInt32]) -> [UInt32] {
        var result: [UInt32] = []
        var (i, j) = (0, 0)
        while i < left.count, j < right.count {
            if left[i] == right[j] {
                result.append(left[i])
                i += 1
                j += 1
            } else if left[i] < right[j] {
                i += 1
            } else {
                j += 1
            }
        }
        return result
    }
}
