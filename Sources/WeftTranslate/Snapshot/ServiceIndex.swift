/// Where services are in a snapshot's list.
struct ServicePlaces: Sendable {
    private(set) var hosts: [String: [Int]] = [:]
    /// By the namespace that declares them.
    private(set) var namespaces: [String: [Int]] = [:]

    init(_ services: [MeshService] = []) {
        for (place, service) in services.enumerated() {
            hosts[service.host, default: []].append(place)
            namespaces[service.namespace, default: []].append(place)
        }
    }
}

/// Finds services by what proxies ask for: their address, their labels, a host. Immutable.
///
/// Snapshots follow each other closely and mostly differ in one service: an index is made from the one before.
final class ServiceIndex: Sendable {
    /// A label that a selector asks for; of several the first in order. `nil` for a selector that asks for none.
    private typealias Label = String?
    /// Stands for everything about the services but their endpoints: the same one as long as that is the same.
    final class Outline: Sendable {}
    private let services: [MeshService]
    let outline: Outline
    let places: ServicePlaces
    /// By namespace and address of an endpoint.
    private let addresses: [String: [String: [Int]]]
    /// By namespace and label.
    private let selectors: [String: [Label: [Int]]]

    /// - Parameter old: of an earlier snapshot.
    /// - Returns: `old` itself where the services are the very same.
    static func index(of services: [MeshService], replacing old: ServiceIndex?) -> ServiceIndex {
        guard let old, old.services.count == services.count else { return ServiceIndex(services) }
        let changed = services.indices.filter { !services[$0].isIdentical(to: old.services[$0]) }
        if changed.isEmpty { return old }
        let isMoved = changed.contains {
            services[$0].host != old.services[$0].host || services[$0].namespace != old.services[$0].namespace
        }
        return isMoved ? ServiceIndex(services) : ServiceIndex(services, changed: changed, from: old)
    }

    private init(_ services: [MeshService]) {
        self.services = services
        outline = Outline()
        places = ServicePlaces(services)
        var addresses: [String: [String: [Int]]] = [:]
        var selectors: [String: [Label: [Int]]] = [:]
        for (place, service) in services.enumerated() {
            Self.add(service, at: place, &addresses[service.namespace, default: [:]])
            Self.add(service, at: place, &selectors[service.namespace, default: [:]])
        }
        (self.addresses, self.selectors) = (addresses, selectors)
    }

    private init(_ services: [MeshService], changed: [Int], from old: ServiceIndex) {
        self.services = services
        places = old.places
        let hasSameOutline = changed.allSatisfy { services[$0].withoutEndpoints == old.services[$0].withoutEndpoints }
        outline = hasSameOutline ? old.outline : Outline()
        var (addresses, selectors) = (old.addresses, old.selectors)
        for place in changed {
            let (former, service) = (old.services[place], services[place])
            for endpoint in former.endpoints {
                addresses[service.namespace]?[endpoint.address]?.removeAll { $0 == place }
                if addresses[service.namespace]?[endpoint.address] == [] {
                    addresses[service.namespace]?[endpoint.address] = nil
                }
            }
            Self.add(service, at: place, &addresses[service.namespace, default: [:]])
            guard former.selector != service.selector else { continue }
            if let selector = former.selector {
                selectors[service.namespace]?[Self.label(of: selector)]?.removeAll { $0 == place }
            }
            Self.add(service, at: place, &selectors[service.namespace, default: [:]])
        }
        (self.addresses, self.selectors) = (addresses, selectors)
    }

    private static func add(_ service: MeshService, at place: Int, _ addresses: inout [String: [Int]]) {
        for endpoint in service.endpoints where addresses[endpoint.address]?.last != place {
            addresses[endpoint.address, default: []].append(place)
        }
    }

    private static func add(_ service: MeshService, at place: Int, _ selectors: inout [Label: [Int]]) {
        if let selector = service.selector { selectors[label(of: selector), default: []].append(place) }
    }

    private static func label(of selector: [String: String]) -> Label {
        selector.min { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    }

    /// A namespace's services that have an address behind them, in the order of the list.
    func services(at address: String, in namespace: String) -> [MeshService] {
        (addresses[namespace]?[address] ?? []).sorted().map { services[$0] }
    }

    /// Places of a namespace's services whose selectors meet labels.
    func selecting(_ labels: [String: String], in namespace: String) -> [Int] {
        guard let selectors = selectors[namespace] else { return [] }
        let candidates = labels.flatMap { selectors["\($0.key)=\($0.value)"] ?? [] } + (selectors[nil] ?? [])
        return candidates.filter { place in
            services[place].selector?.allSatisfy { labels[$0.key] == $0.value } ?? false
        }
    }
}
