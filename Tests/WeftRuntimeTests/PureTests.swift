import Testing
import WeftConfig
import WeftCore
import WeftRuntime

@Test(arguments: [
    ("a $(X) b", "a 1 b"), ("$$(X)", "$(X)"), ("$(UNKNOWN)", "$(UNKNOWN)"), ("cost: $5", "cost: $5"), ("$(X", "$(X"),
])
func expandsVariables(_ input: String, _ expected: String) {
    #expect(PodEnvironment.expand(input, ["X": "1"]) == expected)
}

@Test(arguments: [
    ("docker.io/library/nginx:1.25", "nginx"), ("nginx", "nginx"), ("localhost:5000/a/b", "localhost:5000/a/b"),
    ("docker.io/istio/examples-bookinfo-reviews-v1:1.17.0", "istio/examples-bookinfo-reviews-v1"), ("x@sha256:00", "x"),
])
func normalisesImages(_ image: String, _ expected: String) {
    #expect(ImageCatalogue.normalise(image) == expected)
}

private func objects() throws -> ([Service], [EndpointSlice]) {
    let service: JSONValue = [
        "metadata": ["name": "web", "namespace": "dev"],
        "spec": ["clusterIP": "10.96.0.77", "ports": [["port": 80, "name": "http"]]],
    ]
    let slice: JSONValue = [
        "metadata": ["name": "web-1", "namespace": "dev", "labels": ["kubernetes.io/service-name": "web"]],
        "endpoints": [["addresses": ["10.244.0.5"]], ["addresses": ["10.244.0.6"], "conditions": ["ready": false]]],
        "ports": [["name": "http", "port": 8000]],
    ]
    return ([try service.decode(Service.self)], [try slice.decode(EndpointSlice.self)])
}

@Test func rulesSendToReadyEndpointsOnly() throws {
    let (services, slices) = try objects()
    let script = ServiceRules.script(services: services, slices: slices)
    #expect(script.contains("ip daddr 10.96.0.77 tcp dport 80 dnat to 10.244.0.5:8000"))
    #expect(!script.contains("10.244.0.6"))
}

@Test func resolverKnowsServicesAndRefusesTheRest() throws {
    let (services, slices) = try objects()
    let table = DNSTable(services: services, slices: slices)
    func query(_ name: String) -> [UInt8] {
        let labels = name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
        return [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + labels + [0, 0, 1, 0, 1]
    }
    let answer = try #require(DNSResponder.answer(query("web.dev.svc.cluster.local"), table))
    #expect(answer.suffix(4) == [10, 96, 0, 77])
    let missing = try #require(DNSResponder.answer(query("nobody.example"), table))
    #expect(missing[3] & 0x0F == 3)
    #expect(DNSResponder.answer([1, 2], table) == nil)
}
