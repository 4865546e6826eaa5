import WeftCore
package import WeftHTTP
package import WeftIR
package import WeftRouting

/// Decides whether a request has the tokens that it needs. Compiled once, immutable, shared by all workers.
///
/// Does no I/O: keys that lie elsewhere are the caller's to fetch and to hand in; asked again with them, the same
/// request gets its answer. Rules whose pattern does not compile refuse everything.
package struct JWTAuthenticator: Sendable {
    /// What the caller knows of a provider's remote keys.
    package enum RemoteKeys: Sendable {
        case unknown
        case failed(JWTFailure)
        case known(KeySet)
    }
    package enum Outcome: Sendable {
        /// The request goes on, changed; the payloads are to be dynamic metadata of the filter.
        case allow([String: DynamicValue])
        case deny(JWTFailure)
        /// These providers' keys must be fetched first (positions in ``providers``).
        case needsKeys([Int])
    }
    private struct Rule: Sendable {
        let matcher: RequestMatcher
        /// `nil`: a name that is not defined; refuses.
        let requirement: JWTAuthentication.Requirement?
    }
    package let configuration: JWTAuthentication
    private let compiled: [CompiledProvider]
    private let byName: [String: Int]
    private let rules: [Rule]
    /// What cannot be used, one sentence each.
    package let problems: [String]
    package var providers: [JWTAuthentication.Provider] { configuration.providers }
    /// Routes may match on claims, so that a good token chooses the route anew.
    package let clearsRouteCache: Bool

    package init(_ configuration: JWTAuthentication) {
        self.configuration = configuration
        clearsRouteCache = configuration.providers.contains(where: \.clearsRouteCache)
        compiled = configuration.providers.map(CompiledProvider.init)
        byName = Dictionary(configuration.providers.enumerated().map { ($1.name, $0) }) { first, _ in first }
        rules = configuration.rules.map { rule in
            let matcher = RequestMatcher(rule.match)
            switch rule.need {
            case .requirement(let requirement): return Rule(matcher: matcher, requirement: requirement)
            case .named(let name): return Rule(matcher: matcher, requirement: configuration.requirements[name])
            }
        }
        var problems: [String] = []
        for (index, rule) in rules.enumerated() {
            if rule.matcher.isBroken {
                problems.append("JWT rule \(index): an invalid pattern; it refuses all requests")
            }
            if rule.requirement == nil {
                problems.append("JWT rule \(index): its requirement is not defined; it refuses the requests it matches")
            }
        }
        for provider in compiled {
            guard let keys = provider.localKeys else { continue }
            switch keys {
            case .failure(let failure): problems.append("JWT provider \(provider.provider.name): \(failure.text)")
            case .success(let set): problems += set.problems.map { "JWT provider \(provider.provider.name): \($0)" }
            }
        }
        self.problems = problems
    }

    // MARK: - Which requirement

    private enum Need { case nothing, refusal, requirement(JWTAuthentication.Requirement) }

    private func need(_ head: RequestHead, _ route: JWTAuthentication.PerRoute?, _ context: RouteContext) -> Need {
        switch route {
        case .disabled?: return .nothing
        case .requirement(let name)?:
            return configuration.requirements[name].map(Need.requirement) ?? .refusal
        case nil: break
        }
        for rule in rules {
            if rule.matcher.isBroken { return .refusal }
            guard rule.matcher.matches(head, context: context) else { continue }
            return rule.requirement.map(Need.requirement) ?? .refusal
        }
        return .nothing
    }

    // MARK: - Decision

    /// A token that was found good, and by whom.
    private struct Accepted {
        var provider: Int
        var token: JSONWebToken
        var found: ExtractedToken
    }
    /// What one look at a request gathers.
    private struct Look {
        let head: RequestHead
        let now: Int64
        let keys: (Int) -> RemoteKeys
        var accepted: [Accepted] = []
        var missingKeys: Set<Int> = []
    }

    /// - Parameters:
    ///   - head: Changed only when the outcome is ``Outcome/allow(_:)``.
    ///   - route: What the route says about this filter.
    ///   - now: Seconds since 1970.
    ///   - keys: Remote keys by the provider's position.
    package func authenticate(
        _ head: inout RequestHead, route: JWTAuthentication.PerRoute?, context: RouteContext = RouteContext(),
        now: Int64, keys: (Int) -> RemoteKeys
    ) -> Outcome {
        if configuration.bypassesCORSPreflight, CORSEngine.isPreflight(head) { return .allow([:]) }
        let requirement: JWTAuthentication.Requirement
        switch need(head, route, context) {
        case .nothing: return .allow([:])
        case .refusal: return .deny(.noValidKeys)
        case .requirement(let wanted): requirement = wanted
        }
        let result = withoutActuallyEscaping(keys) { keys in
            var look = Look(head: head, now: now, keys: keys)
            let failure = verify(requirement, all: Array(compiled.indices), &look)
            return (failure, look.accepted, look.missingKeys)
        }
        if !result.2.isEmpty { return .needsKeys(result.2.sorted()) }
        if let failure = result.0 { return .deny(failure) }
        return .allow(finish(result.1, &head))
    }

    private func finish(_ accepted: [Accepted], _ head: inout RequestHead) -> [String: DynamicValue] {
        for provider in compiled { for name in provider.ownHeaders { head.headers.remove(HeaderName(name)) } }
        var metadata: [String: DynamicValue] = [:]
        for item in accepted {
            let provider = compiled[item.provider]
            provider.forward(item.token, item.found, in: &head)
            let settings = provider.provider
            if !settings.payloadInMetadata.isEmpty {
                metadata[settings.payloadInMetadata] = provider.payload(item.token)
            }
            if !settings.headerInMetadata.isEmpty {
                metadata[settings.headerInMetadata] = DynamicValue(item.token.header)
            }
        }
        return metadata
    }

    /// - Parameter all: The providers whose tokens an `allow…` requirement looks for.
    /// - Returns: Why not, or `nil`.
    private func verify(_ requirement: JWTAuthentication.Requirement, all: [Int], _ look: inout Look) -> JWTFailure? {
        switch requirement {
        case .none: return nil
        case .provider(let name): return verify(provider: name, audiences: nil, &look)
        case .providerWithAudiences(let name, let audiences): return verify(provider: name, audiences: audiences, &look)
        case .all(let inner):
            for part in inner { if let failure = verify(part, all: all, &look) { return failure } }
            return nil
        case .any(let inner): return verify(any: inner, &look)
        case .allowMissing: return verifyPresent(all, &look)
        case .allowMissingOrFailed:
            _ = verifyPresent(all, &look)
            return nil
        }
    }

    /// The first that succeeds. Of the failures the one that says most: not that a token is missing, if another was bad.
    private func verify(any inner: [JWTAuthentication.Requirement], _ look: inout Look) -> JWTFailure? {
        let named = inner.flatMap { providers(of: $0) }
        let scope = named.isEmpty ? Array(compiled.indices) : named
        var worst: JWTFailure?
        // Leniency is asked last, so that tokens of the others are looked at first.
        let ordered = inner.filter { !Self.isLenient($0) } + inner.filter(Self.isLenient)
        for part in ordered {
            guard let failure = verify(part, all: scope, &look) else { return nil }
            if !look.missingKeys.isEmpty { return failure }
            if worst == nil || worst == .missing || worst == .unknownIssuer && failure != .missing { worst = failure }
        }
        // A choice among nothing offers no way in.
        return worst ?? .missing
    }

    private static func isLenient(_ requirement: JWTAuthentication.Requirement) -> Bool {
        requirement == .allowMissing || requirement == .allowMissingOrFailed
    }

    private func providers(of requirement: JWTAuthentication.Requirement) -> [Int] {
        switch requirement {
        case .provider(let name), .providerWithAudiences(let name, _): byName[name].map { [$0] } ?? []
        case .any(let inner), .all(let inner): inner.flatMap { providers(of: $0) }
        case .none, .allowMissing, .allowMissingOrFailed: []
        }
    }

    private func verify(provider name: String, audiences: [String]?, _ look: inout Look) -> JWTFailure? {
        guard let index = byName[name] else { return .noValidKeys }
        let tokens = compiled[index].extractor.tokens(look.head)
        guard !tokens.isEmpty else { return .missing }
        // One good token among bad ones does not make the request good.
        for found in tokens {
            do { try accept(found, index, audiences, &look) } catch { return error }
        }
        return nil
    }

    /// Every token of any of these providers must be good; their issuers tell whose they are.
    private func verifyPresent(_ indices: [Int], _ look: inout Look) -> JWTFailure? {
        var seen: [ExtractedToken: JWTFailure?] = [:]
        var order: [ExtractedToken] = []
        for index in indices {
            for found in compiled[index].extractor.tokens(look.head) {
                if let known = seen[found], known == nil { continue }
                if seen[found] == nil { order.append(found) }
                do {
                    try accept(found, index, nil, &look)
                    seen[found] = .some(nil)
                } catch {
                    // Another provider's complaint says more than that the issuer is not this one's.
                    if let known = seen[found] ?? nil, known != .unknownIssuer { continue }
                    seen[found] = .some(error)
                }
            }
        }
        return order.lazy.compactMap { seen[$0] ?? nil }.first
    }

    private func accept(
        _ found: ExtractedToken, _ index: Int, _ audiences: [String]?, _ look: inout Look
    ) throws(JWTFailure) {
        let token = try JSONWebToken(found.text)
        let provider = compiled[index]
        try provider.check(token, audiences: audiences, now: look.now)
        switch provider.localKeys {
        case .failure(let failure)?: throw failure
        case .success(let keys)?: try keys.verify(token)
        case nil:
            switch look.keys(index) {
            case .known(let keys): try keys.verify(token)
            case .failed(let failure): throw failure
            case .unknown:
                look.missingKeys.insert(index)
                throw .keysFetchFailed
            }
        }
        look.accepted.append(Accepted(provider: index, token: token, found: found))
    }
}

extension DynamicValue {
    init(_ json: JSONValue) {
        switch json {
        case .null: self = .null
        case .bool(let flag): self = .bool(flag)
        case .int(let number): self = .number(Double(number))
        case .double(let number): self = .number(number)
        case .string(let text): self = .string(text)
        case .array(let all): self = .list(all.map(DynamicValue.init))
        case .object(let members): self = .object(members.mapValues(DynamicValue.init))
        }
    }
}
