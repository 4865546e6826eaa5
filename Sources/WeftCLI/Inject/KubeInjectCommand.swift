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
        var settings = InjectionSettings(meshConfig: try await meshConfig())
        settings.controlPlaneNamespace = global.istioNamespace
        let injected = objects.map { ManifestInjection.inject($0, settings: settings).json }
        print(YAMLWriter.text(injected), terminator: "")
    }

    private func meshConfig() async throws -> JSONValue {
        if let meshConfigFile {
            let manifest = try ManifestFiles.text(of: meshConfigFile)
            return try YAMLReader.value(in: manifest, file: meshConfigFile)
        }
        // Without a cluster the defaults apply: the command must work offline.
        let map = try? await global.withClient { client in
            try await client.get(.configMaps, namespace: global.istioNamespace, name: "istio")
        }
        guard let text = map?.json[path: "data", "mesh"]?.stringValue else { return .object([:]) }
        return try YAMLReader.value(in: text, file: "ConfigMap istio")
    }
}
