import Testing
import WeftConfig
import WeftCore

private func check(_ kind: String, _ spec: String) throws -> [Diagnostic] {
    let group =
        switch kind {
        case "PeerAuthentication", "AuthorizationPolicy", "RequestAuthentication": "security.istio.io"
        case "Telemetry": "telemetry.istio.io"
        case "WasmPlugin": "extensions.istio.io"
        default: "networking.istio.io"
        }
    let body = try YAMLReader.value(in: spec)
    return Validator.validate(
        object: KubernetesObject([
            "apiVersion": .string("\(group)/v1"), "kind": .string(kind), "metadata": ["name": "x", "namespace": "dev"],
            "spec": body,
        ]))
}

@Test(arguments: [
    (
        "VirtualService",
        "{hosts: [a], http: [{route: [{destination: {host: a}, weight: -1}, {destination: {host: b}, weight: 5}]}]}",
        "spec.http[0].route[0].weight", "weight -1 < 0"
    ),
    (
        "VirtualService",
        "{hosts: [a], http: [{route: [{destination: {host: a}, weight: 0}, {destination: {host: b}}]}]}",
        "spec.http[0].route", "total destination weight = 0"
    ),
    (
        "VirtualService", "{http: [{route: [{destination: {host: a}}]}], gateways: [g]}", "spec.hosts",
        "virtual service must have at least one host"
    ),
    ("VirtualService", "{hosts: [a_b!], http: [{route: [{destination: {host: a}}]}]}", "spec.hosts[0]", "invalid"),
    (
        "VirtualService", "{hosts: [a], http: [{route: [{}]}]}", "spec.http[0].route[0].destination",
        "destination is required"
    ),
    (
        "VirtualService", "{hosts: [a], http: [{redirect: {uri: /x}, route: [{destination: {host: a}}]}]}",
        "spec.http[0]", "both route and redirect"
    ),
    ("VirtualService", "{hosts: [a], http: [{}]}", "spec.http[0]", "required"),
    ("VirtualService", "{hosts: [a]}", "spec", "http, tcp or tls must be provided"),
    (
        "VirtualService", "{hosts: [a], http: [{timeout: 10us, route: [{destination: {host: a}}]}]}",
        "spec.http[0].timeout", "greater than 1ms"
    ),
    (
        "VirtualService", "{hosts: [a], http: [{timeout: soon, route: [{destination: {host: a}}]}]}",
        "spec.http[0].timeout", "invalid duration"
    ),
    (
        "VirtualService", "{hosts: [a], http: [{match: [{uri: {regex: '('}}], route: [{destination: {host: a}}]}]}",
        "spec.http[0].match[0].uri.regex", "missing )"
    ),
    (
        "VirtualService",
        "{hosts: [a], http: [{fault: {abort: {httpStatus: 999}}, route: [{destination: {host: a}}]}]}",
        "spec.http[0].fault.abort.httpStatus", "999"
    ),
    (
        "VirtualService", "{hosts: [a], http: [{retries: {attempts: -2}, route: [{destination: {host: a}}]}]}",
        "spec.http[0].retries.attempts", "negative"
    ),
    (
        "VirtualService", "{hosts: [a], http: [{retries: {retryOn: often}, route: [{destination: {host: a}}]}]}",
        "spec.http[0].retries.retryOn", "often"
    ),
    (
        "VirtualService", "{hosts: [a], http: [{route: [{destination: {host: a, port: {number: 70000}}}]}]}",
        "spec.http[0].route[0].destination.port.number", "1..65535"
    ),
    ("DestinationRule", "{subsets: []}", "spec.host", "must have a host"),
    ("DestinationRule", "{host: a, subsets: [{name: v1}, {name: v1}]}", "spec.subsets[1].name", "duplicate subset"),
    (
        "DestinationRule", "{host: a, trafficPolicy: {outlierDetection: {maxEjectionPercent: 101}}}",
        "spec.trafficPolicy.outlierDetection.maxEjectionPercent", "0..100"
    ),
    (
        "DestinationRule", "{host: a, trafficPolicy: {loadBalancer: {simple: FASTEST}}}",
        "spec.trafficPolicy.loadBalancer.simple", "FASTEST"
    ),
    (
        "DestinationRule", "{host: a, trafficPolicy: {tls: {mode: MUTUAL}}}",
        "spec.trafficPolicy.tls.clientCertificate", "required"
    ),
    ("Gateway", "{selector: {a: b}}", "spec.servers", "at least one server"),
    (
        "Gateway", "{selector: {a: b}, servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: ['*']}]}",
        "spec.servers[0].tls", "must have TLS settings"
    ),
    (
        "Gateway", "{selector: {a: b}, servers: [{port: {number: 0, name: http, protocol: SPDY}, hosts: ['*']}]}",
        "spec.servers[0].port.protocol", "invalid protocol"
    ),
    ("ServiceEntry", "{hosts: ['*']}", "spec.hosts[0]", "invalid host *"),
    ("Sidecar", "{egress: [{hosts: [reviews]}]}", "spec.egress[0].hosts[0]", "namespace/dnsName"),
    ("PeerAuthentication", "{portLevelMtls: {'80': {mode: STRICT}}}", "spec.portLevelMtls", "port level"),
    ("AuthorizationPolicy", "{rules: [{from: []}]}", "spec.rules[0].from", "cannot be empty"),
    (
        "AuthorizationPolicy", "{rules: [{when: [{key: nonsense, values: [a]}]}]}", "spec.rules[0].when[0].key",
        "nonsense"
    ),
    (
        "AuthorizationPolicy", "{rules: [{from: [{source: {ipBlocks: [10.0.0.0/64]}}]}]}",
        "spec.rules[0].from[0].source.ipBlocks[0]", "CIDR"
    ),
    ("AuthorizationPolicy", "{action: MAYBE}", "spec.action", "MAYBE"),
    ("RequestAuthentication", "{jwtRules: [{}]}", "spec.jwtRules[0].issuer", "issuer"),
])
func refuses(_ kind: String, _ spec: String, _ path: String, _ words: String) throws {
    let findings = try check(kind, spec)
    #expect(findings.contains { $0.severity == .error && $0.path == path && $0.message.contains(words) }, "\(findings)")
}

