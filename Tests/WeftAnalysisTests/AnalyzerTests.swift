import Testing
import WeftConfig
import WeftCore

@testable import WeftAnalysis

/// For each code a configuration that has the mistake, and the same one without it.
struct AnalyzerTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var code: String
        /// A part of the text that names what is wrong.
        var text: String
        var bad: String
        var good: String
        var testDescription: String { "\(code) \(text)" }
    }

    /// What every case has: a service with one port and a pod behind it.
    private static let base = """
        apiVersion: v1
        kind: Service
        metadata: {name: backend, namespace: dev}
        spec: {selector: {app: backend}, ports: [{name: http, port: 80}]}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: backend-1, namespace: dev, labels: {app: backend, version: v1}}
        spec: {containers: [{name: app}, {name: istio-proxy}]}
        ---

        """

    private static func virtualService(_ spec: String, name: String = "backend") -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: \(name), namespace: dev}
        spec: \(spec)
        ---

        """
    }

    private static func object(_ kind: String, _ spec: String, group: String = "networking.istio.io/v1") -> String {
        """
        apiVersion: \(group)
        kind: \(kind)
        metadata: {name: sample, namespace: dev}
        spec: \(spec)
        ---

        """
    }

    private static func sidecar(_ selector: String?, name: String = "sample") -> String {
        let labels = selector.map { "workloadSelector: {labels: \($0)}, " } ?? ""
        return object("Sidecar", "{\(labels)egress: [{hosts: ['./*']}]}").replacing("sample", with: name)
    }

    private static func telemetry(_ selector: String?, name: String = "sample") -> String {
        let labels = selector.map { "selector: {matchLabels: \($0)}, " } ?? ""
        return object("Telemetry", "{\(labels)accessLogging: [{disabled: true}]}", group: "telemetry.istio.io/v1")
            .replacing("sample", with: name)
    }

    private static func gateway(
        _ name: String = "sample", host: String, credential: String, port: Int = 80
    ) -> String {
        let port = "{number: \(port), name: https, protocol: HTTPS}"
        let tls = "{mode: SIMPLE, credentialName: \(credential)}"
        return object(
            "Gateway", "{selector: {app: backend}, servers: [{port: \(port), hosts: [\(host)], tls: \(tls)}]}"
        )
        .replacing("sample", with: name)
    }

    private static let claimRoute =
        gateway(host: "backend", credential: "c", port: 80)
        + virtualService(
            "{hosts: [backend], gateways: [sample], http: [{match: [{headers: {'@request.auth.claims.group': {exact: a}}}], "
                + "route: [{destination: {host: backend}}]}]}")

    private static func service(_ name: String, port: Int, target: Int? = nil) -> String {
        let leads = target.map { ", targetPort: \($0)" } ?? ""
        return """
            apiVersion: v1
            kind: Service
            metadata: {name: \(name), namespace: dev}
            spec: {selector: {app: backend}, ports: [{name: http, port: \(port)\(leads)}]}
            ---

            """
    }

    private static func external(_ port: String) -> String {
        """
        apiVersion: v1
        kind: Service
        metadata: {name: api, namespace: dev}
        spec: {type: ExternalName, externalName: api.example, ports: [{name: \(port), port: 443}]}
        ---

        """
    }

    private static let deployment = """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: backend, namespace: dev}
        spec: {template: {metadata: {labels: {app: backend}}}}
        ---

        """

    private static func pod(_ spec: String) -> String {
        "apiVersion: v1\nkind: Pod\nmetadata: {name: user, namespace: dev}\nspec: {\(spec)}\n---\n"
    }

    private static func envoyFilter(
        _ operation: String, _ target: String = "HTTP_FILTER", priority: Int? = nil, version: String? = nil,
        name: String = "sample"
    ) -> String {
        let match = version.map { "match: {proxy: {proxyVersion: '\($0)'}}, " } ?? ""
        let order = priority.map { "priority: \($0), " } ?? ""
        let type = "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer"
        let rest =
            switch target {
            case "HTTP_FILTER": "typed_config: {'@type': \(type), max_request_bytes: 9}"
            case "VIRTUAL_HOST": "domains: [sample]"
            default: ""
            }
        let patch = "patch: {operation: \(operation), value: {name: sample.filter, \(rest)}}"
        return """
            apiVersion: networking.istio.io/v1alpha3
            kind: EnvoyFilter
            metadata: {name: \(name), namespace: dev}
            spec: {\(order)configPatches: [{applyTo: \(target), \(match)\(patch)}]}
            ---

            """
    }

    private static func namespace(_ labels: String) -> String {
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: dev, labels: {\(labels)}}\n---\n"
    }

    private static let route = "http: [{route: [{destination: {host: backend}}]}]"
    private static let ports = #"""
        apiVersion: v1
        kind: Service
        metadata: {name: many, namespace: dev}
        spec: {selector: {app: backend}, ports: [{name: http, port: 80}, {name: grpc, port: 90}]}
        ---

        """#

    static let cases: [Case] = [
        Case(
            code: "IST0101", text: "Referenced host not found: \"nobody\"",
            bad: virtualService("{hosts: [backend], http: [{route: [{destination: {host: nobody}}]}]}"),
            good: virtualService("{hosts: [backend], \(route)}")),
        Case(
            code: "IST0101", text: "Referenced host+subset in destinationrule not found: \"backend+v1\"",
            bad: virtualService("{hosts: [backend], http: [{route: [{destination: {host: backend, subset: v1}}]}]}"),
            good: virtualService("{hosts: [backend], http: [{route: [{destination: {host: backend, subset: v1}}]}]}")
                + object("DestinationRule", "{host: backend, subsets: [{name: v1, labels: {version: v1}}]}")),
        Case(
            code: "IST0101", text: "Referenced gateway not found: \"sample\"",
            bad: virtualService("{hosts: [backend], gateways: [sample], \(route)}"),
            good: virtualService("{hosts: [backend], gateways: [sample], \(route)}")
                + object(
                    "Gateway",
                    "{selector: {app: backend}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [backend]}]}"
                )),
        Case(
            code: "IST0101", text: "Referenced selector not found: \"istio=none\"",
            bad: object(
                "Gateway",
                "{selector: {istio: none}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}"),
            good: object(
                "Gateway",
                "{selector: {app: backend}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}")
        ),
        Case(
            code: "IST0102", text: "not enabled for Istio injection", bad: namespace(""),
            good: namespace("istio-injection: disabled")),
        Case(
            code: "IST0103", text: "The pod dev/bare is missing the Istio proxy",
            bad: namespace("istio-injection: enabled")
                + "apiVersion: v1\nkind: Pod\nmetadata: {name: bare, namespace: dev}\nspec: {containers: [{name: app}]}\n---\n",
            good: namespace("istio-injection: enabled")
                + """
                apiVersion: v1
                kind: Pod
                metadata: {name: bare, namespace: dev, labels: {sidecar.istio.io/inject: "false"}}
                spec: {containers: [{name: app}]}
                ---

                """),
        Case(
            code: "IST0106", text: "spec.http[0].route[0].weight: weight -1 < 0",
            bad: virtualService(
                "{hosts: [backend], http: [{route: [{destination: {host: backend}, weight: -1}, {destination: {host: backend}, weight: 1}]}]}"
            ),
            good: virtualService(
                "{hosts: [backend], http: [{route: [{destination: {host: backend}, weight: 60}, {destination: {host: backend}, weight: 30}]}]}"
            )),
        Case(
            code: "IST0106", text: "total destination weight = 0",
            bad: virtualService(
                "{hosts: [backend], http: [{route: [{destination: {host: backend}}, {destination: {host: backend}}]}]}"),
            good: virtualService("{hosts: [backend], \(route)}")),
        Case(
            code: "IST0106", text: "unknown field \"spec.http[0].timeoutt\"",
            bad: virtualService(
                "{hosts: [backend], http: [{timeoutt: 1s, route: [{destination: {host: backend}}]}]}"),
            good: virtualService("{hosts: [backend], http: [{timeout: 1s, route: [{destination: {host: backend}}]}]}")),
        Case(
            code: "IST0109", text: "dev/backend,dev/other associated with mesh gateway define the same host",
            bad: virtualService("{hosts: [backend], \(route)}")
                + virtualService("{hosts: [backend.dev.svc.cluster.local], \(route)}", name: "other"),
            good: virtualService("{hosts: [backend], \(route)}")
                + virtualService("{hosts: [elsewhere], \(route)}", name: "other")),
        Case(
            code: "IST0112", text: "exposes several ports [80 90]",
            bad: ports + virtualService("{hosts: [many], http: [{route: [{destination: {host: many}}]}]}"),
            good: ports
                + virtualService("{hosts: [many], http: [{route: [{destination: {host: many, port: {number: 90}}}]}]}")),
        Case(
            code: "IST0113", text: "clients use DISABLE, but servers in namespace dev are STRICT",
            bad: object("DestinationRule", "{host: backend, trafficPolicy: {tls: {mode: DISABLE}}}")
                + object("PeerAuthentication", "{mtls: {mode: STRICT}}", group: "security.istio.io/v1"),
            good: object("DestinationRule", "{host: backend, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}")
                + object("PeerAuthentication", "{mtls: {mode: STRICT}}", group: "security.istio.io/v1")),
        Case(
            code: "IST0118", text: "Port name web (port: 8080, targetPort: 8080)",
            bad:
                "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: dev}\nspec: {ports: [{name: web, port: 8080}]}\n",
            good:
                "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: dev}\nspec: {ports: [{name: http-web, port: 8080}]}\n"
        ),
        Case(
            code: "IST0130", text: "rule #1 not used: rule #0 before it matches every request",
            bad: virtualService(
                "{hosts: [backend], http: [{route: [{destination: {host: backend}}]}, {match: [{uri: {prefix: /a}}], route: [{destination: {host: backend}}]}]}"
            ),
            good: virtualService(
                "{hosts: [backend], http: [{match: [{uri: {prefix: /a}}], route: [{destination: {host: backend}}]}, {route: [{destination: {host: backend}}]}]}"
            )),
        Case(
            code: "IST0130", text: "rule #1 (late) not used: earlier rules have the same matches",
            bad: virtualService(
                "{hosts: [backend], http: [{match: [{uri: {exact: /a}}], route: [{destination: {host: backend}}]}, {name: late, match: [{uri: {exact: /a}}], route: [{destination: {host: backend}}]}]}"
            ),
            good: virtualService(
                "{hosts: [backend], http: [{match: [{uri: {exact: /a}}], route: [{destination: {host: backend}}]}, {name: late, match: [{uri: {exact: /b}}], route: [{destination: {host: backend}}]}]}"
            )),
        Case(
            code: "IST0132",
            text: "host [backend] defined in VirtualService dev/backend not found in Gateway dev/sample",
            bad: virtualService("{hosts: [backend], gateways: [sample], \(route)}")
                + object(
                    "Gateway",
                    "{selector: {app: backend}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [a.example]}]}"
                ),
            good: virtualService("{hosts: [x.example], gateways: [sample], \(route)}")
                + object(
                    "Gateway",
                    "{selector: {app: backend}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*.example']}]}"
                )),
        Case(
            code: "IST0133", text: "Schema validation warning: spec.rules[0]: on TCP ports this DENY rule",
            bad: object(
                "AuthorizationPolicy", "{action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}]}",
                group: "security.istio.io/v1"),
            good: object("AuthorizationPolicy", "{action: DENY, rules: [{}]}", group: "security.istio.io/v1")),
        Case(
            code: "IST0110", text: "The Sidecar objects [other,sample] in namespace dev select the same workload pod",
            bad: sidecar("{app: backend}") + sidecar("{version: v1}", name: "other"),
            good: sidecar("{app: backend}")),
        Case(
            code: "IST0111", text: "The Sidecar objects [other,sample] in namespace dev have no workload selectors",
            bad: sidecar(nil) + sidecar(nil, name: "other"),
            good: sidecar(nil) + sidecar("{version: v1}", name: "other")),
        Case(
            code: "IST0123", text: "both istio-injection and istio.io/rev=canary",
            bad: namespace("istio-injection: enabled, istio.io/rev: canary"), good: namespace("istio.io/rev: canary")),
        Case(
            code: "IST0127", text: "No matching workloads for this resource with the following labels: app=nobody",
            bad: object(
                "PeerAuthentication", "{selector: {matchLabels: {app: nobody}}}", group: "security.istio.io/v1"),
            good: object(
                "PeerAuthentication", "{selector: {matchLabels: {app: backend}}}", group: "security.istio.io/v1")),
        Case(
            code: "IST0137", text: "associated with multiple services [backend,second] using targetPort 80",
            bad: deployment + service("second", port: 81, target: 80), good: deployment + service("second", port: 80)),
        Case(
            code: "IST0138", text: "Duplicate certificate in multiple gateways [dev/other,dev/sample]",
            bad: gateway(host: "a.example", credential: "c") + gateway("other", host: "b.example", credential: "c"),
            good: gateway(host: "a.example", credential: "c") + gateway("other", host: "b.example", credential: "d")),
        Case(
            code: "IST0144", text: "User ID (UID) 1337 is reserved for the sidecar proxy",
            bad: pod("securityContext: {runAsUser: 1337}, containers: [{name: app}, {name: istio-proxy}]"),
            good: pod(
                "containers: [{name: app}, {name: istio-proxy, securityContext: {runAsUser: 1337}}]")
                // The control plane has no proxy beside it.
                + "apiVersion: v1\nkind: Pod\nmetadata: {name: istiod, namespace: dev, labels: {app: istiod}}\n"
                + "spec: {securityContext: {runAsUser: 1337}, containers: [{name: discovery}]}\n---\n"),
        Case(
            code: "IST0145", text: "Conflict with gateways dev/other: the same port 80 and hosts [a.example]",
            bad: gateway(host: "a.example", credential: "c") + gateway("other", host: "a.example", credential: "d"),
            good: gateway(host: "a.example", credential: "c") + gateway("other", host: "b.example", credential: "d")),
        Case(
            code: "IST0149", text: "JWT claim based routing (key: @request.auth.claims.group) without request",
            bad: claimRoute, good: claimRoute + object("RequestAuthentication", "{}", group: "security.istio.io/v1")),
        Case(
            code: "IST0150", text: "Port name for ExternalName service is invalid",
            bad: external("tcp-api"), good: external("https-api")),
        Case(
            code: "IST0159", text: "The Telemetry objects [other,sample] in namespace dev select the same workload pod",
            bad: telemetry("{app: backend}") + telemetry("{version: v1}", name: "other"),
            good: telemetry("{app: backend}")),
        Case(
            code: "IST0160", text: "have no workload selectors",
            bad: telemetry(nil) + telemetry(nil, name: "other"),
            good: telemetry(nil) + telemetry("{version: v1}", name: "other")),
        Case(
            code: "IST0162", text: "listening on a target port (port 443) that is not defined in the Service",
            bad: gateway(host: "a.example", credential: "c", port: 443),
            good: gateway(host: "a.example", credential: "c")),
        Case(
            code: "IST0151", text: "INSERT_BEFORE without a priority depends on which EnvoyFilter is applied first",
            bad: envoyFilter("INSERT_BEFORE"), good: envoyFilter("INSERT_BEFORE", priority: 10)),
        Case(
            code: "IST0152", text: "REPLACE does nothing to CLUSTER",
            bad: envoyFilter("REPLACE", "CLUSTER"), good: envoyFilter("REPLACE", priority: 10)),
        Case(
            code: "IST0153", text: "ADD does nothing to ROUTE_CONFIGURATION",
            bad: envoyFilter("ADD", "ROUTE_CONFIGURATION"), good: envoyFilter("ADD", "VIRTUAL_HOST")),
        Case(
            code: "IST0154", text: "REMOVE does nothing to ROUTE_CONFIGURATION",
            bad: envoyFilter("REMOVE", "ROUTE_CONFIGURATION"), good: envoyFilter("REMOVE", "VIRTUAL_HOST", priority: 10)
        ),
        Case(
            code: "IST0155", text: "after an upgrade of the proxies the outcome is another",
            bad: envoyFilter("ADD", version: "^1.11.*", name: "first") + envoyFilter("REPLACE"),
            good: envoyFilter("ADD", version: "^1.11.*", name: "first") + envoyFilter("ADD")),
        Case(
            code: "IST0173", text: "no pod of service dev/backend has labels version=v2",
            bad: object("DestinationRule", "{host: backend, subsets: [{name: v2, labels: {version: v2}}]}"),
            good: object("DestinationRule", "{host: backend, subsets: [{name: v1, labels: {version: v1}}]}")),
        Case(
            code: "IST0174", text: "is for host nobody, which no Service or ServiceEntry has",
            bad: object("DestinationRule", "{host: nobody}"), good: object("DestinationRule", "{host: backend.dev}")),
    ]

    private func findings(_ manifests: String) throws -> [Diagnostic] {
        Analysis.run(
            AnalysisContext(objects: try ManifestReader.objects(in: Self.base + manifests, file: "case").map(\.object)))
    }

    @Test(arguments: cases)
    func mistakeIsFoundAndItsCorrectionIsNot(_ example: Case) throws {
        let found = try findings(example.bad)
        #expect(
            found.contains { $0.code == example.code && $0.message.contains(example.text) },
            "\(found.map { "\($0.code) \($0.message)" })")
        let rest = try findings(example.good)
        #expect(rest.isEmpty, "\(rest.map { "\($0.code) \($0.message)" })")
    }

    /// A code that is new in the analyzers needs a case here.
    @Test func everyAnalyzerHasACase() throws {
        let cases =
            Self.cases.map { ($0.code, Self.base + $0.bad) } + ClusterAnalyzerTests.cases.map { ($0.code, $0.bad) }
        let silent = try Analysis.analyzers.filter { analyzer in
            try !cases.contains { code, manifests in
                let objects = try ManifestReader.objects(in: manifests, file: "case").map(\.object)
                return analyzer.analyze(AnalysisContext(objects: objects)).contains { $0.code == code }
            }
        }
        #expect(silent.map(\.name) == [])
    }
}
