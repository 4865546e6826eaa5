import Crypto
import CryptoExtras
import FoundationEssentials
import Testing
import WeftJWT

private func verdict(_ token: String, _ keys: KeySet) -> String {
    do {
        try keys.verify(JSONWebToken(token))
        return "ok"
    } catch {
        return "\(error)"
    }
}

@Suite struct KeySetTests {
    private func signed(_ algorithm: String, kid: String) throws -> String {
        let text = Tokens.unsigned(#"{"alg":"\#(algorithm)","kid":"\#(kid)"}"#, #"{"iss":"a"}"#)
        let rsa = try #require(Tokens.rsa)
        switch algorithm {
        case "RS256":
            return try Tokens.sign(text) {
                try rsa.signature(for: SHA256.hash(data: $0), padding: .insecurePKCS1v1_5).rawRepresentation
            }
        case "RS512":
            return try Tokens.sign(text) {
                try rsa.signature(for: SHA512.hash(data: $0), padding: .insecurePKCS1v1_5).rawRepresentation
            }
        case "PS256":
            return try Tokens.sign(text) {
                try rsa.signature(for: SHA256.hash(data: $0), padding: .PSS).rawRepresentation
            }
        case "PS384":
            return try Tokens.sign(text) {
                try rsa.signature(for: SHA384.hash(data: $0), padding: .PSS).rawRepresentation
            }
        case "ES256": return try Tokens.sign(text) { try Tokens.p256.signature(for: $0).rawRepresentation }
        case "ES384": return try Tokens.sign(text) { try Tokens.p384.signature(for: $0).rawRepresentation }
        case "ES512": return try Tokens.sign(text) { try Tokens.p521.signature(for: $0).rawRepresentation }
        case "EdDSA": return try Tokens.sign(text) { try Tokens.ed25519.signature(for: $0) }
        case "HS256": return Tokens.hmac(text, Tokens.secret, SHA256.self)
        default: return Tokens.hmac(text, Tokens.secret, SHA512.self)
        }
    }

    @Test(arguments: [
        ("RS256", "rsa"), ("RS512", "rsa"), ("PS256", "rsa"), ("PS384", "rsa"), ("ES256", "p256"), ("ES384", "p384"),
        ("ES512", "p521"), ("EdDSA", "ed"), ("HS256", "hs"), ("HS512", "hs"),
    ])
    func everyAlgorithmVerifies(algorithm: String, kid: String) throws {
        let keys = try KeySet(jwks: Tokens.jwks())
        #expect(keys.count == 6 && keys.problems.isEmpty)
        let token = try signed(algorithm, kid: kid)
        #expect(verdict(token, keys) == "ok")
        // The right signature under the id of another key, and a wrong signature.
        #expect(verdict(try signed(algorithm, kid: "elsewhere"), keys) == "noMatchingKey")
        let parts = token.split(separator: ".").map(String.init)
        let forged = parts[0] + "." + Tokens.encode(#"{"iss":"b"}"#) + "." + parts[2]
        #expect(verdict(forged, keys) == "badSignature")
    }

    /// The public key is known to everybody: taken as a shared secret, anybody could sign.
    @Test func aPublicKeyIsNoSecret() throws {
        let keys = try KeySet(jwks: Tokens.jwks())
        let numbers = try #require(try Tokens.rsaNumbers())
        let text = Tokens.unsigned(#"{"alg":"HS256","kid":"rsa"}"#, #"{"iss":"a"}"#)
        let pem = try #require(Tokens.rsa?.publicKey.pemRepresentation)
        for secret in [numbers.der, Array(pem.utf8), Array(numbers.n.utf8), Base64URL.decode(numbers.n.utf8) ?? []] {
            #expect(verdict(Tokens.hmac(text, secret, SHA256.self), keys) == "noMatchingKey")
        }
    }

    /// A key that names its algorithm verifies no other one of its type.
    @Test func namedAlgorithmsBind() throws {
        let numbers = try #require(try Tokens.rsaNumbers())
        let keys = try KeySet(
            jwks: #"{"keys":[{"kty":"RSA","alg":"RS512","n":"\#(numbers.n)","e":"\#(numbers.e)"}]}"#)
        #expect(verdict(try signed("RS256", kid: "any"), keys) == "noMatchingKey")
        #expect(verdict(try signed("RS512", kid: "any"), keys) == "ok")
    }

    @Test(arguments: ["none", "None", "NONE", "nOnE", "", "HS1", "RS1", "rs256"])
    func algorithmsThatAreNone(name: String) {
        let text = Tokens.unsigned(#"{"alg":"\#(name)"}"#, "{}")
        for token in [text + ".", text + ".AAAA"] {
            #expect(throws: JWTFailure.headerUnsupportedAlgorithm) { try JSONWebToken(token) }
        }
    }

    @Test(arguments: [
        ("", "badFormat"), ("a.b", "badFormat"), ("a.b.c.d", "badFormat"), ("...", "badFormat"),
        ("!!.e30.AA", "headerBadBase64"), ("e30=.e30.AA", "headerBadBase64"), (".e30.AA", "headerBadBase64"),
        ("W10.e30.AA", "headerBadJSON"), ("e30.e30.AA", "headerBadAlgorithm"),
    ])
    func malformedTokens(text: String, expected: String) throws {
        #expect(verdict(text, try keySet()) == expected)
    }

    private func keySet() throws -> KeySet { try KeySet(jwks: Tokens.jwks()) }

    @Test(arguments: [
        (#"{"alg":"ES256","alg":"none"}"#, "{}", "headerBadJSON"),
        (#"{"alg":"ES256","kid":1}"#, "{}", "headerBadKeyID"),
        (#"{"alg":["ES256"]}"#, "{}", "headerBadAlgorithm"),
        (#"{"alg":"ES256","crit":["b64"]}"#, "{}", "headerCritical"),
        (#"{"alg":"ES256"}"#, "[]", "payloadBadJSON"),
        (#"{"alg":"ES256"}"#, #"{"iss":"a","iss":"b"}"#, "payloadBadJSON"),
        (#"{"alg":"ES256"}"#, #"{"iss":1}"#, #"payloadBadClaim("iss")"#),
        (#"{"alg":"ES256"}"#, #"{"aud":{}}"#, #"payloadBadClaim("aud")"#),
        (#"{"alg":"ES256"}"#, #"{"aud":["a",1]}"#, #"payloadBadClaim("aud")"#),
        (#"{"alg":"ES256"}"#, #"{"exp":"soon"}"#, #"payloadBadClaim("exp")"#),
        (#"{"alg":"ES256"}"#, #"{"nbf":-1}"#, #"payloadBadClaim("nbf")"#),
        (#"{"alg":"ES256"}"#, "{}", "signatureBadBase64"),
    ])
    func malformedParts(header: String, payload: String, expected: String) throws {
        #expect(verdict(Tokens.unsigned(header, payload) + ".", try keySet()) == expected)
    }

    @Test func sizeAndDepthAreBounded() throws {
        let keys = try keySet()
        let deep = String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
        let nested = Tokens.unsigned(#"{"alg":"ES256"}"#, #"{"a":\#(deep)}"#) + ".AA"
        #expect(verdict(nested, keys) == "payloadBadJSON")
        let long = Tokens.unsigned(#"{"alg":"ES256"}"#, #"{"a":"\#(String(repeating: "x", count: 40_000))"}"#) + ".AA"
        #expect(verdict(long, keys) == "badFormat")
    }

    @Test(arguments: ["", "[]", "{}", #"{"keys":{}}"#, #"{"keys":[],"keys":[]}"#, "<html>"])
    func documentsThatHoldNoKeys(text: String) {
        #expect(throws: JWTFailure.self) { try KeySet(jwks: text) }
    }

    @Test(arguments: [
        #"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#, #"{"kty":"oct","k":"c2hvcnQ"}"#,
        #"{"kty":"EC","crv":"P-256","x":"AA"}"#,
        #"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#, #"{"kty":"XX"}"#, "{}", "1",
        #"{"kty":"oct","k":"YSBzaGFyZWQgc2VjcmV0","use":"enc"}"#,
        #"{"kty":"oct","k":"YSBzaGFyZWQgc2VjcmV0","alg":"none"}"#,
    ])
    func unusableKeysAreLeftOut(key: String) throws {
        #expect(throws: JWTFailure.noValidKeys) { try KeySet(jwks: #"{"keys":[\#(key)]}"#) }
        let good = #"{"kty":"oct","k":"\#(Base64URL.encode(Tokens.secret))"}"#
        let keys = try KeySet(jwks: #"{"keys":[\#(key),\#(good)]}"#)
        #expect(keys.count == 1 && keys.problems.count == 1)
    }

    @Test func base64IsStrict() {
        #expect(Base64URL.decode("aGk".utf8) == Array("hi".utf8))
        for bad in ["a", "aGk=", "aGl", "a+b", "a/b", "a b", "aG\n"] { #expect(Base64URL.decode(bad.utf8) == nil) }
        for count in 0..<9 {
            let bytes = (0..<count).map { UInt8($0 * 29) }
            #expect(Base64URL.decode(Base64URL.encode(bytes).utf8) == bytes)
        }
    }
}