@Test(arguments: [
    (
        "VirtualService",
        "{hosts: [a, '*.b.com'], http: [{route: [{destination: {host: a, subset: v1}, weight: 90}, {destination: {host: a}, weight: 10}]}]}"
    ),
    ("VirtualService", "{hosts: ['*'], gateways: [g], http: [{redirect: {uri: /x}}]}"),
    ("VirtualService", "{http: [{route: [{destination: {host: a}}]}]}"),
    ("DestinationRule", "{host: '*.local', subsets: [{name: v1, labels: {version: v1}}]}"),
    (
        "Gateway",
        "{selector: {a: b}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['dev/*.example.com'], tls: {httpsRedirect: true}}]}"
    ),
    ("PeerAuthentication", "{mtls: {mode: STRICT}}"),
    ("AuthorizationPolicy", "{}"), ("AuthorizationPolicy", "{rules: [{}]}"),
    (
        "AuthorizationPolicy",
        "{action: DENY, rules: [{to: [{operation: {paths: ['/a*']}}], when: [{key: 'request.headers[x]', values: ['1']}]}]}"
    ),
])
func accepts(_ kind: String, _ spec: String) throws {
    #expect(try check(kind, spec).filter { $0.severity == .error } == [])
}

@Test func reportsAllFindingsAtOnce() throws {
    let findings = try check(
        "VirtualService", "{hosts: ['!'], http: [{timeout: 1us, route: [{destination: {host: a}, weight: -1}]}]}")
    #expect(findings.count >= 3)
    #expect(
        findings.allSatisfy { $0.resource == ResourceReference(kind: "VirtualService", namespace: "dev", name: "x") })
}

@Test func findsUnknownFields() throws {
    let object = try #require(
        ManifestReader.objects(
            in: """
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                spec: {hosts: [a], gatways: [g], http: [{timeout: 1000ms, match: [{headers: {any: {exact: x}, b: {exakt: y}}}], rote: []}]}
                """
        ).first)
    #expect(
        Validator.unknownFields(in: object.object) == [
            "spec.gatways", "spec.http[0].match[0].headers.b.exakt", "spec.http[0].rote",
        ])
}

@Test func readsTheMeshConfigMap() throws {
    let map = KubernetesObject([
        "kind": "ConfigMap",
        "data": ["mesh": "accessLogFile: /dev/stdout\nenableAutoMtls: no\nextensionProviders: [{name: x}]\n"],
    ])
    let mesh = try MeshConfig(configMap: map)
    #expect(mesh.accessLogFile == "/dev/stdout")
    #expect(!mesh.autoMTLS)
    #expect(try MeshConfig(configMap: KubernetesObject([:])) == MeshConfig())
}

