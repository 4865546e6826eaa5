import WeftIR
import WeftTranslate
import WeftXDS

/// An encoded route table, and what its virtual hosts were made from: the next table takes over those whose inputs are
/// the same. Immutable.
final class MadeRouteTable: Sendable {
    private struct Host: Sendable {
        /// `nil` for a virtual host that comes with the table.
        var inputs: VirtualHostInputs?
        var named: NamedClusters
    }
    let encoded: EncodedRouteTable
    /// What the virtual hosts' routes name.
    let named: NamedClusters
    private let hosts: [Host]

    /// - Parameters:
    ///   - table: with empty virtual hosts where there are inputs.
    ///   - inputs: by the place in the table.
    ///   - old: the table that this one takes the place of, for the same target.
    init(
        _ table: RouteConfiguration, _ inputs: [Int: VirtualHostInputs], target: Target, replacing old: MadeRouteTable?
    ) throws {
        var parts: [EncodedRouteTable.Host] = []
        var hosts: [Host] = []
        var places: [String: Int]?
        for (index, host) in table.virtualHosts.enumerated() {
            if let old, let input = inputs[index], let place = old.place(of: input, at: index, &places) {
                parts.append(.kept(old.encoded, place))
                hosts.append(Host(inputs: input, named: old.hosts[place].named))
                continue
            }
            let made = inputs[index]?.host() ?? host
            var named = NamedClusters()
            named.add(made)
            parts.append(.made(made))
            hosts.append(Host(inputs: inputs[index], named: named))
        }
        encoded = try EncodedRouteTable(table, hosts: parts, target: target)
        named = hosts.reduce(into: NamedClusters()) { $0.formUnion($1.named) }
        self.hosts = hosts
    }

    /// Where a virtual host of equal inputs is: at its place, mostly.
    private func place(of inputs: VirtualHostInputs, at index: Int, _ places: inout [String: Int]?) -> Int? {
        if index < hosts.count, hosts[index].inputs == inputs { return index }
        let known =
            places
            ?? Dictionary(
                hosts.enumerated().compactMap { place, host in host.inputs.map { ($0.name, place) } },
                uniquingKeysWith: { first, _ in first })
        places = known
        guard let place = known[inputs.name], hosts[place].inputs == inputs else { return nil }
        return place
    }
}
