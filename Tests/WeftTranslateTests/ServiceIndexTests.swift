import Testing
import WeftCore

@testable import WeftTranslate

/// Random numbers that are the same for the same seed.
struct Dice: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }
}

/// An index made from the one before answers as one made anew, whatever changed between.
@Suite struct ServiceIndexTests {
    private static let labels = [["app": "a"], ["app": "b"], ["app": "a", "tier": "x"], ["tier": "x"], [:]]
    private static let namespaces = ["dev", "ops"]
    private static let addresses = (1...6).map { "10.0.0.\($0)" }

    private func service(_ name: String, _ namespace: String, _ random: inout Dice) -> MeshService {
        var service = MeshService(
            host: "\(name).\(namespace).svc.cluster.local", name: name, namespace: namespace, addresses: [], ports: [],
            resolution: .endpoints, resource: ResourceReference(kind: "Service", namespace: namespace, name: name))
        service.selector = Bool.random(using: &random) ? Self.labels.randomElement(using: &random) : nil
        service.endpoints = Self.addresses.shuffled(using: &random).prefix(Int.random(in: 0...3, using: &random)).map {
            MeshEndpoint(address: $0, isReady: true, ports: [80: 8080], labels: [:], workload: nil)
        }
        return service
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>) func equalsAnew(_ seed: UInt64) {
        var random = Dice(state: seed)
        var services = (0..<8).map { service("s\($0)", Self.namespaces[$0 % 2], &random) }
        var index = ServiceIndex.index(of: services, replacing: nil)
        for _ in 0..<30 {
            let place = Int.random(in: services.indices, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0: services.remove(at: place)
            case 1: services.insert(service("n\(place)", Self.namespaces[place % 2], &random), at: place)
            case 2:
                services[place] = service(
                    services[place].name, Self.namespaces.randomElement(using: &random) ?? "dev", &random)
            default: services[place] = service(services[place].name, services[place].namespace, &random)
            }
            if services.isEmpty { services = [service("last", "dev", &random)] }
            index = ServiceIndex.index(of: services, replacing: index)
            let fresh = ServiceIndex.index(of: services, replacing: nil)
            #expect(index.places.hosts == fresh.places.hosts)
            #expect(index.places.namespaces == fresh.places.namespaces)
            for namespace in Self.namespaces {
                for address in Self.addresses {
                    let mine = services.filter { service in
                        service.namespace == namespace && service.endpoints.contains { $0.address == address }
                    }
                    #expect(index.services(at: address, in: namespace) == mine)
                }
                for labels in Self.labels {
                    let mine = services.indices.filter { place in
                        services[place].namespace == namespace
                            && services[place].selector?.allSatisfy { labels[$0.key] == $0.value } == true
                    }
                    #expect(index.selecting(labels, in: namespace).sorted() == mine)
                }
            }
        }
    }

    @Test func theVerySameServicesKeepTheIndex() {
        var random = Dice(state: 1)
        let services = (0..<4).map { service("s\($0)", "dev", &random) }
        let index = ServiceIndex.index(of: services, replacing: nil)
        #expect(ServiceIndex.index(of: services, replacing: index) === index)
    }
}
