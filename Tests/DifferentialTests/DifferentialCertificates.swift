import Foundation
import NIOSSL
import TestSupport

/// The certificates of a run: `server` (a.test), `wild` (*.wild.test), `upstream`, `client` and, signed by another
/// authority, `stranger`.
enum DifferentialCertificates {
    static func make(in folder: String) async throws {
        try await Certificates.make(
            in: folder,
            [
                ("server", "DNS:a.test"), ("wild", "DNS:*.wild.test"),
                ("upstream", "DNS:upstream.test,URI:spiffe://td/ns/x/sa/up"),
                ("client", "URI:spiffe://td/ns/x/sa/client,DNS:client.test"), ("stranger", "DNS:client.test"),
            ], strangers: ["stranger"])
    }

    /// Which certificate of the run this is.
    static func name(of certificate: [UInt8]?, folder: String) -> String {
        guard let certificate else { return "-" }
        for name in ["server", "wild", "upstream"] {
            guard let own = try? NIOSSLCertificate.fromPEMFile("\(folder)/\(name).pem").first?.toDERBytes() else {
                continue
            }
            if own == certificate { return name }
        }
        return "unknown"
    }

    static func client(_ socket: RawSocket, _ tls: TLSClient, folder: String) throws -> TLSStream {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.applicationProtocols = tls.protocols
        if let version = tls.version {
            configuration.minimumTLSVersion = version == 2 ? .tlsv12 : .tlsv13
            configuration.maximumTLSVersion = version == 2 ? .tlsv12 : .tlsv13
        }
        if let name = tls.certificate { try present(name, folder, &configuration) }
        return try TLSStream(client: socket, configuration, serverName: tls.serverName)
    }

    /// The upstreams that speak TLS; `demandsCertificate` for mutual TLS.
    static func server(
        folder: String, demandsCertificate: Bool, protocols: [String] = ["h2", "http/1.1"]
    ) throws -> NIOSSLContext {
        let files = try identity("upstream", folder)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: files.chain.map { .certificate($0) }, privateKey: .privateKey(files.key))
        configuration.applicationProtocols = protocols
        if demandsCertificate {
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .file("\(folder)/ca.pem")
        }
        return try NIOSSLContext(configuration: configuration)
    }

    private static func present(_ name: String, _ folder: String, _ configuration: inout TLSConfiguration) throws {
        let files = try identity(name, folder)
        configuration.certificateChain = files.chain.map { .certificate($0) }
        configuration.privateKey = .privateKey(files.key)
    }

    private static func identity(
        _ name: String, _ folder: String
    ) throws -> (chain: [NIOSSLCertificate], key: NIOSSLPrivateKey) {
        (
            try NIOSSLCertificate.fromPEMFile("\(folder)/\(name).pem"),
            try NIOSSLPrivateKey(file: "\(folder)/\(name).key", format: .pem)
        )
    }
}
