/// Keys and certificates of one test run, made by the `openssl` command in a folder: `ca.pem`, `other-ca.pem`, and for each
/// name `NAME.pem` with `NAME.key`.
package enum Certificates {
    /// - Parameters:
    ///   - names: file name to `subjectAltName` in OpenSSL's notation; the subject is `/O=Weft/CN=NAME`.
    ///   - strangers: those of `names` that `other-ca.pem` signs.
    package static func make(
        in folder: String, _ names: [(name: String, alternatives: String)], strangers: Set<String> = []
    ) async throws {
        for authority in ["ca", "other-ca"] {
            try await command([
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                "/O=Weft/CN=\(authority)", "-days", "3", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout",
                "\(folder)/\(authority).key", "-out", "\(folder)/\(authority).pem",
            ]).checked()
        }
        for (name, alternatives) in names {
            let authority = strangers.contains(name) ? "other-ca" : "ca"
            try await command([
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                "/O=Weft/CN=\(name)", "-days", "2", "-CA", "\(folder)/\(authority).pem", "-CAkey",
                "\(folder)/\(authority).key", "-addext", "subjectAltName=\(alternatives)", "-addext",
                "basicConstraints=critical,CA:FALSE", "-keyout", "\(folder)/\(name).key", "-out",
                "\(folder)/\(name).pem",
            ]).checked()
        }
    }
}
