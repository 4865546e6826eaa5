import Testing

@testable import WeftProxy

@Suite struct CaptureRulesTests {
    @Test func replacesItsTableWhole() {
        let script = CaptureRules(excludeInboundPorts: "15090,15021").script()
        #expect(script.hasPrefix("table ip weft_capture {}\ndelete table ip weft_capture\n"))
        #expect(script.contains("tcp dport { 15090, 15021 } return\n    goto inbound_redirect"))
        #expect(script.contains("meta skuid 1337 return"))
    }

    @Test(arguments: [("8o", ""), ("70000", ""), ("80", "10.0.0.0/33"), ("80", "10.0.0")])
    func refusesWhatIsNoPortOrRange(ports: String, ranges: String) {
        #expect(CaptureRules(excludeOutboundRanges: ranges, includeInboundPorts: ports).problems().count == 1)
    }

    @Test func someRangesOnly() {
        let script = CaptureRules(includeOutboundRanges: "10.96.0.0/12").script()
        #expect(script.contains("ip daddr 10.96.0.0/12 goto outbound_redirect"))
        #expect(!script.contains("    goto outbound_redirect"))
    }
}

@Test func redirectsQuestionsOfOthersThanTheProxy() {
    var rules = CaptureRules()
    #expect(!rules.script().contains("dport 53"))
    rules.dnsPort = 15053
    for transport in ["udp", "tcp"] {
        #expect(
            rules.script().contains(
                "meta skuid != 1337 meta skgid != 1337 \(transport) dport 53 redirect to :15053"))
    }
}
