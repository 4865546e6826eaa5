/// The `spec` of a Gateway: ports and hosts that proxies at the edge of the mesh listen on.
package struct Gateway: IstioSpec {
    package static let group = "networking.istio.io"
    package static let kind = "Gateway"
    package var selector: [String: String]?
    package var servers: [Server]?
}

extension Gateway {
    package struct Server: Sendable, Hashable, Codable {
        package var port: Port?
        package var bind: String?
        package var hosts: [String]?
        package var tls: ServerTLS?
        package var defaultEndpoint: String?
        package var name: String?
    }
    package struct Port: Sendable, Hashable, Codable {
        package var number: Int?
        package var `protocol`: String?
        package var name: String?
        package var targetPort: Int?
    }
    package struct ServerTLS: Sendable, Hashable, Codable {
        package enum Mode: String, Sendable, Hashable, Codable, CaseIterable {
            case passthrough = "PASSTHROUGH"
            case simple = "SIMPLE"
            case mutual = "MUTUAL"
            case autoPassthrough = "AUTO_PASSTHROUGH"
            case istioMutual = "ISTIO_MUTUAL"
            case optionalMutual = "OPTIONAL_MUTUAL"
        }
        package enum Version: String, Sendable, Hashable, Codable, CaseIterable {
            case auto = "TLS_AUTO"
            case tls10 = "TLSV1_0"
            case tls11 = "TLSV1_1"
            case tls12 = "TLSV1_2"
            case tls13 = "TLSV1_3"
        }
        package struct Certificate: Sendable, Hashable, Codable {
            package var serverCertificate: String?
            package var privateKey: String?
            package var caCertificates: String?
        }
        package var httpsRedirect: Bool?
        package var mode: Mode?
        package var serverCertificate: String?
        package var privateKey: String?
        package var caCertificates: String?
        package var caCrl: String?
        package var credentialName: String?
        package var credentialNames: [String]?
        package var tlsCertificates: [Certificate]?
        package var caCertCredentialName: String?
        package var subjectAltNames: [String]?
        package var verifyCertificateSpki: [String]?
        package var verifyCertificateHash: [String]?
        package var minProtocolVersion: Version?
        package var maxProtocolVersion: Version?
        package var cipherSuites: [String]?
        package var insecureSkipVerify: Bool?
        package init() {}
    }
}
