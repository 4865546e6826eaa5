/// Asks an external service whether a connection may pass (`envoy.extensions.filters.network.ext_authz.v3.ExtAuthz`).
package struct ConnectionAuthorization: Sendable, Hashable, Codable {
    package var statPrefix: String
    package var service: GRPCServiceTarget
    /// A service that cannot be asked lets everybody pass.
    package var failureModeAllows = false
    package var includesPeerCertificate = false
    package var includesTLSSession = false
    /// Only connections of which filters before this one have said so are asked about (`filter_enabled_metadata`).
    package var enabledMetadata: DynamicMetadataMatcher?

    package init(statPrefix: String, service: GRPCServiceTarget) {
        self.statPrefix = statPrefix
        self.service = service
    }
}
