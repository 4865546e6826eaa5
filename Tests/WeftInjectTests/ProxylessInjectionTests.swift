import Testing
import WeftConfig
import WeftCore
import WeftInject

/// Pods with `inject.istio.io/templates: grpc-agent`.
@Suite struct ProxylessInjectionTests {
    private func pod(_ templates: String?, labels: JSONValue = ["app": "greeter"]) -> JSONValue {
        var pod: JSONValue = [
            "metadata": ["name": "greeter-1", "labels": labels, "annotations": [:]],
            "spec": [
                "containers": [
                    [
                        "name": "app", "image": "greeter",
                        "env": [["name": "GRPC_XDS_BOOTSTRAP", "value": "/own.json"]],
                        "readinessProbe": ["httpGet": ["path": "/ok", "port": 80]],
                    ], ["name": "second", "image": "greeter"],
                ]
            ],
        ]
        pod[path: "metadata", "annotations", "inject.istio.io/templates"] = templates.map { .string($0) }
        return pod
    }

    private func values(_ container: JSONValue?) -> [String: String] {
        let pairs = (container?["env"]?.arrayValue ?? []).compactMap { item in
            item["name"]?.stringValue.map { ($0, item["value"]?.stringValue ?? "") }
        }
        return Dictionary(pairs) { $1 }
    }

    @Test func theApplicationGetsItsBootstrapAndNoProxy() throws {
        let injected = InjectedPod(
            injecting: pod("grpc-agent"), as: .grpcAgent, namespace: "dev", settings: InjectionSettings()
        ).pod
        let inits = injected[path: "spec", "initContainers"]?.arrayValue ?? []
        #expect(inits.map { $0["name"] } == ["istio-proxy"], "no traffic is redirected")
        let agent = values(inits.first)
        #expect(agent["DISABLE_ENVOY"] == "true" && agent["ISTIO_META_GENERATOR"] == "grpc")
        #expect(agent["OUTPUT_CERTS"] == "/var/lib/istio/data")
        #expect(agent["GRPC_XDS_BOOTSTRAP"] == "/etc/istio/proxy/grpc-bootstrap.json")
        let containers = injected[path: "spec", "containers"]?.arrayValue ?? []
        #expect(containers.map { values($0)["GRPC_XDS_BOOTSTRAP"] } == ["/own.json", agent["GRPC_XDS_BOOTSTRAP"]])
        for container in containers {
            let mounts = Set(container["volumeMounts"]?.arrayValue?.compactMap { $0["mountPath"]?.stringValue } ?? [])
            #expect(mounts == ["/etc/istio/proxy", "/var/lib/istio/data"])
        }
        #expect(containers.first?[path: "readinessProbe", "httpGet", "port"] == 80, "the kubelet gets to it by itself")
        let labels = injected[path: "metadata", "labels"]
        #expect(labels?["security.istio.io/tlsMode"] == nil, "whether it speaks TLS is the application's to say")
        #expect(labels?["service.istio.io/canonical-name"] == "greeter")
        let status = try JSONValue(
            parsing: injected[path: "metadata", "annotations", "sidecar.istio.io/status"]?.stringValue ?? "")
        #expect(status["initContainers"] == ["istio-proxy"])
        #expect(InjectedPod(injecting: injected, namespace: "dev", settings: InjectionSettings()).pod == injected)
    }

    @Test func theUsersWordOnTLSStays() {
        let labels: JSONValue = ["app": "greeter", "security.istio.io/tlsMode": "istio"]
        let injected = InjectedPod(
            injecting: pod("grpc-agent", labels: labels), as: .grpcAgent, namespace: "dev",
            settings: InjectionSettings()
        ).pod
        #expect(injected[path: "metadata", "labels", "security.istio.io/tlsMode"] == "istio")
    }

    @Test(arguments: [nil, "", "sidecar", " sidecar "]) func aSidecarIsTheDefault(_ templates: String?) throws {
        #expect(try InjectionTemplate(of: pod(templates)) == .sidecar)
        let injected = InjectedPod(injecting: pod(templates), namespace: "dev", settings: InjectionSettings()).pod
        #expect(injected[path: "spec", "initContainers"]?.arrayValue?.count == 2)
        #expect(values(injected[path: "spec", "containers"]?[1])["GRPC_XDS_BOOTSTRAP"] == nil)
    }

    @Test(arguments: ["grpc-simple", "mine", "sidecar,mine"]) func otherTemplatesAreRefused(_ templates: String) throws
    {
        #expect(throws: InjectionTemplate.Unknown.self) { try InjectionTemplate(of: pod(templates)) }
        let review: JSONValue = [
            "request": ["uid": "1", "namespace": "dev", "object": pod(templates)]
        ]
        let (answer, outcome) = InjectionWebhook(settings: InjectionSettings()).review(review)
        #expect(answer[path: "response", "allowed"] == false)
        let message = answer[path: "response", "status", "message"]?.stringValue ?? ""
        #expect(message.contains("\"\(templates)\" is no template; use sidecar or grpc-agent"), "\(message)")
        guard case .refused(let name, _) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(name == "dev/greeter-1")
        let deployment = KubernetesObject([
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": "d"],
            "spec": ["template": pod(templates)],
        ])
        #expect(throws: InjectionTemplate.Unknown.self) {
            try ManifestInjection.inject(deployment, settings: InjectionSettings())
        }
    }
}
