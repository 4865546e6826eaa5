import WeftCore

/// Checks of RequestAuthentications.
enum RequestAuthenticationChecks {
    static func check(_ spec: RequestAuthentication, _ findings: inout Findings) {
        findings.attachment(spec.selector, spec.targetRef, spec.targetRefs)
        for (index, rule) in (spec.jwtRules ?? []).enumerated() {
            let path = "spec.jwtRules[\(index)]"
            if (rule.issuer ?? "").isEmpty { findings.error("\(path).issuer", "issuer must be set") }
            checkKeys(rule, path, &findings)
            checkPlaces(rule, path, &findings)
            checkOutputs(rule, path, &findings)
            findings.duration(rule.timeout, "\(path).timeout")
        }
    }

    private static func checkKeys(_ rule: RequestAuthentication.JWTRule, _ path: String, _ findings: inout Findings) {
        nonEmpty(rule.audiences, "\(path).audiences", "audience must be non-empty string", &findings)
        nonEmpty(
            rule.spaceDelimitedClaims, "\(path).spaceDelimitedClaims", "claim must be non-empty string", &findings)
        if rule.jwks != nil, rule.jwksUri != nil { findings.error(path, "only one of jwks or jwksUri can be set") }
        if let document = rule.jwks, !document.isEmpty { check(keys: document, "\(path).jwks", &findings) }
        if let uri = rule.jwksUri, HTTPAddress(uri) == nil {
            findings.error(
                "\(path).jwksUri", "URI scheme must be http or https with a host, but is \(uri)",
                hint: "write https://HOST[:PORT]/PATH without user information")
        }
        if (rule.jwks ?? "").isEmpty, (rule.jwksUri ?? "").isEmpty {
            findings.warning(
                path,
                "neither jwks nor jwksUri is set; keys are not looked for at the issuer, so its tokens are refused",
                hint: "write the jwks_uri of the issuer's /.well-known/openid-configuration as jwksUri")
        }
    }

    private static func check(keys document: String, _ path: String, _ findings: inout Findings) {
        do {
            let value = try JSONValue(parsing: document)
            guard let keys = value["keys"]?.arrayValue else {
                return findings.error(path, "jwks has no list `keys`", hint: "write {\"keys\": [...]} (RFC 7517)")
            }
            for (index, key) in keys.enumerated() {
                guard let problem = problem(of: key) else { continue }
                findings.error(
                    path, "jwks parse error: keys[\(index)]: \(problem)",
                    hint: "RFC 7517 and RFC 7518, section 6, list what a key has")
            }
            if value["keys"]?.arrayValue?.contains(where: { $0["d"] != nil }) == true {
                findings.warning(path, "jwks holds a private key; everybody who may read the object can sign tokens")
            }
        } catch {
            findings.error(path, "jwks is not JSON: \(error)")
        }
    }

    /// What each type of key must have, besides its type (RFC 7518, section 6; RFC 8037, section 2).
    private static let parameters = ["RSA": ["n", "e"], "EC": ["crv", "x", "y"], "oct": ["k"], "OKP": ["crv", "x"]]

    private static func problem(of key: JSONValue) -> String? {
        guard key.objectValue != nil else { return "a key must be an object" }
        guard let type = key["kty"]?.stringValue else { return "kty is missing" }
        guard let names = parameters[type] else { return "kty \(type) is not known: use RSA, EC, OKP or oct" }
        for name in names {
            guard let text = key[name]?.stringValue, !text.isEmpty else { return "\(name) is missing" }
            if name != "crv", !text.utf8.allSatisfy(isBase64URL) { return "\(name) is not base64url" }
        }
        return nil
    }

    private static func isBase64URL(_ byte: UInt8) -> Bool { Names.isHeaderByte(byte) || byte == UInt8(ascii: "=") }

    private static func checkPlaces(_ rule: RequestAuthentication.JWTRule, _ path: String, _ findings: inout Findings) {
        for (index, header) in (rule.fromHeaders ?? []).enumerated() where !Names.isHeader(header.name ?? "") {
            findings.error(
                "\(path).fromHeaders[\(index)].name",
                "location header name must be a header's name, found \"\(header.name ?? "")\"")
        }
        nonEmpty(rule.fromParams, "\(path).fromParams", "location query must be non-empty string", &findings)
        nonEmpty(rule.fromCookies, "\(path).fromCookies", "cookie name must be non-empty string", &findings)
    }

    private static func checkOutputs(_ rule: RequestAuthentication.JWTRule, _ path: String, _ findings: inout Findings)
    {
        if let header = rule.outputPayloadToHeader, !header.isEmpty, !Names.isHeader(header) {
            findings.error("\(path).outputPayloadToHeader", "\"\(header)\" is not a header's name")
        }
        for (index, output) in (rule.outputClaimToHeaders ?? []).enumerated() {
            let place = "\(path).outputClaimToHeaders[\(index)]"
            if !Names.isHeader(output.header ?? "") {
                findings.error(
                    "\(place).header", "header name must be non-empty and have only letters, digits, - and _")
            }
            if (output.claim ?? "").isEmpty { findings.error("\(place).claim", "claim name must be set") }
        }
    }

    private static func nonEmpty(
        _ values: [String]?, _ path: String, _ message: String, _ findings: inout Findings
    ) {
        for (index, value) in (values ?? []).enumerated() where value.isEmpty {
            findings.error("\(path)[\(index)]", message)
        }
    }
}