/// Security kinds, Telemetry and WasmPlugin: a spec, the field that is refused and a word of the reason.
@Test(arguments: [
    ("AuthorizationPolicy", "{action: CUSTOM, provider: {name: p}}", "spec.rules", "meaningless"),
    ("AuthorizationPolicy", "{action: CUSTOM, rules: [{}]}", "spec.provider", "provider.name"),
    ("AuthorizationPolicy", "{provider: {name: p}, rules: [{}]}", "spec.provider", "non CUSTOM"),
    (
        "AuthorizationPolicy",
        "{selector: {matchLabels: {a: b}}, targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: g}]}",
        "spec", "only one of"
    ),
    ("AuthorizationPolicy", "{targetRefs: [{group: apps, kind: Deployment, name: g}]}", "spec.targetRefs[0]", "kind"),
    (
        "AuthorizationPolicy",
        "{targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: g, namespace: other}]}",
        "spec.targetRefs[0].namespace", "cross namespace"
    ),
    (
        "AuthorizationPolicy", "{rules: [{from: [{source: {serviceAccounts: ['a/b/c']}}]}]}",
        "spec.rules[0].from[0].source.serviceAccounts[0]", "format"
    ),
    (
        "AuthorizationPolicy", "{rules: [{from: [{source: {serviceAccounts: [a], principals: [b]}}]}]}",
        "spec.rules[0].from[0].source.serviceAccounts", "cannot set"
    ),
    (
        "AuthorizationPolicy", "{rules: [{to: [{operation: {paths: ['/a/{*}x']}}]}]}",
        "spec.rules[0].to[0].operation.paths[0]", "whole segments"
    ),
    (
        "AuthorizationPolicy", "{rules: [{to: [{operation: {paths: ['/{**}/{*}']}}]}]}",
        "spec.rules[0].to[0].operation.paths[0]", "after {**}"
    ),
    (
        "AuthorizationPolicy", "{rules: [{to: [{operation: {notPaths: ['/{*}/b*']}}]}]}",
        "spec.rules[0].to[0].operation.notPaths[0]", "cannot be used"
    ),
    (
        "AuthorizationPolicy", "{rules: [{when: [{key: 'request.headers[]', values: [a]}]}]}",
        "spec.rules[0].when[0].key", "unknown attribute"
    ),
    (
        "AuthorizationPolicy", "{rules: [{when: [{key: source.ip, values: [nowhere]}]}]}",
        "spec.rules[0].when[0].values[0]", "CIDR"
    ),
    (
        "AuthorizationPolicy", "{rules: [{when: [{key: destination.port, values: [http]}]}]}",
        "spec.rules[0].when[0].values[0]", "1..65535"
    ),
    (
        "AuthorizationPolicy",
        "{action: CUSTOM, provider: {name: p}, rules: [{from: [{source: {requestPrincipals: [a]}}]}]}",
        "spec.rules[0].from[0].source.requestPrincipals", "not supported with CUSTOM"
    ),
    (
        "AuthorizationPolicy",
        "{action: CUSTOM, provider: {name: p}, rules: [{from: [{source: {notRequestPrincipals: [a]}}]}]}",
        "spec.rules[0].from[0].source.notRequestPrincipals", "not supported with CUSTOM"
    ),
    (
        "AuthorizationPolicy",
        "{action: CUSTOM, provider: {name: p}, rules: [{when: [{key: 'request.auth.claims[a]', values: [a]}]}]}",
        "spec.rules[0].when[0].key", "not supported with CUSTOM"
    ),
    ("AuthorizationPolicy", "{rules: [null]}", "spec.rules[0]", "object"),
    ("AuthorizationPolicy", "{rules: [{from: [null]}]}", "spec.rules[0].from[0]", "object"),
    ("AuthorizationPolicy", "{rules: [{from: [{}]}]}", "spec.rules[0].from[0].source", "nil"),
    ("AuthorizationPolicy", "{rules: [{from: [{source: {}}]}]}", "spec.rules[0].from[0].source", "at least one"),
    ("AuthorizationPolicy", "{rules: [{to: []}]}", "spec.rules[0].to", "empty"),
    ("AuthorizationPolicy", "{rules: [{to: [null]}]}", "spec.rules[0].to[0]", "object"),
    ("AuthorizationPolicy", "{rules: [{to: [{}]}]}", "spec.rules[0].to[0].operation", "nil"),
    ("AuthorizationPolicy", "{rules: [{to: [{operation: {}}]}]}", "spec.rules[0].to[0].operation", "at least one"),
    ("AuthorizationPolicy", "{rules: [{when: [null]}]}", "spec.rules[0].when[0]", "object"),
    ("AuthorizationPolicy", "{rules: [{when: [{values: [a]}]}]}", "spec.rules[0].when[0].key", "empty"),
    (
        "AuthorizationPolicy", "{rules: [{when: [{key: 'destination.labels[app]', values: [a]}]}]}",
        "spec.rules[0].when[0].key", "unknown attribute"
    ),
    (
        "AuthorizationPolicy", "{rules: [{when: [{key: 'experimental.envoy.filters.a', values: [a]}]}]}",
        "spec.rules[0].when[0].key", "unknown attribute"
    ),
    (
        "AuthorizationPolicy", "{rules: [{when: [{key: source.principal, notValues: ['']}]}]}",
        "spec.rules[0].when[0].notValues[0]", "empty value"
    ),
    ("AuthorizationPolicy", "{targetRef: {kind: Service, name: a, namespace: b}}", "spec.targetRef.namespace", "cross"),
    ("AuthorizationPolicy", "{targetRefs: [{kind: Service}]}", "spec.targetRefs[0].name", "name"),
    (
        "AuthorizationPolicy", "{selector: {matchLabels: {'a*': b}}}", "spec.selector.matchLabels[a*]", "wildcard"
    ),
    ("PeerAuthentication", "{mtls: {mode: BLAH}}", "spec.mtls.mode", "BLAH"),
    (
        "PeerAuthentication", "{selector: {matchLabels: {a: b}}, portLevelMtls: {acd: {mode: STRICT}}}",
        "spec.portLevelMtls[acd]", "1..65535"
    ),
    (
        "PeerAuthentication", "{selector: {matchLabels: {a: b}}, portLevelMtls: {'65536': {mode: STRICT}}}",
        "spec.portLevelMtls[65536]", "1..65535"
    ),
    (
        "PeerAuthentication", "{selector: {matchLabels: {a: b}}, portLevelMtls: {}}", "spec.portLevelMtls",
        "at least one element"
    ),
    ("PeerAuthentication", "{selector: {matchLabels: {'': b}}}", "spec.selector.matchLabels", "empty key"),
    ("RequestAuthentication", "{jwtRules: [null]}", "spec.jwtRules[0]", "object"),
    (
        "RequestAuthentication", "{jwtRules: [{issuer: a, audiences: ['']}]}", "spec.jwtRules[0].audiences[0]",
        "non-empty"
    ),
    (
        "RequestAuthentication", "{jwtRules: [{issuer: a, fromHeaders: [{}]}]}", "spec.jwtRules[0].fromHeaders[0].name",
        "name"
    ),
    (
        "RequestAuthentication", "{jwtRules: [{issuer: a, fromParams: ['']}]}", "spec.jwtRules[0].fromParams[0]",
        "non-empty"
    ),
    (
        "RequestAuthentication", "{jwtRules: [{issuer: a, fromCookies: ['']}]}", "spec.jwtRules[0].fromCookies[0]",
        "non-empty"
    ),
    (
        "RequestAuthentication", "{jwtRules: [{issuer: a, outputClaimToHeaders: [{header: ':authority', claim: x}]}]}",
        "spec.jwtRules[0].outputClaimToHeaders[0].header", "letters"
    ),
    ("RequestAuthentication", "{jwtRules: [{issuer: a, timeout: apple}]}", "spec.jwtRules[0].timeout", "duration"),
    (
        "RequestAuthentication", "{jwtRules: [{issuer: a, spaceDelimitedClaims: ['']}]}",
        "spec.jwtRules[0].spaceDelimitedClaims[0]", "non-empty"
    ),
    (
        "RequestAuthentication", "{selector: {matchLabels: {a: b}}, targetRef: {kind: Service, name: a}}", "spec",
        "only one of"
    ),
    (
        "RequestAuthentication", "{jwtRules: [{issuer: a, jwks: '{\"keys\": [{\"kty\": \"RSA\", \"n\": \"AQ\"}]}'}]}",
        "spec.jwtRules[0].jwks", "keys[0]: e is missing"
    ),
    (
        "RequestAuthentication", "{jwtRules: [{issuer: a, jwks: '{\"keys\": [{\"kty\": \"oct\", \"k\": \"?\"}]}'}]}",
        "spec.jwtRules[0].jwks", "k is not base64url"
    ),
    (
        "RequestAuthentication", "{jwtRules: [{issuer: a, jwks: '{\"keys\": [{\"kty\": \"X\"}]}'}]}",
        "spec.jwtRules[0].jwks", "kty X is not known"
    ),
    (
        "RequestAuthentication", "{jwtRules: [{issuer: a, jwks: '{\"keys\": [{}, 5]}'}]}", "spec.jwtRules[0].jwks",
        "keys[1]: a key must be an object"
    ),
    ("RequestAuthentication", "{jwtRules: [{issuer: a, jwks: '{'}]}", "spec.jwtRules[0].jwks", "not JSON"),
    ("RequestAuthentication", "{jwtRules: [{issuer: a, jwks: '{}'}]}", "spec.jwtRules[0].jwks", "no list"),
    (
        "RequestAuthentication", "{jwtRules: [{issuer: a, jwksUri: 'ftp://x/y'}]}", "spec.jwtRules[0].jwksUri",
        "http or https"
    ),
    (
        "RequestAuthentication", "{jwtRules: [{issuer: a, jwksUri: 'https://u:p@h/y'}]}", "spec.jwtRules[0].jwksUri",
        "http or https"
    ),
    (
        "RequestAuthentication", "{jwtRules: [{issuer: a, jwksUri: 'https://h', fromHeaders: [{name: 'a b'}]}]}",
        "spec.jwtRules[0].fromHeaders[0].name", "header"
    ),
    (
        "RequestAuthentication",
        "{jwtRules: [{issuer: a, jwksUri: 'https://h', outputClaimToHeaders: [{header: x}]}]}",
        "spec.jwtRules[0].outputClaimToHeaders[0].claim", "claim name"
    ),
    ("Telemetry", "{tracing: [{randomSamplingPercentage: 101}]}", "spec.tracing[0].randomSamplingPercentage", "0..100"),
    (
        "Telemetry", "{metrics: [{overrides: [{tagOverrides: {a: {operation: REMOVE, value: x}}}]}]}",
        "spec.metrics[0].overrides[0].tagOverrides[a].value", "REMOVE"
    ),
    ("Telemetry", "{accessLogging: [{filter: {}}]}", "spec.accessLogging[0].filter.expression", "empty"),
    (
        "Telemetry", "{accessLogging: [{filter: {expression: 'response.code > \"4\"'}}]}",
        "spec.accessLogging[0].filter.expression", "compares int with string"
    ),
    (
        "Telemetry", "{accessLogging: [{filter: {expression: request.host}}]}",
        "spec.accessLogging[0].filter.expression", "must be bool"
    ),
    (
        "Telemetry", "{accessLogging: [{filter: {expression: \"request.path.matches('(')\"}}]}",
        "spec.accessLogging[0].filter.expression", "regexp"
    ),
    (
        "Telemetry", "{metrics: [{overrides: [{tagOverrides: {a: {value: istio_operationId}}}]}]}",
        "spec.metrics[0].overrides[0].tagOverrides[a].value", "no attribute"
    ),
    (
        "Telemetry", "{metrics: [{overrides: [{tagOverrides: {a-b: {value: request.host}}}]}]}",
        "spec.metrics[0].overrides[0].tagOverrides", "label"
    ),
    (
        "Telemetry", "{tracing: [{customTags: {a: {formatter: {}}}}]}", "spec.tracing[0].customTags[a].formatter.value",
        "empty"
    ),
    (
        "Telemetry", "{tracing: [{customTags: {a: {formatter: {value: '%NO_SUCH%'}}}}]}",
        "spec.tracing[0].customTags[a].formatter.value", "NO_SUCH"
    ),
    ("WasmPlugin", "{}", "spec.url", "url field"),
    ("WasmPlugin", "{url: 'gopher://x'}", "spec.url", "invalid scheme"),
    ("WasmPlugin", "{url: 'oci://x', sha256: abc}", "spec.sha256", "64 characters"),
])
func refusesSecurityObjects(_ kind: String, _ spec: String, _ path: String, _ words: String) throws {
    let findings = try check(kind, spec)
    #expect(findings.contains { $0.severity == .error && $0.path == path && $0.message.contains(words) }, "\(findings)")
}

