import Synchronization
import Testing
import WeftIR
import WeftRouting

@Suite struct BalancerTests {
    private let second: Int64 = 1_000_000_000

    @Test func roundRobinByWeight() {
        let hosts = [host(1), host(2, weight: 2), host(3, weight: 7)]
        #expect(isNear(tally(balancer(.roundRobin, hosts), 1_000), [100, 200, 700, 0]))
    }

    @Test func equalDeadlinesComeInOrder() {
        var schedule = EDFScheduler()
        for item in 0..<4 { schedule.add(Int32(item), weight: 1) }
        #expect((0..<8).map { _ in schedule.next { _ in 1 } } == [0, 1, 2, 3, 0, 1, 2, 3])
        var empty = EDFScheduler()
        #expect(empty.next { _ in 1 } == nil)
    }

    @Test func theSameSeedPicksTheSameHosts() {
        let hosts = (1...9).map { host($0, weight: UInt32($0 % 3 + 1)) }
        for kind in [Cluster.LoadBalancer.random, .roundRobin, .leastRequest(choiceCount: 2), .peakEWMA] {
            func picks(_ seed: UInt64) -> [Int?] {
                let balancer = balancer(kind, hosts, seed: seed)
                return (0..<100).map { _ in balancer.pick(PickRequest()) }
            }
            #expect(picks(3) == picks(3), "\(kind)")
        }
    }

    /// Whatever the policy: every healthy host is used, nobody else is.
    @Test(arguments: [
        Cluster.LoadBalancer.roundRobin, .random, .leastRequest(choiceCount: 2), .ringHash(minimumRingSize: 1_024),
        .maglev(tableSize: 65_537), .peakEWMA, .clientSideWeightedRoundRobin,
    ])
    func nobodyStarves(kind: Cluster.LoadBalancer) {
        var random = RandomStream(seed: 11)
        for _ in 0..<20 {
            let hosts = (0..<12).map { index in
                host(
                    index, weight: UInt32(random.next() % 4 + 1), zone: "z\(random.next() % 3)",
                    health: index < 9 ? .healthy : .unhealthy)
            }
            let counts = tally(balancer(kind, hosts, seed: random.next()), 4_000)
            #expect(counts.prefix(9).allSatisfy { $0 > 0 }, "\(kind) \(counts)")
            #expect(counts.suffix(4).allSatisfy { $0 == 0 }, "\(kind) \(counts)")
        }
    }

    @Test func leastRequestPrefersTheIdle() {
        let hosts = [host(1), host(2), host(3)]
        hosts[0].shared.activeRequests.store(10, ordering: .relaxed)
        hosts[1].shared.activeRequests.store(10, ordering: .relaxed)
        // A busy host is chosen only when both choices fall on busy ones: 4 of 9 times.
        let counts = tally(balancer(.leastRequest(choiceCount: 2), hosts), 9_000)
        #expect(abs(counts[2] - 5_000) < 300, "\(counts)")
        let all = tally(balancer(.leastRequest(choiceCount: 2), hosts) { $0.scansAllHosts = true }, 100)
        #expect(all == [0, 0, 100, 0])
    }

    @Test func openRequestsLowerAWeight() {
        let hosts = [host(1, weight: 1), host(2, weight: 4)]
        hosts[1].shared.activeRequests.store(3, ordering: .relaxed)
        #expect(isNear(tally(balancer(.leastRequest(choiceCount: 2), hosts), 1_000), [500, 500, 0]))
        let unbiased = balancer(.leastRequest(choiceCount: 2), hosts) { $0.activeRequestBias = 0 }
        #expect(isNear(tally(unbiased, 1_000), [200, 800, 0]))
    }

