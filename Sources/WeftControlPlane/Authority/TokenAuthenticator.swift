import Synchronization
import WeftIdentity
import WeftKubernetes

/// Tells who holds a service-account token, by asking the API server; an answer is remembered for a few seconds.
final class TokenAuthenticator: Sendable {
    /// The audience that workload tokens are made for.
    static let audience = "istio-ca"
    private static let memory = Duration.seconds(10)
    /// What the API server says of a token; `nil` for one that is not good.
    typealias Review = @Sendable (_ token: String, _ audiences: [String]) async throws -> TokenIdentity?
    private let review: Review
    private let trustDomain: String
    /// Whether trust in somebody was withdrawn; asked each time, as it may be at any moment.
    private let isRevoked: @Sendable (SPIFFEIdentity) -> Bool
    private let known = Mutex<[String: (identity: SPIFFEIdentity, until: ContinuousClock.Instant)]>([:])

    init(
        trustDomain: String, isRevoked: @escaping @Sendable (SPIFFEIdentity) -> Bool = { _ in false },
        review: @escaping Review
    ) {
        self.review = review
        self.isRevoked = isRevoked
        self.trustDomain = trustDomain
    }

    convenience init(
        client: KubernetesClient, trustDomain: String, isRevoked: @escaping @Sendable (SPIFFEIdentity) -> Bool
    ) {
        self.init(trustDomain: trustDomain, isRevoked: isRevoked) { try await client.reviewToken($0, audiences: $1) }
    }

    /// - Returns: the workload's identity, or `nil` for a token that is not good.
    /// - Throws: when the API server could not be asked; the caller may try again. An `IdentityError` for somebody whom the
    ///   mesh trusts no more.
    func identity(of token: String) async throws -> SPIFFEIdentity? {
        guard let identity = try await holder(of: token) else { return nil }
        guard !isRevoked(identity) else {
            throw IdentityError(
                .refused, "trust in \(identity) was withdrawn (revokedIdentities of the mesh configuration)")
        }
        return identity
    }

    private func holder(of token: String) async throws -> SPIFFEIdentity? {
        let now = ContinuousClock.now
        if let hit = known.withLock({ $0[token] }), hit.until > now { return hit.identity }
        // A server that tells no audience has not looked at it: such a token is good for the API alone.
        guard let user = try await review(token, [Self.audience]), user.audiences.contains(Self.audience),
            user.serviceAccount != nil
        else { return nil }
        let identity = try SPIFFEIdentity(kubernetesUserName: user.username, trustDomain: trustDomain)
        known.withLock { known in
            known = known.filter { $0.value.until > now }
            known[token] = (identity, now + Self.memory)
        }
        return identity
    }
}
