import Testing
import WeftCore
import WeftInject

@Suite struct InjectionDecisionTests {
    struct Case: Sendable {
        var namespace: [String: String]?
        var labels: JSONValue = [:]
        var annotations: JSONValue = [:]
        var revision = "default"
        var tag: String?
        var expected: Bool
    }

    @Test(arguments: [
        Case(namespace: ["istio-injection": "enabled"], expected: true),
        Case(namespace: ["istio-injection": "disabled"], labels: ["sidecar.istio.io/inject": "true"], expected: false),
        Case(namespace: [:], expected: false),
        Case(namespace: [:], labels: ["sidecar.istio.io/inject": "true"], expected: true),
        Case(namespace: ["istio-injection": "enabled"], labels: ["sidecar.istio.io/inject": "false"], expected: false),
        Case(
            namespace: ["istio-injection": "enabled"], annotations: ["sidecar.istio.io/inject": "false"],
            expected: false),
        Case(
            namespace: ["istio-injection": "enabled"], labels: ["sidecar.istio.io/inject": "true"],
            annotations: ["sidecar.istio.io/inject": "false"], expected: true),
        Case(namespace: ["istio.io/rev": "canary"], expected: false),
        Case(namespace: ["istio.io/rev": "canary"], revision: "canary", expected: true),
        Case(namespace: ["istio-injection": "enabled", "istio.io/rev": "canary"], revision: "canary", expected: false),
        Case(namespace: [:], labels: ["istio.io/rev": "canary"], revision: "canary", expected: true),
        Case(namespace: ["istio.io/rev": "prod"], revision: "canary", tag: "prod", expected: true),
        Case(namespace: ["istio.io/rev": "canary"], revision: "canary", tag: "prod", expected: false),
        Case(namespace: ["istio-injection": "enabled"], revision: "canary", tag: "prod", expected: false),
        Case(namespace: ["istio-injection": "enabled"], revision: "canary", tag: "default", expected: true),
        Case(namespace: nil, expected: true),
        Case(namespace: nil, labels: ["sidecar.istio.io/inject": "false"], expected: false),
    ])
    func decides(_ row: Case) {
        var settings = InjectionSettings()
        settings.revision = row.revision
        settings.tag = row.tag
        let pod: JSONValue = [
            "metadata": ["labels": row.labels, "annotations": row.annotations], "spec": ["containers": []],
        ]
        let decision = InjectionDecision(pod: pod, namespace: "dev", namespaceLabels: row.namespace, settings: settings)
        #expect(decision.inject == row.expected, "\(decision.reason)")
    }

    @Test func hostNetworkAndSystemNamespacesAreLeftAlone() {
        let labels = ["istio-injection": "enabled"]
        let host: JSONValue = ["metadata": [:], "spec": ["hostNetwork": true, "containers": []]]
        let plain: JSONValue = ["metadata": [:], "spec": ["containers": []]]
        let settings = InjectionSettings()
        #expect(!InjectionDecision(pod: host, namespace: "dev", namespaceLabels: labels, settings: settings).inject)
        #expect(
            !InjectionDecision(pod: plain, namespace: "kube-system", namespaceLabels: labels, settings: settings).inject
        )
        #expect(InjectionDecision(pod: plain, namespace: "dev", namespaceLabels: labels, settings: settings).inject)
    }
}
