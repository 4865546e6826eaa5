/// One feature of the Gateway API's conformance list, by its name there.
package struct GatewayFeature: Sendable, Hashable {
    package let name: String
    /// What it is, for the table in `docs/gateway-api.md`.
    package let summary: String

    /// Features that this control plane has; the status of our GatewayClasses lists them, sorted by name.
    package static let supported: [GatewayFeature] = list.map { GatewayFeature(name: $0.0, summary: $0.1) }.sorted {
        $0.name < $1.name
    }

    private static let list: [(String, String)] = [
        ("BackendTLSPolicy", "TLS from the gateway to a Service"),
        ("BackendTLSPolicySANValidation", "other names than the SNI in the backend's certificate"),
        ("GRPCRoute", "routes of gRPC calls"),
        ("GRPCRouteNamedRouteRule", "names of rules, in access logs and decisions"),
        ("Gateway", "listeners, their routes and their status"),
        ("GatewayAddressEmpty", "an address without a value is assigned"),
        ("GatewayBackendClientCertificate", "the gateway's own certificate for backends"),
        ("GatewayFrontendClientCertificateValidation", "certificates of clients are verified"),
        (
            "GatewayFrontendClientCertificateValidationInsecureFallback",
            "clients without a valid certificate are let in"
        ),
        ("GatewayHTTPListenerIsolation", "a host belongs to the most specific listener alone"),
        ("GatewayHTTPSListenerDetectMisdirectedRequests", "421 for a host of another listener"),
        ("GatewayInfrastructurePropagation", "labels and annotations of deployed objects"),
        ("GatewayPort8080", "listeners on port 8080"),
        ("GatewayStaticAddresses", "addresses that are asked for"),
        ("HTTPRoute", "routes of HTTP requests"),
        ("HTTPRoute303RedirectStatusCode", "redirects with 303"),
        ("HTTPRoute307RedirectStatusCode", "redirects with 307"),
        ("HTTPRoute308RedirectStatusCode", "redirects with 308"),
        ("HTTPRouteBackendProtocolH2C", "backends that speak HTTP/2 without TLS"),
        ("HTTPRouteBackendProtocolWebSocket", "backends that speak WebSocket"),
        ("HTTPRouteBackendRequestHeaderModification", "request headers by backend"),
        ("HTTPRouteBackendTimeout", "a limit for each try"),
        ("HTTPRouteCORS", "cross-origin requests"),
        ("HTTPRouteDestinationPortMatching", "a parentRef names a port"),
        ("HTTPRouteHostRewrite", "the backend sees another host"),
        ("HTTPRouteMethodMatching", "matches by method"),
        ("HTTPRouteNamedRouteRule", "names of rules, in access logs and decisions"),
        ("HTTPRouteParentRefPort", "a parentRef names the port of a listener"),
        ("HTTPRoutePathRedirect", "redirects to another path"),
        ("HTTPRoutePathRewrite", "the backend sees another path"),
        ("HTTPRoutePortRedirect", "redirects to another port"),
        ("HTTPRouteQueryParamMatching", "matches by query parameter"),
        ("HTTPRouteRequestMirror", "a copy of each request"),
        ("HTTPRouteRequestMultipleMirrors", "several copies"),
        ("HTTPRouteRequestPercentageMirror", "a copy of a share of requests"),
        ("HTTPRouteRequestTimeout", "a limit for the whole request"),
        ("HTTPRouteResponseHeaderModification", "response headers"),
        ("HTTPRouteRetry", "retries by status (GEP-1731)"),
        ("HTTPRouteRetryBackendTimeout", "tries that take too long are repeated"),
        ("HTTPRouteRetryConnectionError", "tries that cannot connect are repeated"),
        ("HTTPRouteSchemeRedirect", "redirects to another scheme"),
        ("ListenerSet", "listeners of other owners"),
        ("Mesh", "routes whose parent is a Service"),
        ("MeshClusterIPMatching", "the address of a Service decides, whatever the Host header says"),
        ("MeshConsumerRoute", "a route for the callers of one namespace"),
        ("MeshHTTPRouteBackendRequestHeaderModification", "request headers by backend"),
        ("MeshHTTPRouteNamedRouteRule", "names of rules"),
        ("MeshHTTPRouteQueryParamMatching", "matches by query parameter"),
        ("MeshHTTPRouteRedirectPath", "redirects to another path"),
        ("MeshHTTPRouteRedirectPort", "redirects to another port"),
        ("MeshHTTPRouteRewritePath", "the backend sees another path"),
        ("MeshHTTPRouteSchemeRedirect", "redirects to another scheme"),
        ("ReferenceGrant", "references across namespaces"),
        ("TCPRoute", "connections by port"),
        ("TLSRoute", "connections by server name, passed through"),
        ("TLSRouteModeMixed", "passing through and ending TLS on one port"),
        ("TLSRouteModeTerminate", "TLS ends at the gateway, bytes go on"),
    ]
}
