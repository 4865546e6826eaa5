import Testing
import WeftConfig
import WeftCore

/// What the checks of the registry's kinds say: by kind and spec, the path of the finding, or none.
struct RegistryValidationTests {
    private func findings(_ kind: String, _ spec: String) throws -> [Diagnostic] {
        let version = kind == "EnvoyFilter" ? "v1alpha3" : kind == "ProxyConfig" ? "v1beta1" : "v1"
        let yaml =
            "{apiVersion: networking.istio.io/\(version), kind: \(kind), metadata: {name: n, namespace: d}, spec: \(spec)}"
        return Validator.validate(object: try #require(try ManifestReader.objects(in: yaml).first?.object))
    }

    @Test(
        arguments: [
            ("WorkloadEntry", "{address: 1.2.3.4}", nil), ("WorkloadEntry", "{network: n}", nil),
            ("WorkloadEntry", "{}", "spec.address"), ("WorkloadEntry", "{address: 'a b'}", "spec.address"),
            ("WorkloadEntry", "{address: 'unix://x'}", "spec.address"),
            ("WorkloadEntry", "{address: 'unix:///x', ports: {a: 1}}", "spec.ports"),
            ("WorkloadEntry", "{address: 1.2.3.4, ports: {a: 0}}", "spec.ports[a]"),
            ("WorkloadEntry", "{address: 1.2.3.4, locality: a/b/c/d}", "spec.locality"),
            ("WorkloadGroup", "{template: {serviceAccount: a}}", nil), ("WorkloadGroup", "{}", "spec.template"),
            ("WorkloadGroup", "{template: {}, probe: {}}", "spec.probe"),
            ("WorkloadGroup", "{template: {}, probe: {tcpSocket: {}}}", "spec.probe.tcpSocket.port"),
            ("WorkloadGroup", "{template: {}, probe: {exec: {}}}", "spec.probe.exec.command"),
            ("ProxyConfig", "{concurrency: 2, environmentVariables: {A: b}}", nil),
            ("ProxyConfig", "{image: {imageType: debug}}", "spec.image.imageType"),
            ("ServiceEntry", "{hosts: [a.b], addresses: [x], resolution: STATIC}", "spec.addresses[0]"),
            (
                "ServiceEntry", "{hosts: [a.b], resolution: STATIC, endpoints: [{address: a.c}]}",
                "spec.endpoints[0].address"
            ),
            ("ServiceEntry", "{hosts: ['*.b'], resolution: DNS}", "spec.hosts"),
            ("ServiceEntry", "{hosts: [a.b], resolution: DYNAMIC_DNS}", "spec.hosts"),
            (
                "ServiceEntry", "{hosts: [a.b], resolution: DNS, endpoints: [{address: a.c, ports: {x: 1}}]}",
                "spec.endpoints[0].ports[x]"
            ),
            ("Sidecar", "{}", "spec"),
            (
                "Sidecar", "{ingress: [{port: {number: 1}, defaultEndpoint: '1.2.3.4:5'}]}",
                "spec.ingress[0].defaultEndpoint"
            ),
            ("Sidecar", "{ingress: [{port: {number: 1}, defaultEndpoint: '127.0.0.1:5'}]}", nil),
            ("Sidecar", "{ingress: [{port: {number: 1}}, {port: {number: 1}}]}", "spec.ingress[1].port.number"),
            ("Sidecar", "{egress: [{hosts: ['./*']}, {hosts: ['./*']}]}", "spec.egress[0].port"),
            ("EnvoyFilter", "{configPatches: [{applyTo: CLUSTER, patch: {operation: MERGE, value: {a: 1}}}]}", nil),
            ("EnvoyFilter", "{configPatches: [{patch: {operation: REMOVE}}]}", "spec.configPatches[0].applyTo"),
            (
                "EnvoyFilter", "{configPatches: [{applyTo: CLUSTER, patch: {operation: MERGE}}]}",
                "spec.configPatches[0].patch.value"
            ),
            (
                "EnvoyFilter", "{configPatches: [{applyTo: CLUSTER, patch: {operation: REPLACE, value: {}}}]}",
                "spec.configPatches[0].patch.operation"
            ),
            (
                "EnvoyFilter",
                "{configPatches: [{applyTo: CLUSTER, match: {listener: {}}, patch: {operation: REMOVE}}]}",
                "spec.configPatches[0].match.listener"
            ),
            (
                "EnvoyFilter",
                "{configPatches: [{applyTo: CLUSTER, match: {proxy: {proxyVersion: '(1'}}, patch: {operation: REMOVE}}]}",
                "spec.configPatches[0].match.proxy.proxyVersion"
            ),
            (
                "EnvoyFilter",
                "{configPatches: [{applyTo: LISTENER, match: {listener: {filterChain: {filter: {name: x}}}}, patch: {operation: REMOVE}}]}",
                "spec.configPatches[0].match.listener.filterChain.filter"
            ),
            (
                "EnvoyFilter",
                "{configPatches: [{applyTo: HTTP_FILTER, match: {listener: {filterChain: {filter: {name: x, subFilter: {name: y}}}}}, patch: {operation: REMOVE}}]}",
                "spec.configPatches[0].match.listener.filterChain.filter.name"
            ),
            (
                "EnvoyFilter",
                "{configPatches: [{applyTo: NETWORK_FILTER, match: {listener: {filterChain: {filter: {name: x, subFilter: {name: y}}}}}, patch: {operation: REMOVE}}]}",
                "spec.configPatches[0].match.listener.filterChain.filter.subFilter"
            ),
            (
                "EnvoyFilter", "{configPatches: [{applyTo: CLUSTER, patch: {operation: MERGE, value: 1}}]}",
                "spec.configPatches[0].patch.value"
            ),
            (
                "EnvoyFilter", "{configPatches: [{applyTo: EXTENSION_CONFIG, patch: {operation: ADD, value: {a: 1}}}]}",
                "spec.configPatches[0].patch.value.name"
            ),
            (
                "EnvoyFilter",
                "{configPatches: [{applyTo: EXTENSION_CONFIG, patch: {operation: ADD, value: {name: a}}}]}", nil
            ),
            (
                "EnvoyFilter", "{configPatches: [{applyTo: HTTP_FILTER, patch: {operation: ADD, value: {name: a}}}]}",
                "spec.configPatches[0].patch.value"
            ),
            ("WorkloadEntry", "{address: 1.2.3.4, labels: {'a b': c}}", "spec.labels[a b]"),
            ("WorkloadEntry", "{address: 1.2.3.4, labels: {example.com/a_b.c: c}}", nil),
            ("WorkloadGroup", "{template: {}, metadata: {labels: {a: '-x'}}}", "spec.metadata.labels[a]"),
            ("ProxyConfig", "{environmentVariables: {'A=B': c}}", "spec.environmentVariables[A=B]"),
            ("ProxyConfig", "{environmentVariables: {A: c}}", nil),
            (
                "EnvoyFilter", "{configPatches: [{applyTo: BOOTSTRAP, patch: {operation: MERGE, value: {}}}]}",
                "spec.configPatches[0].applyTo"
            ),
        ] as [(String, String, String?)])
    func checks(_ kind: String, _ spec: String, _ path: String?) throws {
        let found = try findings(kind, spec)
        if let path {
            #expect(found.contains { $0.path == path }, "\(found)")
        } else {
            #expect(found.isEmpty, "\(found)")
        }
    }

    @Test func meshConfigurationNamesWhatItDoesNotObey() throws {
        let json = try YAMLReader.value(
            in:
                "{accessLogFile: /dev/stdout, nonsense: 1, proxyListenPort: 1, enableTracing: true, meshMTLS: {minProtocolVersion: TLSV1_3, ecdhCurves: [P-256]}, outboundTrafficPolicy: {mode: ALLOW_ANY, x: 1}}"
        )
        let map = ResourceReference(kind: "ConfigMap", namespace: "istio-system", name: "istio")
        let found = MeshConfigChecks.findings(json, configMap: map)
        #expect(
            found.map(\.path) == [
                "data.mesh.meshMTLS.ecdhCurves", "data.mesh.nonsense", "data.mesh.outboundTrafficPolicy.x",
                "data.mesh.proxyListenPort",
            ])
        #expect(found[1].message.contains("no known field"))
        #expect(found[3].message.contains("15001"))
    }

