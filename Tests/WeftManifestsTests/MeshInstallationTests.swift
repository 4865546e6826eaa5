import Testing
import WeftConfig
import WeftCore
import WeftManifests

@Suite struct MeshInstallationTests {
    @Test(arguments: [
        (InstallProfile.minimal, ["istiod"]), (.default, ["istiod", "istio-ingressgateway"]),
        (.demo, ["istiod", "istio-ingressgateway", "istio-egressgateway"]), (.empty, []),
    ])
    func profilesHaveTheirDeployments(_ profile: InstallProfile, _ expected: [String]) {
        let installation = MeshInstallation(InstallSettings(profile: profile))
        #expect(installation.objects.filter { $0.kind == "Deployment" }.map(\.name) == expected)
        #expect(installation.deployments == expected)
    }

    @Test(arguments: InstallProfile.allCases)
    func objectsAreWellFormedAndDistinct(_ profile: InstallProfile) {
        let objects = MeshInstallation(InstallSettings(profile: profile)).objects + Bookinfo.objects
        for object in objects {
            #expect(!object.apiVersion.isEmpty && !object.kind.isEmpty && !object.name.isEmpty, "\(object.json)")
        }
        #expect(Set(objects.map(\.reference)).count == objects.count)
    }

    @Test func whatOthersNeedComesFirst() throws {
        let kinds = MeshInstallation(InstallSettings(profile: .demo)).objects.map(\.kind)
        #expect(kinds.first == "Namespace")
        func last(_ kind: String) throws -> Int { try #require(kinds.lastIndex(of: kind)) }
        func first(_ kind: String) throws -> Int { try #require(kinds.firstIndex(of: kind)) }
        #expect(try last("CustomResourceDefinition") < first("ServiceAccount"))
        #expect(try last("ServiceAccount") < first("Deployment"))
        #expect(try last("ConfigMap") < first("Deployment"))
        #expect(try last("Deployment") < first("MutatingWebhookConfiguration"))
    }

    @Test func selectorsMatchTheirTemplates() throws {
        let objects = MeshInstallation(InstallSettings(profile: .demo)).objects + Bookinfo.objects
        for deployment in objects where deployment.kind == "Deployment" {
            let selector = try #require(deployment.json[path: "spec", "selector", "matchLabels"]?.objectValue)
            let labels = try #require(
                deployment.json[path: "spec", "template", "metadata", "labels"]?.objectValue)
            for (key, value) in selector { #expect(labels[key] == value, "\(deployment.reference)") }
            let account = deployment.json[path: "spec", "template", "spec", "serviceAccountName"]?.stringValue
            #expect(
                objects.contains {
                    $0.kind == "ServiceAccount" && $0.name == account && $0.namespace == deployment.namespace
                })
        }
    }

    @Test func servicesHaveTheContractsPorts() throws {
        let objects = MeshInstallation(InstallSettings(profile: .demo)).objects
        func ports(_ name: String) -> [String] {
            let service = objects.first { $0.kind == "Service" && $0.name == name }
            return (service?.json[path: "spec", "ports"]?.arrayValue ?? []).map {
                "\($0["port"]?.intValue ?? 0):\($0["targetPort"]?.intValue ?? 0)"
            }
        }
        #expect(ports("istio-ingressgateway") == ["15021:15021", "80:8080", "443:8443"])
        #expect(ports("istio-egressgateway") == ["80:8080", "443:8443"])
        #expect(ports("istiod") == ["15010:15010", "15012:15012", "443:15017", "15014:15014", "20001:20001"])
    }

    /// One set for all revisions: a further one has them only when it is asked to take them.
    @Test func telemetryServicesLeadToOneRevision() throws {
        let first = MeshInstallation(InstallSettings(profile: .minimal))
        var settings = first.settings
        settings.revision = "canary"
        let second = MeshInstallation(settings)
        #expect(first.telemetryServices.map(\.name) == second.telemetryServices.map(\.name))
        let names = Set(first.telemetryServices.map(\.reference))
        #expect(names.isSubset(of: first.objects.map(\.reference)))
        #expect(names.isDisjoint(with: second.objects.map(\.reference)))
        for (installation, name) in [(first, "istiod"), (second, "istiod-canary")] {
            let deployment = try #require(installation.objects.first { $0.kind == "Deployment" && $0.name == name })
            let labels = deployment.json[path: "spec", "template", "metadata", "labels"]
            for service in installation.telemetryServices {
                let selector = try #require(service.json[path: "spec", "selector"]?.objectValue)
                #expect(selector.allSatisfy { labels?[$0.key] == $0.value }, "\(service.reference)")
            }
        }
    }

    @Test func settingsAreAppliedOverTheProfile() throws {
        let settings = try InstallSettings(assignments: [
            "profile=demo", "meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY",
            "components.egressGateways[0].enabled=false",
            "values.global.proxy.image=example/proxy",
        ])
        #expect(settings.effectiveMeshConfig["accessLogFile"] == "/dev/stdout")
        #expect(settings.effectiveMeshConfig[path: "outboundTrafficPolicy", "mode"] == "REGISTRY_ONLY")
        let objects = MeshInstallation(settings).objects
        #expect(!objects.contains { $0.name == "istio-egressgateway" })
        let gateway = objects.first { $0.kind == "Deployment" && $0.name == "istio-ingressgateway" }
        #expect(
            gateway?.json[path: "spec", "template", "spec", "containers"]?[0]?["image"] == "example/proxy")
        let mesh = try #require(
            objects.first { $0.kind == "ConfigMap" && $0.name == "istio" }?.json[path: "data", "mesh"]?.stringValue)
        #expect(try YAMLReader.value(in: mesh)["trustDomain"] == "cluster.local")
    }

    @Test func spansGoToTheControlPlaneUnlessACollectorIsNamed() throws {
        let usual = InstallSettings(profile: .default).effectiveMeshConfig
        #expect(usual[path: "defaultProviders", "tracing"] == ["weft"])
        #expect(usual[path: "defaultProviders", "metrics"] == ["prometheus"])
        #expect(usual[path: "defaultConfig", "tracing"] == nil)
        let demo = InstallSettings(profile: .demo).effectiveMeshConfig
        #expect(demo[path: "defaultConfig", "tracing", "sampling"] == 100)
        let own = try InstallSettings(assignments: ["meshConfig.defaultConfig.tracing.zipkin.address=zipkin.ops:9411"])
        #expect(own.effectiveMeshConfig[path: "defaultProviders", "tracing"] == nil)
    }

    @Test(arguments: [
        "profile=nope", "nonsense", "what.ever=1", "components.cni.enabled=true",
        "components.egressGateways.enabled=perhaps",
    ])
    func badSettingsAreRefused(_ assignment: String) {
        #expect(throws: InstallError.self) { try InstallSettings(assignments: [assignment]) }
    }

    /// A tag calls the revision's control plane by a path of its own, for those who chose its name.
    @Test func aTagIsAnInjectorForItsName() throws {
        let canary = MeshInstallation(try InstallSettings(assignments: ["profile=minimal", "revision=canary"]))
        for (tag, entries) in [("prod", 2), ("default", 4)] {
            let object = canary.tag(tag)
            #expect(object.name == "istio-revision-tag-\(tag)" && object.labels["istio.io/tag"] == tag)
            #expect(object.labels["istio.io/rev"] == "canary")
            let webhooks = object.json["webhooks"]?.arrayValue ?? []
            #expect(webhooks.count == entries)
            for webhook in webhooks {
                let service = webhook[path: "clientConfig", "service"]
                #expect(service?["name"] == "istiod-canary" && service?["path"] == .string("/inject/tag/\(tag)"))
            }
            let chosen = webhooks.first?[path: "namespaceSelector", "matchExpressions"]?[0]?["values"]
            #expect(chosen == [.string(tag)])
        }
    }

    @Test func revisionsDoNotTouchEachOther() throws {
        let canary = MeshInstallation(try InstallSettings(assignments: ["profile=minimal", "revision=canary"])).objects
        #expect(canary.contains { $0.kind == "Deployment" && $0.name == "istiod-canary" })
        let webhook = canary.first { $0.kind == "MutatingWebhookConfiguration" }
        #expect(webhook?.name == "istio-sidecar-injector-canary")
        #expect(webhook?.json["webhooks"]?.arrayValue?.count == 2)
    }
}
