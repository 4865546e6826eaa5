/// Finds rules by the hosts they are about, without looking at all of them.
struct HostIndex: Sendable {
    private var exact: [String: [Int]] = [:]
    private var wildcards: [(pattern: String, position: Int)] = []

    init() {}

    /// Notes that the rule at a position of its list is about a host in full, which may be a wildcard.
    mutating func add(_ host: String, position: Int) {
        if host.hasPrefix("*") {
            wildcards.append((host, position))
        } else {
            exact[host, default: []].append(position)
        }
    }

    /// Positions of all rules that cover a host, each once, in the order of the list.
    func covering(_ host: String) -> [Int] {
        let wild = wildcards.filter { HostPattern.matches($0.pattern, host) }.map(\.position)
        guard let named = exact[host] else { return wild.isEmpty ? [] : Set(wild).sorted() }
        return wild.isEmpty && named.count == 1 ? named : Set(named + wild).sorted()
    }

    /// The rule with the most specific host; the first of those that are alike.
    func best(_ host: String) -> Int? {
        if let named = exact[host]?.min() { return named }
        var best: (pattern: String, position: Int)?
        for candidate in wildcards where HostPattern.matches(candidate.pattern, host) {
            let (length, most) = (candidate.pattern.utf8.count, best?.pattern.utf8.count ?? -1)
            if length > most || length == most && candidate.position < best?.position ?? .max { best = candidate }
        }
        return best?.position
    }
}
