/// Asks an external service whether a request may pass (`envoy.extensions.filters.http.ext_authz.v3.ExtAuthz`).
package struct ExternalAuthorization: Sendable, Hashable, Codable {
    package enum Service: Sendable, Hashable, Codable {
        case http(HTTPService)
        case grpc(GRPCServiceTarget)
    }
    /// A service that speaks plain HTTP: 200 lets the request pass, 5xx is an error, anything else refuses it.
    package struct HTTPService: Sendable, Hashable, Codable {
        /// Gives the authority of the calls; their path is the request's own.
        package var uri: String
        package var cluster: String
        package var timeoutMilliseconds: UInt64 = 200
        /// Put before the request's path.
        package var pathPrefix = ""
        /// Headers that the service sees besides those of ``ExternalAuthorization/headers``.
        package var allowedHeaders: [StringMatcher] = []
        package var headersToAdd: [HeaderField] = []
        /// Headers of the answer that replace the request's, those that are appended to them.
        package var upstreamHeaders: [StringMatcher] = []
        package var appendedUpstreamHeaders: [StringMatcher] = []
        /// Headers of a refusal that the client gets; empty is all but `host`.
        package var clientHeaders: [StringMatcher] = []
        /// Headers of a permission that the client's response gets.
        package var clientHeadersOnSuccess: [StringMatcher] = []
        package var metadataHeaders: [StringMatcher] = []

        package init(uri: String, cluster: String) {
            self.uri = uri
            self.cluster = cluster
        }
    }
    /// How much of the body the service sees (`BufferSettings`).
    package struct Body: Sendable, Hashable, Codable {
        package var maxRequestBytes: UInt32
        /// A longer body is shown as far as it fits; else it is answered with 413.
        package var allowsPartial = false
        /// gRPC: as bytes in place of text.
        package var packsAsBytes = false

        package init(maxRequestBytes: UInt32) { self.maxRequestBytes = maxRequestBytes }
    }
    /// What a route or virtual host changes (`CheckSettings` of `ExtAuthzPerRoute`).
    package struct CheckSettings: Sendable, Hashable, Codable {
        /// Told to a gRPC service with each request.
        package var contextExtensions: [String: String] = [:]
        package var disablesBody = false
        package var body: Body?
        /// Asked in place of the filter's.
        package var service: Service?

        package init() {}
    }
    package var service: Service
    /// A service that cannot be asked lets everybody pass.
    package var failureModeAllows = false
    /// The upstream is told so: `x-envoy-auth-failure-mode-allowed`.
    package var failureModeAllowAddsHeader = false
    package var body: Body?
    /// A permission that changes headers chooses the route anew.
    package var clearsRouteCache = false
    /// What the client gets when the service cannot be asked.
    package var statusOnError: UInt16 = 403
    /// A header in an answer that is no valid header makes the answer an error.
    package var validatesMutations = false
    /// Dynamic metadata of these filters goes along.
    package var metadataNamespaces: [String] = []
    package var enabled = FractionalPercent.all
    /// Only requests of which filters before this one have said so are asked about (`filter_enabled_metadata`).
    package var enabledMetadata: DynamicMetadataMatcher?
    /// Requests that the filter is not enabled for are refused.
    package var deniesWhenDisabled = false
    package var includesPeerCertificate = false
    package var includesTLSSession = false
    package var statPrefix = ""
    package var headers = HeaderSelection()
    /// gRPC: all headers in order, as `header_map`, in place of a map by name.
    package var encodesRawHeaders = false
    package var mutationRules: HeaderMutationRules?
    package var takesDynamicMetadata = true
    /// A longer body of a refusal is cut; 0 is no limit.
    package var maxDeniedBodyBytes: UInt32 = 0
    package var provenance: Provenance?

    package init(service: Service) { self.service = service }
}
