import Foundation
import TestSupport

/// Signs JSON Web Tokens with an RSA key of its own, by `openssl`.
struct TokenIssuer: Sendable {
    let issuer: String
    private let folder: String
    /// The key set as one line of JSON, for a policy's `jwks`.
    let keySet: String

    /// - Parameter folder: Where the key is kept; made if it is not there.
    init(_ issuer: String, folder: String) async throws {
        self.issuer = issuer
        self.folder = folder
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try await command(["openssl", "genrsa", "-out", folder + "/token.key", "2048"]).checked()
        let printed = try await command(["openssl", "rsa", "-in", folder + "/token.key", "-noout", "-modulus"])
            .checked().out
        let digits = printed.trimmingCharacters(in: .whitespacesAndNewlines).drop { $0 != "=" }.dropFirst()
        var modulus = Data()
        var rest = digits
        while let byte = UInt8(rest.prefix(2), radix: 16) {
            modulus.append(byte)
            rest = rest.dropFirst(2)
        }
        keySet =
            #"{"keys":[{"kty":"RSA","kid":"one","alg":"RS256","e":"AQAB","n":"\#(Self.encoded(modulus))"}]}"#
    }

    /// - Parameter lifetime: In seconds from now; less than zero for an expired one.
    func token(_ claims: [String: String] = [:], lifetime: Double = 3_600) async throws -> String {
        var payload: [String: Any] = claims
        payload["iss"] = issuer
        payload["sub"] = payload["sub"] ?? "ann"
        payload["exp"] = Int(Date().timeIntervalSince1970 + lifetime)
        let body = try JSONSerialization.data(withJSONObject: payload)
        let text = Self.encoded(Data(#"{"alg":"RS256","kid":"one","typ":"JWT"}"#.utf8)) + "." + Self.encoded(body)
        try Data(text.utf8).write(to: URL(filePath: folder + "/token.txt"))
        try await command([
            "openssl", "dgst", "-sha256", "-sign", folder + "/token.key", "-out", folder + "/token.sig",
            folder + "/token.txt",
        ]).checked()
        return text + "." + Self.encoded(try Data(contentsOf: URL(filePath: folder + "/token.sig")))
    }

    private static func encoded(_ data: Data) -> String {
        data.base64EncodedString().replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
    }
}
