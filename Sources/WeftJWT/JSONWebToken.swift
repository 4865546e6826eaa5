package import WeftCore

/// A signed token (RFC 7519 in the compact form of RFC 7515), taken apart and not verified.
///
/// Bounded: ``sizeLimit`` bytes, ``depthLimit`` levels of JSON, no key twice in one object.
package struct JSONWebToken: Sendable {
    package enum Algorithm: String, Sendable, Hashable, CaseIterable {
        case rs256 = "RS256"
        case rs384 = "RS384"
        case rs512 = "RS512"
        case ps256 = "PS256"
        case ps384 = "PS384"
        case ps512 = "PS512"
        case es256 = "ES256"
        case es384 = "ES384"
        case es512 = "ES512"
        case eddsa = "EdDSA"
        case hs256 = "HS256"
        case hs384 = "HS384"
        case hs512 = "HS512"
    }
    package static let sizeLimit = 32 << 10
    package static let depthLimit = 16

    package let algorithm: Algorithm
    package let keyID: String?
    package let header: JSONValue
    package let claims: JSONValue
    /// The second part as it came.
    package let encodedPayload: String
    /// What was signed: the first two parts with their dot.
    let signedBytes: [UInt8]
    let signature: [UInt8]

    package var issuer: String { claims["iss"]?.stringValue ?? "" }
    package var subject: String? { claims["sub"]?.stringValue }
    package let audiences: [String]
    package let expires: Double?
    package let notBefore: Double?
    package let issuedAt: Double?

    package init(_ text: String) throws(JWTFailure) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.sizeLimit else { throw .badFormat }
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw .badFormat }
        guard let headerBytes = Base64URL.decode(parts[0]), !headerBytes.isEmpty else { throw .headerBadBase64 }
        header = try Self.object(headerBytes, .headerBadJSON)
        guard let name = header["alg"]?.stringValue else { throw .headerBadAlgorithm }
        // `none` is no algorithm here, in whatever case it is written.
        guard let known = Algorithm(rawValue: name) else { throw .headerUnsupportedAlgorithm }
        algorithm = known
        if let id = header["kid"] {
            guard let text = id.stringValue else { throw .headerBadKeyID }
            keyID = text.isEmpty ? nil : text
        } else {
            keyID = nil
        }
        guard header["crit"] == nil else { throw .headerCritical }
        guard let payload = Base64URL.decode(parts[1]) else { throw .payloadBadBase64 }
        claims = try Self.object(payload, .payloadBadJSON)
        encodedPayload = String(decoding: parts[1], as: UTF8.self)
        audiences = try Self.audiences(claims)
        expires = try Self.date("exp", claims)
        notBefore = try Self.date("nbf", claims)
        issuedAt = try Self.date("iat", claims)
        for claim in ["iss", "sub"] {
            if let value = claims[claim], value.stringValue == nil { throw .payloadBadClaim(claim) }
        }
        guard let signature = Base64URL.decode(parts[2]), !signature.isEmpty else { throw .signatureBadBase64 }
        self.signature = signature
        signedBytes = Array(bytes[..<parts[1].endIndex])
    }

    private static func object(_ bytes: [UInt8], _ failure: JWTFailure) throws(JWTFailure) -> JSONValue {
        guard
            let value = try? JSONValue(parsing: bytes, maximumDepth: depthLimit, refusesDuplicateKeys: true),
            value.objectValue != nil
        else { throw failure }
        return value
    }

    private static func audiences(_ claims: JSONValue) throws(JWTFailure) -> [String] {
        switch claims["aud"] {
        case nil: return []
        case .string(let one)?: return [one]
        case .array(let all)?:
            let texts = all.compactMap(\.stringValue)
            guard texts.count == all.count else { throw .payloadBadClaim("aud") }
            return texts
        default: throw .payloadBadClaim("aud")
        }
    }

    private static func date(_ name: String, _ claims: JSONValue) throws(JWTFailure) -> Double? {
        guard let value = claims[name] else { return nil }
        guard let seconds = value.doubleValue, seconds.isFinite, seconds >= 0 else { throw .payloadBadClaim(name) }
        return seconds
    }
}