    /// A format that no proxy can read would have every listener refused: the standard one stands in, and this tells it.
    @Test(
        arguments: [
            ("{accessLogFormat: '%NO_SUCH%'}", "accessLogFormat"), ("{accessLogFormat: '%PROTOCOL%'}", nil),
            ("{accessLogEncoding: JSON, accessLogFormat: '{\"a\": \"%NO_SUCH%\"}'}", "accessLogFormat"),
            ("{accessLogEncoding: JSON, accessLogFormat: '%PROTOCOL%'}", "accessLogFormat"),
            (
                "{extensionProviders: [{name: a}, {name: f, envoyFileAccessLog: {logFormat: {text: '100%'}}}]}",
                "extensionProviders[1].envoyFileAccessLog.logFormat.text"
            ),
            (
                "{extensionProviders: [{name: f, envoyFileAccessLog: {logFormat: {labels: {a: [b, '%X%']}}}}]}",
                "extensionProviders[0].envoyFileAccessLog.logFormat.labels"
            ),
        ] as [(String, String?)])
    func formatsOfLogLines(_ yaml: String, _ path: String?) throws {
        let map = ResourceReference(kind: "ConfigMap", namespace: "istio-system", name: "istio")
        let found = MeshConfigChecks.findings(try YAMLReader.value(in: yaml), configMap: map)
        #expect(found.map(\.path) == (path.map { ["data.mesh.\($0)"] } ?? []))
        #expect(found.allSatisfy { $0.severity == .error })
    }
}
