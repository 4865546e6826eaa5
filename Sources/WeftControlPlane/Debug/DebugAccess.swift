import HTTPTypes
import Hummingbird
import Logging
import WeftAdmin
import WeftIdentity

/// Who may read the debug endpoints: service accounts of the control plane's own namespace.
///
/// They tell every proxy's configuration, so a workload that reaches the port must not read them. People reach them
/// through the API server, which takes their own credentials off; they bring a token beside them in
/// `x-weft-authorization`, which whoever may create tokens in the namespace can make.
struct DebugAccess: Sendable {
    /// The control plane's.
    let namespace: String
    /// Istio's ENABLE_DEBUG_ENDPOINT_AUTH; without it everybody may read.
    var isEnabled = true
    /// Who holds a token; `nil` for a token that is not good.
    let identify: @Sendable (_ token: String) async throws -> SPIFFEIdentity?
    let logger: Logger

    static let header = HTTPField.Name("x-weft-authorization")

    /// The answer to a request that may not pass; `nil` when it may.
    func refusal(of request: Request) async -> Response? {
        guard isEnabled else { return nil }
        let path = request.uri.path
        guard let token = token(of: request) else {
            return refuse(path, .unauthorized, "no token came with the request")
        }
        do {
            guard let identity = try await identify(token) else {
                return refuse(
                    path, .unauthorized, "the token is not valid: is it expired, or made for another audience?")
            }
            guard identity.namespace == namespace else {
                return refuse(path, .forbidden, "\(identity) is not of namespace \(namespace)")
            }
            return nil
        } catch {
            logger.error("a token for \(path) could not be checked: \(error)")
            return AdminRoutes.text("the token could not be checked now; try again\n", status: .serviceUnavailable)
        }
    }

    private func token(of request: Request) -> String? {
        for name in [Self.header, .authorization].compactMap({ $0 }) {
            guard let parts = request.headers[name]?.split(separator: " ", maxSplits: 1), parts.count == 2 else {
                continue
            }
            if parts[0].lowercased() == "bearer" { return String(parts[1]) }
        }
        return nil
    }

    private func refuse(_ path: String, _ status: HTTPResponse.Status, _ reason: String) -> Response {
        logger.warning("\(path) refused: \(reason)")
        return AdminRoutes.text(
            """
            \(reason)
            Service accounts of namespace \(namespace) may read this, with a token for the audience istio-ca:
            kubectl create token istiod -n \(namespace) --audience istio-ca

            """, status: status)
    }
}
