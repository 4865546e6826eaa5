package import WeftConfig

/// The nftables rules that give services their virtual addresses. Pure: objects in, a script for `nft -f -` out.
package enum ServiceRules {
    package static func script(services: [Service], slices: [EndpointSlice]) -> String {
        var byService: [String: [EndpointSlice]] = [:]
        for slice in slices {
            byService["\(slice.metadata.namespace ?? "")/\(slice.serviceName ?? "")", default: []].append(slice)
        }
        var rules = [
            "ip daddr \(NodeAddress.apiService) tcp dport 443 dnat to \(NodeAddress.gateway):\(NodeAddress.apiPort)",
            "ip daddr \(NodeAddress.dnsService) udp dport 53 dnat to \(NodeAddress.gateway):53",
            "ip daddr \(NodeAddress.dnsService) tcp dport 53 dnat to \(NodeAddress.gateway):53",
        ]
        var pods: Set<String> = []
        for service in services {
            guard let address = service.virtualIP, address != NodeAddress.apiService, address != NodeAddress.dnsService
            else { continue }
            let key = "\(service.metadata.namespace ?? "")/\(service.metadata.name ?? "")"
            for port in service.spec.ports ?? [] {
                let targets = targets(port, byService[key] ?? [])
                pods.formUnion(targets.map(\.address))
                let match = "ip daddr \(address) \((port.protocol ?? "TCP").lowercased()) dport \(port.port)"
                for (index, target) in targets.enumerated() {
                    let left = targets.count - index
                    let share = left > 1 ? " numgen random mod \(left) == 0" : ""
                    rules.append("\(match)\(share) dnat to \(target.address):\(target.port)")
                }
            }
        }
        let hairpin = pods.sorted().map { "ip saddr \($0) ip daddr \($0) masquerade" }
        return table(rules, hairpin)
    }

    private static func targets(_ port: Service.Port, _ slices: [EndpointSlice]) -> [(address: String, port: Int)] {
        slices.flatMap { slice -> [(address: String, port: Int)] in
            let found = slice.ports?.first {
                ($0.name ?? "") == (port.name ?? "") && ($0.protocol ?? "TCP") == (port.protocol ?? "TCP")
            }
            guard let number = found?.port else { return [] }
            return (slice.endpoints ?? []).filter(\.isReady).flatMap(\.addresses).map { ($0, number) }
        }
    }

    private static func table(_ rules: [String], _ hairpin: [String]) -> String {
        func lines(_ rules: [String]) -> String { rules.map { "    \($0)\n" }.joined() }
        return """
            add table ip weft
            delete table ip weft
            table ip weft {
              chain services {
            \(lines(rules))  }
              chain prerouting {
                type nat hook prerouting priority dstnat; policy accept;
                jump services
              }
              chain output {
                type nat hook output priority -100; policy accept;
                jump services
              }
              chain postrouting {
                type nat hook postrouting priority srcnat; policy accept;
            \(lines(hairpin))  }
              chain unanswered {
                meta l4proto tcp ip daddr 10.96.0.0/12 reject with tcp reset
                ip daddr 10.96.0.0/12 reject
              }
              chain forward {
                type filter hook forward priority filter; policy accept;
                jump unanswered
              }
              chain refused {
                type filter hook output priority filter; policy accept;
                jump unanswered
              }
            }

            """
    }
}
