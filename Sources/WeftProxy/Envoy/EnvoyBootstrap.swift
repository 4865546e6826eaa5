import WeftADS
import WeftCore

/// The bootstrap of a real Envoy whose agent we are: ADS from the control plane with TLS and the pod's token, admin,
/// and a listener for the kubelet and for scrapes.
struct EnvoyBootstrap {
    var settings: AgentSettings
    var rootPath: String
    var token: String

    var json: JSONValue {
        var node = settings.node
        node.userAgentName = "envoy"
        return [
            "node": ["id": .string(node.id), "cluster": .string(node.cluster), "metadata": node.metadata],
            "admin": ["address": Self.address("127.0.0.1", 15000)],
            "dynamic_resources": [
                "lds_config": ["ads": [:], "resource_api_version": "V3"],
                "cds_config": ["ads": [:], "resource_api_version": "V3"],
                "ads_config": [
                    "api_type": "DELTA_GRPC", "transport_api_version": "V3", "set_node_on_first_message_only": true,
                    "grpc_services": [
                        [
                            "envoy_grpc": ["cluster_name": "xds-grpc", "authority": "istiod.istio-system.svc"],
                            "initial_metadata": [["key": "authorization", "value": .string("Bearer \(token)")]],
                        ]
                    ],
                ],
            ],
            "static_resources": [
                "clusters": [discoveryCluster, Self.adminCluster],
                "listeners": [Self.listener(15090, "/stats/prometheus")],
            ],
        ]
    }

    private var discoveryCluster: JSONValue {
        [
            "name": "xds-grpc", "type": "STRICT_DNS", "connect_timeout": "5s", "dns_lookup_family": "V4_ONLY",
            "respect_dns_ttl": true,
            "typed_extension_protocol_options": [
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": [
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "explicit_http_config": ["http2_protocol_options": [:]],
                ]
            ],
            "load_assignment": [
                "cluster_name": "xds-grpc",
                "endpoints": [["lb_endpoints": [["endpoint": ["address": discoveryAddress]]]]],
            ],
            "transport_socket": [
                "name": "envoy.transport_sockets.tls",
                "typed_config": [
                    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                    "sni": "istiod.istio-system.svc",
                    "common_tls_context": [
                        "alpn_protocols": ["h2"],
                        "validation_context": [
                            "trusted_ca": ["filename": .string(rootPath)],
                            "match_typed_subject_alt_names": [
                                ["san_type": "DNS", "matcher": ["exact": "istiod.istio-system.svc"]]
                            ],
                        ],
                    ],
                ],
            ],
            "upstream_connection_options": ["tcp_keepalive": ["keepalive_time": 300]],
        ]
    }

    private var discoveryAddress: JSONValue { Self.address(settings.discovery.host, settings.discovery.port) }

    private static let adminCluster: JSONValue = [
        "name": "prometheus_stats", "type": "STATIC", "connect_timeout": "1s",
        "load_assignment": [
            "cluster_name": "prometheus_stats",
            "endpoints": [["lb_endpoints": [["endpoint": ["address": address("127.0.0.1", 15000)]]]]],
        ],
    ]

    /// Shows one page of the admin server to the pod's network.
    private static func listener(_ port: Int, _ path: String) -> JSONValue {
        [
            "name": .string("agent-\(port)"), "address": address("0.0.0.0", port),
            "filter_chains": [
                [
                    "filters": [
                        [
                            "name": "envoy.filters.network.http_connection_manager",
                            "typed_config": [
                                "@type": .string(managerType), "stat_prefix": "agent",
                                "route_config": [
                                    "virtual_hosts": [
                                        [
                                            "name": "agent", "domains": ["*"],
                                            "routes": [
                                                [
                                                    "match": ["path": .string(path)],
                                                    "route": ["cluster": "prometheus_stats"],
                                                ]
                                            ],
                                        ]
                                    ]
                                ],
                                "http_filters": [
                                    [
                                        "name": "envoy.filters.http.router",
                                        "typed_config": [
                                            "@type":
                                                "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
                                        ],
                                    ]
                                ],
                            ],
                        ]
                    ]
                ]
            ],
        ]
    }

    private static let managerType =
        "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"

    private static func address(_ host: String, _ port: Int) -> JSONValue {
        ["socket_address": ["address": .string(host), "port_value": .int(Int64(port))]]
    }
}
