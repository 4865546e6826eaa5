/// `histogram_quantile` over classic histograms: series that differ in `le` alone are the buckets of one.
enum HistogramQuantile {
    private struct Bucket {
        var bound: Double
        var count: Double
    }

    private static let bound = LabelNames(["le"])

    static func evaluate(
        _ shares: [Double], _ series: [SteppedSeries], _ evaluator: Evaluator
    ) throws(PromQLError) -> [SteppedSeries] {
        var sets = LabelGroups(["le"], isWithout: true)
        var groups: [(labels: Labels, members: [(bound: Double, values: [Double])])] = []
        // There are few bounds, and thousands of series with each of them.
        var bounds: [Label: Double?] = [:]
        for one in series {
            guard let label = one.labels.pairs.first(where: { Self.bound.contains(nameOf: $0) }) else { continue }
            let known = bounds[label] ?? number(label.value)
            bounds[label] = known
            guard let bound = known else { continue }
            let slot = sets.place(of: one.labels)
            if slot == groups.count { groups.append((sets[slot], [])) }
            groups[slot].members.append((bound, one.values))
        }
        var result: [SteppedSeries] = []
        for (labels, members) in groups {
            try evaluator.checkTime()
            let sorted = members.sorted { $0.bound < $1.bound }
            let values = shares.indices.map { step in
                let buckets = sorted.compactMap { member in
                    StaleMarker.isStale(member.values[step])
                        ? nil : Bucket(bound: member.bound, count: member.values[step])
                }
                return buckets.isEmpty ? StaleMarker.value : quantile(shares[step], buckets)
            }
            result.append(SteppedSeries(labels: labels, values: values))
        }
        return result
    }

    private static func number(_ text: String) -> Double? {
        switch text.lowercased() {
        case "+inf", "inf": .infinity
        case "-inf": -.infinity
        case "nan": .nan
        default: Double(text)
        }
    }

    /// - Parameter buckets: Cumulative, by rising bound.
    private static func quantile(_ share: Double, _ buckets: [Bucket]) -> Double {
        if share.isNaN { return .nan }
        if share < 0 { return -.infinity }
        if share > 1 { return .infinity }
        guard let top = buckets.last, top.bound == .infinity else { return .nan }
        let buckets = monotonic(joined(buckets))
        guard buckets.count > 1, let observations = buckets.last?.count, observations != 0, !observations.isNaN else {
            return .nan
        }
        let rank = share * observations
        let found = buckets.dropLast().firstIndex { $0.count >= rank } ?? buckets.count - 1
        if found == buckets.count - 1 { return buckets[found - 1].bound }
        if found == 0, buckets[0].bound <= 0 { return buckets[0].bound }
        let below = found > 0 ? buckets[found - 1] : Bucket(bound: 0, count: 0)
        let inside = buckets[found].count - below.count
        return below.bound + (buckets[found].bound - below.bound) * ((rank - below.count) / inside)
    }

    /// Buckets with one bound count together.
    private static func joined(_ buckets: [Bucket]) -> [Bucket] {
        var result: [Bucket] = []
        for bucket in buckets {
            if let last = result.last, last.bound == bucket.bound {
                result[result.count - 1].count += bucket.count
            } else {
                result.append(bucket)
            }
        }
        return result
    }

    /// Scrapes of one histogram may be cut between two buckets; a count below its predecessor's is lifted to it.
    private static func monotonic(_ buckets: [Bucket]) -> [Bucket] {
        var highest = -Double.infinity
        return buckets.map { bucket in
            highest = Swift.max(highest, bucket.count)
            return Bucket(bound: bucket.bound, count: highest)
        }
    }
}
