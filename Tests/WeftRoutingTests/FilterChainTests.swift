import Testing
import WeftIR
import WeftRouting

@Suite struct FilterChainTests {
    private func chain(_ name: String, edit: (inout FilterChainMatch) -> Void) -> FilterChain {
        var chain = FilterChain(name: name)
        edit(&chain.match)
        return chain
    }

    private func view(_ ip: String = "10.0.0.1", _ port: UInt16 = 80, name: String = "", tls: Bool = false)
        -> FilterChainView
    {
        FilterChainView(
            destinationIP: ip, destinationPort: port, sourceIP: "10.9.9.9", sourcePort: 1, serverName: name, isTLS: tls,
            applicationProtocols: tls ? ["istio"] : [])
    }

    @Test func portThenAddressThenNameThenTransport() {
        let matcher = FilterChainMatcher([
            chain("tls") { $0.transportProtocol = "tls" },
            chain("plain") { $0.transportProtocol = "raw_buffer" },
            chain("net") { $0.prefixRanges = [CIDR("10.1.0.0", prefixLength: 16)] },
            chain("port") { $0.destinationPort = 443 },
            chain("name") { $0.serverNames = ["*.example.com"] },
        ])
        #expect(matcher.match(view()) == 1)
        #expect(matcher.match(view(tls: true)) == 0)
        #expect(matcher.match(view("10.1.2.3", tls: true)) == 2)
        #expect(matcher.match(view("10.1.2.3", 443)) == 3)
        #expect(matcher.match(view(name: "a.example.com", tls: true)) == 4)
        #expect(matcher.match(view(name: "example.com", tls: true)) == 0)
    }

    @Test func aBrokenRangeIsReportedAndMatchesNothing() {
        let matcher = FilterChainMatcher([chain("bad") { $0.prefixRanges = [CIDR("10.0.0", prefixLength: 8)] }])
        #expect(matcher.problems.count == 1)
        #expect(matcher.match(view()) == nil)
    }

    @Test(arguments: [
        ("1.2.3.4", true), ("+1.2.3.4", false), ("1.2.3", false), ("1.2.3.256", false), ("::1", true), ("::", true),
        ("1::2::3", false), (":::", false), ("::+1", false), ("::ffff:1.2.3.4", true), ("fe80::1%eth0", true),
        ("", false),
        ("1:2:3:4:5:6:7:8", true), ("1:2:3:4:5:6:7", false), ("1:2:3:4:5:6:7:8:9", false), ("12345::", false),
    ])
    func addresses(text: String, expected: Bool) {
        #expect((IPAddress(text) != nil) == expected)
    }
}
