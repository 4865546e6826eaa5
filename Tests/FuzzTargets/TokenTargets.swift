import WeftJWT

extension FuzzTarget {
    private static let keys =
        #"{"keys":[{"kty":"oct","kid":"k","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]}"#
    /// Signed with the key above (HS256).
    private static let signed =
        "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsifQ"
        + ".eyJpc3MiOiJhIiwic3ViIjoicyIsImF1ZCI6WyJ4IiwieSJdLCJleHAiOjQwMDAwMDAwMDAsIm5iZiI6MSwibiI6eyJtIjpbMSwyLjUsbnVsbCx0cnVlXX19"
        + ".mCUlA0z5ydpSCZTIkdCeAgZusBTu2DomlHCK77A0iC4"
    private static let words = [
        ".", "eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJub25lIn0", "e30", "\"", "{", "}", ":", ",", "alg", "kid", "crit",
        "RS256",
        "HS256", "none", "\\u0000", "[[[[", "1e999",
    ]

    /// A token that verifies is the one that was signed: nothing that is left out of the signature means anything.
    static let jwt = FuzzTarget(
        name: "jwt",
        seeds: [signed, "eyJhbGciOiJFUzI1NiJ9.e30.AA", "eyJhbGciOiJub25lIn0.e30.", "a.b.c", "..."].map {
            Array($0.utf8)
        },
        words: words
    ) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        guard let keys = try? KeySet(jwks: keys) else { return "the keys of the target are refused" }
        guard let token = try? JSONWebToken(text) else {
            return text == signed ? "the signed token is refused" : nil
        }
        do { try keys.verify(token) } catch { return text == signed ? "the signed token does not verify" : nil }
        return text == signed ? nil : "a forged token verifies"
    }

    /// A key set of strangers, asked about a token of each kind.
    static let jwks = FuzzTarget(
        name: "jwks",
        seeds: [
            keys, #"{"keys":[{"kty":"RSA","kid":"k","n":"AQAB","e":"AQAB"},{"kty":"OKP","crv":"Ed25519","x":"AA"}]}"#,
            #"{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","use":"sig","key_ops":["verify"],"alg":"ES256"}]}"#,
        ].map { Array($0.utf8) }, words: words + ["\"kty\":", "\"RSA\"", "\"EC\"", "\"P-521\"", "\"keys\":[", "AQAB"]
    ) { bytes in
        guard let set = try? KeySet(jwks: bytes) else { return nil }
        if set.count > KeySet.keyLimit { return "\(set.count) keys" }
        for algorithm in ["eyJhbGciOiJFUzI1NiJ9", "eyJhbGciOiJSUzI1NiJ9", "eyJhbGciOiJFZERTQSJ9"] {
            guard let token = try? JSONWebToken(algorithm + ".e30.AAAA") else { return "a plain token is refused" }
            if (try? set.verify(token)) != nil { return "a signature of three zero bytes verifies" }
        }
        return nil
    }
}
