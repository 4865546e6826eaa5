import WeftConfig
package import WeftIR

/// All that one service's virtual host in an outbound route table is made from, for one class of senders.
///
/// ``host()`` is a function of this value alone: the rule that applies, and the services and DestinationRules that the
/// rule's destinations lead to, are named here, and a translator that looks for anything else finds nothing (ADR 0034).
package struct VirtualHostInputs: Sendable, Hashable {
    /// Under which domains requests come.
    enum Domains: Sendable, Hashable {
        /// All forms of the service's names and addresses, but for those that another service of the table has.
        case own(without: [String])
        /// The table is the service's own.
        case any
    }
    private let common: SenderInputs
    /// Without endpoints, as all services here.
    private let service: MeshService
    private let port: Int
    private let domains: Domains
    private let rule: Config<VirtualService>?
    /// ExternalName Services that stand for the service, and where the rule sends requests.
    private let others: [MeshService]
    private let destinationRules: [Config<DestinationRule>]

    /// - Parameter common: what the scope is made from besides.
    init(_ common: SenderInputs, _ service: MeshService, port: Int, domains: Domains, in scope: Scope) {
        self.common = common
        self.service = service.withoutEndpoints
        self.port = port
        self.domains = domains
        let rule = scope.virtualService(for: service.host)
        self.rule = rule
        var others = scope.aliases[service.host] ?? []
        guard let rule else {
            self.others = others
            destinationRules = scope.snapshot.destinationRules(covering: service.host)
            return
        }
        let hosts = rule.requestDestinations.union([service.host])
        for host in hosts.sorted() {
            guard let found = scope.service(host: host)?.withoutEndpoints, found != self.service else { continue }
            others.append(found)
        }
        self.others = others
        destinationRules = scope.snapshot.destinationRules(coveringAnyOf: hosts)
    }

    /// What tells it apart from the other virtual hosts of its table.
    package var name: String { "\(service.host):\(port)" }

    /// The virtual host.
    package func host() -> VirtualHost {
        guard let scope = common.scope(of: [service] + others, rule.map { [$0] } ?? [], destinationRules) else {
            return VirtualHost(name: name, domains: [])
        }
        let routes = OutboundRoutes(scope: scope)
        let named =
            switch domains {
            case .any: ["*"]
            case .own(let taken):
                // A service can have a name twice, when another one stands for it.
                routes.domains(of: service, port: port).distinct(without: Set(taken))
            }
        return routes.virtualHost(for: service, port: port, domains: named, rule: rule)
    }
}

/// Virtual hosts that a table has room for, and that are made from their inputs afterwards, or were before.
final class DeferredHosts {
    let common: SenderInputs
    /// By table, and by the place in it.
    private(set) var inputs: [String: [Int: VirtualHostInputs]] = [:]

    init(_ common: SenderInputs) { self.common = common }

    /// Called for a table before anything is put into it.
    func begin(_ table: String) { inputs[table] = nil }

    /// Puts an empty virtual host into the table and notes what belongs there.
    func add(_ host: VirtualHostInputs, to table: inout RouteConfiguration) {
        inputs[table.name, default: [:]][table.virtualHosts.count] = host
        table.virtualHosts.append(VirtualHost(name: host.name, domains: []))
    }
}

extension [String] {
    /// Each once, in order, but for some.
    func distinct(without others: Set<String>) -> [String] {
        var seen = others
        return filter { seen.insert($0).inserted }
    }
}

extension Config<VirtualService> {
    /// Hosts, in full, to which HTTP requests are sent or mirrored.
    var requestDestinations: Set<String> {
        var hosts = destinations
        for route in spec.http ?? [] {
            let named =
                (route.route ?? []).map(\.destination) + [route.mirror] + (route.mirrors ?? []).map(\.destination)
            for host in named.compactMap({ $0?.host }) {
                hosts.insert(MeshSnapshot.resolve(host: host, namespace: namespace))
            }
        }
        return hosts
    }
}
