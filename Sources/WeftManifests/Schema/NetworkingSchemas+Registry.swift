/// Gateways, registry entries and scoping.
extension NetworkingSchemas {
    private static let serverTLS = Schema.object([
        "httpsRedirect" ~> .bool,
        "mode" ~> .oneOf(["PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"]),
        "serverCertificate" ~> .string, "privateKey" ~> .string, "caCertificates" ~> .string, "caCrl" ~> .string,
        "credentialName" ~> .string, "credentialNames" ~> .strings, "caCertCredentialName" ~> .string,
        "tlsCertificates"
            ~> .list(
                .object(["serverCertificate" ~> .string, "privateKey" ~> .string, "caCertificates" ~> .string])),
        "subjectAltNames" ~> .strings, "verifyCertificateSpki" ~> .strings, "verifyCertificateHash" ~> .strings,
        "minProtocolVersion" ~> tlsVersion, "maxProtocolVersion" ~> tlsVersion, "cipherSuites" ~> .strings,
        "insecureSkipVerify" ~> .bool,
    ])

    private static let tlsVersion = Schema.oneOf(["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"])

    private static let port = Schema.object([
        "number" ~> .uint32, "protocol" ~> .string, "name" ~> .string, "targetPort" ~> .uint32,
    ])

    static let gateway = Schema.object([
        "selector" ~> labels,
        "servers"
            ~> .list(
                .object([
                    "port" ~>! port, "bind" ~> .string, "name" ~> .string, "hosts" ~>! .strings,
                    "defaultEndpoint" ~> .string,
                    "tls" ~> serverTLS,
                ])),
    ])

    private static let endpointFields: [Schema.Field] = [
        "address" ~> .string, "ports" ~> .map(.uint32), "labels" ~> labels, "network" ~> .string, "locality" ~> .string,
        "weight" ~> .uint32, "serviceAccount" ~> .string,
    ]

    static let workloadEntry = Schema.object(endpointFields)

    static let serviceEntry = Schema.object([
        "hosts" ~>! .strings, "addresses" ~> .strings,
        "ports"
            ~> .list(
                .object(["number" ~>! .uint32, "protocol" ~> .string, "name" ~>! .string, "targetPort" ~> .uint32])),
        "location" ~> .oneOf(["MESH_EXTERNAL", "MESH_INTERNAL"]),
        "resolution" ~> .oneOf(["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"]),
        "endpoints" ~> .list(workloadEntry), "workloadSelector" ~> .object(["labels" ~> labels]),
        "exportTo" ~> .strings,
        "subjectAltNames" ~> .strings,
    ])

    static let workloadGroup = Schema.object([
        "metadata" ~> .object(["labels" ~> labels, "annotations" ~> labels]), "template" ~>! workloadEntry,
        "probe"
            ~> .object([
                "initialDelaySeconds" ~> .int32, "timeoutSeconds" ~> .int32, "periodSeconds" ~> .int32,
                "successThreshold" ~> .int32, "failureThreshold" ~> .int32,
                "httpGet"
                    ~> .object([
                        "path" ~> .string, "port" ~>! .uint32, "host" ~> .string, "scheme" ~> .string,
                        "httpHeaders" ~> .list(.object(["name" ~> .string, "value" ~> .string])),
                    ]),
                "tcpSocket" ~> .object(["host" ~> .string, "port" ~>! .uint32]),
                "exec" ~> .object(["command" ~> .strings]),
                "grpc" ~> .object(["port" ~> .uint32, "service" ~> .string]),
            ]),
    ])

    private static let captureMode = Schema.oneOf(["DEFAULT", "IPTABLES", "NONE"])

    static let sidecar = Schema.object([
        "workloadSelector" ~> .object(["labels" ~> labels]),
        "ingress"
            ~> .list(
                .object([
                    "port" ~>! port, "bind" ~> .string, "captureMode" ~> captureMode, "defaultEndpoint" ~> .string,
                    "tls" ~> serverTLS, "connectionPool" ~> connectionPool,
                ])),
        "egress"
            ~> .list(
                .object(["port" ~> port, "bind" ~> .string, "captureMode" ~> captureMode, "hosts" ~>! .strings])),
        "inboundConnectionPool" ~> connectionPool,
        "outboundTrafficPolicy"
            ~> .object([
                "mode" ~> .oneOf(["REGISTRY_ONLY", "ALLOW_ANY", "ALLOW_ANY_DYNAMIC_DNS"]), "egressProxy" ~> destination,
            ]),
    ])

    private static let envoyFilterMatch = Schema.object([
        "context" ~> .oneOf(["ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY", "WAYPOINT"]),
        "proxy" ~> .object(["proxyVersion" ~> .string, "metadata" ~> .map(.string)]),
        "listener"
            ~> .object([
                "portNumber" ~> .uint32, "portName" ~> .string, "name" ~> .string, "listenerFilter" ~> .string,
                "filterChain"
                    ~> .object([
                        "name" ~> .string, "sni" ~> .string, "transportProtocol" ~> .string,
                        "applicationProtocols" ~> .string, "destinationPort" ~> .uint32,
                        "filter"
                            ~> .object(["name" ~> .string, "subFilter" ~> .object(["name" ~> .string])]),
                    ]),
            ]),
        "routeConfiguration"
            ~> .object([
                "portNumber" ~> .uint32, "portName" ~> .string, "gateway" ~> .string, "name" ~> .string,
                "vhost"
                    ~> .object([
                        "name" ~> .string, "domainName" ~> .string,
                        "route"
                            ~> .object([
                                "name" ~> .string,
                                "action" ~> .oneOf(["ANY", "ROUTE", "REDIRECT", "DIRECT_RESPONSE"]),
                            ]),
                    ]),
            ]),
        "cluster"
            ~> .object([
                "portNumber" ~> .uint32, "service" ~> .string, "subset" ~> .string, "name" ~> .string,
            ]),
        "waypoint" ~> .anything,
    ])

    static let envoyFilter = Schema.object([
        "workloadSelector" ~> .object(["labels" ~> labels]), "targetRefs" ~> .list(targetReference),
        "priority" ~> .int32,
        "configPatches"
            ~> .list(
                .object([
                    "applyTo"
                        ~> .oneOf([
                            "INVALID", "LISTENER", "FILTER_CHAIN", "NETWORK_FILTER", "HTTP_FILTER",
                            "ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE", "CLUSTER", "EXTENSION_CONFIG",
                            "BOOTSTRAP", "LISTENER_FILTER",
                        ]),
                    "match" ~> envoyFilterMatch,
                    "patch"
                        ~> .object([
                            "operation"
                                ~> .oneOf([
                                    "INVALID", "MERGE", "ADD", "REMOVE", "INSERT_BEFORE", "INSERT_AFTER",
                                    "INSERT_FIRST", "REPLACE", "MERGE_AND_REPLACE_LIST",
                                ]),
                            "value" ~> .anything,
                            "filterClass" ~> .oneOf(["UNSPECIFIED", "AUTHN", "AUTHZ", "STATS"]),
                        ]),
                ])),
    ])

    static let proxyConfig = Schema.object([
        "selector" ~> .object(["matchLabels" ~> labels]), "concurrency" ~> .int32, "environmentVariables" ~> labels,
        "image" ~> .object(["imageType" ~> .string]),
    ])
}
