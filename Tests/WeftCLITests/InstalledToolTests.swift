import Testing
import WeftConfig
import WeftCore

@testable import WeftCLI

/// Which of a cluster's Services is the tool that somebody asks for.
@Suite struct InstalledToolTests {
    private static func service(
        _ namespace: String, _ name: String, labels: JSONValue = [:], selector: JSONValue = ["app": "x"],
        ports: JSONValue
    ) -> KubernetesObject {
        KubernetesObject([
            "apiVersion": "v1", "kind": "Service",
            "metadata": ["namespace": .string(namespace), "name": .string(name), "labels": labels],
            "spec": ["selector": selector, "ports": ports],
        ])
    }

    private static func pod(
        _ namespace: String, _ name: String, app: String = "x", isReady: Bool = true, ports: JSONValue = []
    ) -> KubernetesObject {
        KubernetesObject([
            "apiVersion": "v1", "kind": "Pod",
            "metadata": ["namespace": .string(namespace), "name": .string(name), "labels": ["app": .string(app)]],
            "spec": ["containers": [["name": "c", "ports": ports]]],
            "status": ["conditions": [["type": "Ready", "status": isReady ? "True" : "False"]]],
        ])
    }

    private static let web: JSONValue = [["port": 80]]
    private static let pods = ["istio-system", "monitoring", "tools"].map { pod($0, "x-1") }

    /// The Service that is found, and the pod's port.
    private static func found(_ page: String, _ services: [KubernetesObject], _ pods: [KubernetesObject]) -> String? {
        InstalledTool.find(page, services: services, pods: pods, first: ["tools", "istio-system"]).map {
            "\($0.namespace)/\($0.service) \($0.pod):\($0.port)"
        }
    }

    @Test(
        arguments: [
            ("grafana", [("monitoring", "grafana")], "monitoring/grafana x-1:80"),
            ("grafana", [("monitoring", "grafana"), ("istio-system", "grafana")], "istio-system/grafana x-1:80"),
            ("grafana", [("istio-system", "prometheus-grafana"), ("tools", "grafana")], "tools/grafana x-1:80"),
            (
                "prometheus", [("monitoring", "prometheus-operated"), ("monitoring", "prometheus-server")],
                "monitoring/prometheus-server x-1:80"
            ),
            ("kiali", [("monitoring", "grafana")], nil), ("graph", [("monitoring", "graph")], nil),
            ("jaeger", [("istio-system", "tracing")], "istio-system/tracing x-1:80"),
        ] as [(String, [(String, String)], String?)])
    func theOneThatPeopleMean(_ page: String, _ services: [(String, String)], _ expected: String?) {
        let all = services.map { Self.service($0.0, $0.1, ports: Self.web) }
        #expect(Self.found(page, all, Self.pods) == expected)
        #expect(InstalledTool.namespaces(page, services: all).isEmpty == (expected == nil))
    }

    @Test(
        arguments: [
            ([["port": 80, "targetPort": 3000]], 3000), ([["port": 80, "targetPort": "web"]], 3100),
            ([["port": 8080, "name": "metrics"], ["port": 3000]], 3000),
            ([["port": 9000, "name": "metrics"], ["port": 9001, "name": "http-ui"]], 9001),
            ([["port": 3000, "protocol": "UDP"], ["port": 81]], 81),
            ([["port": 80, "targetPort": "nobody"]], 80),
        ] as [(JSONValue, Int)])
    func thePortOfThePod(_ ports: JSONValue, _ expected: Int) {
        let pod = Self.pod("tools", "x-1", ports: [["name": "web", "containerPort": 3100]])
        let found = Self.found("grafana", [Self.service("tools", "grafana", ports: ports)], [pod])
        #expect(found == "tools/grafana x-1:\(expected)")
    }

    @Test func aServiceMayBeKnownByItsLabels() {
        let named = Self.service("tools", "dashboards", labels: ["app.kubernetes.io/name": "grafana"], ports: Self.web)
        #expect(Self.found("grafana", [named], Self.pods) == "tools/dashboards x-1:80")
        let old = Self.service("tools", "mesh-ui", labels: ["app": "kiali"], ports: Self.web)
        #expect(Self.found("kiali", [old], Self.pods) == "tools/mesh-ui x-1:80")
    }

    /// What cannot answer is not opened: no pod, none that is ready, none that it selects, or our own control plane,
    /// which serves some of the tools' APIs under their names.
    @Test func whatCannotAnswerIsNotFound() {
        let service = Self.service("tools", "prometheus", ports: Self.web)
        #expect(Self.found("prometheus", [service], []) == nil)
        #expect(Self.found("prometheus", [service], [Self.pod("tools", "x-1", isReady: false)]) == nil)
        #expect(Self.found("prometheus", [service], [Self.pod("tools", "y-1", app: "y")]) == nil)
        let headless = Self.service("tools", "prometheus", selector: [:], ports: Self.web)
        #expect(Self.found("prometheus", [headless], Self.pods) == nil)
        let ours = Self.service("istio-system", "prometheus", selector: ["app": "istiod"], ports: [["port": 9090]])
        #expect(Self.found("prometheus", [ours], [Self.pod("istio-system", "istiod-1", app: "istiod")]) == nil)
        let real = Self.service("monitoring", "prometheus", ports: Self.web)
        let all = [Self.pod("istio-system", "istiod-1", app: "istiod")] + Self.pods
        #expect(Self.found("prometheus", [ours, real], all) == "monitoring/prometheus x-1:80")
    }
}
