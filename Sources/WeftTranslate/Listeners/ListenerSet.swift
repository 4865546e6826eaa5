import WeftCore
import WeftIR

/// Collects outbound listeners by name. Services that share an address and a port share its listener where their filter
/// chains can be told apart; the first one keeps what cannot.
struct ListenerSet {
    private(set) var listeners: [String: Listener] = [:]
    private(set) var diagnostics: [Diagnostic] = []
    /// The service that each listener was made for first.
    private var owners: [String: MeshService] = [:]

    /// A listener that is there already stays as it is.
    mutating func add(_ listener: Listener) {
        if listeners[listener.name] == nil { listeners[listener.name] = listener }
    }

    mutating func add(_ listener: Listener, for service: MeshService) {
        guard var present = listeners[listener.name] else {
            listeners[listener.name] = listener
            owners[listener.name] = service
            return
        }
        if listener == present { return }
        let isHTTP = owners[listener.name] == nil
        let known = Set(present.filterChains.map(\.match))
        let fresh = listener.filterChains.filter { !known.contains($0.match) && $0.match != FilterChainMatch() }
        present.filterChains =
            fresh.filter { !$0.match.serverNames.isEmpty || !$0.match.prefixRanges.isEmpty }
            + present.filterChains
        for filter in listener.listenerFilters where !present.listenerFilters.contains(filter) {
            present.listenerFilters.append(filter)
        }
        if let all = listener.filterChains.first(where: { $0.match == FilterChainMatch() }) {
            // What no other chain takes: the plain TCP service, unless one has it already.
            let isFree =
                !known.contains(FilterChainMatch()) && (isHTTP || present.defaultFilterChain?.isPassthrough ?? true)
            if isFree, !isHTTP { present.defaultFilterChain = all } else { report(listener.name, service) }
        } else if fresh.isEmpty {
            report(listener.name, service)
        }
        listeners[listener.name] = present
    }

    private mutating func report(_ name: String, _ service: MeshService) {
        let owner = owners[name].map { "\($0.resource)" } ?? "the HTTP services of that port"
        diagnostics.append(
            Diagnostic(
                .warning, code: "IST0177", resource: service.resource, path: "spec.addresses",
                message: "listener \(name) belongs to \(owner): connections there cannot be told from those to "
                    + "\(service.host), which therefore has no listener",
                hint: "give \(service.host) an address of its own (spec.addresses), or DNS capture"))
    }
}

extension FilterChain {
    fileprivate var isPassthrough: Bool { name == "PassthroughFilterChain" }
}

extension CIDR {
    /// `10.0.0.0/8`, or an address alone, which is a range of one. `nil` for what is neither.
    init?(parsing text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, let address = parts.first, !address.isEmpty else { return nil }
        let most: UInt8 = address.contains(":") ? 128 : 32
        guard let length = parts.count == 2 ? UInt8(parts[1]) : most, length <= most else { return nil }
        self.init(address, prefixLength: length)
    }

    var isSingleAddress: Bool { prefixLength == (address.contains(":") ? 128 : 32) }
}
