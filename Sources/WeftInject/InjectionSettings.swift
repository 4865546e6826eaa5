package import WeftCore

/// What the injector is told once: images, names of the mesh, defaults. Everything per pod comes from the pod itself.
package struct InjectionSettings: Sendable, Hashable {
    package var revision = "default"
    package var proxyImage = "weft/proxy"
    package var imagePullPolicy: String?
    package var controlPlaneNamespace = "istio-system"
    package var clusterID = "Kubernetes"
    package var meshID = "cluster.local"
    package var trustDomain = "cluster.local"
    package var clusterDomain = "cluster.local"
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

    package init() {}

    /// Takes over what MeshConfig says (the key `mesh` of the ConfigMap `istio`, parsed).
    package init(meshConfig: JSONValue, revision: String = "default") {
        self.init()
        self.revision = revision
        if let domain = meshConfig["trustDomain"]?.stringValue, !domain.isEmpty {
            trustDomain = domain
            meshID = domain
        }
        if let merge = meshConfig["enablePrometheusMerge"]?.boolValue { mergePrometheus = merge }
        if let config = meshConfig["defaultConfig"], config.objectValue != nil { proxyConfig = config }
        if let mesh = proxyConfig["meshId"]?.stringValue { meshID = mesh }
    }

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