    @Test func slowStartGrowsWithTime() {
        let hosts = [host(1), host(2)]
        hosts[0].shared.inServiceSince.store(1, ordering: .relaxed)
        hosts[1].shared.inServiceSince.store(100 * second, ordering: .relaxed)
        func share(_ age: Int64, aggression: Double = 1) -> Int {
            let balancer = balancer(.roundRobin, hosts) {
                $0.slowStart = LoadBalancing.SlowStart(windowMilliseconds: 10_000)
                $0.slowStart?.aggression = aggression
            }
            var request = PickRequest()
            request.now = 100 * second + age
            return tally(balancer, 1_100, request)[1]
        }
        // 10 % is the least: one of eleven.
        #expect(abs(share(0) - 100) <= 2)
        #expect(abs(share(5 * second) - 1_100 / 3) <= 2)
        #expect(share(20 * second) == 550)
        #expect(share(5 * second, aggression: 2) > share(5 * second))
    }

    @Test func peakEWMAPrefersTheFast() {
        let hosts = [host(1), host(2)]
        let settings = LoadBalancing.PeakEWMA()
        PeakEWMA.record(hosts[0].shared, milliseconds: 100, settings: settings, now: second)
        PeakEWMA.record(hosts[1].shared, milliseconds: 10, settings: settings, now: second)
        #expect(tally(balancer(.peakEWMA, hosts), 100) == [0, 100, 0])
        // Load counts as much as latency.
        hosts[1].shared.activeRequests.store(20, ordering: .relaxed)
        #expect(tally(balancer(.peakEWMA, hosts), 100) == [100, 0, 0])
        // After one time constant 63 % of a new value is in.
        PeakEWMA.record(hosts[0].shared, milliseconds: 0.1, settings: settings, now: 11 * second)
        let smoothed = Double(bitPattern: hosts[0].shared.smoothedRoundTrip.load(ordering: .relaxed))
        #expect(abs(smoothed - 36.85) < 0.1)
    }

    @Test func reportedWeightsReplaceConfiguredOnes() throws {
        let hosts = [host(1), host(2), host(3)]
        let settings = LoadBalancing.ReportedWeights()
        let busy = try #require(LoadReport("TEXT application_utilization=0.9, rps_fractional=90"))
        let idle = try #require(LoadReport("TEXT cpu_utilization=0.1,rps_fractional=30,eps=0"))
        for now in [second, 20 * second] {
            busy.record(for: hosts[0].shared, settings: settings, now: now)
            idle.record(for: hosts[1].shared, settings: settings, now: now)
        }
        var request = PickRequest()
        request.now = 20 * second
        // 100, 300, and the median for the one that has said nothing.
        #expect(isNear(tally(balancer(.clientSideWeightedRoundRobin, hosts), 700, request), [100, 300, 300, 0]))
        request.now = 2 * second
        #expect(isNear(tally(balancer(.clientSideWeightedRoundRobin, hosts), 300, request), [100, 100, 100, 0]))
        #expect(LoadReport("JSON {}") == nil)
    }

    @Test func namedHostsAndPredicates() {
        let hosts = [host(1), host(2, metadata: ["canary": .bool(true)]), host(3, health: .unhealthy)]
        let balancer = balancer(.roundRobin, hosts)
        var request = PickRequest()
        request.overrideAddress = "10.0.0.2:80"
        #expect(tally(balancer, 10, request) == [0, 10, 0, 0])
        request.overrideAddress = "10.0.0.3:80"
        #expect(tally(balancer, 10, request)[2] == 0)
        request.overrideAddress = nil
        request.omitsCanaryHosts = true
        #expect(tally(balancer, 10, request) == [10, 0, 0, 0])
        request.omitsCanaryHosts = false
        request.tried = [hosts[0].shared]
        #expect(tally(balancer, 10, request) == [0, 10, 0, 0])
        // When all have been tried, the last one looked at is taken all the same.
        request.tried = hosts.map(\.shared)
        #expect(tally(balancer, 10, request)[3] == 0)
    }
}

@Suite struct SubsetTests {
    private let hosts = [
        host(1, metadata: ["version": .string("v1"), "stage": .string("prod")]),
        host(2, metadata: ["version": .string("v2"), "stage": .string("prod")]),
        host(3, metadata: ["version": .string("v2"), "stage": .string("dev")]),
        host(4, metadata: ["tags": .list([.string("x"), .string("y")])]),
    ]

