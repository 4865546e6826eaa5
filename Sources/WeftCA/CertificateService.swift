package import GRPCCore
package import Logging
import WeftCore
package import WeftIdentity
package import WeftProto

/// `istio.v1.auth.IstioCertificateService`: signs a workload's CSR for the identity that its bearer token proves.
package struct CertificateService: Istio_V1_Auth_IstioCertificateService.ServiceProtocol {
    /// Who holds a token. `nil` is a token that is not good; an error means that nobody could be asked.
    package typealias Authenticator = @Sendable (_ token: String) async throws -> SPIFFEIdentity?

    private let authority: @Sendable () -> CertificateAuthority
    private let authenticate: Authenticator
    private let admission: RequestAdmission
    private let logger: Logger

    /// - Parameter authority: Asked at each call, because an operator may replace the signing key.
    package init(
        authority: @escaping @Sendable () -> CertificateAuthority, admission: RequestAdmission = RequestAdmission(),
        logger: Logger,
        authenticate: @escaping Authenticator
    ) {
        self.authority = authority
        self.admission = admission
        self.logger = logger
        self.authenticate = authenticate
    }

    package func createCertificate(
        request: ServerRequest<Istio_V1_Auth_IstioCertificateRequest>, context: ServerContext
    ) async throws -> ServerResponse<Istio_V1_Auth_IstioCertificateResponse> {
        let identity = try await caller(request.metadata)
        do {
            // Before anything costly is done.
            try admission.countCall(of: identity)
            let signing = try SigningRequest(pem: request.message.csr)
            let chain = try authority().issue(
                signing, for: identity, requestedSeconds: Double(request.message.validityDuration))
            try admission.take(signing)
            logger.info("certificate issued to \(identity)")
            var response = Istio_V1_Auth_IstioCertificateResponse()
            response.certChain = chain
            return ServerResponse(message: response)
        } catch {
            logger.warning("certificate refused to \(identity): \(error)")
            throw RPCError(code: Self.code(error), message: error.message)
        }
    }

    private static func code(_ error: IdentityError) -> RPCError.Code {
        switch error.code {
        case .expired: .failedPrecondition
        case .refused: .permissionDenied
        case .limited: .resourceExhausted
        default: .invalidArgument
        }
    }

    /// Refusals are logged: somebody who tries tokens should be seen.
    private func caller(_ metadata: Metadata) async throws -> SPIFFEIdentity {
        do {
            return try await prove(metadata)
        } catch {
            logger.warning("certificate refused to a caller without a good token: \(error)")
            throw error
        }
    }

    private func prove(_ metadata: Metadata) async throws -> SPIFFEIdentity {
        guard let token = BearerToken.read(metadata[stringValues: "authorization"]) else {
            throw RPCError(code: .unauthenticated, message: "no bearer token in the metadata \"authorization\"")
        }
        let identity: SPIFFEIdentity?
        do {
            identity = try await authenticate(token)
        } catch let error as IdentityError {
            throw RPCError(code: .unauthenticated, message: error.message)
        } catch {
            logger.error("token could not be checked: \(error)")
            throw RPCError(code: .unavailable, message: "the token could not be checked now; try again")
        }
        guard let identity else {
            throw RPCError(
                code: .unauthenticated,
                message: "the token is not valid: is it expired, or made for another audience than istio-ca?")
        }
        return identity
    }
}
