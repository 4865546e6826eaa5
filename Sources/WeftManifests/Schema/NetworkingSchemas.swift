/// Schemas of `networking.istio.io`: routing, and what traffic meets at its destination.
enum NetworkingSchemas {
    static let stringMatch = Schema.object(["exact" ~> .string, "prefix" ~> .string, "regex" ~> .string])
    static let portSelector = Schema.object(["number" ~> .uint32])
    static let percent = Schema.object(["value" ~> .number])
    static let labels = Schema.map(.string)

    static let destination = Schema.object(["host" ~>! .string, "subset" ~> .string, "port" ~> portSelector])

    static let headers: Schema = {
        let operations = Schema.object(["set" ~> .map(.string), "add" ~> .map(.string), "remove" ~> .strings])
        return .object(["request" ~> operations, "response" ~> operations])
    }()

    static let targetReference = Schema.object([
        "group" ~> .string, "kind" ~>! .string, "name" ~>! .string, "namespace" ~> .string,
    ])

    // MARK: VirtualService

    static let virtualService = Schema.object([
        "hosts" ~> .strings, "gateways" ~> .strings, "exportTo" ~> .strings, "http" ~> .list(httpRoute),
        "tls"
            ~> .list(
                .object([
                    "match"
                        ~>! .list(
                            .object([
                                "sniHosts" ~>! .strings, "destinationSubnets" ~> .strings, "port" ~> .uint32,
                                "sourceLabels" ~> labels,
                                "gateways" ~> .strings, "sourceNamespace" ~> .string,
                            ])),
                    "route" ~> .list(l4Destination),
                ])),
        "tcp"
            ~> .list(
                .object([
                    "match"
                        ~> .list(
                            .object([
                                "destinationSubnets" ~> .strings, "port" ~> .uint32, "sourceSubnet" ~> .string,
                                "sourceLabels" ~> labels, "gateways" ~> .strings, "sourceNamespace" ~> .string,
                            ])),
                    "route" ~> .list(l4Destination),
                ])),
    ])

    private static let l4Destination = Schema.object(["destination" ~>! destination, "weight" ~> .int32])

    private static let httpRoute = Schema.object([
        "name" ~> .string, "match" ~> .list(httpMatch),
        "route" ~> .list(.object(["destination" ~>! destination, "weight" ~> .int32, "headers" ~> headers])),
        "redirect"
            ~> .object([
                "uri" ~> .string, "prefixRewrite" ~> .string, "authority" ~> .string, "port" ~> .uint32,
                "derivePort" ~> .oneOf(["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"]), "scheme" ~> .string,
                "redirectCode" ~> .uint32,
            ]),
        "directResponse"
            ~> .object([
                "status" ~>! .uint32, "body" ~> .object(["string" ~> .string, "bytes" ~> .string]),
            ]),
        "delegate" ~> .object(["name" ~> .string, "namespace" ~> .string]),
        "rewrite"
            ~> .object([
                "uri" ~> .string, "authority" ~> .string,
                "uriRegexRewrite" ~> .object(["match" ~> .string, "rewrite" ~> .string]),
            ]),
        "timeout" ~> .duration,
        "retries"
            ~> .object([
                "attempts" ~> .int32, "perTryTimeout" ~> .duration, "retryOn" ~> .string,
                "retryRemoteLocalities" ~> .bool,
                "retryIgnorePreviousHosts" ~> .bool, "backoff" ~> .duration,
            ]),
        "fault" ~> fault, "mirror" ~> destination, "mirrorPercentage" ~> percent, "mirrorPercent" ~> .uint32,
        "mirror_percent" ~> .uint32,
        "mirrors" ~> .list(.object(["destination" ~>! destination, "percentage" ~> percent])),
        "corsPolicy"
            ~> .object([
                "allowOrigins" ~> .list(stringMatch), "allowOrigin" ~> .strings, "allowMethods" ~> .strings,
                "allowHeaders" ~> .strings, "exposeHeaders" ~> .strings, "maxAge" ~> .duration,
                "allowCredentials" ~> .bool,
                "unmatchedPreflights" ~> .oneOf(["UNSPECIFIED", "FORWARD", "IGNORE"]),
            ]),
        "headers" ~> headers,
    ])

    private static let httpMatch = Schema.object([
        "name" ~> .string, "uri" ~> stringMatch, "scheme" ~> stringMatch, "method" ~> stringMatch,
        "authority" ~> stringMatch,
        "headers" ~> .map(stringMatch), "withoutHeaders" ~> .map(stringMatch), "queryParams" ~> .map(stringMatch),
        "port" ~> .uint32, "sourceLabels" ~> labels, "sourceNamespace" ~> .string, "gateways" ~> .strings,
        "ignoreUriCase" ~> .bool, "statPrefix" ~> .string,
    ])