    private func picked(_ want: [String: MetadataValue], _ edit: (inout Subsets) -> Void) -> Set<Int> {
        var subsets = Subsets()
        subsets.selectors = [
            .init(keys: ["version"]), .init(keys: ["stage", "version"]), .init(keys: ["tags"]),
        ]
        edit(&subsets)
        let chosen = subsets
        let balancer = balancer(.roundRobin, hosts) { $0.subsets = chosen }
        var request = PickRequest()
        request.subset = SubsetKey(want)
        return Set((0..<40).map { _ in balancer.pick(request) ?? -1 })
    }

    @Test func membersMatchAllKeys() {
        #expect(picked(["version": .string("v2")]) { _ in } == [1, 2])
        #expect(picked(["version": .string("v2"), "stage": .string("dev")]) { _ in } == [2])
        #expect(picked(["version": .string("v3")]) { _ in } == [-1])
        // No selector has this key alone.
        #expect(picked(["stage": .string("prod")]) { _ in } == [-1])
        #expect(picked([:]) { _ in } == [-1])
        // A number is not the same as its text.
        #expect(picked(["version": .number(2)]) { _ in } == [-1])
    }

    @Test func listsOfSubsetsAreTriedInOrder() {
        func listed(_ values: [MetadataValue], and more: [String: MetadataValue] = [:]) -> [String: MetadataValue] {
            more.merging([Subsets.fallbackListKey: .list(values)]) { $1 }
        }
        func version(_ name: String) -> MetadataValue { .object(["version": .string(name)]) }
        let tries: (inout Subsets) -> Void = { $0.triesFallbackList = true }
        #expect(picked(listed([version("v3"), version("v2")]), tries) == [1, 2])
        #expect(picked(listed([version("v1"), version("v2")]), tries) == [0])
        #expect(picked(listed([version("v3")]), tries) == [-1])
        // What else is asked for holds for every part of the list, and the part has the last word.
        #expect(picked(listed([version("v2")], and: ["stage": .string("dev")]), tries) == [2])
        #expect(picked(listed([version("v2")], and: ["version": .string("v1")]), tries) == [1, 2])
        #expect(picked(listed([], and: ["version": .string("v1")]), tries) == [0])
        // Without the policy the list is a key like others.
        #expect(picked(listed([version("v2")])) { _ in } == [-1])
    }

    @Test func fallbacksOfTheCluster() {
        let missing: [String: MetadataValue] = ["version": .string("v3")]
        #expect(picked(missing) { $0.fallback = .anyEndpoint } == [0, 1, 2, 3])
        #expect(picked([:]) { $0.fallback = .anyEndpoint } == [0, 1, 2, 3])
        let toDefault: (inout Subsets) -> Void = {
            $0.fallback = .defaultSubset
            $0.defaultSubset = ["stage": .string("prod")]
        }
        #expect(picked(missing, toDefault) == [0, 1])
        let toNobody: (inout Subsets) -> Void = {
            $0.fallback = .defaultSubset
            $0.defaultSubset = ["stage": .string("none")]
        }
        #expect(picked(missing, toNobody) == [-1])
        #expect(
            picked(missing) {
                toNobody(&$0)
                $0.panicModeAny = true
            } == [0, 1, 2, 3])
    }

    @Test func fallbacksOfASelector() {
        let missing: [String: MetadataValue] = ["version": .string("v2"), "stage": .string("none")]
        #expect(picked(missing) { $0.selectors[1].fallback = .anyEndpoint } == [0, 1, 2, 3])
        #expect(
            picked(missing) {
                $0.selectors[1].fallback = .keysSubset
                $0.selectors[1].fallbackKeys = ["version"]
            } == [1, 2])
        #expect(
            picked(missing) {
                $0.fallback = .anyEndpoint
                $0.selectors[1].fallback = .noFallback
            } == [-1])
    }

    @Test func listsMatchAnyMemberWhenAsked() {
        #expect(picked(["tags": .string("y")]) { $0.listAsAny = true } == [3])
        #expect(picked(["tags": .string("y")]) { _ in } == [-1])
    }
}
