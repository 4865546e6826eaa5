package import WeftConfig
package import WeftCore

/// What the injector is told once: images, names of the mesh, defaults. Everything per pod comes from the pod itself.
package struct InjectionSettings: Sendable, Hashable {
    package var revision = "default"
    /// The tag by which the pod's namespace chose the revision (`istio.io/rev=TAG`); `nil` for the revision's own name.
    package var tag: String?
    package var proxyImage = "weft/proxy"
    package var imagePullPolicy: String?
    package var controlPlaneNamespace = "istio-system"
    package var mesh = MeshIdentity()
    package var cpuRequest = "100m"
    package var memoryRequest = "128Mi"
    package var cpuLimit: String? = "2000m"
    package var memoryLimit: String? = "1Gi"
    /// Inject into namespaces that say nothing (`values.sidecarInjectorWebhook.enableNamespacesByDefault`).
    package var enableNamespacesByDefault = false
    package var mergePrometheus = true
    package var rewriteProbes = true
    /// `defaultConfig` of MeshConfig: what the proxy finds in `PROXY_CONFIG`.
    package var proxyConfig: JSONValue = .object([:])
    /// All ProxyConfig objects of the cluster; each pod takes those that are for it.
    package var proxyConfigs: [KubernetesObject] = []

    package init() {}

    /// Takes over what MeshConfig says (the key `mesh` of the ConfigMap `istio`, parsed).
    package init(meshConfig: JSONValue, revision: String = "default") {
        self.init()
        self.revision = revision
        mesh.apply(meshConfig: meshConfig)
        if let merge = meshConfig["enablePrometheusMerge"]?.boolValue { mergePrometheus = merge }
        if let config = meshConfig["defaultConfig"], config.objectValue != nil { proxyConfig = config }
    }

    /// Takes over what the installation says (the key `values` of the ConfigMap `istio-sidecar-injector`, parsed).
    package mutating func apply(values: JSONValue) {
        let global = values["global"]
        if let image = global?[path: "proxy", "image"]?.stringValue { proxyImage = image }
        if let domain = global?[path: "proxy", "clusterDomain"]?.stringValue { mesh.clusterDomain = domain }
        if let name = global?[path: "multiCluster", "clusterName"]?.stringValue { mesh.clusterID = name }
        let injector = values[path: "values", "sidecarInjectorWebhook"]
        if let flag = injector?["enableNamespacesByDefault"]?.boolValue { enableNamespacesByDefault = flag }
        if let flag = injector?["rewriteAppHTTPProbe"]?.boolValue { rewriteProbes = flag }
    }

    /// What labels call the revision.
    var choice: String { tag ?? revision }

    var discoveryHost: String {
        revision == "default"
            ? "istiod.\(controlPlaneNamespace).svc" : "istiod-\(revision).\(controlPlaneNamespace).svc"
    }
}

/// Names of labels and annotations, as Istio has them, and the few of our own.
package enum InjectionName {
    package static let inject = "sidecar.istio.io/inject"
    package static let status = "sidecar.istio.io/status"
    package static let revision = "istio.io/rev"
    package static let namespaceInjection = "istio-injection"
    package static let dataPlane = "weft.dev/data-plane"
    package static let envoyPath = "weft.dev/envoy-path"
    package static let proxyImage = "sidecar.istio.io/proxyImage"
    package static let nativeSidecar = "sidecar.istio.io/nativeSidecar"
    package static let rewriteProbes = "sidecar.istio.io/rewriteAppHTTPProbers"
    package static let proxyConfig = "proxy.istio.io/config"
    package static let proxyContainer = "istio-proxy"
    package static let initContainer = "istio-init"
}
