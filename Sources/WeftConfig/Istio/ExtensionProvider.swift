/// A service that policies and telemetry call by name (`MeshConfig.extensionProviders[]`).
///
/// Kinds of providers that other parts of the mesh read have fields of their own; a provider has exactly one kind.
package struct ExtensionProvider: Sendable, Hashable, Codable {
    /// How much of a request's body the service sees.
    package struct RequestBody: Sendable, Hashable, Codable {
        package var maxRequestBytes: UInt32?
        package var allowPartialMessage: Bool?
        package var packAsBytes: Bool?
    }
    /// Asked by plain HTTP: 200 lets the request pass (`EnvoyExternalAuthorizationHttpProvider`).
    package struct AuthorizationByHTTP: Sendable, Hashable, Codable {
        package var service: String?
        package var port: Int?
        package var timeout: ProtoDuration?
        package var pathPrefix: String?
        package var failOpen: Bool?
        package var clearRouteCache: Bool?
        package var statusOnError: String?
        package var includeHeadersInCheck: [String]?
        package var includeRequestHeadersInCheck: [String]?
        package var includeAdditionalHeadersInCheck: [String: String]?
        package var includeRequestBodyInCheck: RequestBody?
        package var headersToUpstreamOnAllow: [String]?
        package var headersToDownstreamOnDeny: [String]?
        package var headersToDownstreamOnAllow: [String]?
    }
    /// Asked by gRPC (`EnvoyExternalAuthorizationGrpcProvider`).
    package struct AuthorizationByGRPC: Sendable, Hashable, Codable {
        package var service: String?
        package var port: Int?
        package var timeout: ProtoDuration?
        package var failOpen: Bool?
        package var clearRouteCache: Bool?
        package var statusOnError: String?
        package var includeRequestBodyInCheck: RequestBody?
    }
    package var name: String?
    package var envoyExtAuthzHttp: AuthorizationByHTTP?
    package var envoyExtAuthzGrpc: AuthorizationByGRPC?
}
