import Foundation
import Testing
import WeftConfig
import WeftCore

@testable import WeftAnalysis

/// For each code about what the mesh runs on a cluster that has the mistake, and the same one without it.
struct ClusterAnalyzerTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var code: String
        var text: String
        var bad: String
        var good: String
        var testDescription: String { "\(code) \(text)" }
    }

    private static func namespace(_ labels: String) -> String {
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: dev, labels: {\(labels)}}\n---\n"
    }

    private static func pod(
        _ annotations: String = "", image: String = "weft/proxy", labels: String = "app: backend"
    ) -> String {
        """
        apiVersion: v1
        kind: Pod
        metadata: {name: backend-1, namespace: dev, labels: {\(labels)}, annotations: {\(annotations)}}
        spec: {containers: [{name: app}, {name: istio-proxy, image: \(image)}]}
        ---

        """
    }

    private static func deployment(
        annotations: String = "", template: String = "", image: String = "weft/proxy"
    ) -> String {
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: backend, namespace: dev, annotations: {\(annotations)}}
        spec:
          template:
            metadata: {labels: {app: backend}, annotations: {\(template)}}
            spec: {containers: [{name: istio-proxy, image: \(image)}]}
        ---

        """
    }

    private static func service(_ name: String, transport: String, annotations: String = "") -> String {
        """
        apiVersion: v1
        kind: Service
        metadata: {name: \(name), namespace: dev, annotations: {\(annotations)}}
        spec: {selector: {app: backend}, ports: [{name: tcp, port: 53, targetPort: 53, protocol: \(transport)}]}
        ---

        """
    }

    private static func object(_ kind: String, _ spec: String, metadata: String = "", status: String = "{}") -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: \(kind)
        metadata: {name: sample, namespace: dev\(metadata)}
        spec: \(spec)
        status: \(status)
        ---

        """
    }

    private static func entry(_ protocolName: String, metadata: String = "", status: String = "{}") -> String {
        object(
            "ServiceEntry",
            "{hosts: [db.example], resolution: DNS, ports: [{number: 5432, name: db, protocol: \(protocolName)}]}",
            metadata: metadata, status: status)
    }

    private static let twoMatches =
        "match: [{uri: {prefix: /a}}, {uri: {prefix: /b}}], route: [{destination: {host: db.example}}]"
    private static func routes(_ second: String) -> String {
        entry("HTTP")
            + object(
                "VirtualService",
                "{hosts: [db.example], http: [{match: [{uri: {prefix: /a}}], route: [{destination: {host: db.example}}]}, "
                    + "{\(second)}]}")
    }

    private static let bound =
        "{hosts: [db.example], gateways: [NAME], http: [{route: [{destination: {host: db.example}}]}]}"

    private static func injectorMap(_ image: String) -> String {
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: istio-sidecar-injector, namespace: istio-system}
        data: {values: '{"revision": "default", "global": {"proxy": {"image": "\(image)"}}}'}
        ---

        """
    }

    private static func webhook(_ name: String, service: String, label: String) -> String {
        """
        apiVersion: admissionregistration.k8s.io/v1
        kind: MutatingWebhookConfiguration
        metadata: {name: \(name)}
        webhooks:
        - name: rev.namespace.sidecar-injector.istio.io
          clientConfig: {service: {name: \(service), namespace: dev}}
          namespaceSelector: {matchExpressions: [{key: istio.io/rev, operator: In, values: [\(label)]}]}
        ---

        """
    }

    private static func secret(_ certificate: String) -> String {
        func encoded(_ kind: String) -> String {
            Data("-----BEGIN \(kind)-----\nAA==\n-----END \(kind)-----\n".utf8).base64EncodedString()
        }
        return """
            apiVersion: v1
            kind: Secret
            metadata: {name: site, namespace: istio-system}
            data: {tls.crt: \(certificate.isEmpty ? encoded("CERTIFICATE") : certificate), tls.key: \(encoded("PRIVATE KEY"))}
            ---

            """
    }

    private static let site =
        pod() + service("backend", transport: "TCP")
        + object(
            "Gateway",
            "{selector: {app: backend}, servers: [{port: {number: 53, name: https, protocol: HTTPS}, hosts: [a.example], "
                + "tls: {mode: SIMPLE, credentialName: site}}]}")

    private static func status(_ accepted: String) -> String {
        "{addresses: [{value: 240.240.0.1}], conditions: [{type: Accepted, status: '\(accepted)', reason: Refused, "
            + "message: two proxies refused it}]}"
    }

    private static func origination(_ more: String, ports: Bool = false) -> String {
        let tls = "tls: {mode: SIMPLE\(more)}"
        let policy = ports ? "portLevelSettings: [{port: {number: 443}, \(tls)}]" : tls
        return entry("HTTP") + object("DestinationRule", "{host: db.example, trafficPolicy: {\(policy)}}")
    }

    private static func unlabelled(_ byDefault: Bool) -> String {
        """
        apiVersion: v1
        kind: Namespace
        metadata: {name: dev}
        ---
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: istio-sidecar-injector, namespace: istio-system}
        data: {values: '{"values": {"sidecarInjectorWebhook": {"enableNamespacesByDefault": \(byDefault)}}}'}
        ---

        """ + pod()
    }

    static let cases: [Case] = [
        Case(
            code: "IST0102", text: "not enabled for Istio injection", bad: unlabelled(false), good: unlabelled(true)),
        Case(
            code: "IST0148", text: "enableNamespacesByDefault", bad: unlabelled(true), good: unlabelled(false)),
        Case(
            code: "IST0128", text: "for host db.example: the server is checked against the system's authorities",
            bad: origination(""), good: origination(", caCertificates: system")),
        Case(
            code: "IST0128", text: "mode set to SIMPLE", bad: origination(""),
            good: origination(", credentialName: db-ca")),
        Case(
            code: "IST0129", text: "for host db.example at port 443", bad: origination("", ports: true),
            good: origination(", insecureSkipVerify: true", ports: true)),
        Case(
            code: "IST0107", text: "sidecar.istio.io/proxyCPU can only be applied to Pod",
            bad: deployment(annotations: "sidecar.istio.io/proxyCPU: 100m"),
            good: deployment(template: "sidecar.istio.io/proxyCPU: 100m")),
        Case(
            code: "IST0107", text: "networking.istio.io/exportTo can only be applied to Service",
            bad: pod("networking.istio.io/exportTo: '.'"),
            good: service("a", transport: "TCP", annotations: "networking.istio.io/exportTo: '.'")),
        Case(
            code: "IST0108", text: "Unknown annotation: sidecar.istio.io/proxyCPUs",
            bad: pod("sidecar.istio.io/proxyCPUs: 100m"), good: pod("sidecar.istio.io/proxyCPU: 100m, other/x: y")),
        Case(
            code: "IST0125", text: "traffic.sidecar.istio.io/excludeInboundPorts: \"x\" is no port",
            bad: pod("traffic.sidecar.istio.io/excludeInboundPorts: '80, x'"),
            good: pod("traffic.sidecar.istio.io/excludeInboundPorts: '80, 81'")),
        Case(
            code: "IST0125", text: "is no range of addresses",
            bad: pod("traffic.sidecar.istio.io/includeOutboundIPRanges: 10.0.0.0/40"),
            good: pod("traffic.sidecar.istio.io/includeOutboundIPRanges: '10.0.0.0/8,fd00::/8'")),
        Case(
            code: "IST0125", text: "it is none of REDIRECT, TPROXY, NONE",
            bad: pod("sidecar.istio.io/interceptionMode: none"), good: pod("sidecar.istio.io/interceptionMode: NONE")),
        Case(
            code: "IST0135", text: "\"sidecar.istio.io/inject\" has been deprecated",
            bad: pod("sidecar.istio.io/inject: 'true'"), good: pod(labels: "sidecar.istio.io/inject: 'true'")),
        Case(
            code: "IST0136", text: "\"sidecar.istio.io/bootstrapOverride\" is part of an alpha-phase feature",
            bad: pod("sidecar.istio.io/bootstrapOverride: mine"), good: pod()),
        Case(
            code: "IST0116", text: "using port 53 but different protocols: TCP,UDP (a,b)",
            bad: deployment() + service("a", transport: "TCP") + service("b", transport: "UDP"),
            good: deployment() + service("b", transport: "UDP")),
        Case(
            code: "IST0131", text: "rule #1 match #0 is not used", bad: routes(twoMatches),
            good: routes(twoMatches.replacing("{prefix: /a}", with: "{prefix: /c}"))),
        Case(
            code: "IST0134", text: "ServiceEntry addresses are required", bad: entry("TCP"), good: entry("TLS")),
        Case(
            code: "IST0134", text: "ServiceEntry addresses are required", bad: entry("TCP"),
            good: entry("TCP", metadata: ", labels: {networking.istio.io/enable-autoallocate-ip: 'true'}")),
        Case(
            code: "IST0139", text: "refers to a control plane service that does not exist: dev/istiod-old",
            bad: webhook("old", service: "istiod-old", label: "old"),
            good: webhook("old", service: "istiod-old", label: "old") + service("istiod-old", transport: "TCP")),
        Case(
            code: "IST0139", text: "selects the same pods as webhook configuration one",
            bad: service("istiod", transport: "TCP") + webhook("one", service: "istiod", label: "prod")
                + webhook("two", service: "istiod", label: "prod"),
            good: service("istiod", transport: "TCP") + webhook("one", service: "istiod", label: "prod")
                + webhook("two", service: "istiod", label: "test")),
        Case(
            code: "IST0146", text: "Deployment backend contains `image: auto`",
            bad: namespace("istio-injection: disabled") + deployment(image: "auto"),
            good: namespace("istio-injection: enabled") + deployment(image: "auto")),
        Case(
            code: "IST0147", text: "Pod backend-1 contains `image: auto`",
            bad: namespace("istio-injection: disabled") + pod(image: "auto"),
            good: namespace("istio.io/rev: canary") + pod(image: "auto")),
        Case(
            code: "IST0158", text: "(pod names: backend-1)",
            bad: injectorMap("weft/proxy:2")
                + pod("istio.io/rev: default, sidecar.istio.io/status: '{}'", image: "weft/proxy:1"),
            good: injectorMap("weft/proxy:2")
                + pod("istio.io/rev: default, sidecar.istio.io/status: '{}'", image: "weft/proxy:2")),
        Case(
            code: "IST0161", text: "Secret site has no certificate with its key in PEM", bad: site + secret("AAAA"),
            good: site + secret("")),
        Case(
            code: "IST0165", text: "to an implementation-generated internal Gateway",
            bad: entry("HTTP")
                + object("VirtualService", bound.replacing("NAME", with: "site-istio-autogenerated-k8s-gateway-http")),
            good: entry("HTTP") + object("VirtualService", bound.replacing("NAME", with: "mesh"))),
        Case(
            code: "IST0171", text: "type: Accepted, reason: Refused, message: two proxies refused it",
            bad: entry("TCP", status: status("False")), good: entry("TCP", status: status("True"))),
    ]

    private func findings(_ manifests: String) throws -> [Diagnostic] {
        Analysis.run(AnalysisContext(objects: try ManifestReader.objects(in: manifests, file: "case").map(\.object)))
    }

    @Test(arguments: cases)
    func mistakeIsFoundAndItsCorrectionIsNot(_ example: Case) throws {
        let found = try findings(example.bad)
        #expect(
            found.contains { $0.code == example.code && $0.message.contains(example.text) },
            "\(found.map { "\($0.code) \($0.message)" })")
        let rest = try findings(example.good).filter { $0.code == example.code }
        #expect(rest.isEmpty, "\(rest.map { "\($0.code) \($0.message)" })")
    }

    /// It is found anew, as it is now; the status may be from before the last change.
    @Test(arguments: [
        ("IST0173: spec.subsets[0]: no pod", false), ("IST0173: no pod; WEFT0001: a proxy refused it", true),
    ])
    func aConditionRepeatsNoFinding(_ message: String, isTold: Bool) throws {
        let condition = "status: 'False', type: Accepted, reason: Invalid, message: '\(message)'"
        let found = try findings(Self.entry("TCP", status: "{conditions: [{\(condition)}]}"))
        #expect(found.contains { $0.code == "IST0171" } == isTold, "\(found.map { "\($0.code) \($0.message)" })")
    }

    /// What a namespace of the mesh has is no finding: the annotations of an injected pod.
    @Test func injectedPodsAreInOrder() throws {
        let annotations = [
            "sidecar.istio.io/status: '{}'", "istio.io/rev: default", "prometheus.io/scrape: 'true'",
            "kubectl.kubernetes.io/default-container: app", "proxy.istio.io/config: '{concurrency: 2}'",
        ]
        let found = try findings(namespace("istio-injection: enabled") + pod(annotations.joined(separator: ", ")))
        #expect(found.isEmpty, "\(found.map { "\($0.code) \($0.message)" })")
    }

    private func namespace(_ labels: String) -> String { Self.namespace(labels) }
    private func pod(_ annotations: String) -> String { Self.pod(annotations) }
}
