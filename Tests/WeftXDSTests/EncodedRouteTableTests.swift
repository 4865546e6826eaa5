import Testing
import WeftIR

@testable import WeftXDS

/// A table put together from hosts that were encoded before is the table that encoding the whole gives.
@Suite struct EncodedRouteTableTests {
    private func host(_ name: String, _ cluster: String = "c") -> VirtualHost {
        let route = Route(
            match: RouteMatch(path: .prefix("/")), action: .forward(RouteAction(cluster: .cluster(cluster))))
        return VirtualHost(name: name, domains: [name, "\(name):80"], routes: [route])
    }

    private func table(_ hosts: [VirtualHost], name: String = "80") -> RouteConfiguration {
        var table = RouteConfiguration(name: name, virtualHosts: hosts)
        table.requestHeaders.remove = ["x-internal"]
        table.internalOnlyHeaders = ["x-also"]
        return table
    }

    @Test(arguments: ["80", "", "outbound|80||a.dev"], [Target.weft, .envoy])
    func isTheWholeByteForByte(_ name: String, _ target: Target) throws {
        for hosts in [[], [host("a")], [host("a"), host("b", "d"), host("c", String(repeating: "x", count: 300))]] {
            let table = table(hosts, name: name)
            let made = try EncodedRouteTable(table, hosts: hosts.map { .made($0) }, target: target)
            #expect(try made.resource == EncodedResource(any: XDSEncoder(target: target).encode(table)))
            let kept = try EncodedRouteTable(table, hosts: hosts.indices.map { .kept(made, $0) }, target: target)
            #expect(kept.resource == made.resource)
        }
    }

    /// Hosts may come, go, change and move; several tables in a row.
    @Test func hostsAreTakenFromTheTableBefore() throws {
        let (a, b, c) = (host("a"), host("b"), host("c"))
        let first = try EncodedRouteTable(table([a, b, c]), hosts: [.made(a), .made(b), .made(c)], target: .weft)
        let changed = host("b", "other")
        let second = try EncodedRouteTable(
            table([]), hosts: [.kept(first, 2), .made(changed), .kept(first, 0)], target: .weft)
        let third = try EncodedRouteTable(table([]), hosts: [.kept(second, 1), .kept(second, 0)], target: .weft)
        let encoder = XDSEncoder(target: .weft)
        #expect(try second.resource == EncodedResource(any: encoder.encode(table([c, changed, a]))))
        #expect(try third.resource == EncodedResource(any: encoder.encode(table([changed, c]))))
    }
}
