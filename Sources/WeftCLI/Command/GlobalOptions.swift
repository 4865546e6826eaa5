import ArgumentParser
import Foundation
import WeftConfig
import WeftCore
import WeftKubernetes

/// What went wrong in words for the user, ending in what to do next.
struct CommandFailure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// The options that every command takes, with istioctl's names.
struct GlobalOptions: ParsableArguments {
    @Option(name: [.customShort("n"), .long], help: "Namespace; default: the context's namespace.")
    var namespace: String?

    @Option(name: [.customShort("i"), .customLong("istioNamespace")], help: "Namespace of the control plane.")
    var istioNamespace = "istio-system"

    @Option(help: "Kubeconfig file; default: $KUBECONFIG, then the local mesh's, then ~/.kube/config.")
    var kubeconfig: String?

    @Option(help: "Context of the kubeconfig.")
    var context: String?

    /// The kubeconfig's settings; the local mesh's when the user named none and has none.
    func configuration(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> KubernetesConfiguration {
        var path = kubeconfig
        let local = LocalHome.current(environment: environment).kubeconfig
        let listed = environment["KUBECONFIG"] ?? ""
        if path == nil, listed.isEmpty, FileManager.default.fileExists(atPath: local) { path = local }
        return try KubernetesConfiguration.standard(kubeconfig: path, context: context, environment: environment)
    }

    /// Runs `body` with a client, and ends the client's connections afterwards whatever happens.
    func withClient<Value>(_ body: (KubernetesClient) async throws -> Value) async throws -> Value {
        try await Self.withClient(configuration(), body)
    }

    static func withClient<Value>(
        _ configuration: KubernetesConfiguration, _ body: (KubernetesClient) async throws -> Value
    ) async throws -> Value {
        let client = KubernetesClient(configuration: configuration)
        do {
            let value = try await body(client)
            try? await client.shutdown()
            return value
        } catch let error as KubernetesError {
            try? await client.shutdown()
            throw CommandFailure(error.message)
        } catch {
            try? await client.shutdown()
            throw Self.explained(error, server: configuration.server)
        }
    }

    /// A refused connection says nothing to a user without the address and a next step.
    private static func explained(_ error: any Error, server: String) -> any Error {
        let text = "\(error)"
        guard text.contains("onnection refused") || text.contains("connectTimeout") || text.contains("connect (errno")
        else {
            return error
        }
        return CommandFailure(
            "the Kubernetes API at \(server) does not answer. Start the local mesh with 'weft up', "
                + "or choose another cluster with --kubeconfig or --context.")
    }

    /// The namespace to work in.
    func chosenNamespace(_ client: KubernetesClient) -> String {
        namespace ?? (client.configuration.namespace.isEmpty ? "default" : client.configuration.namespace)
    }
}

/// How a command writes its result.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table, short, log, json, yaml

    /// The value as JSON or YAML without a line end; `nil` for the formats that are for people.
    func text(_ value: @autoclosure () -> JSONValue) -> String? {
        switch self {
        case .json: return value().text(pretty: true)
        case .yaml:
            let text = YAMLWriter.text(value())
            return text.hasSuffix("\n") ? String(text.dropLast()) : text
        case .table, .short, .log: return nil
        }
    }
}
