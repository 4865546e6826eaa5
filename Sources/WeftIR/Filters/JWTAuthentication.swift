/// Checks JSON Web Tokens (`envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication`).
package struct JWTAuthentication: Sendable, Hashable, Codable {
    /// Which tokens are good, where they stand, and what is told upstream about them (`JwtProvider`).
    package struct Provider: Sendable, Hashable, Codable {
        package var name: String
        /// `iss`; empty is any.
        package var issuer = ""
        /// One of them must be in `aud`; empty is any.
        package var audiences: [String] = []
        /// What `sub` must match.
        package var subject: StringMatcher?
        package var keys: Keys
        package var requiresExpiration = false
        /// The most that may lie between `iat` (or now) and `exp`.
        package var maxLifetimeSeconds: UInt64?
        package var clockSkewSeconds: UInt64 = 60
        /// Whether the token goes on to the upstream.
        package var forwards = false
        /// All empty: `Authorization: Bearer`, then the query parameter `access_token`.
        package var fromHeaders: [HeaderLocation] = []
        package var fromParameters: [String] = []
        package var fromCookies: [String] = []
        /// Gets the payload in base64url.
        package var forwardPayloadHeader = ""
        package var padsForwardedPayload = false
        package var claimToHeaders: [ClaimHeader] = []
        /// The key of the payload in dynamic metadata; empty is none.
        package var payloadInMetadata = ""
        package var headerInMetadata = ""
        /// Claims whose text is a list with spaces between; in metadata they are lists.
        package var spaceDelimitedClaims: [String] = []
        /// A good token chooses the route anew, so that routes may match on its claims.
        package var clearsRouteCache = false
        package var provenance: Provenance?

        package init(name: String, keys: Keys) {
            self.name = name
            self.keys = keys
        }
    }
    /// Where a provider's keys come from.
    package enum Keys: Sendable, Hashable, Codable {
        /// The JWKS document.
        case local(String)
        case remote(Remote)
    }
    package struct Remote: Sendable, Hashable, Codable {
        package var uri: String
        package var cluster: String
        package var timeoutMilliseconds: UInt64 = 1_000
        package var cacheMilliseconds: UInt64 = 600_000
        package var numRetries: UInt32 = 0
        /// Fetch before requests ask (`async_fetch`), and wait for it at start unless `fastListener`.
        package var fetchesAhead = false
        package var fastListener = false
        package var failedRefetchMilliseconds: UInt64 = 1_000

        package init(uri: String, cluster: String) {
            self.uri = uri
            self.cluster = cluster
        }
    }
    package struct HeaderLocation: Sendable, Hashable, Codable {
        package var name: String
        /// What stands before the token, such as `Bearer `.
        package var prefix: String
        package init(name: String, prefix: String = "") {
            self.name = name
            self.prefix = prefix
        }
    }
    package struct ClaimHeader: Sendable, Hashable, Codable {
        package var header: String
        /// Nested claims are separated by dots.
        package var claim: String
        package init(header: String, claim: String) {
            self.header = header
            self.claim = claim
        }
    }
    /// What a request needs (`JwtRequirement`).
    package indirect enum Requirement: Sendable, Hashable, Codable {
        case none
        case provider(String)
        case providerWithAudiences(String, [String])
        case any([Requirement])
        case all([Requirement])
        /// No token at all is fine, a bad one is not.
        case allowMissing
        /// Anything goes; good tokens are still extracted.
        case allowMissingOrFailed
    }
    /// The first rule that matches decides (`RequirementRule`).
    package struct Rule: Sendable, Hashable, Codable {
        package enum Need: Sendable, Hashable, Codable {
            case requirement(Requirement)
            /// One of ``JWTAuthentication/requirements``.
            case named(String)
        }
        package var match: RouteMatch
        package var need: Need
        package init(match: RouteMatch, need: Need) {
            self.match = match
            self.need = need
        }
    }
    package enum PerRoute: Sendable, Hashable, Codable {
        case disabled
        /// One of ``JWTAuthentication/requirements``.
        case requirement(String)
    }
    /// By name, in the order in which their tokens are looked for.
    package var providers: [Provider]
    package var rules: [Rule]
    package var requirements: [String: Requirement] = [:]
    package var bypassesCORSPreflight = false
    package var stripsFailureResponse = false
    package var statPrefix = ""

    package init(providers: [Provider], rules: [Rule]) {
        self.providers = providers
        self.rules = rules
    }
}
