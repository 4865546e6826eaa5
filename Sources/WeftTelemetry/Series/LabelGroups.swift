/// Finds places of numbers that are as good as random: a table with open addressing, half empty.
private struct DigestTable {
    private var digests = Array(repeating: 0, count: 64)
    /// -1 stands for none.
    private var places = Array(repeating: Int32(-1), count: 64)
    private var count = 0

    /// The place that was given to the digest, if `isRight` says so: digests of different things may be equal.
    @inline(__always)
    func place(_ digest: Int, _ isRight: (Int) -> Bool) -> Int? {
        var slot = digest & (digests.count - 1)
        while places[slot] >= 0 {
            if digests[slot] == digest, isRight(Int(places[slot])) { return Int(places[slot]) }
            slot = (slot + 1) & (digests.count - 1)
        }
        return nil
    }

    mutating func insert(_ digest: Int, _ place: Int) {
        if (count + 1) * 2 > digests.count { grow() }
        put(digest, Int32(place))
        count += 1
    }

    private mutating func put(_ digest: Int, _ place: Int32) {
        var slot = digest & (digests.count - 1)
        while places[slot] >= 0 { slot = (slot + 1) & (digests.count - 1) }
        (digests[slot], places[slot]) = (digest, place)
    }

    private mutating func grow() {
        let old = zip(digests, places).filter { $0.1 >= 0 }
        digests = Array(repeating: 0, count: digests.count * 2)
        places = Array(repeating: -1, count: digests.count)
        for (digest, place) in old { put(digest, place) }
    }
}

/// Numbers label sets by a part of their names: what `by` and `without` make of series. Of series whose sets have a
/// known shape the names are looked at once for all; no set is made for a series whose group is known.
struct LabelGroups {
    private let names: LabelNames
    private let isWithout: Bool
    private var table = DigestTable()
    private var sets: [Labels] = []
    /// Where the names that count stand in sets of a shape, and the shape of what is left.
    private struct Part {
        var places: [Int]
        var shape: LabelShape
    }
    private var parts: [LabelShape: Part] = [:]
    private var last: (shape: LabelShape, part: Part)?

    /// - Parameter isWithout: The names and the metric's are left out, instead of being all that counts.
    init(_ names: [String], isWithout: Bool) {
        self.names = LabelNames(isWithout ? names + [Labels.metricName] : names)
        self.isWithout = isWithout
    }

    /// The labels that all sets of a group have in common.
    subscript(place: Int) -> Labels { sets[place] }

    /// The number of the set's group; the number of groups so far when it is the first of its group.
    mutating func place(of labels: Labels) -> Int {
        let part = part(labels)
        let pairs = labels.pairs
        var digest = 0
        for place in part.places { digest &+= pairs[place].digest }
        let found = table.place(digest) { group in
            let known = sets[group].pairs
            guard known.count == part.places.count else { return false }
            for (index, place) in part.places.enumerated() where known[index] != pairs[place] { return false }
            return true
        }
        if let found { return found }
        table.insert(digest, sets.count)
        sets.append(Labels(sorted: part.places.map { pairs[$0] }, shape: part.shape))
        return sets.count - 1
    }

    private mutating func part(_ labels: Labels) -> Part {
        let shape = labels.shape
        if let last, last.shape == shape, shape != .unknown { return last.part }
        let known = shape == .unknown ? nil : parts[shape]
        let part =
            known
            ?? Part(
                places: labels.pairs.indices.filter { names.contains(nameOf: labels.pairs[$0]) != isWithout },
                shape: shape == .unknown ? .unknown : .new())
        if shape != .unknown, known == nil { parts[shape] = part }
        last = (shape, part)
        return part
    }
}

/// The label sets that a function has given so far, without their names: none may come twice.
struct SeenLabels {
    private let isNeeded: Bool
    private var table = DigestTable()
    private var sets: [Labels] = []

    /// - Parameter isNeeded: `false` where none can.
    init(isNeeded: Bool) { self.isNeeded = isNeeded }

    mutating func add(_ labels: Labels) throws(PromQLError) {
        guard isNeeded else { return }
        var digest = 0
        for pair in labels.pairs where !Labels.onlyName.contains(nameOf: pair) { digest &+= pair.digest }
        if table.place(digest, { sets[$0].withoutName == labels.withoutName }) != nil { throw Evaluator.sameLabels }
        table.insert(digest, sets.count)
        sets.append(labels)
    }
}
