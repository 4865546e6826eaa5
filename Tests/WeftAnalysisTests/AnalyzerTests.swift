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
            code: "IST0133", text: "Schema validation warning: spec.rules: a DENY policy without `rules`",
            bad: object("AuthorizationPolicy", "{action: DENY}", group: "security.istio.io/v1"),
            good: object("AuthorizationPolicy", "{action: DENY, rules: [{}]}", group: "security.istio.io/v1")),
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
        let silent = try Analysis.analyzers.filter { analyzer in
            try !Self.cases.contains { example in
                let objects = try ManifestReader.objects(in: Self.base + example.bad, file: "case").map(\.object)
                return analyzer.analyze(AnalysisContext(objects: objects)).contains { $0.code == example.code }
            }
        }
        #expect(silent.map(\.name) == [])
    }
}
