import Testing
import WeftConfig
import WeftCore

private func check(_ kind: String, _ spec: String) throws -> [Diagnostic] {
    let group =
        ["PeerAuthentication", "AuthorizationPolicy", "RequestAuthentication"].contains(kind)
        ? "security.istio.io" : "networking.istio.io"
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
        "spec.http[0].match[0].uri.regex", "missing closing )"
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
