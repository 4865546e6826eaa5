/// Schemas of the Kubernetes Gateway API, written from its reference: members and their types. What the members must be
/// together is checked by the validation webhook, which can say what is wrong.
enum GatewayAPISchemas {
    private static let namespaces = Schema.object([
        "from" ~> .oneOf(["All", "Selector", "Same", "None"]), "selector" ~> labelSelector,
    ])
    private static let labelSelector = Schema.object([
        "matchLabels" ~> .map(.string),
        "matchExpressions"
            ~> .list(
                .object([
                    "key" ~>! .string, "operator" ~>! .oneOf(["In", "NotIn", "Exists", "DoesNotExist"]),
                    "values" ~> Schema.strings,
                ])),
    ])
    /// A reference whose group and kind have defaults at its place of use.
    private static let reference = Schema.object([
        "group" ~> .string, "kind" ~> .string, "namespace" ~> .string, "name" ~>! .string,
    ])
    private static let localReference = Schema.object(["group" ~>! .string, "kind" ~>! .string, "name" ~>! .string])
    private static let parents = Schema.list(
        .object([
            "group" ~> .string, "kind" ~> .string, "namespace" ~> .string, "name" ~>! .string,
            "sectionName" ~> .string, "port" ~> .int32,
        ]))
    private static let backendMembers: [Schema.Field] = [
        "group" ~> .string, "kind" ~> .string, "namespace" ~> .string, "name" ~>! .string, "port" ~> .int32,
    ]

    // MARK: - Gateways

    private static let listeners = Schema.list(
        .object([
            "name" ~>! .string, "hostname" ~> .string, "port" ~>! .int32, "protocol" ~>! .string,
            "tls"
                ~> .object([
                    "mode" ~> .oneOf(["Terminate", "Passthrough"]), "certificateRefs" ~> .list(reference),
                    "options" ~> .map(.string),
                ]),
            "allowedRoutes"
                ~> .object([
                    "namespaces" ~> namespaces,
                    "kinds" ~> .list(.object(["group" ~> .string, "kind" ~>! .string])),
                ]),
        ]))

    static let gatewayClass = Schema.object([
        "controllerName" ~>! .string, "description" ~> .string, "parametersRef" ~> reference,
    ])

    private static let frontend = Schema.object([
        "validation"
            ~> .object([
                "caCertificateRefs" ~>! .list(reference),
                "mode" ~> .oneOf(["AllowValidOnly", "AllowInsecureFallback"]),
            ])
    ])

    static let gateway = Schema.object([
        "gatewayClassName" ~>! .string, "listeners" ~>! listeners,
        "addresses" ~> .list(.object(["type" ~> .string, "value" ~> .string])),
        "infrastructure"
            ~> .object([
                "labels" ~> .map(.string), "annotations" ~> .map(.string), "parametersRef" ~> localReference,
            ]), "allowedListeners" ~> .object(["namespaces" ~> namespaces]),
        "tls"
            ~> .object([
                "backend" ~> .object(["clientCertificateRef" ~> reference]),
                "frontend"
                    ~> .object([
                        "default" ~>! frontend,
                        "perPort" ~> .list(.object(["port" ~>! .int32, "tls" ~>! frontend])),
                    ]),
            ]),
    ])

    static let listenerSet = Schema.object(["parentRef" ~>! reference, "listeners" ~>! listeners])

    // MARK: - Routes

