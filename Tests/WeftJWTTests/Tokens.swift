import Crypto
import CryptoExtras
import FoundationEssentials
import WeftJWT

/// Keys and tokens made for the tests.
enum Tokens {
    static let rsa: _RSA.Signing.PrivateKey? = try? _RSA.Signing.PrivateKey(keySize: .bits2048)
    static let p256 = P256.Signing.PrivateKey()
    static let p384 = P384.Signing.PrivateKey()
    static let p521 = P521.Signing.PrivateKey()
    static let ed25519 = Curve25519.Signing.PrivateKey()
    static let secret = Array("a shared secret of thirty-two by".utf8)

    static func encode(_ text: String) -> String { Base64URL.encode(text.utf8) }

    /// The parts before the signature.
    static func unsigned(_ header: String, _ payload: String) -> String { encode(header) + "." + encode(payload) }

    static func es256(_ payload: String, kid: String? = "p256") throws -> String {
        let header = #"{"alg":"ES256""# + (kid.map { #","kid":"\#($0)""# } ?? "") + "}"
        return try sign(unsigned(header, payload)) { try p256.signature(for: $0).rawRepresentation }
    }

    static func sign(_ text: String, _ make: ([UInt8]) throws -> some Collection<UInt8>) rethrows -> String {
        text + "." + Base64URL.encode(try make(Array(text.utf8)))
    }

    static func hmac<Hash: HashFunction>(_ text: String, _ key: [UInt8], _ hash: Hash.Type) -> String {
        sign(text) { Array(HMAC<Hash>.authenticationCode(for: $0, using: SymmetricKey(data: key))) }
    }

    static func rsaNumbers() throws -> (n: String, e: String, der: [UInt8])? {
        guard let key = rsa?.publicKey else { return nil }
        let numbers = try key.getKeyPrimitives()
        return (
            Base64URL.encode(numbers.modulus), Base64URL.encode(numbers.publicExponent), Array(key.derRepresentation)
        )
    }

    private static func point(_ raw: some Collection<UInt8>) -> String {
        let bytes = Array(raw)
        let half = bytes.count / 2
        return #""x":"\#(Base64URL.encode(bytes[..<half]))","y":"\#(Base64URL.encode(bytes[half...]))""#
    }

    /// All keys, each with its own id.
    static func jwks() throws -> String {
        let numbers = try rsaNumbers()
        return """
            {"keys":[
            {"kty":"RSA","kid":"rsa","use":"sig","n":"\(numbers?.n ?? "")","e":"\(numbers?.e ?? "")"},
            {"kty":"EC","kid":"p256","crv":"P-256",\(point(p256.publicKey.rawRepresentation))},
            {"kty":"EC","kid":"p384","crv":"P-384",\(point(p384.publicKey.rawRepresentation))},
            {"kty":"EC","kid":"p521","crv":"P-521",\(point(p521.publicKey.rawRepresentation))},
            {"kty":"OKP","kid":"ed","crv":"Ed25519","x":"\(Base64URL.encode(ed25519.publicKey.rawRepresentation))"},
            {"kty":"oct","kid":"hs","k":"\(Base64URL.encode(secret))"}]}
            """
    }
}
