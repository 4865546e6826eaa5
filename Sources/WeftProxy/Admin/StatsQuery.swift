import WeftCore

/// What `/stats` is asked for.
struct StatsQuery {
    enum Format { case text, json, prometheus }
    enum Kind: String {
        case all = "All", counters = "Counters", gauges = "Gauges", histograms = "Histograms", texts = "TextReadouts"
    }
    /// Why a question cannot be answered, in Envoy's words where its users look for them.
    struct Problem: Error { var text: String }

    private(set) var format = Format.text
    private(set) var kind = Kind.all
    private(set) var usedOnly = false
    private let filter: Regex?

    init(_ query: [String: String]) throws(Problem) {
        let pattern = query["filter"] ?? ""
        do throws(RegexError) {
            filter = pattern.isEmpty ? nil : try Regex(anywhere: pattern)
        } catch {
            throw Problem(text: "Invalid re2 regex: \(error.message): \(pattern)")
        }
        usedOnly = query["usedonly"] != nil
        switch query["format"] ?? "text" {
        case "text": format = .text
        case "json": format = .json
        case "prometheus": format = .prometheus
        default: throw Problem(text: "usage: /stats?format=(json|prometheus|text)\n\n")
        }
        guard let kind = Kind(rawValue: query["type"] ?? "All") else { throw Problem(text: "invalid &type= param") }
        self.kind = kind
        let hidden = query["hidden"] ?? "include"
        guard ["include", "only", "exclude"].contains(hidden) else {
            throw Problem(text: "usage: /stats?hidden=(include|only|exclude)\n\n")
        }
        let buckets = query["histogram_buckets"] ?? "summary"
        guard ["cumulative", "disjoint", "detailed", "summary", "prometheusnative"].contains(buckets) else {
            throw Problem(
                text: "usage: /stats?histogram_buckets=(cumulative|disjoint|detailed|summary|prometheusnative)\n")
        }
    }

    /// Nothing is left out.
    var isAll: Bool { filter == nil && !usedOnly && kind == .all }

    /// Whether a name is asked for.
    func accepts(name: String) -> Bool { filter?.matches(name.utf8) ?? true }

    func accepts(_ stat: EnvoyStat) -> Bool {
        switch kind {
        case .all: break
        case .counters: if stat.isGauge { return false }
        case .gauges: if !stat.isGauge { return false }
        case .histograms, .texts: return false
        }
        return (!usedOnly || stat.value != 0) && accepts(name: stat.name)
    }

    /// Whether times are asked for, and those of this name.
    func accepts(times: EnvoyTimes) -> Bool {
        (kind == .all || kind == .histograms) && (!usedOnly || times.count > 0) && accepts(name: times.name)
    }
}
