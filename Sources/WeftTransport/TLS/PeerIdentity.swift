import CWeftTLS
import Crypto
package import NIOCore
package import NIOSSL

/// Who is at the other end of a TLS connection, from its verified certificate.
package struct PeerIdentity: Sendable {
    /// A name that is none of the common kinds: its type, and its value as text.
    package struct OtherName: Sendable, Hashable {
        package var objectIdentifier: String
        package var value: String
    }
    /// The URI names, `spiffe://…` first of all.
    package var uriNames: [String] = []
    package var dnsNames: [String] = []
    package var emailNames: [String] = []
    package var ipAddresses: [String] = []
    package var certificateDER: [UInt8] = []
    /// What the peer sent, leaf first, in PEM; only where it was asked for.
    package var chainPEM = ""

    package init() {}

    package init(_ certificate: NIOSSLCertificate) {
        for name in certificate._subjectAlternativeNames() {
            let bytes = name.contents.withUnsafeBufferPointer { Array($0) }
            switch name.nameType {
            case .uri: uriNames.append(String(decoding: bytes, as: UTF8.self))
            case .dnsName: dnsNames.append(String(decoding: bytes, as: UTF8.self))
            case .email: emailNames.append(String(decoding: bytes, as: UTF8.self))
            case .ipAddress: if let text = Self.address(bytes) { ipAddresses.append(text) }
            default: break
            }
        }
        certificateDER = (try? certificate.toDERBytes()) ?? []
    }

    private static func address(_ bytes: [UInt8]) -> String? {
        (try? SocketAddress(packedIPAddress: ByteBuffer(bytes: bytes), port: 0))?.ipAddress
    }

    /// The name that policies and metrics use.
    package var principal: String? { uriNames.first ?? dnsNames.first }

    /// The subject as RFC 2253 writes it; empty when there is none. Parses the certificate.
    package var subject: String { unsafe text(weft_tls_subject) }

    /// The issuer, likewise. Parses the certificate.
    package var issuer: String { unsafe text(weft_tls_issuer) }

    /// The serial number in lower-case hexadecimal. Parses the certificate.
    package var serialNumber: String { unsafe text(weft_tls_serial) }

    private func text(
        _ read: (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<CChar>?, Int) -> Int
    ) -> String {
        var text = [CChar](repeating: 0, count: 4096)
        let length = unsafe read(certificateDER, certificateDER.count, &text, text.count)
        return String(decoding: text.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// When the certificate is valid, in seconds since 1970. Parses the certificate.
    package var validity: (start: Int64, end: Int64)? {
        var (start, end) = (Int64(0), Int64(0))
        guard unsafe weft_tls_validity(certificateDER, certificateDER.count, &start, &end) == 1 else { return nil }
        return (start, end)
    }

    /// Parses the certificate.
    package var otherNames: [OtherName] {
        final class Found { var names: [OtherName] = [] }
        let found = Found()
        let context = Unmanaged.passUnretained(found).toOpaque()
        _ = unsafe weft_tls_each_name(
            certificateDER, certificateDER.count,
            { context, kind, bytes, length, identifier in
                guard kind == CInt(WEFT_NAME_OTHER), let context, let bytes, let identifier else { return }
                let value = String(decoding: UnsafeBufferPointer(start: bytes, count: length), as: UTF8.self)
                Unmanaged<Found>.fromOpaque(context).takeUnretainedValue().names.append(
                    OtherName(objectIdentifier: String(cString: identifier), value: value))
            }, context)
        return found.names
    }
}

extension PeerIdentity {
    /// SHA-256 of the certificate in lower-case hexadecimal, as `x-forwarded-client-cert` has it.
    package var fingerprint: String { Self.hex(SHA256.hash(data: certificateDER)) }

    /// SHA-1 of the certificate, likewise; for logs that are compared with old ones.
    package var shortFingerprint: String { Self.hex(Insecure.SHA1.hash(data: certificateDER)) }

    /// SHA-256 of the public key, in lower-case hexadecimal. Parses the certificate.
    package var keyFingerprint: String {
        var digest = [UInt8](repeating: 0, count: 32)
        guard unsafe weft_tls_key_digest(certificateDER, certificateDER.count, &digest) == 1 else { return "" }
        return Self.hex(digest)
    }

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }

    /// The certificate in PEM.
    package var certificatePEM: String { certificateDER.isEmpty ? "" : PEMText.certificate(certificateDER) }
}

/// PEM as everybody writes it: lines of 64 characters (RFC 7468).
enum PEMText {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func certificate(_ der: [UInt8]) -> String {
        var characters: [UInt8] = []
        for start in stride(from: 0, to: der.count, by: 3) {
            let part = der[start..<min(start + 3, der.count)]
            var group = part.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            group <<= UInt32(8 * (3 - part.count))
            for place in 0..<4 {
                characters.append(
                    place <= part.count ? alphabet[Int(group >> UInt32(18 - 6 * place)) & 63] : UInt8(ascii: "="))
            }
        }
        var text = "-----BEGIN CERTIFICATE-----\n"
        for start in stride(from: 0, to: characters.count, by: 64) {
            text += String(decoding: characters[start..<min(start + 64, characters.count)], as: UTF8.self) + "\n"
        }
        return text + "-----END CERTIFICATE-----\n"
    }
}

extension NIOSSLHandler {
    /// The peer's certificates as it sent them, leaf first, in PEM; empty if there are none, or if this NIOSSL hides them.
    var peerChainPEM: String {
        guard let connection = unsafe connectionPointer else { return "" }
        var text = [CChar](repeating: 0, count: 64 << 10)
        let length = unsafe weft_tls_peer_chain(connection, &text, text.count)
        return String(decoding: text.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// BoringSSL's own connection; `nil` if this NIOSSL hides it.
    fileprivate var connectionPointer: UnsafeMutableRawPointer? {
        var mirror: Mirror? = Mirror(reflecting: self)
        while let current = mirror {
            if let connection = current.children.first(where: { $0.label == "connection" })?.value,
                let raw = Mirror(reflecting: connection).children.first(where: { $0.label == "ssl" })?.value
                    as? OpaquePointer
            {
                return UnsafeMutableRawPointer(raw)
            }
            mirror = current.superclassMirror
        }
        return nil
    }
}

/// What the two ends of a TLS connection have agreed on, for logs that ask. Made when asked for: looking is not cheap.
package struct TLSFacts: Sendable {
    /// `TLSv1.3` and the like.
    package var version = ""
    /// In OpenSSL's notation.
    package var cipher = ""
    /// In lower-case hexadecimal; empty when sessions have none.
    package var sessionID = ""
    /// Who is at the other end.
    package var peer: PeerIdentity?

    /// - Returns: `nil` for a channel without TLS. On its event loop alone.
    package init?(_ channel: any Channel) {
        guard let handler = try? channel.pipeline.syncOperations.handler(type: NIOSSLHandler.self),
            let connection = unsafe handler.connectionPointer
        else { return nil }
        var text = [CChar](repeating: 0, count: 128)
        func read(_ length: Int) -> String {
            String(decoding: text.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        version = read(unsafe weft_tls_version_name(connection, &text, text.count))
        cipher = read(unsafe weft_tls_cipher_name(connection, &text, text.count))
        var session = [UInt8](repeating: 0, count: 32)
        sessionID = PeerIdentity.hex(session.prefix(unsafe weft_tls_session_id(connection, &session, session.count)))
        peer = handler.peerCertificate.map { PeerIdentity($0) }
    }
}
