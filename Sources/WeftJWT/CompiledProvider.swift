import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting

/// One provider, ready to check tokens. Immutable.
struct CompiledProvider: Sendable {
    let provider: JWTAuthentication.Provider
    let extractor: TokenExtractor
    private let subject: CompiledStringMatcher?
    /// Keys that stand in the configuration; `nil` for remote ones.
    let localKeys: Result<KeySet, JWTFailure>?

    init(_ provider: JWTAuthentication.Provider) {
        self.provider = provider
        extractor = TokenExtractor(provider)
        subject = provider.subject.map(CompiledStringMatcher.init)
        if case .local(let text) = provider.keys {
            do { localKeys = .success(try KeySet(jwks: text)) } catch { localKeys = .failure(error) }
        } else {
            localKeys = nil
        }
    }

    /// Everything but the signature.
    /// - Parameters:
    ///   - audiences: In place of the provider's own.
    ///   - now: Seconds since 1970.
    func check(_ token: JSONWebToken, audiences: [String]?, now: Int64) throws(JWTFailure) {
        if !provider.issuer.isEmpty, token.issuer != provider.issuer { throw .unknownIssuer }
        let skew = Double(provider.clockSkewSeconds)
        let now = Double(now)
        if let start = token.notBefore, start > now + skew { throw .notYetValid }
        if let end = token.expires, end + skew < now { throw .expired }
        if provider.requiresExpiration || provider.maxLifetimeSeconds != nil, token.expires == nil {
            throw .expirationMissing
        }
        if let most = provider.maxLifetimeSeconds, let end = token.expires,
            end - (token.issuedAt ?? token.notBefore ?? now) > Double(most)
        {
            throw .lifetimeExceeded
        }
        if let subject, token.subject.map({ subject.matches($0) }) != true { throw .subjectNotAllowed }
        let wanted = audiences ?? provider.audiences
        guard wanted.isEmpty || token.audiences.contains(where: { Self.holds(wanted, $0) }) else {
            throw .audienceNotAllowed
        }
    }

    /// Scheme and a slash at the end make no difference between audiences, as in Envoy.
    private static func holds(_ wanted: [String], _ audience: String) -> Bool {
        let bare = bare(audience)
        return wanted.contains { Self.bare($0) == bare }
    }

    private static func bare(_ audience: String) -> Substring {
        var rest = audience[...]
        for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        return rest
    }

    /// Headers that only this filter may set: what a client sends under their names is dropped.
    var ownHeaders: [String] {
        (provider.forwardPayloadHeader.isEmpty ? [] : [provider.forwardPayloadHeader])
            + provider.claimToHeaders.map(\.header)
    }

    /// The claims as metadata; those that are lists with spaces between are lists there.
    func payload(_ token: JSONWebToken) -> DynamicValue {
        let claims = DynamicValue(token.claims)
        guard !provider.spaceDelimitedClaims.isEmpty, case .object(var members) = claims else { return claims }
        for name in provider.spaceDelimitedClaims {
            guard case .string(let text)? = members[name], text.contains(" ") else { continue }
            members[name] = .list(text.split(separator: " ").map { .string(String($0)) })
        }
        return .object(members)
    }

    /// Tells the upstream what the token says.
    func forward(_ token: JSONWebToken, _ found: ExtractedToken, in head: inout RequestHead) {
        if !provider.forwardPayloadHeader.isEmpty {
            var payload = token.encodedPayload
            while provider.padsForwardedPayload, payload.utf8.count % 4 != 0 { payload += "=" }
            head.headers.set(HeaderName(provider.forwardPayloadHeader), payload)
        }
        for rule in provider.claimToHeaders {
            guard let value = Self.claim(rule.claim, of: token.claims).flatMap(Self.text),
                value.utf8.allSatisfy(ASCII.isFieldValue)
            else { continue }
            head.headers.set(HeaderName(rule.header), value)
        }
        if !provider.forwards { TokenExtractor.remove(found, from: &head) }
    }

    /// A nested claim by its path, or one whose name has the dots in it.
    static func claim(_ path: String, of claims: JSONValue) -> JSONValue? {
        var value: JSONValue? = claims
        for step in path.split(separator: ".", omittingEmptySubsequences: false) { value = value?[String(step)] }
        return value ?? claims[path]
    }

    private static func text(_ value: JSONValue) -> String? {
        switch value {
        case .string(let text): text
        case .bool(let flag): flag ? "true" : "false"
        case .int(let number): String(number)
        case .double(let number): String(number)
        case .array, .object: Base64URL.encode(value.serialized(), padded: true)
        case .null: nil
        }
    }
}
