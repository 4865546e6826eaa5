import NIOCore
import WeftHTTP
import WeftIR
import WeftJWT
import WeftRouting

/// JSON Web Tokens before the router.
extension Exchange {
    func authenticate(_ authenticator: JWTAuthenticator, _ name: String) -> FilterStep {
        var own: JWTAuthentication.PerRoute?
        switch routeFilter(name) {
        case .jwt(let need)?: own = need
        case .disabled?: return .next
        default: break
        }
        let outcome = authenticator.authenticate(&head, route: own, now: worker.unixTime()) { [worker] index in
            guard case .remote(let remote) = authenticator.providers[index].keys else { return .failed(.noValidKeys) }
            return worker.tokenKeys.keys(remote)
        }
        switch outcome {
        case .allow(let payloads):
            connection.counters.add(HTTPCounter.tokensAllowed)
            guard !payloads.isEmpty else { return .next }
            keptState().metadata["envoy.filters.http.jwt_authn"] = .object(payloads)
            if authenticator.clearsRouteCache { chooseRouteAnew() }
            return .next
        case .deny(let failure):
            connection.counters.add(HTTPCounter.tokensDenied)
            refuse(failure, authenticator)
            return .next
        case .needsKeys(let indices):
            fetchKeys(indices, authenticator)
            return .pause
        }
    }

    /// Asks the same filter again when all keys are there, or have failed.
    private func fetchKeys(_ indices: [Int], _ authenticator: JWTAuthenticator) {
        let remotes = indices.compactMap { index -> JWTAuthentication.Remote? in
            if case .remote(let remote) = authenticator.providers[index].keys { remote } else { nil }
        }
        let turn = nextFilter - 1
        var missing = remotes.count
        for remote in remotes {
            worker.tokenKeys.fetch(remote) { [weak self] in
                missing -= 1
                guard missing == 0, let self, !self.isFinished else { return }
                self.nextFilter = turn
                self.runFilters()
            }
        }
    }

    private func refuse(_ failure: JWTFailure, _ authenticator: JWTAuthenticator) {
        var headers = HeaderBlock()
        let scheme = head.headers.string(.forwardedProto) == "https" ? "https" : "http"
        let path = original.target.prefix { $0 != "?" && $0 != "#" }
        headers.set("www-authenticate", failure.challenge(realm: "\(scheme)://\(original.host)\(path)"))
        let strips = authenticator.configuration.stripsFailureResponse
        reply(
            .tokenRefused(status: failure.status, text: strips ? "" : failure.text, details: failure.details),
            provenance: authenticator.providers.lazy.compactMap(\.provenance).first, headers: strips ? nil : headers)
    }
}
