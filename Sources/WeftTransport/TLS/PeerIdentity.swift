import Crypto
package import NIOSSL

/// Who is at the other end of a TLS connection, from its verified certificate.
package struct PeerIdentity: Sendable {
    /// The URI names, `spiffe://…` first of all.
    package var uriNames: [String] = []
    package var dnsNames: [String] = []
    package var certificateDER: [UInt8] = []
    package var subject = ""

    package init() {}

    package init(_ certificate: NIOSSLCertificate) {
        for name in certificate._subjectAlternativeNames() {
            let text = name.contents.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
            switch name.nameType {
            case .uri: uriNames.append(text)
            case .dnsName: dnsNames.append(text)
            default: break
            }
        }
        certificateDER = (try? certificate.toDERBytes()) ?? []
    }

    /// The name that policies and metrics use.
    package var principal: String? { uriNames.first ?? dnsNames.first }
}

extension PeerIdentity {
    /// SHA-256 of the certificate in lower-case hexadecimal, as `x-forwarded-client-cert` has it.
    package var fingerprint: String {
        SHA256.hash(data: certificateDER).map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }
}