    private static let fault = Schema.object([
        "delay"
            ~> .object([
                "percentage" ~> percent, "percent" ~> .int32, "fixedDelay" ~> .duration,
                "exponentialDelay" ~> .duration,
            ]),
        "abort"
            ~> .object([
                "percentage" ~> percent, "httpStatus" ~> .int32, "grpcStatus" ~> .string, "http2Error" ~> .string,
            ]),
    ])

    // MARK: DestinationRule

    static let destinationRule = Schema.object([
        "host" ~>! .string, "workloadSelector" ~> .object(["matchLabels" ~> labels]), "exportTo" ~> .strings,
        "subsets" ~> .list(.object(["name" ~>! .string, "labels" ~> labels, "trafficPolicy" ~> trafficPolicy])),
        "trafficPolicy" ~> trafficPolicy,
    ])

    private static let policyFields: [Schema.Field] = [
        "loadBalancer" ~> loadBalancer, "connectionPool" ~> connectionPool, "outlierDetection" ~> outlierDetection,
        "tls" ~> clientTLS,
    ]

    static let trafficPolicy = Schema.object(
        policyFields + [
            "portLevelSettings" ~> .list(.object(policyFields + ["port" ~> portSelector])),
            "tunnel" ~> .object(["protocol" ~> .string, "targetHost" ~>! .string, "targetPort" ~>! .uint32]),
            "proxyProtocol" ~> .object(["version" ~> .oneOf(["V1", "V2"])]),
            "retryBudget"
                ~> .object([
                    "percent" ~> .number, "minRetryConcurrency" ~> .uint32, "budgetInterval" ~> .duration,
                ]),
        ])

    private static let loadBalancer = Schema.object([
        "simple" ~> .oneOf(["UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST"]),
        "consistentHash"
            ~> .object([
                "httpHeaderName" ~> .string,
                "httpCookie"
                    ~> .object([
                        "name" ~>! .string, "path" ~> .string, "ttl" ~> .duration,
                        "attributes" ~> .list(.object(["name" ~> .string, "value" ~> .string])),
                    ]),
                "useSourceIp" ~> .bool, "httpQueryParameterName" ~> .string, "minimumRingSize" ~> .int64,
                "ringHash" ~> .object(["minimumRingSize" ~> .int64]), "maglev" ~> .object(["tableSize" ~> .int64]),
            ]),
        "localityLbSetting"
            ~> .object([
                "distribute" ~> .list(.object(["from" ~> .string, "to" ~> .map(.uint32)])),
                "failover" ~> .list(.object(["from" ~> .string, "to" ~> .string])), "failoverPriority" ~> .strings,
                "enabled" ~> .bool,
            ]),
        "zoneAwareLbSetting"
            ~> .object([
                "enabled" ~> .bool, "failover" ~> .list(.object(["from" ~> .string, "to" ~> .string])),
                "failoverPriority" ~> .strings, "minClusterSize" ~> .uint32,
            ]),
        "warmup" ~> .object(["duration" ~>! .duration, "minimumPercent" ~> .number, "aggression" ~> .number]),
        "warmupDurationSecs" ~> .duration,
    ])

    static let connectionPool = Schema.object([
        "tcp"
            ~> .object([
                "maxConnections" ~> .int32, "connectTimeout" ~> .duration, "maxConnectionDuration" ~> .duration,
                "idleTimeout" ~> .duration,
                "tcpKeepalive" ~> .object(["probes" ~> .uint32, "time" ~> .duration, "interval" ~> .duration]),
            ]),
        "http"
            ~> .object([
                "http1MaxPendingRequests" ~> .int32, "http2MaxRequests" ~> .int32, "maxRequestsPerConnection" ~> .int32,
                "maxRetries" ~> .int32, "idleTimeout" ~> .duration,
                "h2UpgradePolicy" ~> .oneOf(["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"]), "useClientProtocol" ~> .bool,
                "maxConcurrentStreams" ~> .int32,
                "http2KeepAlive" ~> .object(["interval" ~> .duration, "timeout" ~> .duration]),
            ]),
    ])

    private static let outlierDetection = Schema.object([
        "consecutiveErrors" ~> .int32, "splitExternalLocalOriginErrors" ~> .bool,
        "consecutiveLocalOriginFailures" ~> .uint32,
        "consecutiveGatewayErrors" ~> .uint32, "consecutive5xxErrors" ~> .uint32, "interval" ~> .duration,
        "baseEjectionTime" ~> .duration, "maxEjectionPercent" ~> .int32, "minHealthPercent" ~> .int32,
        "outlierDetectionHttpErrorCodes" ~> .list(.uint32),
    ])

    private static let clientTLS = Schema.object([
        "mode" ~> .oneOf(["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"]), "clientCertificate" ~> .string,
        "privateKey" ~> .string, "caCertificates" ~> .string, "caCrl" ~> .string, "credentialName" ~> .string,
        "subjectAltNames" ~> .strings, "sni" ~> .string, "insecureSkipVerify" ~> .bool,
    ])
}
