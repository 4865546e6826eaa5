/// Shows requests and responses to an external service, which may change or answer them
/// (`envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor`).
package struct ExternalProcessing: Sendable, Hashable, Codable {
    /// Which parts of an exchange are shown (`ProcessingMode`).
    package struct Mode: Sendable, Hashable, Codable {
        package enum Body: String, Sendable, Hashable, Codable {
            case none
            /// Whole; what is too large is refused.
            case buffered
            /// As far as it fits; the rest is not shown.
            case bufferedPartial
            /// Piece by piece.
            case streamed
        }
        package var requestHeaders = true
        package var responseHeaders = true
        package var requestTrailers = false
        package var responseTrailers = false
        package var requestBody = Body.none
        package var responseBody = Body.none

        package init() {}

        /// Whether a length that was announced may become wrong without anybody saying so.
        package var dropsRequestLength: Bool { Self.dropsLength(requestBody, headers: requestHeaders) }
        package var dropsResponseLength: Bool { Self.dropsLength(responseBody, headers: responseHeaders) }

        private static func dropsLength(_ body: Body, headers: Bool) -> Bool {
            switch body {
            case .none: false
            case .buffered: !headers
            case .bufferedPartial, .streamed: true
            }
        }
    }
    package enum RouteCache: String, Sendable, Hashable, Codable { case `default`, clear, retain }
    /// What a route or virtual host changes (`ExtProcOverrides`); `nil` leaves the filter's.
    package struct Overrides: Sendable, Hashable, Codable {
        package var mode: Mode?
        package var service: GRPCServiceTarget?
        package var initialMetadata: [HeaderField] = []
        package var failureModeAllows: Bool?
        package var requestAttributes: [String]?
        package var responseAttributes: [String]?
        package var metadata: MetadataNamespaces?

        package init() {}
    }
    /// Dynamic metadata that the service is told of, and that it may set (`MetadataOptions`), by the namespace.
    package struct MetadataNamespaces: Sendable, Hashable, Codable {
        package var forwarded: [String] = []
        package var received: [String] = []
        package init() {}
    }
    package var service: GRPCServiceTarget
    /// A service that fails is left out for the rest of the exchange; else the exchange fails.
    package var failureModeAllows = false
    package var mode = Mode()
    /// How long each answer may take.
    package var messageTimeoutMilliseconds: UInt64 = 200
    /// The most that the service may ask for; 0: it may not.
    package var maxMessageTimeoutMilliseconds: UInt64 = 0
    /// The service may change ``mode`` for an exchange.
    package var allowsModeOverride = false
    /// What it may change it to; empty is anything.
    package var allowedOverrides: [Mode] = []
    package var ignoresImmediateResponse = false
    package var routeCache = RouteCache.default
    package var headers = HeaderSelection()
    package var mutationRules = HeaderMutationRules()
    package var statusOnError: UInt16 = 500
    /// Attributes that the service is told with the first message about the request, and about the response.
    package var requestAttributes: [String] = []
    package var responseAttributes: [String] = []
    package var metadata = MetadataNamespaces()
    /// The service is shown everything and asked nothing.
    package var observes = false
    /// How long its stream stays open after an exchange that it only observed.
    package var deferredCloseMilliseconds: UInt64 = 5_000
    package var statPrefix = ""
    package var provenance: Provenance?

    package init(service: GRPCServiceTarget) { self.service = service }
}
