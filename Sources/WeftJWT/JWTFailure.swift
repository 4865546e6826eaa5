/// Why a token, or a request without one, is refused. The texts are those that users of Envoy search for.
package enum JWTFailure: Error, Sendable, Hashable {
    case missing
    case badFormat
    case headerBadBase64
    case headerBadJSON
    case headerBadAlgorithm
    case headerUnsupportedAlgorithm
    case headerBadKeyID
    case headerCritical
    case payloadBadBase64
    case payloadBadJSON
    case payloadBadClaim(String)
    case signatureBadBase64
    case notYetValid
    case expired
    case expirationMissing
    case lifetimeExceeded
    case unknownIssuer
    case subjectNotAllowed
    case audienceNotAllowed
    case noMatchingKey
    case badSignature
    case noValidKeys
    case keysBadJSON
    case keysFetchFailed

    package var text: String {
        switch self {
        case .missing: "Jwt is missing"
        case .badFormat: "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections"
        case .headerBadBase64: "Jwt header is an invalid Base64url encoded"
        case .headerBadJSON: "Jwt header is an invalid JSON"
        case .headerBadAlgorithm: "Jwt header [alg] field is required and must be a string"
        case .headerUnsupportedAlgorithm: "Jwt header [alg] is not supported"
        case .headerBadKeyID: "Jwt header [kid] field is not a string"
        case .headerCritical: "Jwt header [crit] names an extension that is not supported"
        case .payloadBadBase64: "Jwt payload is an invalid Base64url encoded"
        case .payloadBadJSON: "Jwt payload is an invalid JSON"
        case .payloadBadClaim(let name): "Jwt payload [\(name)] field has the wrong type"
        case .signatureBadBase64: "Jwt signature is an invalid Base64url encoded"
        case .notYetValid: "Jwt not yet valid"
        case .expired: "Jwt is expired"
        case .expirationMissing: "Jwt expiration is missing"
        case .lifetimeExceeded: "Jwt lifetime exceeds maximum allowed duration"
        case .unknownIssuer: "Jwt issuer is not configured"
        case .subjectNotAllowed: "Jwt subject is not allowed"
        case .audienceNotAllowed: "Audiences in Jwt are not allowed"
        case .noMatchingKey: "Jwks doesn't have key to match kid or alg from Jwt"
        case .badSignature: "Jwt verification fails"
        case .noValidKeys: "Jwks doesn't have any valid public key"
        case .keysBadJSON: "Jwks is an invalid JSON"
        case .keysFetchFailed: "Jwks remote fetch is failed"
        }
    }

    /// 403 for a good token that is meant for somebody else, else 401.
    package var status: UInt16 { self == .audienceNotAllowed ? 403 : 401 }

    /// `response_code_details`.
    package var details: String {
        let name = text.map { $0 == " " ? "_" : $0 }
        return "jwt_authn_access_denied{\(String(name))}"
    }

    /// `www-authenticate` of the refusal (RFC 6750 section 3).
    package func challenge(realm: String) -> String {
        // A quote or backslash of the URL must not end the quoted string.
        let safe = realm.filter { $0 != "\"" && $0 != "\\" }
        return "Bearer realm=\"\(safe)\"" + (self == .missing ? "" : ", error=\"invalid_token\"")
    }
}
