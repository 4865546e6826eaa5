import FoundationEssentials
import Testing
import WeftConfig
import WeftCore
import WeftInject

@Suite struct InjectedPodTests {
    let backend: JSONValue = [
        "metadata": [
            "generateName": "backend-6d4cf56db6-",
            "labels": ["app": "backend", "version": "v2", "pod-template-hash": "6d4cf56db6"],
            "ownerReferences": [
                [
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "backend-6d4cf56db6", "uid": "1",
                    "controller": true,
                ]
            ],
        ],
        "spec": [
            "containers": [
                [
                    "name": "app", "image": "nginxdemos/hello", "ports": [["containerPort": 80, "name": "web"]],
                    "readinessProbe": ["httpGet": ["path": "/ok", "port": "web"], "periodSeconds": 5],
                    "livenessProbe": ["tcpSocket": ["port": 80], "timeoutSeconds": 2],
                ]
            ],
            "initContainers": [["name": "own-init"]],
            "volumes": [["name": "data", "emptyDir": [:]]],
        ],
    ]

    func inject(_ pod: JSONValue, settings: InjectionSettings = InjectionSettings()) -> JSONValue {
        InjectedPod(injecting: pod, namespace: "dev", settings: settings).pod
    }

    func proxy(_ pod: JSONValue, in list: String = "initContainers") throws -> JSONValue {
        try #require(pod[path: "spec", list]?.arrayValue?.first { $0["name"] == "istio-proxy" })
    }

    func environment(_ container: JSONValue) -> [String: JSONValue] {
        var result: [String: JSONValue] = [:]
        for item in container["env"]?.arrayValue ?? [] {
            if let name = item["name"]?.stringValue { result[name] = item["value"] ?? item["valueFrom"] }
        }
        return result
    }

    @Test func sidecarIsNativeAndComesFirst() throws {
        let pod = inject(backend)
        let names = pod[path: "spec", "initContainers"]?.arrayValue?.compactMap { $0["name"]?.stringValue }
        #expect(names == ["istio-init", "istio-proxy", "own-init"])
        #expect(pod[path: "spec", "containers"]?.arrayValue?.count == 1)
        let proxy = try proxy(pod)
        #expect(proxy["restartPolicy"] == "Always")
        #expect(proxy["args"] == ["proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.cluster.local"])
        #expect(proxy[path: "securityContext", "runAsUser"] == 1337)
        #expect(proxy[path: "startupProbe", "httpGet"] == ["path": "/healthz/ready", "port": 15021])
    }

