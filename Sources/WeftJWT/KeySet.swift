import Crypto
import CryptoExtras
import FoundationEssentials
import WeftCore

/// Public keys (and shared secrets) that tokens are verified with: a JWKS document (RFC 7517), read once. Immutable.
///
/// A key verifies the algorithms of its own type and no others, so a public RSA key is never taken for an HMAC secret.
/// Keys that cannot be used are left out and named in ``problems``.
package struct KeySet: Sendable {
    package static let sizeLimit = 1 << 20
    package static let keyLimit = 256

    private enum Material: Sendable {
        case rsa(_RSA.Signing.PublicKey)
        case p256(P256.Signing.PublicKey)
        case p384(P384.Signing.PublicKey)
        case p521(P521.Signing.PublicKey)
        case ed25519(Curve25519.Signing.PublicKey)
        case secret(SymmetricKey)
    }
    private struct Key: Sendable {
        let id: String?
        let algorithm: JSONWebToken.Algorithm?
        let material: Material
    }
    private let keys: [Key]
    package let problems: [String]
    package var isEmpty: Bool { keys.isEmpty }
    package var count: Int { keys.count }

    package init(jwks text: String) throws(JWTFailure) { try self.init(jwks: Array(text.utf8)) }

    package init(jwks bytes: [UInt8]) throws(JWTFailure) {
        guard bytes.count <= Self.sizeLimit,
            let document = try? JSONValue(parsing: bytes, maximumDepth: 16, refusesDuplicateKeys: true),
            let list = document["keys"]?.arrayValue, list.count <= Self.keyLimit
        else { throw .keysBadJSON }
        var keys: [Key] = []
        var problems: [String] = []
        for (index, value) in list.enumerated() {
            do { keys.append(try Self.key(value)) } catch {
                problems.append("key \(index) (\(value["kid"]?.stringValue ?? "no kid")): \(error.reason)")
            }
        }
        guard !keys.isEmpty else { throw .noValidKeys }
        self.keys = keys
        self.problems = problems
    }

    private struct UnusableKeyError: Error { var reason: String }

    private static func key(_ value: JSONValue) throws(UnusableKeyError) -> Key {
        if let use = value["use"]?.stringValue, use != "sig" { throw UnusableKeyError(reason: "its use is \(use)") }
        if let operations = value["key_ops"]?.arrayValue, !operations.contains("verify") {
            throw UnusableKeyError(reason: "its key_ops do not hold verify")
        }
        var algorithm: JSONWebToken.Algorithm?
        if let name = value["alg"]?.stringValue {
            algorithm = JSONWebToken.Algorithm(rawValue: name)
            guard algorithm != nil else { throw UnusableKeyError(reason: "algorithm \(name) is not supported") }
        }
        let id = value["kid"]?.stringValue
        return Key(id: id?.isEmpty == true ? nil : id, algorithm: algorithm, material: try material(value))
    }

    private static func material(_ value: JSONValue) throws(UnusableKeyError) -> Material {
        func bytes(_ name: String) throws(UnusableKeyError) -> [UInt8] {
            guard let text = value[name]?.stringValue, let bytes = Base64URL.decode(text.utf8), !bytes.isEmpty else {
                throw UnusableKeyError(reason: "\(name) is missing or no base64url")
            }
            return bytes
        }
        let type = value["kty"]?.stringValue ?? ""
        do {
            switch (type, value["crv"]?.stringValue ?? "") {
            case ("RSA", _):
                return .rsa(try _RSA.Signing.PublicKey(n: try bytes("n"), e: try bytes("e")))
            case ("EC", "P-256"):
                return .p256(try P256.Signing.PublicKey(rawRepresentation: try bytes("x") + bytes("y")))
            case ("EC", "P-384"):
                return .p384(try P384.Signing.PublicKey(rawRepresentation: try bytes("x") + bytes("y")))
            case ("EC", "P-521"):
                return .p521(try P521.Signing.PublicKey(rawRepresentation: try bytes("x") + bytes("y")))
            case ("OKP", "Ed25519"):
                return .ed25519(try Curve25519.Signing.PublicKey(rawRepresentation: try bytes("x")))
            case ("oct", _):
                let secret = try bytes("k")
                guard secret.count >= 16 else { throw UnusableKeyError(reason: "the secret is shorter than 16 bytes") }
                return .secret(SymmetricKey(data: secret))
            default: throw UnusableKeyError(reason: "type \(type) is not supported")
            }
        } catch let error as UnusableKeyError {
            throw error
        } catch {
            throw UnusableKeyError(reason: "the key is invalid: \(error)")
        }
    }

    /// Finds the keys that may have signed `token` and tries them.
    ///
    /// With a key id in the token only keys of this id, or without any, are tried; a key that names an algorithm
    /// verifies that one alone.
    package func verify(_ token: JSONWebToken) throws(JWTFailure) {
        var hasCandidate = false
        for key in keys {
            if let wanted = token.keyID, let id = key.id, wanted != id { continue }
            if let only = key.algorithm, only != token.algorithm { continue }
            guard let isValid = Self.isValid(token, key.material) else { continue }
            hasCandidate = true
            if isValid { return }
        }
        throw hasCandidate ? .badSignature : .noMatchingKey
    }

    /// - Returns: `nil` when this type of key does not go with the token's algorithm.
    private static func isValid(_ token: JSONWebToken, _ material: Material) -> Bool? {
        let data = token.signedBytes
        switch (material, token.algorithm) {
        case (.rsa(let key), .rs256): return rsa(key, token, SHA256.hash(data: data), .insecurePKCS1v1_5)
        case (.rsa(let key), .rs384): return rsa(key, token, SHA384.hash(data: data), .insecurePKCS1v1_5)
        case (.rsa(let key), .rs512): return rsa(key, token, SHA512.hash(data: data), .insecurePKCS1v1_5)
        case (.rsa(let key), .ps256): return rsa(key, token, SHA256.hash(data: data), .PSS)
        case (.rsa(let key), .ps384): return rsa(key, token, SHA384.hash(data: data), .PSS)
        case (.rsa(let key), .ps512): return rsa(key, token, SHA512.hash(data: data), .PSS)
        case (.p256(let key), .es256):
            guard let signature = try? P256.Signing.ECDSASignature(rawRepresentation: token.signature) else {
                return false
            }
            return key.isValidSignature(signature, for: SHA256.hash(data: data))
        case (.p384(let key), .es384):
            guard let signature = try? P384.Signing.ECDSASignature(rawRepresentation: token.signature) else {
                return false
            }
            return key.isValidSignature(signature, for: SHA384.hash(data: data))
        case (.p521(let key), .es512):
            guard let signature = try? P521.Signing.ECDSASignature(rawRepresentation: token.signature) else {
                return false
            }
            return key.isValidSignature(signature, for: SHA512.hash(data: data))
        case (.ed25519(let key), .eddsa): return key.isValidSignature(token.signature, for: data)
        case (.secret(let key), .hs256):
            return HMAC<SHA256>.isValidAuthenticationCode(token.signature, authenticating: data, using: key)
        case (.secret(let key), .hs384):
            return HMAC<SHA384>.isValidAuthenticationCode(token.signature, authenticating: data, using: key)
        case (.secret(let key), .hs512):
            return HMAC<SHA512>.isValidAuthenticationCode(token.signature, authenticating: data, using: key)
        default: return nil
        }
    }

    private static func rsa(
        _ key: _RSA.Signing.PublicKey, _ token: JSONWebToken, _ digest: some Digest, _ padding: _RSA.Signing.Padding
    ) -> Bool {
        key.isValidSignature(
            _RSA.Signing.RSASignature(rawRepresentation: token.signature), for: digest, padding: padding)
    }
}
