import WeftConfig
import WeftCore

/// What all senders that see the same services and rules have in common of what they send by.
final class SenderView: Sendable {
    /// In the order of their hosts.
    let services: [ServiceFacts]
    let traffic: TrafficFacts

    /// - Parameter old: what the same senders had before; of it is kept what is equal.
    init(_ scope: Scope, replacing old: SenderView?) {
        services = Self.services(of: scope, replacing: old?.services ?? [])
        let traffic = TrafficFacts(scope)
        self.traffic = old.flatMap { $0.traffic == traffic ? $0.traffic : nil } ?? traffic
    }

    private static func services(of scope: Scope, replacing old: [ServiceFacts]) -> [ServiceFacts] {
        var isSame = old.count == scope.services.count
        // Both are in the order of their hosts.
        var former = old[...]
        let made = scope.services.map { service in
            let facts = ServiceFacts(service, scope.snapshot.destinationRules(covering: service.host))
            while let first = former.first, first.service.host < service.host { former.removeFirst() }
            if let first = former.first, first == facts { return first }
            isSame = false
            return facts
        }
        return isSame ? old : made
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

    init(_ scope: Scope) {
        virtualServices = scope.virtualServices
        destinationRules = scope.snapshot.destinationRules
        let visible = Set(scope.services.map(\.host))
        var named = scope.virtualServices.reduce(into: scope.snapshot.gatewayAPI.meshDestinations) {
            $0.formUnion($1.destinations)
        }
        if let sidecar = scope.sidecar, let proxy = sidecar.spec.outboundTrafficPolicy?.egressProxy?.host {
            named.insert(MeshSnapshot.resolve(host: proxy, namespace: sidecar.namespace))
        }
        services = scope.snapshot.services.compactMap { service in
            let isHidden = !visible.contains(service.host)
            guard !isHidden || named.contains(service.host) || service.externalName != nil else { return nil }
            // Headless services have listeners by endpoint, and a hidden destination gets its cluster from here.
            return isHidden || service.resolution == .headless ? service : service.withoutEndpoints
        }
    }

    static func == (left: TrafficFacts, right: TrafficFacts) -> Bool {
        left === right
            || left.services == right.services && left.virtualServices == right.virtualServices
                && left.destinationRules == right.destinationRules
    }

    func hash(into hasher: inout Hasher) { hasher.combine(services) }
}
