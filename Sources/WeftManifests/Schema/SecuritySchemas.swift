/// Schemas of `security.istio.io`.
enum SecuritySchemas {
    private static let selector = Schema.object(["matchLabels" ~> NetworkingSchemas.labels])
    private static let targets: [Schema.Field] = [
        "selector" ~> selector, "targetRef" ~> NetworkingSchemas.targetReference,
        "targetRefs" ~> .list(NetworkingSchemas.targetReference),
    ]

    static let peerAuthentication: Schema = {
        let mode = Schema.object(["mode" ~> .oneOf(["UNSET", "DISABLE", "PERMISSIVE", "STRICT"])])
        return .object(["selector" ~> selector, "mtls" ~> mode, "portLevelMtls" ~> .map(mode)])
    }()

    static let authorizationPolicy = Schema.object(
        targets + [
            "action" ~> .oneOf(["ALLOW", "DENY", "AUDIT", "CUSTOM"]), "provider" ~> .object(["name" ~> .string]),
            "rules"
                ~> .list(
                    .object([
                        "from" ~> .list(.object(["source" ~> .object(source)])),
                        "to" ~> .list(.object(["operation" ~> .object(operation)])),
                        "when" ~> .list(.object(["key" ~>! .string, "values" ~> .strings, "notValues" ~> .strings])),
                    ])),
        ])

    private static let source = withNegations([
        "principals", "requestPrincipals", "namespaces", "serviceAccounts", "trustDomains", "ipBlocks",
        "remoteIpBlocks",
    ])
    private static let operation = withNegations(["hosts", "ports", "methods", "paths"])

    /// Each list also exists with `not` in front: `hosts` and `notHosts`.
    private static func withNegations(_ names: [String]) -> [Schema.Field] {
        names.flatMap { name in
            [name ~> .strings, "not\(name.prefix(1).uppercased())\(name.dropFirst())" ~> .strings]
        }
    }

    static let requestAuthentication = Schema.object(
        targets + [
            "jwtRules"
                ~> .list(
                    .object([
                        "issuer" ~>! .string, "audiences" ~> .strings, "jwksUri" ~> .string, "jwks_uri" ~> .string,
                        "jwks" ~> .string,
                        "fromHeaders" ~> .list(.object(["name" ~>! .string, "prefix" ~> .string])),
                        "fromParams" ~> .strings,
                        "fromCookies" ~> .strings, "outputPayloadToHeader" ~> .string,
                        "outputClaimToHeaders" ~> .list(.object(["header" ~>! .string, "claim" ~>! .string])),
                        "forwardOriginalToken" ~> .bool, "timeout" ~> .duration, "spaceDelimitedClaims" ~> .strings,
                    ]))
        ])

    static let telemetry = Schema.object(
        targets + [
            "tracing" ~> .list(.anything), "metrics" ~> .list(.anything), "accessLogging" ~> .list(.anything),
        ])
}