/// What is taken with a word of warning.
@Test(arguments: [
    ("AuthorizationPolicy", "{action: DENY, rules: [{to: [{operation: {paths: [/a]}}]}]}", "TCP ports"),
    ("AuthorizationPolicy", "{targetRefs: [{kind: Service, name: s}]}", "waypoints"),
    ("AuthorizationPolicy", "{rules: [{to: [{operation: {paths: [/a/*/b]}}]}]}", "a star stands for any text only"),
    ("AuthorizationPolicy", "{rules: [{from: [{source: {principals: ['*a*']}}]}]}", "a star stands for any text only"),
    (
        "AuthorizationPolicy", "{rules: [{when: [{key: 'request.headers[a]', notValues: ['a*b']}]}]}",
        "a star stands for any text only"
    ),
    (
        "AuthorizationPolicy", "{rules: [{from: [{source: {notPrincipals: ['spiffe://a/ns/b/sa/c']}}]}]}",
        "without spiffe://"
    ),
    ("AuthorizationPolicy", "{selector: {}, rules: [{}]}", "without labels"),
    ("RequestAuthentication", "{jwtRules: [{issuer: a}]}", "neither jwks nor jwksUri"),
    ("Telemetry", "{metrics: [{overrides: [{match: {customMetric: mine}}]}]}", "metric of its own called mine"),
    ("Telemetry", "{tracing: [{disableContextPropagation: true}]}", "disableContextPropagation has no effect"),
    ("Telemetry", "{metrics: [{reportingInterval: 5s}]}", "reportingInterval has no effect"),
    ("WasmPlugin", "{url: h/i}", "does not run them"),
])
func warnsOfSecurityObjects(_ kind: String, _ spec: String, _ words: String) throws {
    let findings = try check(kind, spec)
    #expect(findings.contains { $0.severity == .warning && $0.message.contains(words) }, "\(findings)")
    #expect(!findings.contains { $0.severity == .error }, "\(findings)")
}

