package import WeftADS
package import WeftCA
package import WeftCore
import WeftIdentity

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What an application with gRPC's own xDS client is given as files (gRFC A27, "bootstrap"; A29 for certificates), under
/// the names and variables of Istio's agent.
package struct ProxylessFiles: Sendable, Hashable {
    /// The file that the application's `GRPC_XDS_BOOTSTRAP` names.
    package var bootstrap: String
    /// Where the certificates are (`OUTPUT_CERTS`).
    package var certificates: String
    /// Where the agent takes discovery streams.
    package var socket: String

    /// `nil` for a pod whose data plane is a proxy (no `DISABLE_ENVOY`).
    package init?(environment: [String: String], paths: AgentPaths) {
        guard environment["DISABLE_ENVOY"]?.lowercased() == "true" else { return nil }
        socket = "\(paths.proxyDirectory)/XDS"
        bootstrap = environment["GRPC_XDS_BOOTSTRAP"] ?? "\(paths.proxyDirectory)/grpc-bootstrap.json"
        certificates = environment["OUTPUT_CERTS"] ?? "/var/lib/istio/data"
    }

    private var chain: String { "\(certificates)/cert-chain.pem" }
    private var key: String { "\(certificates)/key.pem" }
    private var roots: String { "\(certificates)/root-cert.pem" }

    /// Whoever runs in the containers that have the volume may read them: the application has a user of its own.
    private static let mode: mode_t = 0o644

    /// Replaces the certificates; the application reads them again by itself.
    package func write(_ identity: WorkloadIdentity) throws {
        try AtomicFile.write(identity.certificate.keyPEM, to: key, mode: Self.mode)
        try AtomicFile.write(identity.certificate.chainPEM, to: chain, mode: Self.mode)
        try AtomicFile.write(identity.trustBundlePEM, to: roots, mode: Self.mode)
    }

    package func writeBootstrap(for node: ADSNode) throws {
        try AtomicFile.write(document(for: node).text(pretty: true), to: bootstrap, mode: Self.mode)
    }

    /// Lets the application's user connect to the socket, which is there by now.
    func openSocket() throws {
        guard unsafe chmod(socket, 0o666) == 0 else { throw AtomicFile.Failure(path: socket, code: errno) }
    }

    /// The bootstrap itself: whom to ask, as whom, and where the certificates are.
    package func document(for node: ADSNode) -> JSONValue {
        var metadata = node.metadata
        metadata["GENERATOR"] = "grpc"
        metadata["CERTIFICATE_PROVIDERS"] = ["default"]
        return [
            "xds_servers": [
                [
                    "server_uri": .string("unix://\(socket)"), "channel_creds": [["type": "insecure"]],
                    "server_features": ["xds_v3"],
                ]
            ],
            "node": ["id": .string(node.id), "cluster": .string(node.cluster), "metadata": metadata],
            "certificate_providers": [
                "default": [
                    "plugin_name": "file_watcher",
                    "config": [
                        "certificate_file": .string(chain), "private_key_file": .string(key),
                        "ca_certificate_file": .string(roots), "refresh_interval": "60s",
                    ],
                ]
            ],
            "server_listener_resource_name_template": "xds.istio.io/grpc/lds/inbound/%s",
        ]
    }
}
