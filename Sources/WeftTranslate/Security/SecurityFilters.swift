import WeftConfig
import WeftCore
import WeftIR

/// Everything that decides who may pass: nobody whose identity was revoked, then in Istio's order CUSTOM, tokens, AUDIT, DENY,
/// ALLOW.
struct SecurityFilters {
    let scope: Scope

    var http: [HTTPFilter] {
        var filters =
            RevokedIdentities(scope.mesh).refusal.map {
                [HTTPFilter(name: "envoy.filters.http.rbac", kind: .rbac($0))]
            } ?? []
        filters += ExternalAuthorizers(scope: scope).filters()
        if let tokens = RequestTokens(scope: scope).filter() { filters.append(tokens) }
        return filters
            + AuthorizationFilters(scope: scope).rules(.http).map {
                HTTPFilter(name: "envoy.filters.http.rbac", kind: .rbac($0))
            }
    }

    var tcp: [NetworkFilter] {
        let refusal = [RevokedIdentities(scope.mesh).refusal].compactMap { $0 }.map { NetworkFilter.rbac($0) }
        return refusal + ExternalAuthorizers(scope: scope).connectionFilters()
            + AuthorizationFilters(scope: scope).rules(.tcp).map { .rbac($0) }
    }

    func addClusters(to configuration: inout ProxyConfiguration) {
        RequestTokens(scope: scope).addClusters(to: &configuration)
    }

    var diagnostics: [Diagnostic] {
        ExternalAuthorizers(scope: scope).diagnostics + RequestTokens(scope: scope).diagnostics
            + RevokedIdentities(scope.mesh).diagnostics
    }
}

/// How paths are brought into a standard form, once, before anything reads them: access rules, routes and the upstream
/// all see the same path (`MeshConfig.pathNormalization`).
struct PathNormalization {
    private let mode: MeshConfig.PathNormalization.Mode

    init(_ mesh: MeshConfig) { mode = mesh.normalization }

    func apply(to manager: inout HTTPConnectionManager) {
        manager.normalizePath = mode != .none
        manager.mergeSlashes = mode == .mergeSlashes || mode == .decodeAndMergeSlashes
        if mode == .decodeAndMergeSlashes { manager.escapedSlashes = .unescapeAndForward }
    }
}

/// Routing by what a token says: headers of a match that are called `@request.auth.claims.NAME` or
/// `@request.auth.claims[A][B]`.
enum ClaimRouting {
    private static let name = "@request.auth.claims"

    /// `nil` for an ordinary header.
    static func matcher(_ header: String, _ match: StringMatch, invert: Bool = false) -> DynamicMetadataMatcher? {
        guard header.hasPrefix(name) else { return nil }
        let rest = header.dropFirst(name.count)
        let dotted = rest.hasPrefix(".") ? rest.dropFirst().split(separator: ".").map(String.init) : nil
        guard let path = dotted ?? TokenClaims.bracketed(rest), !path.isEmpty else { return nil }
        return TokenClaims.matcher(path, RouteMatches.string(match), invert: invert)
    }
}
