import ArgumentParser
import Foundation
import WeftConfig
import WeftCore
import WeftInject
import WeftKubernetes

/// `workload entry configure`: writes the files that a machine's proxy is started from.
struct EntryConfigureCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "configure", abstract: "Write the files that a machine's proxy is started from.",
        discussion: """
            Writes cluster.env, mesh.yaml, root-cert.pem, istio-token and hosts. Bring the directory to the machine and run
            'weft-proxy machine --from DIRECTORY' there.

            Examples:
              weft x workload entry configure -f group.yaml --output vm-files --autoregister
              weft x workload entry configure --name vm --namespace dev --output vm-files --ingressIP 192.0.2.10
            """)

    @Option(name: [.short, .long], help: "File with the WorkloadGroup; otherwise the cluster's is taken.")
    var file: String?
    @Option(help: "Name of the WorkloadGroup.")
    var name: String?
    @Option(name: [.short, .long], help: "Directory for the files.")
    var output: String
    @Option(name: .customLong("clusterID"), help: "Name of the cluster; default: the installation's.")
    var clusterID: String?
    @Option(
        name: .customLong("ingressIP"), help: "Address at which the machine reaches the control plane's port 15012.")
    var ingressIP: String?
    @Option(
        name: .customLong("ingressService"),
        help: "Service whose load balancer has that address: NAME[.NAMESPACE].")
    var ingressService = "istio-eastwestgateway"
    @Option(name: .customLong("internalIP"), help: "Address of the machine within its network.")
    var internalIP: String?
    @Option(name: .customLong("externalIP"), help: "Address of the machine as others see it.")
    var externalIP: String?
    @Flag(help: "Register the machine when its proxy connects.")
    var autoregister = false
    @Option(name: .customLong("capture-dns"), help: "The proxy answers the machine's DNS questions: true or false.")
    var capturesDNS = true
    @Option(name: .customLong("tokenDuration"), help: "Seconds that the token is good for.")
    var tokenDuration = 3_600
    @Option(name: [.customShort("r"), .long], help: "Revision of the control plane.")
    var revision = "default"
    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard file != nil || (name != nil && global.namespace != nil) else {
            throw ValidationError("name a file with the WorkloadGroup (-f), or the group's --name and --namespace")
        }
        guard internalIP == nil || externalIP == nil else {
            throw ValidationError("--internalIP and --externalIP exclude each other")
        }
        guard tokenDuration >= 600 else {
            throw ValidationError("--tokenDuration \(tokenDuration): no token is made for less than 600 seconds")
        }
    }

    func run() async throws {
        try await global.withClient { client in
            let group = try await readGroup(client)
            let configuration = try await configuration(of: group, client)
            if let problem = configuration.problem { throw CommandFailure("\(problem).") }
            let overriding = group.json[path: "spec", "template", "labels"]?.objectValue?.keys.sorted() ?? []
            if !overriding.isEmpty {
                warn(
                    "labels belong into the group's metadata; those of its template override them: "
                        + overriding.joined(separator: ", "))
            }
            try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
            try write(configuration.environment, "cluster.env")
            try write(YAMLWriter.text(configuration.mesh), "mesh.yaml")
            try write(try await root(client, group.namespace), "root-cert.pem")
            try write(try await token(client, configuration), "istio-token", mode: 0o600)
            if let address = try await ingressAddress(client) {
                try write(configuration.hosts(address: address), "hosts")
            } else {
                warn(
                    "Service \(ingressService) has no address by which the machine could reach the control plane; give "
                        + "--ingressIP, or see to it that the machine's DNS knows \(configuration.discoveryHost).")
                try write("", "hosts")
            }
            print("Configuration generation into directory \(output) was successful")
        }
    }

    // MARK: - What the cluster knows

    private func readGroup(_ client: KubernetesClient) async throws -> KubernetesObject {
        if let file {
            let groups = try ManifestFiles.objects(at: [file]).filter { $0.kind == WorkloadGroup.kind }
            guard groups.count == 1, var group = groups.first else {
                throw CommandFailure("\(file) has \(groups.count) WorkloadGroups; exactly one is needed.")
            }
            if group.namespace.isEmpty {
                group.json[path: "metadata", "namespace"] = .string(global.chosenNamespace(client))
            }
            return group
        }
        let kind = GroupVersionKind(group: WorkloadGroup.group, version: "v1", kind: WorkloadGroup.kind)
        let namespace = global.chosenNamespace(client)
        return try await client.get(
            try await client.requireResource(for: kind), namespace: namespace, name: name ?? "")
    }

    private func configuration(of group: KubernetesObject, _ client: KubernetesClient) async throws
        -> MachineConfiguration
    {
        let suffix = revision == "default" ? "" : "-\(revision)"
        let mesh = try await data("istio\(suffix)", "mesh", client)
        var settings = InjectionSettings(
            meshConfig: try YAMLReader.value(in: mesh, file: "ConfigMap istio\(suffix)"), revision: revision)
        if let values = try? await data("istio-sidecar-injector\(suffix)", "values", client) {
            settings.apply(values: try JSONValue(parsing: values))
        }
        settings.controlPlaneNamespace = global.istioNamespace
        var result = MachineConfiguration(group: group, settings: settings)
        result.clusterID = clusterID
        result.registers = autoregister
        result.capturesDNS = capturesDNS
        result.internalIP = internalIP
        result.externalIP = externalIP
        return result
    }

    private func data(_ map: String, _ key: String, _ client: KubernetesClient) async throws -> String {
        let object = try await client.get(.configMaps, namespace: global.istioNamespace, name: map)
        guard let text = object.json[path: "data", key]?.stringValue else {
            throw CommandFailure(
                "ConfigMap \(global.istioNamespace)/\(map) has no key '\(key)'; is the mesh installed?")
        }
        return text
    }

    private func root(_ client: KubernetesClient, _ namespace: String) async throws -> String {
        do {
            let map = try await client.get(.configMaps, namespace: namespace, name: "istio-ca-root-cert")
            if let text = map.json[path: "data", "root-cert.pem"]?.stringValue { return text }
        } catch let error as KubernetesError where error.isNotFound {}
        throw CommandFailure(
            "namespace \(namespace) has no ConfigMap istio-ca-root-cert with the mesh's roots: the control plane writes it "
                + "into every namespace; is it running, and does the namespace exist?")
    }

    private func token(_ client: KubernetesClient, _ configuration: MachineConfiguration) async throws -> String {
        let (namespace, account) = (configuration.group.namespace, configuration.serviceAccount)
        do {
            return try await client.createToken(
                namespace: namespace, serviceAccount: account, audiences: ["istio-ca"],
                expirationSeconds: tokenDuration)
        } catch let error as KubernetesError {
            throw CommandFailure(
                "no token of service account \(account) in namespace \(namespace) could be made: \(error.message). "
                    + "'kubectl create serviceaccount \(account) -n \(namespace)' makes the account.")
        }
    }

    private func ingressAddress(_ client: KubernetesClient) async throws -> String? {
        if let ingressIP { return ingressIP }
        let parts = ingressService.split(separator: ".", maxSplits: 1).map(String.init)
        let namespace = parts.count > 1 ? parts[1] : global.istioNamespace
        let service = try? await client.get(.services, namespace: namespace, name: parts.first ?? "")
        return service?.json[path: "status", "loadBalancer", "ingress"]?.arrayValue?.lazy
            .compactMap { $0["ip"]?.stringValue }.first
    }

    // MARK: - Output

    private func write(_ text: String, _ name: String, mode: Int = 0o644) throws {
        let path = "\(output)/\(name)"
        // The mode holds from the first byte on.
        try? FileManager.default.removeItem(atPath: path)
        guard
            FileManager.default.createFile(
                atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: mode])
        else { throw CommandFailure("cannot write \(path): check the rights of the directory.") }
    }

    private func warn(_ text: String) { FileHandle.standardError.write(Data("Warning: \(text)\n".utf8)) }
}
