import Foundation
import Logging
import TestSupport
import Testing
import WeftADS
import WeftCore
import WeftIdentity
import WeftKubernetes

@testable import WeftControlPlane

/// A control plane with its discovery port, and gRPC's Python clients and servers that have their configuration from it.
struct ProxylessWorld {
    private static let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "proxyless.py")
        .path(percentEncoded: false)
    private static let modules = Workspace.root + ".build-tools/grpc"
    let folder: String
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init(_ name: String) throws { folder = try Workspace.folder(name) }

    func backend(_ version: String) async throws -> (process: ServerProcess, port: Int) {
        let log = "\(folder)/\(version).log"
        let process = try ServerProcess(
            version, "/usr/bin/env", ["PYTHONPATH=\(Self.modules)", "python3", Self.script, "backend", version],
            log: log)
        let port = try await eventually("backend \(version) listens") {
            try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").compactMap { Int($0) }.first
        }
        return (process, port)
    }

    /// A server whose TLS and access rules come by xDS, with the bootstrap of its name.
    func serve(_ name: String, at address: String) throws -> ServerProcess {
        try ServerProcess(
            name, "/usr/bin/env",
            [
                "PYTHONPATH=\(Self.modules)", "GRPC_XDS_BOOTSTRAP=\(folder)/\(name).json", "python3", Self.script,
                "serve",
                name, address,
            ], log: "\(folder)/\(name).log")
    }

    /// - Parameter how: `call` or `secure`.
    /// - Returns: how often each answer or status came.
    func call(_ how: String, _ target: String, _ count: Int, _ headers: [String] = []) async throws -> [String: Int] {
        let environment = ["PYTHONPATH": Self.modules, "GRPC_XDS_BOOTSTRAP": "\(folder)/client.json"]
        let result = try await command(
            ["python3", Self.script, how, target, "\(count)"] + headers, environment: environment, timeout: 100)
        let line = result.out.split(separator: "\n").last.map(String.init) ?? ""
        guard let json = try? JSONValue(parsing: line) else { throw StepFailure("\(result)") }
        return (json.objectValue ?? [:]).compactMapValues(\.intValue)
    }

    /// Writes the bootstrap of a pod in `dev`.
    /// - Parameter signer: Signs the certificate that the bootstrap's provider has; `nil` is a bootstrap without one.
    func writeBootstrap(
        _ name: String = "client", pod: String = "client", address: String = "10.0.0.9", port: Int,
        signer: CertificateSigner? = nil
    ) throws {
        var metadata: [String: JSONValue] = ["GENERATOR": "grpc", "NAMESPACE": "dev"]
        var bootstrap: [String: JSONValue] = [
            "xds_servers": [
                [
                    "server_uri": .string("127.0.0.1:\(port)"), "channel_creds": [["type": "insecure"]],
                    "server_features": ["xds_v3"],
                ]
            ],
            "server_listener_resource_name_template": "xds.istio.io/grpc/lds/inbound/%s",
        ]
        if let signer {
            metadata["CERTIFICATE_PROVIDERS"] = ["default"]
            bootstrap["certificate_providers"] = ["default": try provider(name, signer)]
        }
        bootstrap["node"] = [
            "id": .string("sidecar~\(address)~\(pod).dev~dev.svc.cluster.local"), "metadata": .object(metadata),
        ]
        try write(JSONValue.object(bootstrap).text(), "\(name).json")
    }

    /// The files of a workload whose service account has the bootstrap's name, as the agent keeps them.
    private func provider(_ name: String, _ signer: CertificateSigner) throws -> JSONValue {
        var profile = LeafProfile()
        profile.uris = ["spiffe://cluster.local/ns/dev/sa/\(name)"]
        let issued = try signer.issue(profile, validFor: 3_600)
        try write(issued.chainPEM, "\(name)-chain.pem")
        try write(issued.keyPEM, "\(name)-key.pem")
        try write(signer.certificatePEM(), "\(name)-root.pem")
        return [
            "plugin_name": "file_watcher",
            "config": [
                "certificate_file": .string("\(folder)/\(name)-chain.pem"),
                "private_key_file": .string("\(folder)/\(name)-key.pem"),
                "ca_certificate_file": .string("\(folder)/\(name)-root.pem"), "refresh_interval": "10s",
            ],
        ]
    }

    private func write(_ text: String, _ name: String) throws {
        try Data(text.utf8).write(to: URL(filePath: "\(folder)/\(name)"))
    }

    func withControlPlane(_ body: (ClusterSources, PushCoordinator, Int) async throws -> Void) async throws {
        let client = KubernetesClient(configuration: KubernetesConfiguration(server: "http://127.0.0.1:1"))
        let sources = ClusterSources(client: client, namespace: "istio-system", signal: ChangeSignal())
        let coordinator = PushCoordinator(
            sources: sources, metrics: ControlPlaneMetrics(),
            status: StatusWriter(client: client, ownership: Ownership(revision: "default"), logger: logger),
            logger: logger)
        let server = ADSServer(
            authentication: .none, delegate: DiscoveryDelegate(coordinator: coordinator), logger: logger)
        let host = try GRPCHost(host: "127.0.0.1", port: 0, certificate: nil, services: [server])
        var failure: (any Error)?
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await host.run() }
                let port = try #require(try await host.port)
                try await body(sources, coordinator, port)
                group.cancelAll()
            }
        } catch { failure = error }
        // A client that is let go without this ends the process.
        try await client.shutdown()
        if let failure { throw failure }
    }
}
