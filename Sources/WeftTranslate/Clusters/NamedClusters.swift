import WeftConfig
import WeftCore
package import WeftIR

/// Clusters that rules send requests to, each with the rule that does. Of several rules the first in order of name
/// counts, whatever order they are found in.
package struct NamedClusters: Sendable, Hashable {
    private(set) var rules: [String: Provenance] = [:]

    package init() {}

    /// Notes what a virtual host's routes name.
    package mutating func add(_ host: VirtualHost) {
        for route in host.routes {
            guard let provenance = route.provenance, case .forward(let action) = route.action else { continue }
            for name in Self.names(action.cluster) + action.mirrors.map(\.cluster) { add(name, provenance) }
        }
    }

    mutating func add(_ proxy: TCPProxy) {
        guard let provenance = proxy.provenance else { return }
        for name in Self.names(proxy.cluster) { add(name, provenance) }
    }

    package mutating func formUnion(_ other: NamedClusters) {
        for (name, provenance) in other.rules { add(name, provenance) }
    }

    private mutating func add(_ name: String, _ provenance: Provenance) {
        if let known = rules[name], Self.order(known) <= Self.order(provenance) { return }
        rules[name] = provenance
    }

    private static func order(_ provenance: Provenance) -> (String, Int) {
        (provenance.resource.description, provenance.rule ?? -1)
    }

    private static func names(_ selector: ClusterSelector) -> [String] {
        switch selector {
        case .cluster(let name): [name]
        case .weighted(let clusters): clusters.map(\.name)
        case .header: []
        }
    }
}
