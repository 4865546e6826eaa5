import Synchronization
import Testing
import WeftHTTP
import WeftIR

@testable import WeftRouting

@Suite struct ConsistentHashTests {
    private let weighted = [host(1), host(2), host(3, weight: 2), host(4, weight: 5)]
    private let names = [
        "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "niaj",
    ]

    private func picks(_ kind: Cluster.LoadBalancer, _ hosts: [BalancedHost], _ names: [String]) -> [String] {
        let balancer = balancer(kind, hosts)
        return names.map { name in
            var request = PickRequest()
            request.hash = XXHash64.hash(name)
            return balancer.pick(request).map { hosts[$0].address } ?? "none"
        }
    }

    private func last(_ addresses: [String]) -> String {
        String(addresses.compactMap { $0.dropLast(3).last })
    }

    /// Reckoned apart from this code, by the published algorithms over the same keys: what Envoy picks.
    @Test func ringAndTablePickWhatEnvoyPicks() {
        #expect(last(picks(.ringHash(minimumRingSize: 1_024), weighted, names)) == "344244444244")
        #expect(last(picks(.maglev(tableSize: 65_537), weighted, names)) == "144343444434")
    }

    /// Recorded from Envoy 1.40 with hosts 127.0.0.1:19001 to 19004 of weights 1, 1, 2 and 5, for the header values
    /// `user-0` to `user-39`, and last with a query parameter `z0` to `z39` hashed too.
    @Test(arguments: [
        ("ring", "4323341134244443433444443323242342242423"), ("maglev", "2431414442234444434444243242243132444314"),
        ("murmur", "4431444344444331144314244344434422423444"), ("both", "4334444441234343341431432414443424444231"),
    ])
    func picksRecordedFromEnvoy(kind: String, expected: String) {
        let hosts = zip(1...4, [1, 1, 2, 5] as [UInt32]).map { number, weight in
            var endpoint = Endpoint(address: .ip("127.0.0.1", port: UInt16(19_000 + number)))
            endpoint.weight = weight
            return BalancedHost(address: "127.0.0.1:1900\(number)", endpoint: endpoint, shared: SharedHost())
        }
        let isRing = kind == "ring" || kind == "murmur"
        let balancer = balancer(isRing ? .ringHash(minimumRingSize: 1_024) : .maglev(tableSize: 65_537), hosts) {
            $0.hashFunction = kind == "murmur" ? .murmurHash2 : .xxHash
        }
        let policies: [HashPolicy] = [.header("x-user", terminal: false), .queryParameter("q", terminal: false)]
        let picked = (0..<40).map { number -> String in
            let head = RequestHead(
                .get, kind == "both" ? "/multi?q=z\(number)" : "/", authority: "h",
                headers: [("x-user", "user-\(number)")])
            var request = PickRequest()
            request.hash =
                RequestHash(
                    policies.map(CompiledHashPolicy.init), head: head,
                    client: RequestHash.Client(ip: "", address: "", localAddress: "")
                ).value
            return balancer.pick(request).map { String($0 + 1) } ?? "-"
        }
        #expect(picked.joined() == expected)
    }

    @Test func orderOfHostsDoesNotMatterToMaglev() {
        let shuffled = [weighted[2], weighted[0], weighted[3], weighted[1]]
        #expect(
            picks(.maglev(tableSize: 65_537), shuffled, names) == picks(.maglev(tableSize: 65_537), weighted, names))
    }

    /// Losing a host moves that host's keys and few others: a ring is filled up to its minimum size, a table anew.
    @Test(arguments: [
        (Cluster.LoadBalancer.ringHash(minimumRingSize: 1_024), 200), (.maglev(tableSize: 65_537), 60),
    ])
    func losingAHostMovesItsKeys(kind: Cluster.LoadBalancer, tolerance: Int) {
        let hosts = (1...8).map { host($0) }
        let keys = (0..<2_000).map { "key-\($0)" }
        let before = picks(kind, hosts, keys)
        let gone = hosts[3].address
        let after = picks(kind, hosts.filter { $0.address != gone }, keys)
        let moved = zip(before, after).count { $0 != $1 && $0 != gone }
        #expect(moved <= tolerance)
        #expect(before.contains(gone) && !after.contains(gone))
    }

    @Test func sharesFollowWeights() {
        for kind in [Cluster.LoadBalancer.ringHash(minimumRingSize: 4_096), .maglev(tableSize: 65_537)] {
            let all = picks(kind, weighted, (0..<9_000).map { "key-\($0)" })
            let counts = weighted.map { host in all.count { $0 == host.address } }
            for (count, share) in zip(counts, [1_000, 1_000, 2_000, 5_000]) {
                #expect(abs(count - share) < share * 35 / 100, "\(kind) \(counts)")
            }
        }
    }

    @Test func theRingIsNoLargerThanItsMaximum() {
        let hosts = (0..<10).map { WeightedHost(index: Int32($0), key: "h\($0)", share: 0.1) }
        #expect(HashRing(hosts, minimumSize: 1_024, maximumSize: 50, function: .xxHash).count == 50)
        #expect(HashRing(hosts, minimumSize: 5, maximumSize: 1_024, function: .murmurHash2).count == 10)
        #expect(HashRing([], minimumSize: 5, maximumSize: 10, function: .xxHash).host(1) == nil)
    }

    @Test func anotherAttemptFindsAnotherHost() {
        let hosts = (1...4).map { host($0) }
        for kind in [Cluster.LoadBalancer.ringHash(minimumRingSize: 1_024), .maglev(tableSize: 65_537)] {
            let balancer = balancer(kind, hosts)
            var request = PickRequest()
            request.hash = XXHash64.hash("alice")
            let first = balancer.pick(request)
            request.tried = first.map { [hosts[$0].shared] } ?? []
            request.maxReselections = 50
            #expect(balancer.pick(request) != first)
        }
    }

    @Test(arguments: [(65_537 as UInt64, true), (7, true), (9, false), (0, false), (1, false), (65_536, false)])
    func tablesHaveAPrimeSize(size: UInt64, isUsable: Bool) {
        #expect(MaglevTable.isUsable(size: size) == isUsable)
    }

    @Test func anOverloadedHostPassesOn() {
        let hosts = (1...4).map { host($0) }
        let balancer = balancer(.ringHash(minimumRingSize: 1_024), hosts) { $0.hashBalanceFactorPercent = 120 }
        var request = PickRequest()
        request.hash = XXHash64.hash("alice")
        let first = balancer.pick(request) ?? -1
        hosts[first].shared.activeRequests.store(100, ordering: .relaxed)
        let second = balancer.pick(request)
        #expect(second != first)
        #expect(balancer.pick(request) == second)
    }

    /// The address, unless metadata or the host name are asked for.
    @Test func keys() {
        let named = host(1, metadata: ["hash_key": .string("blue")])
        let other = host(2, metadata: ["hash_key": .string("blue")])
        let one = picks(.maglev(tableSize: 7), [named, host(3)], names)
        let two = picks(.maglev(tableSize: 7), [other, host(3)], names)
        #expect(one.map { $0 == named.address } == two.map { $0 == other.address })
    }
}
