package import WeftIR

/// What is known of a connection when its filter chain is chosen.
package struct FilterChainView: Sendable {
    package var destinationIP: String
    package var destinationPort: UInt16
    package var sourceIP: String
    /// Who sent the first byte, before a PROXY header said for whom; ``sourceIP`` when there was none.
    package var directSourceIP: String
    package var sourcePort: UInt16
    package var serverName: String
    package var isTLS: Bool
    package var applicationProtocols: [String]
    /// Whether the client is on this machine, as far as addresses tell.
    var isLocal: Bool { sourceIP == destinationIP || sourceIP.hasPrefix("127.") || sourceIP == "::1" }

    package init(
        destinationIP: String, destinationPort: UInt16, sourceIP: String, sourcePort: UInt16, serverName: String,
        isTLS: Bool, applicationProtocols: [String]
    ) {
        self.destinationIP = destinationIP
        self.destinationPort = destinationPort
        self.sourceIP = sourceIP
        self.directSourceIP = sourceIP
        self.sourcePort = sourcePort
        self.serverName = serverName
        self.isTLS = isTLS
        self.applicationProtocols = applicationProtocols
    }
}

/// Chooses the filter chain: field by field in xDS's order, at each step keeping only the most specific matches.
package struct FilterChainMatcher: Sendable {
    private struct Candidate: Sendable {
        let index: Int
        let match: FilterChainMatch
        let destination: [IPPrefix]
        let directSource: [IPPrefix]
        let source: [IPPrefix]
    }
    private let candidates: [Candidate]
    /// Chains with an address range that is none, one sentence each. Such a range holds no address.
    package let problems: [String]

    package init(_ chains: [FilterChain]) {
        problems = chains.flatMap { chain in
            (chain.match.prefixRanges + chain.match.directSourcePrefixRanges + chain.match.sourcePrefixRanges)
                .filter { IPPrefix($0).isBroken }
                .map { "filter chain \(chain.name): \($0.address)/\($0.prefixLength) is no address range" }
        }
        candidates = chains.enumerated().map { index, chain in
            Candidate(
                index: index, match: chain.match, destination: chain.match.prefixRanges.map(IPPrefix.init),
                directSource: chain.match.directSourcePrefixRanges.map(IPPrefix.init),
                source: chain.match.sourcePrefixRanges.map(IPPrefix.init))
        }
    }

    /// - Returns: the chain's index, or `nil` for the default chain.
    package func match(_ view: FilterChainView) -> Int? {
        let destination = IPAddress(view.destinationIP)
        let source = IPAddress(view.sourceIP)
        let serverName = view.serverName.lowercased()
        var left = candidates
        FilterChainMatcher.keepBest(&left) { chain in
            chain.match.destinationPort.map { $0 == view.destinationPort ? 1 : nil } ?? 0
        }
        FilterChainMatcher.keepBest(&left) { FilterChainMatcher.rank($0.destination, destination) }
        FilterChainMatcher.keepBest(&left) { FilterChainMatcher.rank($0.match.serverNames, serverName) }
        FilterChainMatcher.keepBest(&left) { chain in
            chain.match.transportProtocol.isEmpty
                ? 0 : chain.match.transportProtocol == (view.isTLS ? "tls" : "raw_buffer") ? 1 : nil
        }
        FilterChainMatcher.keepBest(&left) { chain in
            chain.match.applicationProtocols.isEmpty
                ? 0 : chain.match.applicationProtocols.contains(where: view.applicationProtocols.contains) ? 1 : nil
        }
        let directSource = view.directSourceIP == view.sourceIP ? source : IPAddress(view.directSourceIP)
        FilterChainMatcher.keepBest(&left) { FilterChainMatcher.rank($0.directSource, directSource) }
        FilterChainMatcher.keepBest(&left) { chain in
            chain.match.sourceType == .any
                ? 0 : chain.match.sourceType == (view.isLocal ? .sameIPOrLoopback : .external) ? 1 : nil
        }
        FilterChainMatcher.keepBest(&left) { FilterChainMatcher.rank($0.source, source) }
        FilterChainMatcher.keepBest(&left) { chain in
            chain.match.sourcePorts.isEmpty ? 0 : chain.match.sourcePorts.contains(view.sourcePort) ? 1 : nil
        }
        return left.first?.index
    }

    private static func keepBest(_ left: inout [Candidate], _ rank: (Candidate) -> Int?) {
        var best: [Candidate] = []
        var bestRank = -1
        for candidate in left {
            guard let value = rank(candidate), value >= bestRank else { continue }
            if value > bestRank { best = [] }
            bestRank = value
            best.append(candidate)
        }
        left = best
    }

    private static func rank(_ prefixes: [IPPrefix], _ address: IPAddress?) -> Int? {
        guard !prefixes.isEmpty else { return 0 }
        return prefixes.filter { prefix in address.map(prefix.contains) ?? false }.map { $0.bits + 1 }.max()
    }

    /// An exact name beats every wildcard; a longer wildcard beats a shorter one.
    private static func rank(_ names: [String], _ serverName: String) -> Int? {
        guard !names.isEmpty else { return 0 }
        return names.compactMap { name -> Int? in
            let name = name.lowercased()
            if name == serverName { return Int.max }
            guard name.hasPrefix("*"), serverName.hasSuffix(name.dropFirst()) else { return nil }
            return name.utf8.count
        }.max()
    }
}
