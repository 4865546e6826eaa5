import Synchronization
import Testing
import WeftIR
import WeftRouting

@Suite struct PriorityTests {
    /// Each level: hosts up, degraded and in all; then healthy and degraded load and panic, as Envoy documents them.
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let levels: [(up: Int, degraded: Int, all: Int)]
        let healthy: [UInt32]
        let degraded: [UInt32]
        let panic: [Bool]
        var testDescription: String { name }
    }

    static let cases = [
        Case(
            name: "all up", levels: [(10, 0, 10), (10, 0, 10)], healthy: [100, 0], degraded: [0, 0],
            panic: [false, false]),
        Case(
            name: "72 % still carries all", levels: [(72, 0, 100), (100, 0, 100)], healthy: [100, 0], degraded: [0, 0],
            panic: [false, false]),
        Case(
            name: "71 % spills", levels: [(71, 0, 100), (100, 0, 100)], healthy: [99, 1], degraded: [0, 0],
            panic: [false, false]),
        Case(
            name: "half", levels: [(50, 0, 100), (100, 0, 100)], healthy: [70, 30], degraded: [0, 0],
            panic: [false, false]),
        Case(
            name: "first gone", levels: [(0, 0, 100), (100, 0, 100)], healthy: [0, 100], degraded: [0, 0],
            panic: [false, false]),
        Case(
            name: "both quarter", levels: [(25, 0, 100), (25, 0, 100)], healthy: [50, 50], degraded: [0, 0],
            panic: [true, true]),
        Case(
            name: "panic in the first only", levels: [(5, 0, 100), (65, 0, 100)], healthy: [8, 92], degraded: [0, 0],
            panic: [true, false]),
        Case(name: "degraded fills up", levels: [(50, 50, 100)], healthy: [70], degraded: [30], panic: [false]),
        Case(name: "only degraded", levels: [(0, 100, 100)], healthy: [0], degraded: [100], panic: [false]),
        Case(
            name: "nobody", levels: [(0, 0, 10), (0, 0, 30)], healthy: [25, 75], degraded: [0, 0], panic: [true, true]),
    ]

    @Test(arguments: cases) func loads(_ test: Case) {
        var hosts: [BalancedHost] = []
        for (priority, level) in test.levels.enumerated() {
            for index in 0..<level.all {
                let health: Endpoint.Health =
                    index < level.up ? .healthy : index < level.up + level.degraded ? .degraded : .unhealthy
                hosts.append(host(index, priority: UInt32(priority), health: health))
            }
        }
        let set = HostSet(hosts)
        #expect(set.loads.healthy == test.healthy)
        #expect(set.loads.degraded == test.degraded)
        #expect(set.priorities.map(\.isInPanic) == test.panic)
        #expect((set.loads.healthy + set.loads.degraded).reduce(0, +) == 100)
    }

    @Test func panicUsesAllHostsAndCanBeTurnedOff() {
        let hosts = [host(1), host(2, health: .unhealthy), host(3, health: .unhealthy), host(4, health: .unhealthy)]
        #expect(tally(balancer(.random, hosts), 400).prefix(4).allSatisfy { $0 > 50 })
        #expect(tally(balancer(.random, hosts, panic: 0), 400) == [400, 0, 0, 0, 0])
        let none = hosts.dropFirst().map { $0 }
        #expect(tally(balancer(.roundRobin, none, panic: 0), 10) == [0, 0, 0, 10])
        #expect(balancer(.roundRobin, []).pick(PickRequest()) == nil)
        #expect(balancer(.maglev(tableSize: 7), []).pick(PickRequest()) == nil)
    }

    @Test func healthChangesAreSeenAtTheNextPick() {
        let shared = SharedCluster()
        let hosts = [host(1), host(2), host(3)]
        let balancer = balancer(.roundRobin, hosts, shared: shared)
        #expect(tally(balancer, 300).prefix(3).allSatisfy { $0 == 100 })
        shared.set(.ejected, of: hosts[1].shared, to: true)
        #expect(tally(balancer, 300) == [150, 0, 150, 0])
        shared.set(.degraded, of: hosts[0].shared, to: true)
        #expect(balancer.hostSet.priorities[0].degraded == [0])
        shared.set(.ejected, of: hosts[1].shared, to: false)
        shared.set(.degraded, of: hosts[0].shared, to: false)
        #expect(tally(balancer, 300).prefix(3).allSatisfy { $0 == 100 })
    }

    @Test func hostsNotYetCheckedCountNeitherWay() {
        let hosts = [host(1), host(2), host(3), host(4)]
        let shared = SharedCluster()
        for index in 1..<4 { shared.set([.failedActiveCheck, .pendingCheck], of: hosts[index].shared, to: true) }
        let set = HostSet(hosts)
        #expect(set.loads.healthy == [100])
        #expect(!set.priorities[0].isInPanic)
    }

    @Test func triedPrioritiesCanBeLeftOut() {
        let hosts = [host(1), host(2, priority: 1), host(3, priority: 2)]
        let balancer = balancer(.roundRobin, hosts)
        var request = PickRequest()
        #expect(balancer.pick(request) == 0)
        request.excludedPriorities = 0b1
        #expect(balancer.pick(request) == 1)
        request.excludedPriorities = 0b11
        #expect(balancer.pick(request) == 2)
        request.excludedPriorities = 0b111
        #expect(balancer.pick(request) == 0)
    }

    @Test func localitiesShareByWeightAndHealth() {
        let hosts = [host(1, zone: "a"), host(2, zone: "b"), host(3, zone: "b", health: .unhealthy)]
        let localities = [
            LocalitySetting(locality: Locality(zone: "a"), priority: 0, weight: 1),
            LocalitySetting(locality: Locality(zone: "b"), priority: 0, weight: 1),
        ]
        let balancer = balancer(.roundRobin, hosts, localities: localities) { $0.locality = .weighted }
        // Half of b is up: 1.4 × 0.5 = 0.7 of its weight stays.
        #expect(isNear(tally(balancer, 1_700), [1_000, 700, 0, 0]))
    }

    @Test func aZoneKeepsWhatItCanCarry() {
        let hosts = [host(1, zone: "b"), host(2, zone: "b"), host(3, zone: "b"), host(4, zone: "a")]
        let zone = LocalZone(locality: Locality(zone: "a"), proxies: [Locality(zone: "a"): 1, Locality(zone: "b"): 1])
        func run(_ edit: (inout LoadBalancing.ZoneAware) -> Void) -> [Int] {
            var settings = LoadBalancing.ZoneAware()
            settings.minimumClusterSize = 2
            edit(&settings)
            let chosen = settings
            return tally(balancer(.roundRobin, hosts, zone: zone) { $0.locality = .zoneAware(chosen) }, 4_000)
        }
        // A quarter of the hosts for half of the proxies: half of the requests stay.
        let half = run { _ in }
        #expect(abs(half[3] - 2_000) < 150, "\(half)")
        #expect(run { $0.forcesLocalZone = true }[3] == 4_000)
        let small = run { $0.minimumClusterSize = 6 }
        #expect(small.prefix(4).allSatisfy { $0 == 1_000 })
    }
}
