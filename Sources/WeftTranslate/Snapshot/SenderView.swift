import WeftConfig
import WeftCore

/// What all senders that see the same services and rules have in common of what they send by.
final class SenderView: Sendable {
    /// In the order of their hosts.
    let services: [ServiceFacts]
    let traffic: TrafficFacts
    /// What tells which services ``traffic`` has.
    private let grounds: TrafficGrounds
    /// Where these are in the snapshot's list.
    private let places: [Int]

    /// - Parameter old: what the same senders had before; of it is kept what is equal.
    init(_ scope: Scope, replacing old: SenderView?) {
        services = Self.services(of: scope, replacing: old)
        let grounds = TrafficGrounds(scope)
        let places = old.flatMap { $0.grounds == grounds ? $0.places : nil } ?? TrafficFacts.places(scope)
        let traffic = TrafficFacts(scope, places)
        self.traffic = old.flatMap { $0.traffic == traffic ? $0.traffic : nil } ?? traffic
        (self.grounds, self.places) = (grounds, places)
    }

    private static func services(of scope: Scope, replacing old: SenderView?) -> [ServiceFacts] {
        let former = old?.services ?? []
        let hasSameRules = old?.traffic.destinationRules == scope.snapshot.destinationRules
        // Both are in the order of their hosts.
        var next = 0
        var isSame = former.count == scope.services.count
        let made = scope.services.map { service in
            while next < former.count, former[next].service.host < service.host { next += 1 }
            if next < former.count {
                let known = former[next]
                if hasSameRules, known.service == service { return known }
                let facts = ServiceFacts(service, scope.snapshot.destinationRules(covering: service.host))
                if known == facts { return known }
                isSame = false
                return facts
            }
            isSame = false
            return ServiceFacts(service, scope.snapshot.destinationRules(covering: service.host))
        }
        return isSame ? former : made
    }
}

/// All that decides which services listeners and routes are made from.
private struct TrafficGrounds: Sendable, Equatable {
    let outline: ServiceIndex.Outline?
    let sidecar: Config<Sidecar>?
    let virtualServices: [Config<VirtualService>]
    let meshDestinations: Set<String>

    init(_ scope: Scope) {
        outline = scope.snapshot.serviceIndex?.outline
        sidecar = scope.sidecar
        virtualServices = scope.virtualServices
        meshDestinations = scope.snapshot.gatewayAPI.meshDestinations
    }

    static func == (left: TrafficGrounds, right: TrafficGrounds) -> Bool {
        left.outline != nil && left.outline === right.outline && left.sidecar == right.sidecar
            && left.virtualServices == right.virtualServices && left.meshDestinations == right.meshDestinations
    }
}

/// A service and the DestinationRules about its host.
final class ServiceFacts: Sendable, Hashable {
    let service: MeshService
    let rules: [Config<DestinationRule>]

    init(_ service: MeshService, _ rules: [Config<DestinationRule>]) {
        self.service = service
        self.rules = rules
    }

    static func == (left: ServiceFacts, right: ServiceFacts) -> Bool {
        left === right || left.service == right.service && left.rules == right.rules
    }

    func hash(into hasher: inout Hasher) { hasher.combine(service) }
}

/// What listeners and routes are made from besides the globals: services without their endpoints, and rules.
final class TrafficFacts: Sendable, Hashable {
    let services: [MeshService]
    let virtualServices: [Config<VirtualService>]
    let destinationRules: [Config<DestinationRule>]

    init(_ scope: Scope, _ places: [Int]) {
        virtualServices = scope.virtualServices
        destinationRules = scope.snapshot.destinationRules
        let visible = Set(scope.services.map(\.host))
        services = places.map { place in
            let service = scope.snapshot.services[place]
            // Headless services have listeners by endpoint, and a hidden destination gets its cluster from here.
            let isWhole = service.resolution == .headless || !visible.contains(service.host)
            return isWhole ? service : service.withoutEndpoints
        }
    }

    /// Where the services are in the snapshot's list: those seen, those that rules lead to, and other names of services.
    static func places(_ scope: Scope) -> [Int] {
        let visible = Set(scope.services.map(\.host))
        var named = scope.virtualServices.reduce(into: scope.snapshot.gatewayAPI.meshDestinations) {
            $0.formUnion($1.destinations)
        }
        if let sidecar = scope.sidecar, let proxy = sidecar.spec.outboundTrafficPolicy?.egressProxy?.host {
            named.insert(MeshSnapshot.resolve(host: proxy, namespace: sidecar.namespace))
        }
        return scope.snapshot.services.indices.filter { place in
            let service = scope.snapshot.services[place]
            return visible.contains(service.host) || named.contains(service.host) || service.externalName != nil
        }
    }

    static func == (left: TrafficFacts, right: TrafficFacts) -> Bool {
        left === right
            || left.services == right.services && left.virtualServices == right.virtualServices
                && left.destinationRules == right.destinationRules
    }

    func hash(into hasher: inout Hasher) { hasher.combine(services) }
}
