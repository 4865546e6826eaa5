import Foundation
import SwiftProtobuf
import WeftIR
import WeftProto

typealias WireValidation = Envoy_Extensions_TransportSockets_Tls_V3_CertificateValidationContext

extension WireValidation {
    /// Adds rules to what is there, as protobuf merges.
    mutating func add(_ rules: ValidationRules) {
        let more = rules.wire()
        matchTypedSubjectAltNames += more.matchTypedSubjectAltNames
        verifyCertificateHash += more.verifyCertificateHash
        verifyCertificateSpki += more.verifyCertificateSpki
        if more.onlyVerifyLeafCertCrl { onlyVerifyLeafCertCrl = true }
        if more.hasMaxVerifyDepth { maxVerifyDepth = more.maxVerifyDepth }
        if more.allowExpiredCertificate { allowExpiredCertificate = true }
        if more.trustChainVerification == .acceptUntrusted { trustChainVerification = .acceptUntrusted }
    }
}

extension ValidationRules {
    func wire() -> WireValidation {
        var wire = WireValidation()
        wire.matchTypedSubjectAltNames = subjectAltNames.map { $0.wire }
        wire.verifyCertificateHash = certificateHashes
        wire.verifyCertificateSpki = keyHashes.map { Data(Self.bytes($0) ?? []).base64EncodedString() }
        wire.onlyVerifyLeafCertCrl = revokesLeafAlone
        if let maximumDepth { wire.maxVerifyDepth = .init(maximumDepth) }
        wire.allowExpiredCertificate = allowsExpired
        if acceptsUntrusted { wire.trustChainVerification = .acceptUntrusted }
        return wire
    }

    init(_ wire: WireValidation, _ reader: WireReader) throws {
        self.init()
        subjectAltNames = try reader.map("match_typed_subject_alt_names", wire.matchTypedSubjectAltNames) {
            try SubjectAltNameMatcher($0, reader)
        }
        certificateHashes = try reader.map("verify_certificate_hash", wire.verifyCertificateHash) { text in
            let digits = text.lowercased().replacing(":", with: "")
            guard let bytes = Self.bytes(digits), bytes.count == 32 else {
                throw reader.error("is no SHA-256 in hexadecimal")
            }
            return digits
        }
        keyHashes = try reader.map("verify_certificate_spki", wire.verifyCertificateSpki) { text in
            guard let bytes = Data(base64Encoded: text), bytes.count == 32 else {
                throw reader.error("is no SHA-256 in base64")
            }
            return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
        revokesLeafAlone = wire.onlyVerifyLeafCertCrl
        if wire.hasMaxVerifyDepth { maximumDepth = wire.maxVerifyDepth.value }
        allowsExpired = wire.allowExpiredCertificate
        acceptsUntrusted = wire.trustChainVerification == .acceptUntrusted
    }

    /// - Returns: `nil` for what is no hexadecimal text.
    private static func bytes(_ text: String) -> [UInt8]? {
        let digits = text.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == text.utf8.count, digits.count.isMultiple(of: 2) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}

extension SubjectAltNameMatcher {
    var wire: Envoy_Extensions_TransportSockets_Tls_V3_SubjectAltNameMatcher {
        var wire = Envoy_Extensions_TransportSockets_Tls_V3_SubjectAltNameMatcher()
        wire.sanType =
            switch kind {
            case .dns: .dns
            case .uri: .uri
            case .email: .email
            case .ipAddress: .ipAddress
            case .otherName: .otherName
            }
        wire.matcher = matcher.wire()
        wire.oid = objectIdentifier
        return wire
    }

    init(_ wire: Envoy_Extensions_TransportSockets_Tls_V3_SubjectAltNameMatcher, _ reader: WireReader) throws {
        let kind: Kind =
            switch wire.sanType {
            case .dns: .dns
            case .uri: .uri
            case .email: .email
            case .ipAddress: .ipAddress
            case .otherName: .otherName
            case .unspecified, .UNRECOGNIZED: throw reader.error("san_type is missing or not known")
            }
        self.init(kind, try reader.at("matcher") { try StringMatcher(wire.matcher, reader) })
        objectIdentifier = wire.oid
        if kind == .otherName, wire.oid.isEmpty { throw reader.error("oid is missing") }
    }
}
