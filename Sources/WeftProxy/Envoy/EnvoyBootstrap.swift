import WeftADS
import WeftCore

/// The bootstrap of a real Envoy whose agent we are: ADS through the agent's Unix socket, admin, and a listener for
/// scrapes. No credential is in it; the agent adds them (see ``XDSRelay``).
struct EnvoyBootstrap {
    var settings: AgentSettings
    /// Where the agent passes discovery on to the control plane.
    var socketPath: String

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
                        ["envoy_grpc": ["cluster_name": "xds-grpc", "authority": "istiod.istio-system.svc"]]
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
            "name": "xds-grpc", "type": "STATIC", "connect_timeout": "5s",
            "typed_extension_protocol_options": [
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": [
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "explicit_http_config": ["http2_protocol_options": [:]],
                ]
            ],
            "load_assignment": [
                "cluster_name": "xds-grpc",
                "endpoints": [
                    ["lb_endpoints": [["endpoint": ["address": ["pipe": ["path": .string(socketPath)]]]]]]
                ],
            ],
        ]
    }

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
