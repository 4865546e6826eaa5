import WeftIR

/// Finds names in the table that the control plane sent. Immutable, so any thread may use it.
struct MeshNames: Sendable {
    struct Match: Sendable, Hashable {
        var addresses: [String]
        /// The name that the asked one stands for, when a search domain was put behind it.
        var canonical: String?
    }
    private var exact: [String: [String]] = [:]
    /// Addresses by what follows `*.`.
    private var wildcards: [String: [String]] = [:]
    private let search: [String]

    /// - Parameters:
    ///   - namespace: the proxy's; names of its services may stand alone.
    ///   - search: the search domains of the workload's resolver.
    init(_ table: NameTable, namespace: String, search: [String]) {
        self.search = search.map { $0.lowercased() }
        // What Kubernetes declares comes last and stays.
        for (host, entry) in table.entries.sorted(by: {
            ($0.value.registry == "Kubernetes" ? 1 : 0, $0.key) < ($1.value.registry == "Kubernetes" ? 1 : 0, $1.key)
        }) {
            for name in Self.names(host, entry, namespace: namespace) {
                if name.hasPrefix("*.") {
                    wildcards[String(name.dropFirst(2))] = entry.addresses
                } else {
                    exact[name] = entry.addresses
                }
            }
        }
    }

    /// `web.dev.svc.cluster.local` also as `web.dev.svc`, `web.dev`, and `web` for its neighbours.
    private static func names(_ host: String, _ entry: NameTable.Entry, namespace: String) -> [String] {
        var names = [host.lowercased()]
        guard !entry.shortName.isEmpty, !entry.namespace.isEmpty else { return names }
        let short = "\(entry.shortName).\(entry.namespace)".lowercased()
        names += ["\(short).svc", short]
        if entry.namespace == namespace { names.append(entry.shortName.lowercased()) }
        return names
    }

    /// - Parameter name: in lower case, without a dot at the end.
    func find(_ name: String) -> Match? {
        if let addresses = lookUp(name) { return Match(addresses: addresses) }
        // Resolvers put their search domains behind short names first: answered at once, that spares the other attempts.
        for domain in search where name.hasSuffix(".\(domain)") {
            let own = String(name.dropLast(domain.utf8.count + 1))
            if let addresses = lookUp(own) { return Match(addresses: addresses, canonical: own) }
        }
        return nil
    }

    private func lookUp(_ name: String) -> [String]? {
        if let addresses = exact[name] { return addresses }
        var rest = Substring(name)
        while let dot = rest.firstIndex(of: ".") {
            rest = rest[rest.index(after: dot)...]
            if let addresses = wildcards[String(rest)] { return addresses }
        }
        return nil
    }
}