@Test func fieldsOfTheWrongFormAreReportedTogetherWithTheRest() throws {
    let findings = try check(
        "VirtualService",
        "{hosts: ['!'], exportTo: 5, http: [{timeout: soon, route: [{destination: {host: a}, weight: -1}]}]}")
    let errors = findings.filter { $0.severity == .error }.compactMap(\.path)
    for path in ["spec.exportTo", "spec.http[0].timeout", "spec.hosts[0]", "spec.http[0].route[0].weight"] {
        #expect(errors.contains(path), "\(errors)")
    }
}

/// An element in the middle that has the wrong form hides nothing behind it, and brings no findings of its own.
@Test func elementsOfTheWrongFormHideNothing() throws {
    let findings = try check(
        "AuthorizationPolicy",
        "{action: DENY, rules: [{from: [5, {source: {ipBlocks: [x, 6, 10.0.0.0/8]}}]}, x, {to: [{operation: {ports: [y]}}]}]}"
    )
    #expect(
        findings.filter { $0.severity == .error }.compactMap(\.path) == [
            "spec.rules[0].from[0]", "spec.rules[0].from[1].source.ipBlocks[1]", "spec.rules[1]",
            "spec.rules[0].from[1].source.ipBlocks[0]", "spec.rules[2].to[0].operation.ports[0]",
        ])
}

