import Testing
import WeftConfig
import WeftCore
import WeftInject

/// What the installation and the pod say about the mesh reaches the proxy's environment.
@Suite struct MeshIdentityTests {
    private func environment(_ settings: InjectionSettings, _ annotations: JSONValue = [:]) throws -> [String: String] {
        let pod: JSONValue = [
            "metadata": ["name": "a", "annotations": annotations], "spec": ["containers": [["name": "app"]]],
        ]
        let injected = InjectedPod(injecting: pod, namespace: "dev", settings: settings).pod
        let proxy = try #require(
            injected[path: "spec", "initContainers"]?.arrayValue?.first { $0["name"] == "istio-proxy" })
        #expect(proxy["image"]?.stringValue == settings.proxyImage)
        return (proxy["env"]?.arrayValue ?? []).reduce(into: [:]) { result, entry in
            result[entry["name"]?.stringValue ?? ""] = entry["value"]?.stringValue
        }
    }

    @Test func meshConfigAndValuesAreTakenOver() throws {
        var settings = InjectionSettings(meshConfig: ["trustDomain": "acme.example"])
        settings.apply(values: [
            "global": ["proxy": ["image": "registry/proxy:1"], "multiCluster": ["clusterName": "east"]]
        ])
        let found = try environment(settings)
        #expect(found["TRUST_DOMAIN"] == "acme.example")
        #expect(found["ISTIO_META_MESH_ID"] == "acme.example")
        #expect(found["ISTIO_META_CLUSTER_ID"] == "east")
        #expect(settings.proxyImage == "registry/proxy:1")
    }

    @Test func aPodAddsVariablesAndKeepsTheMeshs() throws {
        let settings = InjectionSettings(meshConfig: [
            "defaultConfig": ["proxyMetadata": ["SECRET_TTL": "1h", "OTHER": "kept"], "drainDuration": "5s"]
        ])
        #expect(try environment(settings)["SECRET_TTL"] == "1h")
        let found = try environment(settings, ["proxy.istio.io/config": "{proxyMetadata: {SECRET_TTL: 12s}}"])
        #expect(found["SECRET_TTL"] == "12s")
        #expect(found["OTHER"] == "kept")
        #expect(found["PROXY_CONFIG"]?.contains("drainDuration") == true)
    }
}
