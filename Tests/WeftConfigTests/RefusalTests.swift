import Testing
import WeftConfig
import WeftCore

/// What Istio refuses at admission is refused here, with the field; what it takes with a warning is warned of.
struct RefusalTests {
    private static let versions = [
        "AuthorizationPolicy": "security.istio.io/v1", "PeerAuthentication": "security.istio.io/v1",
        "WasmPlugin": "extensions.istio.io/v1alpha1", "TrafficExtension": "extensions.istio.io/v1alpha1",
    ]

    private func findings(_ kind: String, _ spec: String, name: String = "x") throws -> [Diagnostic] {
        Validator.validate(
            object: KubernetesObject([
                "apiVersion": .string(Self.versions[kind] ?? "networking.istio.io/v1"), "kind": .string(kind),
                "metadata": ["name": .string(name), "namespace": "dev"], "spec": try YAMLReader.value(in: spec),
            ]))
    }

    private func expect(_ kind: String, _ spec: String, _ severity: Diagnostic.Severity, at path: String) throws {
        let found = try findings(kind, spec)
        #expect(
            found.contains { $0.severity == severity && $0.path == path },
            "\(spec): \(found.map { "\($0.severity) \($0.path ?? ""): \($0.message)" })")
    }

    /// A route's fields around one that is wrong.
    @Test(arguments: [
        ("match: [{method: {prefix: ''}}]", "match[0].method.prefix"),
        ("match: [{uri: {regex: ''}}]", "match[0].uri.regex"),
        ("match: [{uri: {regex: '(?=x)a'}}]", "match[0].uri.regex"),
        ("match: [{uri: {regex: 'a{5000}'}}]", "match[0].uri.regex"),
        ("match: [{uri: {regex: '[b-a]'}}]", "match[0].uri.regex"),
        ("match: [{queryParams: {q: {regex: 'a**'}}}]", "match[0].queryParams[q].regex"),
        ("match: [{gateways: ['$$']}]", "match[0].gateways[0]"),
        ("match: [{headers: {'@request.auth.claims': {exact: a}}}]", "match[0].headers[@request.auth.claims]"),
        ("match: [{headers: {'@request.auth.claims.sub': {exact: a}}}]", "match[0].headers[@request.auth.claims.sub]"),
        ("match: [{withoutHeaders: {'a b': {exact: a}}}]", "match[0].withoutHeaders[a b]"),
        ("match: [{sourceLabels: {'@': a}}]", "match[0].sourceLabels[@]"),
        ("match: [{sourceNamespace: 'a.b'}]", "match[0].sourceNamespace"),
        ("rewrite: {uriRegexRewrite: {match: '(a)', rewrite: '\\2'}}", "rewrite.uriRegexRewrite.rewrite"),
        ("rewrite: {uriRegexRewrite: {match: '(a', rewrite: b}}", "rewrite.uriRegexRewrite.match"),
        ("rewrite: {uriRegexRewrite: {match: a}}", "rewrite.uriRegexRewrite"),
        ("headers: {request: {set: {x-share: 100%}}}", "headers.request.set[x-share]"),
        ("headers: {response: {add: {x-a: \"a\\nb\"}}}", "headers.response.add[x-a]"),
        ("headers: {response: {add: {x-a: '%NO_SUCH_OPERATOR%'}}}", "headers.response.add[x-a]"),
        ("headers: {request: {add: {x-a: 'a %REQ% b'}}}", "headers.request.add[x-a]"),
        ("headers: {request: {set: {x-a: '%START_TIME(%s%'}}}", "headers.request.set[x-a]"),
        ("rewrite: {authority: a.b}, headers: {request: {set: {host: c.d}}}", "headers.request.set[host]"),
        ("corsPolicy: {allowOrigins: [{}]}", "corsPolicy.allowOrigins[0]"),
    ])
    func routes(field: String, path: String) throws {
        try expect(
            "VirtualService", "{hosts: [a.b], http: [{route: [{destination: {host: a}}], \(field)}]}", .error,
            at: "spec.http[0].\(path)")
    }

    @Test(arguments: [
        (
            "VirtualService", "{hosts: [a.b], gateways: [ns/a/b], http: [{directResponse: {status: 200}}]}",
            "spec.gateways[0]"
        ),
        (
            "VirtualService", "{hosts: [a.b], gateways: [''], http: [{directResponse: {status: 200}}]}",
            "spec.gateways[0]"
        ),
        (
            "VirtualService", "{hosts: [a.b.c, '*.b.c'], http: [{directResponse: {status: 200}}]}", "spec.hosts[1]"
        ),
        (
            "VirtualService", "{hosts: ['*'], gateways: [g, mesh], http: [{directResponse: {status: 200}}]}",
            "spec.hosts[0]"
        ),
        ("VirtualService", "{hosts: [a.1], http: [{directResponse: {status: 200}}]}", "spec.hosts[0]"),
        ("VirtualService", "{hosts: [a_b.c], http: [{directResponse: {status: 200}}]}", "spec.hosts[0]"),
        (
            "VirtualService", "{hosts: [a], exportTo: ['~'], http: [{directResponse: {status: 200}}]}",
            "spec.exportTo[0]"
        ),
        (
            "VirtualService", "{hosts: [a], exportTo: [., dev], http: [{directResponse: {status: 200}}]}",
            "spec.exportTo[1]"
        ),
        (
            "VirtualService", "{hosts: [a], exportTo: [., '*'], http: [{directResponse: {status: 200}}]}",
            "spec.exportTo"
        ),
        (
            "VirtualService", "{hosts: [a], http: [{redirect: {uri: /b}, fault: {abort: {httpStatus: 500}}}]}",
            "spec.http[0]"
        ),
        ("VirtualService", "{hosts: [a], http: [{directResponse: {status: 200}, rewrite: {uri: /}}]}", "spec.http[0]"),
        (
            "VirtualService", "{http: [{directResponse: {status: 200}}], tcp: [{route: [{destination: {host: a}}]}]}",
            "spec.tcp"
        ),
        ("DestinationRule", "{host: a, trafficPolicy: {}}", "spec.trafficPolicy"),
        (
            "DestinationRule", "{host: a, trafficPolicy: {portLevelSettings: [{port: {number: 80}}]}}",
            "spec.trafficPolicy.portLevelSettings[0]"
        ),
        (
            "DestinationRule",
            "{host: a, trafficPolicy: {tunnel: {targetHost: a.b, targetPort: 80}, proxyProtocol: {version: V1}}}",
            "spec.trafficPolicy"
        ),
        (
            "DestinationRule",
            "{host: a, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: a/*, to: {b: 100}}, {from: a/c/*, to: {b: 100}}]}}}}",
            "spec.trafficPolicy.loadBalancer.localityLbSetting.distribute"
        ),
        (
            "DestinationRule",
            "{host: a, trafficPolicy: {loadBalancer: {localityLbSetting: {failover: [{from: a/b, to: c}]}}}}",
            "spec.trafficPolicy.loadBalancer.localityLbSetting.failover[0]"
        ),
        (
            "DestinationRule",
            "{host: a, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true, minimumRingSize: 9, maglev: {tableSize: 65537}}}}}",
            "spec.trafficPolicy.loadBalancer.consistentHash"
        ),
        ("DestinationRule", "{host: a, workloadSelector: {matchLabels: {a: b}}, exportTo: ['*']}", "spec.exportTo"),
        (
            "DestinationRule", "{host: a, workloadSelector: {matchLabels: {'a*': b}}}",
            "spec.workloadSelector.matchLabels[a*]"
        ),
        ("DestinationRule", "{host: a, subsets: [{name: v_1, labels: {a: b}}]}", "spec.subsets[0].name"),
        (
            "Gateway",
            "{selector: {'': b}, servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: [a.b]}]}",
            "spec.selector"
        ),
        (
            "Gateway",
            "{servers: [{bind: 'unix:///run/a', port: {number: 80, name: a, protocol: HTTP}, hosts: [a.b]}]}",
            "spec.servers[0].port.number"
        ),
        (
            "Gateway",
            "{servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.b], tls: {mode: MUTUAL, credentialName: c, caCrl: /f}}]}",
            "spec.servers[0].tls.caCrl"
        ),
        ("ServiceEntry", "{hosts: [a.b], ports: [{number: 80, name: a, protocol: FOO}]}", "spec.ports[0].protocol"),
        ("ServiceEntry", "{hosts: [a.b], ports: [{number: 80, name: a.b, protocol: HTTP}]}", "spec.ports[0].name"),
        ("ServiceEntry", "{hosts: [1.2.3.4], ports: [{number: 80, name: a, protocol: HTTP}]}", "spec.hosts[0]"),
        (
            "ServiceEntry",
            "{hosts: [a.b, c.d], resolution: STATIC, ports: [{number: 80, name: a, protocol: HTTP}, {number: 81, name: b, protocol: TCP}]}",
            "spec.ports[1].protocol"
        ),
        (
            "ServiceEntry",
            "{hosts: [a.b], resolution: STATIC, ports: [{number: 80, name: a}, {number: 81, name: b}], endpoints: [{address: 'unix:///a'}]}",
            "spec.endpoints[0].address"
        ),
        (
            "ServiceEntry",
            "{hosts: ['*.b.c'], resolution: DYNAMIC_DNS, ports: [{number: 80, name: a, protocol: HTTP}], endpoints: [{address: 1.1.1.1}]}",
            "spec.endpoints"
        ),
        (
            "ServiceEntry",
            "{hosts: [a.b], resolution: STATIC, ports: [{number: 80, name: a}], workloadSelector: {labels: {'': b}}}",
            "spec.workloadSelector.labels"
        ),
        ("ServiceEntry", "{hosts: [a.b], exportTo: ['~', a], ports: [{number: 80, name: a}]}", "spec.exportTo"),
        (
            "Sidecar", "{egress: [{hosts: ['*/*']}, {port: {number: 80, name: a}, hosts: ['*/*']}]}",
            "spec.egress[0].port"
        ),
        (
            "Sidecar",
            "{egress: [{port: {number: 80, name: a}, hosts: ['*/*']}, {port: {number: 80, name: b}, hosts: ['*/*']}]}",
            "spec.egress[1].port.number"
        ),
        ("Sidecar", "{egress: [{port: {number: 80, protocol: FOO}, hosts: ['*/*']}]}", "spec.egress[0].port.protocol"),
        ("Sidecar", "{egress: [{hosts: ['a b/*']}]}", "spec.egress[0].hosts[0]"),
        ("Sidecar", "{egress: [{hosts: ['./a..b']}]}", "spec.egress[0].hosts[0]"),
        (
            "Sidecar", "{ingress: [{port: {number: 80}, bind: 'unix:///x', defaultEndpoint: '127.0.0.1:80'}]}",
            "spec.ingress[0].bind"
        ),
        ("Sidecar", "{ingress: [{port: {number: 80}, connectionPool: {}}]}", "spec.ingress[0].connectionPool"),
        (
            "Sidecar", "{inboundConnectionPool: {tcp: {maxConnections: -1}}}",
            "spec.inboundConnectionPool.tcp.maxConnections"
        ),
        (
            "Sidecar", "{outboundTrafficPolicy: {egressProxy: {host: '*.b', port: {number: 80}}}}",
            "spec.outboundTrafficPolicy.egressProxy.host"
        ),
        ("AuthorizationPolicy", "{action: DENY}", "spec.rules"),
        (
            "DestinationRule",
            "{host: a, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: '', to: {b: 100}}]}}}}",
            "spec.trafficPolicy.loadBalancer.localityLbSetting.distribute"
        ),
        (
            "DestinationRule",
            "{host: a, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: a//b, to: {b: 100}}]}}}}",
            "spec.trafficPolicy.loadBalancer.localityLbSetting.distribute"
        ),
        (
            "DestinationRule",
            "{host: a, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {b: 9223372036854775807, c: 9223372036854775807}}]}}}}",
            "spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to"
        ),
        (
            "VirtualService", "{hosts: [a], http: [{route: [{destination: {host: a}, weight: 4294967296}]}]}",
            "spec.http[0].route[0].weight"
        ),
        (
            "WorkloadEntry", "{address: 'unix:///dir/'}",
            "spec.address"
        ),
        (
            "WorkloadGroup", "{template: {}, probe: {httpGet: {port: 80, httpHeaders: [{name: '**'}]}}}",
            "spec.probe.httpGet.httpHeaders[0].name"
        ),
        (
            "Sidecar", "{egress: []}",
            "spec"
        ),
        (
            "Gateway",
            "{selector: {a: b}, servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.b], tls: {mode: ISTIO_MUTUAL, serverCertificate: a}}]}",
            "spec.servers[0].tls.serverCertificate"
        ),
        (
            "Gateway",
            "{selector: {a: b}, servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.b], tls: {mode: ISTIO_MUTUAL, privateKey: a}}]}",
            "spec.servers[0].tls.privateKey"
        ),
        (
            "Gateway",
            "{selector: {a: b}, servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.b], tls: {mode: ISTIO_MUTUAL, caCertificates: a}}]}",
            "spec.servers[0].tls.caCertificates"
        ),
        (
            "Gateway",
            "{selector: {a: b}, servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.b], tls: {mode: SIMPLE, tlsCertificates: [{serverCertificate: a}]}}]}",
            "spec.servers[0].tls.tlsCertificates[0].privateKey"
        ),
        (
            "Gateway",
            "{selector: {a: b}, servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.b], tls: {mode: SIMPLE, tlsCertificates: [{privateKey: a}]}}]}",
            "spec.servers[0].tls.tlsCertificates[0].serverCertificate"
        ),
        (
            "EnvoyFilter",
            "{configPatches: [{applyTo: HTTP_FILTER, match: {context: SIDECAR_INBOUND, waypoint: {filter: {name: a}}}, patch: {operation: MERGE, value: {}}}]}",
            "spec.configPatches[0].match"
        ),
        (
            "EnvoyFilter",
            "{configPatches: [{applyTo: HTTP_FILTER, match: {context: WAYPOINT, listener: {}}, patch: {operation: MERGE, value: {}}}]}",
            "spec.configPatches[0].match"
        ),
        (
            "EnvoyFilter",
            "{configPatches: [{applyTo: HTTP_FILTER, match: {context: WAYPOINT, waypoint: {portNumber: 65536}}, patch: {operation: MERGE, value: {}}}]}",
            "spec.configPatches[0].match.waypoint.portNumber"
        ),
        (
            "WasmPlugin", "{url: '#%blah$#@'}",
            "spec.url"
        ),
        (
            "WasmPlugin", "{url: 'http://a b'}",
            "spec.url"
        ),
        (
            "WasmPlugin", "{url: 'http://t', imagePullSecret: ''}",
            "spec.imagePullSecret"
        ),
        (
            "WasmPlugin", "{url: 'http://t', pluginName: ''}",
            "spec.pluginName"
        ),
        (
            "WasmPlugin", "{url: 'http://t', vmConfig: {env: [{name: a}, {name: a}]}}",
            "spec.vmConfig.env[1].name"
        ),
        (
            "WasmPlugin", "{url: 'http://t', match: [{ports: [{number: 1}, {number: 1}]}]}",
            "spec.match[0].ports[1].number"
        ),
        (
            "TrafficExtension", "{}",
            "spec"
        ),
        (
            "TrafficExtension", "{wasm: {url: a}, lua: {inlineCode: b}}",
            "spec"
        ),
        (
            "TrafficExtension", "{lua: {}}",
            "spec.lua.inlineCode"
        ),
        (
            "TrafficExtension", "{wasm: {}}",
            "spec.wasm.url"
        ),
        (
            "TrafficExtension", "{wasm: {url: 'x://y'}}",
            "spec.wasm.url"
        ),
        (
            "TrafficExtension", "{lua: {inlineCode: a}, phase: SOON}",
            "spec.phase"
        ),
        (
            "AuthorizationPolicy", "{rules: [{from: [{source: {ipBlocks: ['1::2::3']}}]}]}",
            "spec.rules[0].from[0].source.ipBlocks[0]"
        ),
    ])
    func objects(kind: String, spec: String, path: String) throws { try expect(kind, spec, .error, at: path) }

    @Test(arguments: [
        ("Sidecar", "{egress: [{hosts: ['*/*', dev/a.b]}]}", "spec.egress[0].hosts"),
        ("Sidecar", "{egress: [{hosts: [dev/a.b, dev/a.b]}]}", "spec.egress[0].hosts[1]"),
        ("PeerAuthentication", "{selector: {}, mtls: {mode: STRICT}}", "spec.selector.matchLabels"),
        (
            "VirtualService", "{hosts: [a], http: [{fault: {abort: {}}, route: [{destination: {host: a}}]}]}",
            "spec.http[0].fault.abort"
        ),
        (
            "VirtualService",
            "{hosts: [a.b], gateways: [g.dev.svc.cluster.local], http: [{directResponse: {status: 200}}]}",
            "spec.gateways[0]"
        ),
        (
            "Gateway",
            "{servers: [{port: {number: 443, name: a, protocol: TLS}, hosts: [a.b], tls: {mode: PASSTHROUGH, credentialName: c}}]}",
            "spec.servers[0].tls"
        ),
        (
            "Gateway",
            "{servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.b], tls: {mode: SIMPLE, credentialName: c, cipherSuites: [FOO]}}]}",
            "spec.servers[0].tls.cipherSuites[0]"
        ),
    ])
    func warnings(kind: String, spec: String, path: String) throws {
        try expect(kind, spec, .warning, at: path)
        #expect(try findings(kind, spec).allSatisfy { $0.severity != .error }, "\(spec)")
    }

    /// What Istio takes is taken, however odd it looks.
    @Test(arguments: [
        ("VirtualService", "{hosts: [10.0.0.1], http: [{directResponse: {status: 200}}]}"),
        (
            "VirtualService",
            "{hosts: [a.b], gateways: [./g, ns/g, g], http: [{match: [{uri: {prefix: ''}}], directResponse: {status: 200}}]}"
        ),
        (
            "VirtualService",
            "{hosts: [a.b], gateways: [g], http: [{match: [{headers: {'@request.auth.claims.sub': {exact: a}}}], directResponse: {status: 200}}]}"
        ),
        (
            "VirtualService",
            "{hosts: [a], http: [{match: [{withoutHeaders: {x: {regex: '*'}}}], directResponse: {status: 200}}]}"
        ),
        (
            "VirtualService",
            "{hosts: [a], http: [{headers: {request: {set: {x: '50%%', y: '%REQ(X?Y):9% %START_TIME(%s)%'}}}, directResponse: {status: 200}}]}"
        ),
        (
            "VirtualService",
            #"{hosts: [a], http: [{match: [{uri: {regex: '(?i)/[[:alpha:]]+/\d{1,3}(?P<rest>.*)\Q(\E'}}], directResponse: {status: 200}}]}"#
        ),
        ("DestinationRule", "{host: '*.a.b', exportTo: [., other]}"),
        ("DestinationRule", "{host: a, trafficPolicy: {tunnel: {targetHost: 1.2.3.4, targetPort: 80}}}"),
        (
            "Gateway",
            "{selector: {a: b}, servers: [{bind: 'unix:///run/a', port: {number: 0, name: a, protocol: HTTP}, hosts: [a.b]}, {port: {number: 9, name: r, protocol: REDIS}, hosts: ['*']}]}"
        ),
        ("ServiceEntry", "{hosts: [a.b], exportTo: ['~'], ports: [{number: 80, name: a, protocol: http}]}"),
        (
            "Sidecar",
            "{egress: [{port: {number: 80, protocol: HTTP, name: a}, hosts: [./a.b, '~/*']}, {hosts: ['*/*', '~dev/c.d']}]}"
        ),
    ])
    func takes(kind: String, spec: String) throws {
        let found = try findings(kind, spec)
        #expect(found.isEmpty, "\(spec): \(found)")
    }

    @Test func aServiceEntryHasAtMost256Hosts() throws {
        let hosts = (0...256).map { "h\($0).b" }
        func spec(_ count: Int) -> String {
            "{hosts: [\(hosts.prefix(count).joined(separator: ", "))], ports: [{number: 80, name: a, protocol: HTTP}]}"
        }
        #expect(try findings("ServiceEntry", spec(256)).isEmpty)
        try expect("ServiceEntry", spec(257), .error, at: "spec.hosts")
    }

    /// A word that is none of a list is told together with the list, and does not hide unknown fields.
    @Test func whatIsMalformedHidesNothing() throws {
        let object = KubernetesObject([
            "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": ["name": "x"],
            "spec": try YAMLReader.value(
                in: "{host: '', hosts: a, trafficPolicy: {loadBalancer: {simple: WRONG}, tls: {mode: SIMPLE, sin: a}}}"),
        ])
        let found = Validator.review(object)
        let paths = found.map { "\($0.severity.rawValue) \($0.path ?? "")" }
        #expect(
            Set(paths) == [
                "Error spec.trafficPolicy.loadBalancer.simple", "Error spec.host", "Warning spec.hosts",
                "Warning spec.trafficPolicy.tls.sin",
            ])
        #expect(
            found.contains {
                $0.message.hasPrefix("unknown value \"WRONG\": use ") && $0.message.contains("LEAST_REQUEST")
            })
    }

    @Test func aKindThatThereIsNotIsTold() throws {
        let object = KubernetesObject([
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualServise", "metadata": ["name": "x"],
        ])
        #expect(Validator.validate(object: object).map(\.path) == ["kind"])
        let other = KubernetesObject(["apiVersion": "apps/v1", "kind": "Anything", "metadata": ["name": "x"]])
        #expect(Validator.validate(object: other).isEmpty)
    }

    @Test func aGatewaysNameHasNoDots() throws {
        let spec = "{selector: {a: b}, servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: [a.b]}]}"
        #expect(try findings("Gateway", spec, name: "a.b").map(\.path) == ["metadata.name"])
        #expect(try findings("Gateway", spec).isEmpty)
    }
}