    private static let header = Schema.object(["name" ~>! .string, "value" ~>! .string])
    private static let headers = Schema.object([
        "set" ~> .list(header), "add" ~> .list(header), "remove" ~> Schema.strings,
    ])
    private static let path = Schema.object([
        "type" ~>! .oneOf(["ReplaceFullPath", "ReplacePrefixMatch"]), "replaceFullPath" ~> .string,
        "replacePrefixMatch" ~> .string,
    ])
    private static let mirror = Schema.object([
        "backendRef" ~>! .object(backendMembers), "percent" ~> .int32,
        "fraction" ~> .object(["numerator" ~>! .int32, "denominator" ~> .int32]),
    ])
    private static let grpcFilters: [Schema.Field] = [
        "type" ~>! .string, "requestHeaderModifier" ~> headers, "responseHeaderModifier" ~> headers,
        "requestMirror" ~> mirror, "extensionRef" ~> localReference,
    ]
    private static let httpFilters: [Schema.Field] =
        grpcFilters + [
            "requestRedirect"
                ~> .object([
                    "scheme" ~> .oneOf(["http", "https"]), "hostname" ~> .string, "path" ~> path, "port" ~> .int32,
                    "statusCode" ~> .int32,
                ]), "urlRewrite" ~> .object(["hostname" ~> .string, "path" ~> path]),
            "cors"
                ~> .object([
                    "allowOrigins" ~> Schema.strings, "allowCredentials" ~> .bool, "allowMethods" ~> Schema.strings,
                    "allowHeaders" ~> Schema.strings, "exposeHeaders" ~> Schema.strings, "maxAge" ~> .int32,
                ]),
        ]
    private static func backends(_ filters: [Schema.Field]) -> Schema {
        let more = filters.isEmpty ? [] : ["filters" ~> .list(.object(filters))]
        return .list(.object(backendMembers + ["weight" ~> .int32] + more))
    }
    private static let value = Schema.object([
        "type" ~> .oneOf(["Exact", "RegularExpression"]), "name" ~>! .string, "value" ~>! .string,
    ])

    static let httpRoute = Schema.object([
        "parentRefs" ~> parents, "hostnames" ~> Schema.strings,
        "rules"
            ~> .list(
                .object([
                    "name" ~> .string,
                    "matches"
                        ~> .list(
                            .object([
                                "path"
                                    ~> .object([
                                        "type" ~> .oneOf(["Exact", "PathPrefix", "RegularExpression"]),
                                        "value" ~> .string,
                                    ]), "headers" ~> .list(value), "queryParams" ~> .list(value),
                                "method"
                                    ~> .oneOf([
                                        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
                                    ]),
                            ])), "filters" ~> .list(.object(httpFilters)), "backendRefs" ~> backends(httpFilters),
                    "timeouts" ~> .object(["request" ~> Schema.duration, "backendRequest" ~> Schema.duration]),
                    "retry"
                        ~> .object([
                            "codes" ~> .list(.int32), "attempts" ~> .int32, "backoff" ~> Schema.duration,
                        ]),
                ])),
    ])

    static let grpcRoute = Schema.object([
        "parentRefs" ~> parents, "hostnames" ~> Schema.strings,
        "rules"
            ~> .list(
                .object([
                    "name" ~> .string,
                    "matches"
                        ~> .list(
                            .object([
                                "method"
                                    ~> .object([
                                        "type" ~> .oneOf(["Exact", "RegularExpression"]), "service" ~> .string,
                                        "method" ~> .string,
                                    ]), "headers" ~> .list(value),
                            ])), "filters" ~> .list(.object(grpcFilters)), "backendRefs" ~> backends(grpcFilters),
                ])),
    ])

    private static let streamRules = Schema.list(.object(["name" ~> .string, "backendRefs" ~>! backends([])]))
    static let tlsRoute = Schema.object([
        "parentRefs" ~> parents, "hostnames" ~>! Schema.strings, "rules" ~>! streamRules,
    ])
    static let tcpRoute = Schema.object(["parentRefs" ~> parents, "rules" ~>! streamRules])

    // MARK: - Policies

    static let referenceGrant = Schema.object([
        "from" ~>! .list(.object(["group" ~>! .string, "kind" ~>! .string, "namespace" ~>! .string])),
        "to" ~>! .list(.object(["group" ~>! .string, "kind" ~>! .string, "name" ~> .string])),
    ])

    static let backendTLSPolicy = Schema.object([
        "targetRefs"
            ~>! .list(
                .object(["group" ~>! .string, "kind" ~>! .string, "name" ~>! .string, "sectionName" ~> .string])),
        "validation"
            ~>! .object([
                "caCertificateRefs" ~> .list(localReference), "wellKnownCACertificates" ~> .string,
                "hostname" ~>! .string,
                "subjectAltNames"
                    ~> .list(
                        .object(["type" ~>! .oneOf(["Hostname", "URI"]), "hostname" ~> .string, "uri" ~> .string])),
            ]), "options" ~> .map(.string),
    ])
}
