import WeftProto

// Short names for the messages that this module reads and writes.
enum Core {
    typealias Address = Envoy_Config_Core_V3_Address
    typealias Metadata = Envoy_Config_Core_V3_Metadata
    typealias ConfigSource = Envoy_Config_Core_V3_ConfigSource
    typealias HeaderValueOption = Envoy_Config_Core_V3_HeaderValueOption
    typealias TransportSocket = Envoy_Config_Core_V3_TransportSocket
    typealias DataSource = Envoy_Config_Core_V3_DataSource
    typealias Cidr = Envoy_Config_Core_V3_CidrRange
}
enum WireRoute {
    typealias Configuration = Envoy_Config_Route_V3_RouteConfiguration
    typealias VirtualHost = Envoy_Config_Route_V3_VirtualHost
    typealias Route = Envoy_Config_Route_V3_Route
    typealias Match = Envoy_Config_Route_V3_RouteMatch
    typealias Action = Envoy_Config_Route_V3_RouteAction
    typealias Retry = Envoy_Config_Route_V3_RetryPolicy
    typealias Redirect = Envoy_Config_Route_V3_RedirectAction
    typealias Header = Envoy_Config_Route_V3_HeaderMatcher
}
typealias WireString = Envoy_Type_Matcher_V3_StringMatcher
typealias WireCluster = Envoy_Config_Cluster_V3_Cluster
typealias WireOutlier = Envoy_Config_Cluster_V3_OutlierDetection
typealias WireAssignment = Envoy_Config_Endpoint_V3_ClusterLoadAssignment
typealias WireListener = Envoy_Config_Listener_V3_Listener
typealias WireChain = Envoy_Config_Listener_V3_FilterChain
typealias WireManager = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager
typealias WireHTTPFilter = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpFilter
typealias WireHTTPRBAC = Envoy_Extensions_Filters_Http_Rbac_V3_RBAC
typealias WireNetworkRBAC = Envoy_Extensions_Filters_Network_Rbac_V3_RBAC
typealias WireRBAC = Envoy_Config_Rbac_V3_RBAC
typealias WirePermission = Envoy_Config_Rbac_V3_Permission
typealias WirePrincipal = Envoy_Config_Rbac_V3_Principal
typealias WireTCPProxy = Envoy_Extensions_Filters_Network_TcpProxy_V3_TcpProxy
typealias WireFault = Envoy_Extensions_Filters_Http_Fault_V3_HTTPFault
typealias WireCORS = Envoy_Extensions_Filters_Http_Cors_V3_CorsPolicy
typealias WireCommonTLS = Envoy_Extensions_TransportSockets_Tls_V3_CommonTlsContext
typealias WireUpstreamTLS = Envoy_Extensions_TransportSockets_Tls_V3_UpstreamTlsContext
typealias WireDownstreamTLS = Envoy_Extensions_TransportSockets_Tls_V3_DownstreamTlsContext
typealias WireSecret = Envoy_Extensions_TransportSockets_Tls_V3_Secret
typealias WireUpstreamHTTP = Envoy_Extensions_Upstreams_Http_V3_HttpProtocolOptions
typealias WireMatchPredicate = Envoy_Config_Common_Matcher_V3_MatchPredicate
typealias WireAccessLog = Envoy_Config_Accesslog_V3_AccessLog
typealias WireTemplateMatch = Envoy_Extensions_Path_Match_UriTemplate_V3_UriTemplateMatchConfig
typealias WireTemplateRewrite = Envoy_Extensions_Path_Rewrite_UriTemplate_V3_UriTemplateRewriteConfig
