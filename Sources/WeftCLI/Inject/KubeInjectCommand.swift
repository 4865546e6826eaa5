import ArgumentParser
import WeftConfig
import WeftCore
import WeftInject
import WeftKubernetes

/// `kube-inject`: adds the sidecar to manifests, for clusters without the webhook.
struct KubeInjectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kube-inject", abstract: "Add the sidecar to manifests and print them.",
        discussion: """
            Example:
              weft kube-inject -f deployment.yaml | kubectl apply -f -
            """)

    @Option(name: [.customShort("f"), .customLong("filename")], help: "Manifest, folder or '-'.")
    var files: [String]
    @Option(
        name: .customLong("meshConfigFile"), help: "MeshConfig as YAML; default: the ConfigMap 'istio' of the cluster.")
    var meshConfigFile: String?
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let objects = try ManifestFiles.objects(at: files)
        let (maps, proxyConfigs) = await installed()
        var mesh = maps["istio"]?["mesh"]?.stringValue
        if let meshConfigFile { mesh = try ManifestFiles.text(of: meshConfigFile) }
        var settings = InjectionSettings(
            meshConfig: try mesh.map { try YAMLReader.value(in: $0, file: meshConfigFile ?? "ConfigMap istio") } ?? [:])
        if let values = maps["istio-sidecar-injector"]?["values"]?.stringValue {
            settings.apply(values: try JSONValue(parsing: values))
        }
        settings.proxyConfigs = proxyConfigs
        settings.controlPlaneNamespace = global.istioNamespace
        let injected = try objects.map { try ManifestInjection.inject($0, settings: settings).json }
        print(YAMLWriter.text(injected), terminator: "")
    }

    /// The data of the installation's ConfigMaps, by name, and all ProxyConfigs. Without a cluster the defaults apply: the
    /// command must work offline.
    private func installed() async -> ([String: JSONValue], [KubernetesObject]) {
        let kind = GroupVersionKind(group: "networking.istio.io", version: "v1beta1", kind: "ProxyConfig")
        let found = try? await global.withClient { client -> ([KubernetesObject], [KubernetesObject]) in
            let maps = try await client.list(.configMaps, namespace: global.istioNamespace).items
            guard let resource = try await client.resource(for: kind) else { return (maps, []) }
            return (maps, try await client.list(resource).items)
        }
        let (maps, proxyConfigs) = found ?? ([], [])
        return (Dictionary(maps.map { ($0.name, $0.json["data"] ?? [:]) }) { $1 }, proxyConfigs)
    }
}
