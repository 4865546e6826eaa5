import Testing
import WeftConfig
import WeftCore

@Test(
    arguments: [
        ("10s", 10_000), ("1.5s", 1500), ("100ms", 100), ("1h2m", 3_720_000), ("0s", 0), ("0", 0), ("250us", 1),
        ("1m30s", 90_000), (".5s", 500),
    ] as [(String, UInt64)])
func readsDurations(_ text: String, _ milliseconds: UInt64) {
    #expect(ProtoDuration(text)?.milliseconds == milliseconds)
}

@Test(arguments: ["", "10", "s", "1x", "1s2", "abc", "--1s", "1.2.3s"])
func refusesWhatIsNoDuration(_ text: String) { #expect(ProtoDuration(text) == nil) }

@Test func writesDurationsAsProtobufDoes() {
    #expect(ProtoDuration("90s")?.description == "90s")
    #expect(ProtoDuration("1500ms")?.description == "1.5s")
    #expect(ProtoDuration("-1s")?.nanoseconds == -1_000_000_000)
}

@Test func decodesEveryServedVersion() throws {
    for version in ["v1", "v1beta1", "v1alpha3"] {
        let object = KubernetesObject([
            "apiVersion": .string("networking.istio.io/\(version)"), "kind": "VirtualService", "spec": ["hosts": ["a"]],
        ])
        #expect(object.isKind(VirtualService.self))
        #expect(try object.spec(VirtualService.self).hosts == ["a"])
    }
}

@Test func namesTheFieldThatDoesNotDecode() throws {
    let object = KubernetesObject(["kind": "VirtualService", "spec": ["http": [["route": [["weight": "ten"]]]]]])
    let error = #expect(throws: DecodingError.self) { try object.spec(VirtualService.self) }
    #expect(error?.fieldPath == "spec.http[0].route[0].weight")
}