    @Test func trafficIsRedirectedAsIstioDoes() {
        let container = inject(backend)[path: "spec", "initContainers"]?[0]
        #expect(
            container?["args"] == [
                "istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-x", "",
                "-b", "*",
                "-d", "15090,15021,15020",
            ])
        #expect(container?[path: "securityContext", "capabilities"]?["add"] == ["NET_ADMIN", "NET_RAW"])
        #expect(container?[path: "securityContext", "runAsUser"] == 0)
    }

    @Test func environmentNamesTheWorkload() throws {
        let environment = environment(try proxy(inject(backend)))
        #expect(environment["ISTIO_META_WORKLOAD_NAME"] == "backend")
        #expect(environment["ISTIO_META_OWNER"] == "kubernetes://apis/apps/v1/namespaces/dev/deployments/backend")
        #expect(environment["ISTIO_META_APP_CONTAINERS"] == "app")
        #expect(environment["ISTIO_META_POD_PORTS"] == "[{\"containerPort\":80,\"name\":\"web\"}]")
        #expect(environment["CA_ADDR"] == "istiod.istio-system.svc:15012")
        #expect(environment["INSTANCE_IP"] == ["fieldRef": ["fieldPath": "status.podIP"]])
    }

    @Test func probesGoThroughTheProxy() throws {
        let pod = inject(backend)
        let app = try #require(pod[path: "spec", "containers"]?[0])
        #expect(
            app[path: "readinessProbe", "httpGet"] == [
                "path": "/app-health/app/readyz", "port": 15020, "scheme": "HTTP",
            ])
        #expect(app[path: "readinessProbe", "periodSeconds"] == 5)
        #expect(app[path: "livenessProbe", "tcpSocket"] == nil)
        let kept = try #require(environment(try proxy(pod))["ISTIO_KUBE_APP_PROBERS"]?.stringValue)
        let probers = try JSONValue(parsing: kept)
        #expect(probers["/app-health/app/readyz"] == ["httpGet": ["path": "/ok", "port": 80]])
        #expect(probers["/app-health/app/livez"] == ["tcpSocket": ["port": 80], "timeoutSeconds": 2])
    }

    @Test func labelsAndStatusAreWritten() throws {
        let pod = inject(backend)
        let labels = try #require(pod[path: "metadata", "labels"])
        #expect(labels["security.istio.io/tlsMode"] == "istio")
        #expect(labels["service.istio.io/canonical-name"] == "backend")
        #expect(labels["service.istio.io/canonical-revision"] == "v2")
        let status = try #require(pod[path: "metadata", "annotations", "sidecar.istio.io/status"]?.stringValue)
        #expect(try JSONValue(parsing: status)["initContainers"] == ["istio-init", "istio-proxy"])
        #expect(pod[path: "metadata", "annotations", "kubectl.kubernetes.io/default-container"] == "app")
        let volumes = pod[path: "spec", "volumes"]?.arrayValue?.compactMap { $0["name"]?.stringValue } ?? []
        #expect(
            Set(volumes) == ["istio-envoy", "istio-data", "istio-podinfo", "istio-token", "istiod-ca-cert", "data"])
    }

    @Test func injectingTwiceChangesNothing() {
        let once = inject(backend)
        #expect(inject(once) == once)
    }

    @Test func envoyIsChosenByAnnotation() throws {
        var pod = backend
        pod[path: "metadata", "annotations"] = ["weft.dev/data-plane": "envoy", "weft.dev/envoy-path": "/opt/envoy"]
        let proxy = try proxy(inject(pod))
        #expect(proxy["args"]?.arrayValue?.suffix(2) == ["--envoy", "/opt/envoy"])
        #expect(environment(proxy)["WEFT_ENVOY_PATH"] == "/opt/envoy")
        #expect(try self.proxy(inject(backend))["args"]?.arrayValue?.contains("--envoy") == false)
    }

    @Test func annotationsChangeCaptureResourcesAndKind() throws {
        var pod = backend
        pod[path: "metadata", "annotations"] = [
            "traffic.sidecar.istio.io/excludeInboundPorts": "9000, 9001", "sidecar.istio.io/proxyCPU": "7m",
            "sidecar.istio.io/nativeSidecar": "false", "proxy.istio.io/config": "concurrency: 3\n",
            "traffic.sidecar.istio.io/excludeOutboundPorts": "3306",
        ]
        let injected = inject(pod)
        let arguments = injected[path: "spec", "initContainers"]?[0]?["args"]?.arrayValue ?? []
        #expect(arguments.contains("15090,15021,15020,9000,9001"))
        #expect(arguments.suffix(2) == ["-o", "3306"])
        let proxy = try proxy(injected, in: "containers")
        #expect(proxy["resources"] == ["requests": ["cpu": "7m"]])
        #expect(proxy["restartPolicy"] == nil)
        #expect(environment(proxy)["PROXY_CONFIG"] == "{\"concurrency\":3}")
    }

    @Test func scrapeAnnotationsPointAtTheMergedEndpoint() throws {
        var pod = backend
        pod[path: "metadata", "annotations"] = ["prometheus.io/scrape": "true", "prometheus.io/port": "8080"]
        let injected = inject(pod)
        #expect(injected[path: "metadata", "annotations", "prometheus.io/port"] == "15020")
        #expect(
            environment(try proxy(injected))["ISTIO_PROMETHEUS_ANNOTATIONS"]
                == "{\"path\":\"/metrics\",\"port\":\"8080\",\"scrape\":\"true\"}")
    }

    @Test func ownProxyContainerIsMerged() throws {
        var pod = backend
        pod[path: "spec", "containers"] = .array(
            (pod[path: "spec", "containers"]?.arrayValue ?? []) + [
                [
                    "name": "istio-proxy", "image": "auto", "env": [["name": "CA_ADDR", "value": "x:1"]],
                    "resources": [:],
                ]
            ])
        let proxy = try proxy(inject(pod))
        #expect(proxy["image"] == "weft/proxy")
        #expect(proxy["resources"] == [:])
        #expect(environment(proxy)["CA_ADDR"] == "x:1")
        #expect(environment(proxy)["TRUST_DOMAIN"] == "cluster.local")
    }

    @Test func webhookAnswersWithAPatch() throws {
        let review: JSONValue = [
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": ["uid": "u-1", "namespace": "dev", "object": backend],
        ]
        let (answer, outcome) = InjectionWebhook(settings: InjectionSettings()).review(review)
        #expect(outcome == .injected(pod: "dev/backend-6d4cf56db6-"))
        #expect(answer[path: "response", "uid"] == "u-1")
        #expect(answer[path: "response", "allowed"] == true)
        #expect(answer[path: "response", "patchType"] == "JSONPatch")
        let encoded = try #require(answer[path: "response", "patch"]?.stringValue)
        let patch = try JSONValue(parsing: Array(try #require(Data(base64Encoded: encoded))))
        let paths = patch.arrayValue?.compactMap { $0["path"]?.stringValue } ?? []
        #expect(paths.contains("/spec/initContainers"))
        #expect(paths.contains("/metadata/labels/security.istio.io~1tlsMode"))

        let broken = InjectionWebhook(settings: InjectionSettings()).review([:]).0
        #expect(broken[path: "response", "allowed"] == false)
    }

    @Test func manifestsAreInjectedForKubeInject() throws {
        var template = backend
        template["metadata"] = ["labels": ["app": "backend"]]
        let deployment = KubernetesObject([
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": "backend", "namespace": "dev"],
            "spec": ["template": template],
        ])
        let injected = try ManifestInjection.inject(deployment, settings: InjectionSettings())
        let pod = try #require(injected.json[path: "spec", "template"])
        #expect(environment(try proxy(pod))["ISTIO_META_WORKLOAD_NAME"] == "backend")
        #expect(pod[path: "metadata", "ownerReferences"] == nil)
        let service = KubernetesObject(["apiVersion": "v1", "kind": "Service", "metadata": ["name": "a"]])
        #expect(try ManifestInjection.inject(service, settings: InjectionSettings()) == service)
    }
}
