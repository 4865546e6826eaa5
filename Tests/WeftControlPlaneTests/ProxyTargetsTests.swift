import Testing
import WeftConfig
import WeftCore
import WeftTelemetry
import WeftTranslate

@testable import WeftControlPlane

@Suite struct ProxyTargetsTests {
    private func pod(_ phase: String, annotated: Bool = true, ends: Bool = false) -> KubernetesObject {
        var metadata: [String: JSONValue] = [
            "name": "web-1", "namespace": "shop", "labels": ["app": "web", "app.kubernetes.io/name": "web"],
        ]
        if annotated {
            metadata["annotations"] = [
                "prometheus.io/scrape": "true", "prometheus.io/port": "15020",
                "prometheus.io/path": "/stats/prometheus",
            ]
        }
        if ends { metadata["deletionTimestamp"] = "2026-01-01T01:00:00Z" }
        var status: [String: JSONValue] = ["phase": .string(phase)]
        if phase == "Running" {
            status["podIP"] = "10.244.0.7"
            status["startTime"] = "2026-01-01T00:00:00Z"
        }
        return KubernetesObject(
            ["apiVersion": "v1", "kind": "Pod", "metadata": .object(metadata), "status": .object(status)])
    }
    private let proxy = ProxyIdentity(kind: .sidecar, address: "10.244.0.7", podName: "web-1", namespace: "shop")

    /// From its proxy's first connection to its end a pod is one and the same target.
    @Test func aPodIsOneTargetAllItsLife() {
        let running = ProxyTargets.targets([proxy], pods: [pod("Running")])
        #expect(running.map(\.url) == ["http://10.244.0.7:15020/stats/prometheus"])
        #expect(running.first?.began == 1_767_225_600_000)
        #expect(running.first?.labels["app_kubernetes_io_name"] == "web")
        for (proxies, pod) in [
            ([proxy], pod("Pending")), ([], pod("Running")), ([proxy], pod("Running", ends: true)),
        ] {
            #expect(ProxyTargets.targets(proxies, pods: [pod]) == running)
        }
        #expect(ProxyTargets.targets([], pods: [pod("Pending")]).isEmpty)
        #expect(ProxyTargets.targets([], pods: [pod("Running", ends: true)]).isEmpty)
    }

    @Test func aProxyWithoutAnnotationsIsScrapedItself() {
        for pods in [[pod("Running", annotated: false)], []] {
            let targets = ProxyTargets.targets([proxy], pods: pods)
            #expect(targets.map(\.url) == ["http://10.244.0.7:15090/stats/prometheus"])
            #expect(targets.first?.labels["instance"] == "10.244.0.7:15090")
        }
        #expect(ProxyTargets.targets([], pods: [pod("Running", annotated: false)]).isEmpty)
    }
}
