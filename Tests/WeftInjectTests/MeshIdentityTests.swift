import Testing
import WeftConfig
import WeftCore
import WeftInject

/// What the installation and the pod say about the mesh reaches the proxy's environment.
@Suite struct MeshIdentityTests {
    private func environment(_ settings: InjectionSettings, _ annotations: JSONValue = [:], labels: JSONValue = [:])
        throws -> [String: String]
    {
        let pod: JSONValue = [
            "metadata": ["name": "a", "annotations": annotations, "labels": labels],
            "spec": ["containers": [["name": "app"]]],
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

    @Test func proxyConfigsApplyFromTheMeshToThePod() throws {
        func object(_ namespace: String, _ seconds: String, selector: JSONValue? = nil) -> KubernetesObject {
            var json: JSONValue = [
                "apiVersion": "networking.istio.io/v1beta1", "kind": "ProxyConfig",
                "metadata": ["name": "a", "namespace": .string(namespace)],
                "spec": ["environmentVariables": ["SECRET_TTL": .string(seconds), "FROM_\(seconds)": "yes"]],
            ]
            json[path: "spec", "selector", "matchLabels"] = selector
            return KubernetesObject(json)
        }
        var settings = InjectionSettings()
        settings.proxyConfigs = [object("istio-system", "3h")]
        #expect(try environment(settings)["SECRET_TTL"] == "3h")
        settings.proxyConfigs += [object("dev", "2h"), object("other", "9h")]
        #expect(try environment(settings)["SECRET_TTL"] == "2h")
        settings.proxyConfigs += [
            object("dev", "1h", selector: ["app": "a"]), object("dev", "7h", selector: ["app": "b"]),
        ]
        let found = try environment(settings, labels: ["app": "a"])
        #expect(found["SECRET_TTL"] == "1h")
        #expect(found.keys.filter { $0.hasPrefix("FROM_") }.sorted() == ["FROM_1h", "FROM_2h", "FROM_3h"])
        let own: JSONValue = ["proxy.istio.io/config": "{proxyMetadata: {SECRET_TTL: 12s}}"]
        #expect(try environment(settings, own, labels: ["app": "a"])["SECRET_TTL"] == "12s")
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
