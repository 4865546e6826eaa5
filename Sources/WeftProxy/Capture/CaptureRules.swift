/// The redirect rules of a sidecar as one nftables script, in the order of Istio's iptables chains.
///
/// Pure. The script replaces its own table whole, so applying it twice changes nothing.
struct CaptureRules: Equatable {
    var outboundPort: UInt16 = 15001
    var inboundPort: UInt16 = 15006
    var proxyUser: UInt32 = 1337
    var proxyGroup: UInt32 = 1337
    /// `*` or a comma list of CIDRs.
    var includeOutboundRanges = "*"
    var excludeOutboundRanges = ""
    /// `*` or a comma list of ports.
    var includeInboundPorts = "*"
    var excludeInboundPorts = ""
    var includeOutboundPorts = ""
    var excludeOutboundPorts = ""
    /// Where the proxy answers DNS questions; `nil` leaves them alone.
    var dnsPort: UInt16?

    /// What is wrong with the values, for the person who gave them.
    func problems() -> [String] {
        var found: [String] = []
        for (flag, list) in [
            ("-b", includeInboundPorts), ("-d", excludeInboundPorts), ("-q", includeOutboundPorts),
            ("-o", excludeOutboundPorts),
        ] {
            for port in Self.list(list) where port != "*" && UInt16(port) == nil {
                found.append("\(flag): '\(port)' is no port; give numbers from 0 to 65535 separated by commas, or '*'")
            }
        }
        for (flag, list) in [("-i", includeOutboundRanges), ("-x", excludeOutboundRanges)] {
            for range in Self.list(list) where range != "*" && !Self.isIPv4Range(range) {
                found.append("\(flag): '\(range)' is no IPv4 range such as 10.0.0.0/8")
            }
        }
        return found
    }

    private static func list(_ text: String) -> [String] { text.split(separator: ",").map { $0.trimmingSpaces() } }

    private static func isIPv4Range(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.count == 1 || UInt8(parts[1]).map({ $0 <= 32 }) == true else { return false }
        let bytes = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        return bytes.count == 4 && bytes.allSatisfy { UInt8($0) != nil }
    }

    /// For `nft -f -`: takes the rules away, if there are some.
    static let removal = "table ip weft_capture {}\ndelete table ip weft_capture\n"

    /// For `nft -f -`.
    func script() -> String {
        """
        table ip weft_capture {}
        delete table ip weft_capture
        table ip weft_capture {
          chain inbound_redirect {
            meta l4proto tcp redirect to :\(inboundPort)
          }
          chain outbound_redirect {
            meta l4proto tcp redirect to :\(outboundPort)
          }
          chain prerouting {
            type nat hook prerouting priority dstnat; policy accept;
        \(Self.lines(inboundRules()))
          }
          chain output {
            type nat hook output priority -100; policy accept;
        \(Self.lines(outboundRules()))
          }
        }

        """
    }

    private static func lines(_ rules: [String]) -> String { rules.map { "    " + $0 }.joined(separator: "\n") }

    private func inboundRules() -> [String] {
        var rules = ["meta l4proto != tcp return", "tcp dport 15008 return"]
        let excluded = Self.list(excludeInboundPorts)
        if includeInboundPorts == "*" {
            if !excluded.isEmpty { rules.append("tcp dport { \(excluded.joined(separator: ", ")) } return") }
            rules.append("goto inbound_redirect")
        } else {
            let included = Self.list(includeInboundPorts)
            if !included.isEmpty {
                rules.append("tcp dport { \(included.joined(separator: ", ")) } goto inbound_redirect")
            }
        }
        return rules
    }

    private func outboundRules() -> [String] {
        // Questions of the proxy itself go to the servers that it asks.
        var rules: [String] = []
        if let dnsPort {
            rules = ["udp", "tcp"].map {
                "meta skuid != \(proxyUser) meta skgid != \(proxyGroup) \($0) dport 53 redirect to :\(dnsPort)"
            }
        }
        rules += ["meta l4proto != tcp return", "oifname \"lo\" ip saddr 127.0.0.6 return"]
        for owner in ["skuid \(proxyUser)", "skgid \(proxyGroup)"] {
            let other = owner.replacing(" ", with: " != ")
            // A pod that calls itself through its service address comes back in through the inbound listener.
            rules += [
                "oifname \"lo\" ip daddr != 127.0.0.1 tcp dport != 15008 meta \(owner) goto inbound_redirect",
                "oifname \"lo\" meta \(other) return",
                "meta \(owner) return",
            ]
        }
        rules.append("ip daddr 127.0.0.1 return")
        let excludedPorts = Self.list(excludeOutboundPorts)
        if !excludedPorts.isEmpty { rules.append("tcp dport { \(excludedPorts.joined(separator: ", ")) } return") }
        for range in Self.list(excludeOutboundRanges) { rules.append("ip daddr \(range) return") }
        let ports = Self.list(includeOutboundPorts)
        if !ports.isEmpty { rules.append("tcp dport { \(ports.joined(separator: ", ")) } goto outbound_redirect") }
        if includeOutboundRanges == "*" {
            rules.append("goto outbound_redirect")
        } else {
            for range in Self.list(includeOutboundRanges) { rules.append("ip daddr \(range) goto outbound_redirect") }
        }
        return rules
    }
}
