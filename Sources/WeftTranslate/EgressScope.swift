import WeftConfig
import WeftCore

/// What one entry of a Sidecar's `egress` lets a proxy see; without an entry, everything.
struct EgressScope {
    let entry: Sidecar.Egress?
    /// One service per host.
    let services: [MeshService]
    let virtualServices: [Config<VirtualService>]

    /// The port that the entry is for; `nil` is every port that no other entry names.
    var port: Int? { entry?.port?.number }
    /// Where its listener binds; `nil` leaves it to the services' addresses.
    var bind: String? { entry?.bind.flatMap { $0.isEmpty ? nil : $0 } }
    /// Applications connect to the proxy themselves instead of being redirected.
    var isBound: Bool { entry?.captureMode == "NONE" || bind?.hasPrefix("unix://") == true }

    /// Of some services' places in a list, those that an entry covers.
    static func places(_ entry: Sidecar.Egress?, _ places: [Int], of services: [MeshService], namespace: String)
        -> [Int]
    {
        guard let entry else { return Scope.distinct(places, of: services, namespace: namespace) }
        let reach = EgressHosts(entry.hosts ?? [], namespace: namespace)
        let number = entry.port?.number ?? 0
        let reached = places.filter { place in
            let service = services[place]
            return reach.includes(host: service.host, namespace: service.namespace)
                && (number == 0 || service.ports.contains { $0.number == number })
        }
        return Scope.distinct(reached, of: services, namespace: namespace)
    }

    /// - Parameters:
    ///   - services: those that the entry covers.
    ///   - virtualServices: of these are taken those that the entry covers.
    init(
        entry: Sidecar.Egress?, services: [MeshService], virtualServices: [Config<VirtualService>], namespace: String
    ) {
        self.entry = entry
        self.services = services
        guard let entry else {
            self.virtualServices = virtualServices
            return
        }
        let reach = EgressHosts(entry.hosts ?? [], namespace: namespace)
        self.virtualServices = virtualServices.filter { rule in
            (rule.spec.hosts ?? []).contains {
                reach.overlaps(
                    host: MeshSnapshot.resolve(host: $0, namespace: rule.namespace), namespace: rule.namespace)
            }
        }
    }
}

/// The hosts of an egress entry: `namespace/dnsName`, where the namespace may be `*` (any), `.` (the proxy's), `~` (none),
/// and `~namespace/` takes hosts out again.
struct EgressHosts {
    private struct Pattern {
        var namespace: String
        var host: String
    }
    private var included: [Pattern] = []
    private var excluded: [Pattern] = []

    init(_ hosts: [String], namespace: String) {
        for text in hosts {
            let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
            guard parts.count == 2, parts[0] != "~" else { continue }
            if parts[0].hasPrefix("~") {
                excluded.append(Pattern(namespace: String(parts[0].dropFirst()), host: parts[1].smallLetters))
            } else {
                let space = parts[0] == "." ? namespace : parts[0]
                included.append(Pattern(namespace: space, host: parts[1].smallLetters))
            }
        }
    }

    func includes(host: String, namespace: String) -> Bool {
        func meets(_ pattern: Pattern) -> Bool {
            (pattern.namespace == "*" || pattern.namespace == namespace) && HostPattern.matches(pattern.host, host)
        }
        return included.contains(where: meets) && !excluded.contains(where: meets)
    }

    /// True if a rule for `host`, which may be a wildcard, can concern a host that is included.
    func overlaps(host: String, namespace: String) -> Bool {
        func meets(_ pattern: Pattern) -> Bool {
            (pattern.namespace == "*" || pattern.namespace == namespace)
                && HostPattern.intersection(pattern.host, host) != nil
        }
        let isTakenOut = excluded.contains {
            ($0.namespace == "*" || $0.namespace == namespace) && HostPattern.matches($0.host, host)
        }
        return included.contains(where: meets) && !isTakenOut
    }
}
