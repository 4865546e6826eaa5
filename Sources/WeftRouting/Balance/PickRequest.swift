package import WeftIR

/// What one pick is asked for. All optional: the plain value asks for any host.
package struct PickRequest {
    /// For ring hash and maglev; without one they pick at random.
    package var hash: UInt64?
    /// The subset to pick from; empty asks for none.
    package var subset = SubsetKey()
    /// An address that is taken when it is in and not down (stateful sessions, original destination by header).
    package var overrideAddress: String?
    /// Hosts that earlier tries used (`previous_hosts`).
    package var tried: [SharedHost] = []
    package var omitsCanaryHosts = false
    package var omittedMetadata: [String: MetadataValue] = [:]
    /// How often a host that a predicate refuses is replaced by another pick.
    package var maxReselections = 1
    /// Priorities that get no load any more, as bits (`previous_priorities`).
    package var excludedPriorities: UInt64 = 0
    /// Monotonic nanoseconds.
    package var now: Int64 = 0

    package init() {}

    var hasPredicates: Bool { !tried.isEmpty || omitsCanaryHosts || !omittedMetadata.isEmpty }

    /// Whether a predicate refuses the host, as good as others may be found.
    func refuses(_ host: BalancedHost) -> Bool {
        if tried.contains(where: { $0 === host.shared }) { return true }
        if omitsCanaryHosts, host.isCanary { return true }
        guard !omittedMetadata.isEmpty else { return false }
        return omittedMetadata.allSatisfy { host.metadata[$0.key] == $0.value }
    }
}

/// What names a subset: keys in order, each with its value. Made when routes are compiled, compared per pick.
package struct SubsetKey: Sendable, Hashable {
    package struct Part: Sendable, Hashable {
        package let key: String
        package let value: MetadataValue
    }
    package let parts: [Part]

    package init() { parts = [] }
    package init(_ metadata: [String: MetadataValue]) {
        parts = metadata.sorted { $0.key < $1.key }.map { Part(key: $0.key, value: $0.value) }
    }
    package var isEmpty: Bool { parts.isEmpty }

    /// The subsets that the list in this key asks for, each with what else the key says; the key alone, when the list is
    /// empty. `nil` without a list.
    var fallbackList: [SubsetKey]? {
        guard let part = parts.first(where: { $0.key == Subsets.fallbackListKey }), case .list(let values) = part.value
        else { return nil }
        let common = Dictionary(
            parts.filter { $0.key != part.key }.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
        guard !values.isEmpty else { return [SubsetKey(common)] }
        return values.map { value in
            guard case .object(let own) = value else { return SubsetKey(common) }
            return SubsetKey(common.merging(own) { $1 })
        }
    }

    func keeping(_ keys: [String]) -> SubsetKey {
        SubsetKey(
            Dictionary(
                parts.filter { keys.contains($0.key) }.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }))
    }
}
