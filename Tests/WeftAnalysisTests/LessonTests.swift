import Testing
import WeftConfig
import WeftCore

@testable import WeftAnalysis

/// The canary lesson as written: nothing carries `version: v1`.
struct LessonTests {
    private func object(_ text: String) throws -> KubernetesObject { KubernetesObject(try JSONValue(parsing: text)) }

    private func lesson(label: String) throws -> [KubernetesObject] {
        [
            try object(
                #"{"kind":"Service","metadata":{"name":"backend","namespace":"dev"},"spec":{"selector":{"app":"backend"},"ports":[{"name":"http","port":80}]}}"#
            ),
            try object(
                #"{"kind":"DestinationRule","metadata":{"name":"backend","namespace":"dev"},"spec":{"host":"backend","subsets":[{"name":"v1","labels":{"version":"v1"}}]}}"#
            ),
            try object(
                #"{"kind":"Deployment","metadata":{"name":"backend","namespace":"dev"},"spec":{"template":{"metadata":{"labels":{"app":"backend"\#(label)}}}}}"#
            ),
        ]
    }

    @Test func emptySubsetIsNamed() throws {
        let findings = Analysis.run(AnalysisContext(objects: try lesson(label: "")))
        #expect(findings.map(\.code) == ["IST0173"])
        #expect(
            findings.first?.message
                == "subset v1 of DestinationRule backend (host backend) selects no pod: no pod of service dev/backend has labels version=v1"
        )
        #expect(Analysis.run(AnalysisContext(objects: try lesson(label: #","version":"v1""#))).isEmpty)
    }

    @Test func missingReferencesAndWeights() throws {
        let service = try object(
            #"{"kind":"VirtualService","metadata":{"name":"a","namespace":"dev"},"spec":{"hosts":["backend"],"gateways":["web","mesh"],"http":[{"route":[{"destination":{"host":"backend","subset":"v9"},"weight":60},{"destination":{"host":"nobody"},"weight":30}]}]}}"#
        )
        let findings = Analysis.run(AnalysisContext(objects: try lesson(label: #","version":"v1""#) + [service]))
        #expect(
            findings.map(\.message) == [
                "Referenced host not found: \"nobody\"",
                "Referenced host+subset in destinationrule not found: \"backend+v9\"",
                "Referenced gateway not found: \"web\"",
            ])
    }
}
