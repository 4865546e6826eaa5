import WeftADS
import WeftCore
import WeftIR

/// The bootstrap of a real Envoy whose agent we are: ADS through the agent's Unix socket, admin, and a listener for
/// scrapes. No credential is in it; the agent adds them (see ``XDSRelay``).
struct EnvoyBootstrap {
    var settings: AgentSettings
    /// Where the agent passes discovery on to the control plane.
    var socketPath: String

    var json: JSONValue {
        var json = common
        if !settings.home.cluster.isEmpty {
            json["cluster_manager"] = ["local_cluster_name": .string(settings.home.cluster)]
        }
        return json
    }

    private var common: JSONValue {
        let node = settings.node
        let locality = settings.home.locality
        return [
            "node": [
                "id": .string(node.id), "cluster": .string(node.cluster), "metadata": node.metadata,
                "locality": [
                    "region": .string(locality.region), "zone": .string(locality.zone),
                    "sub_zone": .string(locality.subZone),
                ],
            ],
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
                "clusters": .array([discoveryCluster, Self.adminCluster] + localCluster),
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

    /// The members come by ADS; the cluster itself must be a static one (`local_cluster_name`).
    private var localCluster: [JSONValue] {
        guard !settings.home.cluster.isEmpty else { return [] }
        return [
            [
                "name": .string(settings.home.cluster), "type": "EDS", "connect_timeout": "10s",
                "eds_cluster_config": ["eds_config": ["ads": [:], "resource_api_version": "V3"]],
            ]
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
