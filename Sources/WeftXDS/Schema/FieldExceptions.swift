/// Every field that is not simply obeyed, and why. Whoever makes the proxy obey one removes its line.
///
/// `refused` is for what changes who may do what, or what is matched; `ignored` for what a request survives without.
enum FieldExceptions {
    static let text = """
        envoy.config.bootstrap.v3.Admin
          ignored 1 access_log_path: admin requests are not logged
          ignored 5 access_log: admin requests are not logged
        envoy.config.bootstrap.v3.Bootstrap
          accepted 5 flags_path: flags are read from the command line alone
          accepted 7 stats_flush_interval: counters are always current
          accepted 8 watchdog: there is none to set
          accepted 13 stats_config: tags are made from names when metrics are asked for
          accepted 16 enable_dispatcher_stats: there is no dispatcher
          accepted 27 watchdogs: there is none to set
          accepted 29 stats_flush_on_admin: counters are always current
          refused 18 header_prefix: headers keep the prefix x-envoy
          refused 22 config_sources: name the source at each resource
          refused 23 default_config_source: name the source at each resource
        envoy.config.bootstrap.v3.RuntimeLayer
          accepted 4 admin_layer: runtime values cannot be set through the admin pages
        envoy.config.cluster.v3.CircuitBreakers
          ignored 2 per_host_thresholds: limits hold for the cluster
        envoy.config.cluster.v3.CircuitBreakers.Thresholds
          accepted 6 track_remaining: the counters of what is open tell the same
          ignored 7 max_connection_pools: there is one pool for each endpoint and worker
        envoy.config.cluster.v3.Cluster
          accepted 28 alt_stat_name: counters carry the cluster's name
          ignored 31 close_connections_on_host_health_failure: connections of a host that fails are kept
          ignored 32 ignore_health_on_host_removal: a removed host goes at once
          refused 46 upstream_http_protocol_options: use typed_extension_protocol_options
          refused 40 filters: upstream network filters are not implemented
        envoy.config.cluster.v3.Cluster.PreconnectPolicy
          ignored 2 predictive_preconnect_ratio: connections are opened ahead for the endpoint that is in use
        envoy.config.cluster.v3.Cluster.CommonLbConfig
          ignored 4 update_merge_window: every update counts at once
          ignored 5 ignore_new_hosts_until_first_hc: endpoints are not probed
          ignored 6 close_connections_on_host_set_change: connections of hosts that stay are kept
        envoy.config.core.v3.ApiConfigSource
          accepted 2 cluster_names: grpc_services names the cluster
          accepted 3 refresh_delay: streams need none
          accepted 7 set_node_on_first_message_only: the node goes with the first message alone
          accepted 8 transport_api_version: there is only V3
        envoy.config.core.v3.BindConfig
          ignored 2 freebind: the address must be one of this machine
          ignored 3 socket_options: not implemented
        envoy.config.core.v3.ConfigSource
          ignored 4 initial_fetch_timeout: listeners wait five seconds for what they name
          accepted 6 resource_api_version: there is only V3
        envoy.config.core.v3.GrpcService.EnvoyGrpc
          ignored 5 skip_envoy_headers: x-envoy-internal is sent along
          ignored 4 max_receive_message_length: messages of up to 4 MiB are taken
        envoy.config.core.v3.HealthCheck
          accepted 6 alt_port: an endpoint's health_check_config names the port, in Envoy too
        envoy.config.core.v3.Http1ProtocolOptions
          ignored 1 allow_absolute_url: absolute form is always taken
          refused 6 allow_chunked_length: a message with both is refused, against request smuggling
          ignored 7 override_stream_error_on_invalid_http_message: a bad message always ends its connection
          ignored 8 send_fully_qualified_url: the origin form is always sent
        envoy.config.core.v3.Http2ProtocolOptions
          ignored 12 stream_error_on_invalid_http_messaging: not implemented
          ignored 14 override_stream_error_on_invalid_http_message: not implemented
        envoy.config.core.v3.KeepaliveSettings
          ignored 3 interval_jitter: the interval is kept exactly
          ignored 4 connection_idle_interval: PINGs are sent by interval alone
        envoy.config.core.v3.Node
          accepted 6 user_agent_name: the proxy gives its own
          accepted 7 user_agent_version: the proxy gives its own
          accepted 8 user_agent_build_version: the proxy gives its own
          accepted 10 client_features: the proxy gives its own
          accepted 11 listening_addresses: the proxy gives its own
        envoy.config.core.v3.PathConfigSource
          accepted 2 watched_directory: a file that is replaced is read again without it
        envoy.config.core.v3.SchemeHeaderTransformation
          ignored 2 match_upstream: the scheme is the client's
        envoy.config.core.v3.SocketAddress
          refused 5 resolver_name: only the system's resolver is there
          ignored 6 ipv4_compat: an IPv6 socket takes IPv6 alone
          refused 7 network_namespace_filepath: not implemented
        envoy.config.trace.v3.OpenTelemetryConfig
          refused 5 sampler: the sampling of the connection manager decides
        envoy.config.trace.v3.ZipkinConfig
          refused 9 collector_service: name the collector by collector_cluster and collector_endpoint
        envoy.config.core.v3.SocketOption
          accepted 1 description: for people
          accepted 7 type: listeners have stream sockets alone
        envoy.config.core.v3.TlvEntry
          refused 3 format_string: give the value itself
        envoy.config.endpoint.v3.ClusterLoadAssignment
          refused 5 named_endpoints: not implemented
        envoy.config.endpoint.v3.Endpoint
          ignored 4 additional_addresses: only the first address is tried
        envoy.config.endpoint.v3.ClusterLoadAssignment.Policy
          refused 2 drop_overloads: not implemented
        envoy.config.listener.v3.Filter
          refused 5 config_discovery: not implemented
        envoy.config.listener.v3.FilterChain
          ignored 9 transport_socket_connect_timeout: the time of the listener filters counts for TLS too
          refused 4 use_proxy_proto: use the listener filter proxy_protocol
        envoy.config.listener.v3.FilterChainMatch
          refused 4 address_suffix: not implemented
          refused 5 suffix_len: not implemented
        envoy.config.listener.v3.Listener
          accepted 8 drain_type: a changed listener always drains
          accepted 29 enable_reuse_port: each worker has a socket of its own
          refused 18 udp_listener_config: UDP is not implemented
          refused 32 filter_chain_matcher: not implemented
        envoy.config.listener.v3.ListenerFilter
          refused 4 filter_disabled: not implemented
          refused 5 config_discovery: not implemented
        envoy.config.rbac.v3.Policy
          refused 3 condition: not implemented
          refused 4 checked_condition: not implemented
          refused 5 cel_config: not implemented
        envoy.config.route.v3.HedgePolicy
          ignored 1 initial_requests: one request is sent first
          ignored 2 additional_request_chance: one request is sent first
        envoy.config.route.v3.RouteAction.UpgradeConfig.ConnectConfig
          refused 1 proxy_protocol_config: not implemented
        envoy.config.route.v3.RouteAction
          refused 37 cluster_specifier_plugin: not implemented
          refused 39 inline_cluster_specifier_plugin: not implemented
          refused 26 internal_redirect_action: use internal_redirect_policy
        envoy.config.route.v3.RouteMatch
          refused 16 filter_state: not implemented
        envoy.config.route.v3.Route
          ignored 16 per_request_buffer_limit_bytes: the limits are the proxy's own
          refused 17 filter_action: not implemented
        envoy.config.route.v3.ScopedRouteConfiguration
          ignored 4 on_demand: the route table of a scope is asked for at once
        envoy.config.route.v3.RouteConfiguration
          ignored 7 validate_clusters: a route to no cluster answers as cluster_not_found_response_code says
          refused 9 vhds: not implemented
          refused 15 ignore_path_parameters_in_path_matching: path parameters take part in matching
        envoy.config.route.v3.VirtualHost
          ignored 5 virtual_clusters: not implemented
          refused 21 matcher: not implemented
        envoy.config.route.v3.WeightedCluster
          accepted 3 total_weight: the sum of the weights counts
        envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig
          accepted 2 allow_insecure_cluster_options: nothing here needs it
        envoy.extensions.common.dynamic_forward_proxy.v3.DnsCacheConfig
          accepted 1 name: each cluster has a cache of its own
        envoy.extensions.access_loggers.grpc.v3.CommonGrpcAccessLogConfig
          ignored 5 filter_state_objects_to_log: there are none
          accepted 6 transport_api_version: there is only V3
          ignored 7 grpc_stream_retry_policy: a stream that breaks is opened again with the next entries
        envoy.extensions.compression.gzip.compressor.v3.Gzip
          accepted 5 chunk_size: the buffers grow as needed
        envoy.extensions.compression.gzip.decompressor.v3.Gzip
          accepted 2 chunk_size: the buffers grow as needed
        envoy.extensions.filters.http.rbac.v3.RBAC
          refused 4 matcher: not implemented
          ignored 5 shadow_matcher: not implemented
        envoy.extensions.filters.http.router.v3.Router
          accepted 1 dynamic_stats: there are no dynamic counters
          ignored 2 start_child_span: use spawn_upstream_span of the connection manager
        envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol
          ignored 1 rules: values of the header do not become metadata
          ignored 6 tlv_location: values of the header do not become metadata
        envoy.extensions.filters.network.http_connection_manager.v3.ScopedRds
          refused 2 srds_resources_locator: scopes are asked for as a whole
        envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          ignored 12 drain_timeout: connections close after their exchange
          ignored 40 stream_error_on_invalid_http_message: a bad message always ends its connection
          refused 46 original_ip_detection_extensions: not implemented
        envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.InternalAddressConfig
          ignored 1 unix_sockets: callers over Unix sockets are no internal ones
        envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter
          refused 5 config_discovery: not implemented
        envoy.extensions.filters.network.ext_authz.v3.ExtAuthz
          accepted 5 transport_api_version: v3 is what there is
          ignored 7 bootstrap_metadata_labels_key: not implemented
          ignored 9 send_tls_alert_on_denial: the connection is closed without an alert
        envoy.extensions.filters.network.rbac.v3.RBAC
          ignored 4 enforcement_type: rules are applied once, when the connection opens
          refused 6 matcher: not implemented
          ignored 7 shadow_matcher: not implemented
        envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit
          refused 4 share_key: each filter has a bucket of its own
        envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          ignored 15 access_log_flush_interval: a connection is logged when it ends
        envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TunnelingConfig
          ignored 4 propagate_response_headers: nothing reads the answer's headers later
          ignored 6 propagate_response_trailers: nothing reads the answer's trailers later
        envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig
          ignored 1 forward_reason_phrase: the reason phrase is the standard one
        envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext
          refused 6 require_signed_certificate_timestamp: not implemented
          refused 9 match_subject_alt_names: use match_typed_subject_alt_names
          accepted 11 watched_directory: a file that is replaced is read again without it
          refused 12 custom_validator_config: not implemented
          refused 13 ca_certificate_provider_instance: not implemented
          refused 17 system_root_certs: not implemented
        envoy.extensions.transport_sockets.tls.v3.CommonTlsContext
          refused 9 tls_certificate_certificate_provider: not implemented
          refused 10 validation_context_certificate_provider: not implemented
          refused 11 tls_certificate_certificate_provider_instance: not implemented
          refused 12 validation_context_certificate_provider_instance: not implemented
          refused 13 custom_handshaker: not implemented
          refused 14 tls_certificate_provider_instance: not implemented
          refused 16 custom_tls_certificate_selector: not implemented
        envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          ignored 8 ocsp_staple_policy: no OCSP answers are stapled
          accepted 9 full_scan_certs_on_sni_mismatch: all certificates are always looked at
          ignored 11 prefer_client_ciphers: the server's order counts
        envoy.extensions.transport_sockets.tls.v3.TlsCertificate
          refused 3 password: not implemented
          refused 6 private_key_provider: not implemented
          accepted 7 watched_directory: a file that is replaced is read again without it
          refused 8 pkcs12: not implemented
        envoy.extensions.transport_sockets.tls.v3.TlsParameters
          refused 6 compliance_policies: the library is not a FIPS build
        envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
          ignored 3 allow_renegotiation: renegotiation is never allowed
          accepted 5 enforce_rsa_key_usage: it is always enforced
        envoy.config.common.matcher.v3.MatchPredicate
          refused 5 http_request_headers_match: only heads of responses are looked at
          refused 6 http_request_trailers_match: only heads of responses are looked at
          refused 8 http_response_trailers_match: only heads of responses are looked at
          refused 9 http_request_generic_body_match: only heads of responses are looked at
          refused 10 http_response_generic_body_match: only heads of responses are looked at
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          refused 6 http_filters: upstream HTTP filters are not implemented
        envoy.type.matcher.v3.StringMatcher
          refused 8 custom: not implemented
        envoy.config.route.v3.RateLimit
          accepted 2 disable_key: runtime values that turn limits off do not exist here
          refused 4 limit: not implemented
          refused 6 apply_on_stream_done: not implemented
        envoy.config.route.v3.RateLimit.HitsAddend
          refused 2 format: not implemented
        envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
          refused 16 local_cluster_rate_limit: not implemented
        envoy.config.core.v3.KeyValueAppend
          refused 1 entry: use record
        envoy.config.core.v3.RetryPolicy
          ignored 1 retry_back_off: the next try follows at once
          ignored 3 retry_on: every failure is tried again
        envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
          refused 3 filter_state_rules: not implemented
        envoy.extensions.filters.http.jwt_authn.v3.JwtProvider
          accepted 12 jwt_cache_config: tokens are checked each time
          ignored 16 failed_status_in_metadata: not implemented
        envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
          accepted 12 transport_api_version: there is only V3
          ignored 16 typed_metadata_context_namespaces: there is no typed metadata
          ignored 21 route_metadata_context_namespaces: not implemented
          ignored 22 route_typed_metadata_context_namespaces: there is no typed metadata
          ignored 15 bootstrap_metadata_labels_key: not implemented
          ignored 20 charge_cluster_response_stats: refusals are counted by the filter alone
          accepted 29 emit_filter_state_stats: there is no filter state
          accepted 31 enforce_response_header_limits: the limits always hold
        envoy.extensions.filters.http.ext_authz.v3.HttpService
          ignored 9 retry_policy: a failed question is not asked again
        envoy.config.ratelimit.v3.RateLimitServiceConfig
          accepted 4 transport_api_version: there is only V3
        envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute
          refused 2 override_option: not implemented
        envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor
          refused 20 http_service: use grpc_service
          refused 21 send_body_without_waiting_for_header_response: not implemented
          refused 25 processing_request_modifier: not implemented
          refused 23 on_processing_response: not implemented
        envoy.extensions.filters.http.ext_proc.v3.MetadataOptions
          ignored 3 cluster_metadata_forwarding_namespaces: not implemented
        envoy.extensions.filters.http.ext_proc.v3.MetadataOptions.MetadataNamespaces
          ignored 2 typed: there is no typed metadata
        envoy.extensions.filters.http.ext_proc.v3.ExtProcOverrides
          refused 9 processing_request_modifier: not implemented
          accepted 2 async_mode: the API has never given it a meaning
        """
}