@Test func trialsAreForAllowAndDeny() throws {
    func findings(_ annotation: JSONValue, _ action: JSONValue) -> [Diagnostic] {
        Validator.validate(
            object: KubernetesObject([
                "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
                "metadata": ["name": "x", "namespace": "dev", "annotations": ["istio.io/dry-run": annotation]],
                "spec": ["action": action, "rules": [[:]]],
            ])
        ).filter { $0.path == "metadata.annotations[istio.io/dry-run]" }
    }
    #expect(findings("true", "DENY").isEmpty)
    #expect(findings("true", "AUDIT").count == 1)
    #expect(findings("maybe", "ALLOW").count == 1)
    for text in ["1", "T", "True", "0", "FALSE"] { #expect(findings(.string(text), "ALLOW").isEmpty) }
    #expect(findings("yes", "ALLOW").count == 1)
}

@Test func findingsHaveLines() throws {
    let text = """
        apiVersion: security.istio.io/v1
        kind: PeerAuthentication
        metadata: {name: x, namespace: dev}
        spec:
          selector: {matchLabels: {a: b}}
          portLevelMtls:
            "80": {mode: STRICT}
            "0":
              mode: STRICT
        """
    let manifest = try #require(try ManifestReader.objects(in: text, file: "pa.yaml").first)
    let finding = try #require(Validator.validate(object: manifest.object).first)
    #expect(finding.path == "spec.portLevelMtls[0]")
    #expect(manifest.source.location(of: "spec.portLevelMtls[0]")?.line == 8)
}
