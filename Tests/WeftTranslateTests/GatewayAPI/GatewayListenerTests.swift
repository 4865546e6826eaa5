import Testing
import WeftConfig
import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTranslate

/// Listeners of Gateways: hosts, namespaces, isolation, conflicts, certificates.
@Suite struct GatewayListenerTests {
    private static let good = "[{backendRefs: [{name: a, port: 8080}]}]"
    static let pem = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClFVSkRSRVU9Ci0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K"
    static let key = "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tClFVSkRSRVU9Ci0tLS0tRU5EIFBSSVZBVEUgS0VZLS0tLS0K"

    static func secret(_ name: String, namespace: String = "infra") -> String {
        "{apiVersion: v1, kind: Secret, metadata: {name: \(name), namespace: \(namespace)}, type: kubernetes.io/tls, data: {tls.crt: \(pem), tls.key: \(key)}}"
    }

    static func authority(_ name: String, namespace: String = "infra", text: String? = nil) -> String {
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: \(name), namespace: \(namespace)}
        data:
          ca.crt: |
            \(text ?? "-----BEGIN CERTIFICATE-----\n    QUJDREU=\n    -----END CERTIFICATE-----")
        """
    }

    // MARK: - Hosts

    @Test(arguments: [
        ("very.specific.com", "a.infra"), ("other.com", "404"), ("x.wildcard.io", "b.infra"),
        ("x.y.wildcard.io", "b.infra"),
        ("wildcard.io", "404"), ("one.both.net", "c.infra"), ("two.both.net", "404"),
    ])
    func aRouteAnswersWhereItsHostsAndTheListenersMeet(_ host: String, _ expected: String) throws {
        func route(_ name: String, _ hosts: String, _ backend: String) -> String {
            GatewayWorld.route(name, hostnames: hosts, rules: "[{backendRefs: [{name: \(backend), port: 8080}]}]")
        }
        let world = try GatewayWorld(
            [
                route("specific", "[very.specific.com, not.here.com]", "a"), route("wild", "[\"*.wildcard.io\"]", "b"),
                route("both", "[one.both.net]", "c"),
            ].joined(separator: "\n---\n"),
            listeners: """
                [{name: l1, port: 80, protocol: HTTP, hostname: very.specific.com},
                 {name: l2, port: 80, protocol: HTTP, hostname: "*.wildcard.io"},
                 {name: l3, port: 80, protocol: HTTP, hostname: "*.both.net"}]
                """)
        #expect(try world.ask(Request(host: host)) == expected)
        #expect(try world.listener("l1")["attachedRoutes"] == 1)
    }

    @Test func hostsWithoutAnythingInCommonAreRefused() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(hostnames: "[a.org]", rules: Self.good),
            listeners: "[{name: http, port: 80, protocol: HTTP, hostname: b.org}]")
        #expect(try world.parent()[0] == "Accepted=False/NoMatchingListenerHostname")
        #expect(try world.ask(Request(host: "a.org")) == "404")
    }

    /// GatewayHTTPListenerIsolation: four listeners, each with a route under its own path.
    @Test(arguments: [
        ("bar.com", "/empty", "a.infra"), ("bar.com", "/wild", "404"), ("bar.example.com", "/empty", "404"),
        ("bar.example.com", "/wild", "a.infra"), ("bar.foo.example.com", "/wild", "404"),
        ("bar.foo.example.com", "/deep", "a.infra"), ("abc.foo.example.com", "/deep", "404"),
        ("abc.foo.example.com", "/exact", "a.infra"), ("bar.com", "/exact", "404"),
    ])
    func aHostBelongsToTheMostSpecificListener(_ host: String, _ path: String, _ expected: String) throws {
        func route(_ name: String) -> String {
            GatewayWorld.route(
                name, parent: "{name: gw, sectionName: \(name)}",
                rules: "[{matches: [{path: {value: /\(name)}}], backendRefs: [{name: a, port: 8080}]}]")
        }
        let world = try GatewayWorld(
            ["empty", "wild", "deep", "exact"].map(route).joined(separator: "\n---\n"),
            listeners: """
                [{name: empty, port: 80, protocol: HTTP}, {name: wild, port: 80, protocol: HTTP, hostname: "*.example.com"},
                 {name: deep, port: 80, protocol: HTTP, hostname: "*.foo.example.com"},
                 {name: exact, port: 80, protocol: HTTP, hostname: abc.foo.example.com}]
                """)
        #expect(try world.ask(Request(path, host: host)) == expected)
    }

    @Test func aListenerWithoutRoutesKeepsItsHost() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(
                parent: "{name: gw, sectionName: all}", hostnames: "[own.org, else.org]", rules: Self.good),
            listeners:
                "[{name: all, port: 80, protocol: HTTP}, {name: own, port: 80, protocol: HTTP, hostname: own.org}]")
        #expect(try world.ask(Request(host: "own.org")) == "404")
        #expect(try world.ask(Request(host: "else.org")) == "a.infra")
    }

    // MARK: - Parents

    @Test(arguments: [
        ("{name: gw, sectionName: one}", "http.80"), ("{name: gw, port: 8080}", "http.8080"),
        ("{name: gw, sectionName: two, port: 8080}", "http.8080"),
    ])
    func aParentNamesAListenerOrItsPort(_ parent: String, _ table: String) throws {
        let world = try GatewayWorld(
            GatewayWorld.route(parent: parent, rules: Self.good),
            listeners: "[{name: one, port: 80, protocol: HTTP}, {name: two, port: 8080, protocol: HTTP}]")
        for name in ["http.80", "http.8080"] {
            #expect(try world.ask(Request(table: name)) == (name == table ? "a.infra" : "404"))
        }
        #expect(try world.parent()[0] == "Accepted=True/Accepted")
    }

    @Test(arguments: [
        "{name: gw, sectionName: nix}", "{name: gw, port: 81}", "{name: gw, sectionName: http, port: 81}",
    ])
    func aParentThatNamesNoListenerIsRefused(_ parent: String) throws {
        let world = try GatewayWorld(GatewayWorld.route(parent: parent, rules: Self.good))
        #expect(try world.parent()[0] == "Accepted=False/NoMatchingParent")
    }

    @Test(arguments: [
        ("", "infra", true), ("", "apps", false), ("{from: All}", "apps", true), ("{from: Same}", "apps", false),
        ("{from: Selector, selector: {matchLabels: {team: apps}}}", "apps", true),
        ("{from: Selector, selector: {matchLabels: {team: apps}}}", "infra", false),
        (
            "{from: Selector, selector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [apps]}]}}",
            "apps", true
        ),
    ])
    func namespacesAreAllowed(_ namespaces: String, _ namespace: String, _ isAllowed: Bool) throws {
        let allowed = namespaces.isEmpty ? "" : ", allowedRoutes: {namespaces: \(namespaces)}"
        let backend = namespace == "apps" ? "web" : "a"
        let world = try GatewayWorld(
            GatewayWorld.route(namespace: namespace, rules: "[{backendRefs: [{name: \(backend), port: 8080}]}]"),
            listeners: "[{name: http, port: 80, protocol: HTTP\(allowed)}]")
        let expected = isAllowed ? "Accepted=True/Accepted" : "Accepted=False/NotAllowedByListeners"
        #expect(try world.parent("HTTPRoute", namespace)[0] == expected)
        #expect(try world.ask(Request()) == (isAllowed ? "\(backend).\(namespace)" : "404"))
        #expect(try world.listener("http")["attachedRoutes"] == (isAllowed ? 1 : 0))
    }

    @Test func kindsAreAllowed() throws {
        let world = try GatewayWorld(
            GatewayWorld.route(rules: Self.good),
            listeners:
                "[{name: http, port: 80, protocol: HTTP, allowedRoutes: {kinds: [{kind: GRPCRoute}, {kind: TCPRoute}]}}]"
        )
        #expect(try world.parent()[0] == "Accepted=False/NotAllowedByListeners")
        let listener = try world.listener("http")
        #expect(GatewayWorld.conditions(listener).contains("ResolvedRefs=False/InvalidRouteKinds"))
        #expect(listener["supportedKinds"] == [["group": "gateway.networking.k8s.io", "kind": "GRPCRoute"]])
    }

    @Test func anHTTPRouteAndAGRPCRouteDoNotShareAHost() throws {
        let old = GatewayWorld.route(
            "old", kind: "GRPCRoute", created: "2026-01-01T00:00:00Z", hostnames: "[x.org]", rules: "[{}]")
        let young = GatewayWorld.route(
            "young", created: "2026-02-01T00:00:00Z", hostnames: "[\"*.org\"]", rules: Self.good)
        let world = try GatewayWorld(old + "\n---\n" + young)
        #expect(try world.parent("GRPCRoute", "infra", "old")[0] == "Accepted=True/Accepted")
        #expect(try world.parent("HTTPRoute", "infra", "young")[0] == "Accepted=False/Conflicted")
    }

    // MARK: - Protocols and conflicts

    @Test(arguments: [
        ("[{name: http, port: 80, protocol: UDP}]", "Accepted=False/UnsupportedProtocol"),
        ("[{name: http, port: 15021, protocol: HTTP}]", "Accepted=False/PortUnavailable"),
        (
            "[{name: http, port: 80, protocol: HTTP, hostname: a.org}, {name: two, port: 80, protocol: HTTP, hostname: a.org}]",
            "Accepted=False/HostnameConflict"
        ),
        (
            "[{name: http, port: 80, protocol: HTTP}, {name: two, port: 80, protocol: TCP}]",
            "Accepted=False/ProtocolConflict"
        ),
        (
            "[{name: http, port: 80, protocol: HTTP}, {name: two, port: 80, protocol: HTTPS, hostname: a.org}]",
            "Accepted=False/ProtocolConflict"
        ),
    ])
    func listenersThatCannotBeServedAreRefused(_ listeners: String, _ expected: String) throws {
        let world = try GatewayWorld(GatewayWorld.route(rules: Self.good), listeners: listeners)
        let conditions = GatewayWorld.conditions(try world.listener("http"))
        #expect(conditions[0] == expected)
        #expect(conditions[1].hasPrefix("Programmed=False/"))
        if expected.hasSuffix("Conflict") { #expect(conditions[3].hasPrefix("Conflicted=True/")) }
        let gateway = GatewayWorld.conditions(try world.gatewayStatus())
        #expect(gateway[0] == "Accepted=False/ListenersNotValid")
        #expect(gateway[1] == "Programmed=False/Invalid")
        #expect(world.gateway().listeners.isEmpty)
    }

    @Test func aGatewayWithOneGoodListenerIsAccepted() throws {
        let world = try GatewayWorld(
            listeners: "[{name: http, port: 80, protocol: HTTP}, {name: udp, port: 53, protocol: UDP}]")
        #expect(
            GatewayWorld.conditions(try world.gatewayStatus()).prefix(2) == [
                "Accepted=True/ListenersNotValid", "Programmed=True/Programmed",
            ])
    }

    // MARK: - TLS

    private static let tls = "[{name: tls, port: 443, protocol: HTTPS, tls: {certificateRefs: [%]}}]"

    @Test(arguments: [
        ("{name: cert}", ""), ("{name: missing}", "InvalidCertificateRef"), ("{name: broken}", "InvalidCertificateRef"),
        ("{kind: ConfigMap, name: cert}", "InvalidCertificateRef"),
        ("{group: x.io, name: cert}", "InvalidCertificateRef"),
        ("{name: far, namespace: apps}", "RefNotPermitted"), ("{name: granted, namespace: open}", ""),
    ])
    func certificatesAreFoundOrTheReasonIsTold(_ reference: String, _ reason: String) throws {
        let world = try GatewayWorld(
            """
            \(Self.secret("cert"))
            ---
            \(Self.secret("far", namespace: "apps"))
            ---
            \(Self.secret("granted", namespace: "open"))
            ---
            {apiVersion: v1, kind: Secret, metadata: {name: broken, namespace: infra}, data: {tls.crt: SGVsbG8=, tls.key: SGVsbG8=}}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: ReferenceGrant
            metadata: {name: g, namespace: open}
            spec:
              from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: infra}]
              to: [{group: "", kind: Secret}]
            """, listeners: Self.tls.replacing("%", with: reference))
        let conditions = GatewayWorld.conditions(try world.listener("tls"))
        let configuration = world.gateway()
        #expect(conditions[0] == "Accepted=True/Accepted")
        #expect(conditions[1] == (reason.isEmpty ? "Programmed=True/Programmed" : "Programmed=False/Invalid"))
        #expect(conditions[2] == (reason.isEmpty ? "ResolvedRefs=True/ResolvedRefs" : "ResolvedRefs=False/\(reason)"))
        #expect(configuration.listeners.isEmpty == !reason.isEmpty)
        #expect(configuration.secrets.count == (reason.isEmpty ? 1 : 0))
    }

    @Test func secretsReachOnlyTheirOwnGateway() throws {
        let world = try GatewayWorld(
            Self.secret("cert") + """

                ---
                apiVersion: gateway.networking.k8s.io/v1
                kind: Gateway
                metadata: {name: other, namespace: infra}
                spec: {gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP}]}
                """, listeners: Self.tls.replacing("%", with: "{name: cert}"))
        #expect(Array(world.gateway().secrets.keys) == ["kubernetes-gateway://infra/cert"])
        #expect(world.gateway("other").secrets.isEmpty)
        #expect(world.gateway("gw", namespace: "apps").secrets.isEmpty)
    }

    @Test(arguments: [
        ("[{name: ca}]", "", "", true), ("[{name: ca}]", ", mode: AllowInsecureFallback", "", false),
        ("[{name: missing}]", "", "InvalidCACertificateRef", true),
        ("[{kind: Pod, name: ca}]", "", "InvalidCACertificateKind", true),
        ("[{name: far, namespace: apps}]", "", "RefNotPermitted", true),
    ])
    func clientsCertificatesAreVerified(_ references: String, _ mode: String, _ reason: String, _ required: Bool) throws
    {
        let references = references.replacing("[{name", with: "[{group: \"\", kind: ConfigMap, name")
        let world = try GatewayWorld(
            [Self.secret("cert"), Self.authority("ca"), Self.authority("far", namespace: "apps")].joined(
                separator: "\n---\n"),
            listeners: Self.tls.replacing("%", with: "{name: cert}"),
            more: "tls: {frontend: {default: {validation: {caCertificateRefs: \(references)\(mode)}}}}")
        let conditions = GatewayWorld.conditions(try world.listener("tls"))
        guard reason.isEmpty else {
            #expect(conditions[0] == "Accepted=False/NoValidCACertificate")
            #expect(conditions[2] == "ResolvedRefs=False/\(reason)")
            #expect(world.gateway().listeners.isEmpty)
            return
        }
        let tls = try #require(world.gateway().listeners["0.0.0.0_443"]?.filterChains.first?.tls)
        #expect(tls.common.validation?.name == "configmap://infra/ca-cacert")
        #expect(tls.requireClientCertificate == required)
        #expect(tls.common.rules.acceptsUntrusted == !required)
        let insecure = GatewayWorld.conditions(try world.gatewayStatus()).contains {
            $0 == "InsecureFrontendValidationMode=True/ConfigurationChanged"
        }
        #expect(insecure == !required)
    }

    @Test func aPortHasItsOwnVerification() throws {
        let ca = "caCertificateRefs: [{group: \"\", kind: ConfigMap, name: ca}]"
        let world = try GatewayWorld(
            Self.secret("cert") + "\n---\n" + Self.authority("ca"),
            listeners: """
                [{name: one, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}},
                 {name: two, port: 8443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}]
                """, more: "tls: {frontend: {default: {validation: {\(ca)}}, perPort: [{port: 8443, tls: {}}]}}")
        let listeners = world.gateway().listeners
        #expect(listeners["0.0.0.0_443"]?.filterChains.first?.tls?.requireClientCertificate == true)
        #expect(listeners["0.0.0.0_8443"]?.filterChains.first?.tls?.requireClientCertificate == false)
    }

    /// GatewayHTTPSListenerDetectMisdirectedRequests.
    @Test(arguments: [
        ("one", "one.org", "a.infra"), ("one", "x.two.org", "421"), ("one", "three.org", "421"),
        ("two", "x.two.org", "a.infra"),
        ("two", "one.org", "421"), ("rest", "one.org", "421"), ("rest", "three.org", "a.infra"),
    ])
    func aHostOfAnotherListenerIsMisdirected(_ listener: String, _ host: String, _ expected: String) throws {
        let world = try GatewayWorld(
            Self.secret("cert") + "\n---\n" + GatewayWorld.route(rules: Self.good),
            listeners: """
                [{name: one, port: 443, protocol: HTTPS, hostname: one.org, tls: {certificateRefs: [{name: cert}]}},
                 {name: two, port: 443, protocol: HTTPS, hostname: "*.two.org", tls: {certificateRefs: [{name: cert}]}},
                 {name: rest, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}]
                """)
        #expect(
            try world.ask(Request(host: host, table: "https.443.\(listener).gw.infra", scheme: "https")) == expected)
    }

    /// Browsers reuse a connection for every host of its certificate: who shares hosts with another listener is told.
    @Test func listenersThatShareHostsAreTold() throws {
        let world = try GatewayWorld(
            Self.secret("cert"),
            listeners: """
                [{name: foo, port: 443, protocol: HTTPS, hostname: foo.example.com, tls: {certificateRefs: [{name: cert}]}},
                 {name: wild, port: 443, protocol: HTTPS, hostname: "*.example.com", tls: {certificateRefs: [{name: cert}]}},
                 {name: org, port: 443, protocol: HTTPS, hostname: foo.example.org, tls: {certificateRefs: [{name: cert}]}},
                 {name: other, port: 8443, protocol: HTTPS, hostname: foo.example.com, tls: {certificateRefs: [{name: cert}]}},
                 {name: plain, port: 80, protocol: HTTP, hostname: foo.example.com}, {name: all, port: 80, protocol: HTTP}]
                """)
        let told = try ["foo", "wild", "org", "other", "plain", "all"].filter { name in
            let conditions = GatewayWorld.conditions(try world.listener(name))
            #expect(conditions[0] == "Accepted=True/Accepted")
            #expect(conditions.allSatisfy { !$0.hasPrefix("OverlappingTLSConfig=False") })
            return conditions.contains("OverlappingTLSConfig=True/OverlappingHostnames")
        }
        #expect(told == ["foo", "wild"])
    }

    // MARK: - ListenerSets

    private static func set(_ name: String = "set", namespace: String = "apps", created: String = "", listeners: String)
        -> String
    {
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: ListenerSet
        metadata: {name: \(name), namespace: \(namespace), creationTimestamp: "\(created)"}
        spec: {parentRef: {name: gw, namespace: infra}, listeners: \(listeners)}
        """
    }

    @Test(arguments: [
        ("", false), ("allowedListeners: {namespaces: {from: All}}", true),
        ("allowedListeners: {namespaces: {from: Same}}", false),
    ])
    func aListenerSetAddsListenersWhereItMay(_ allowed: String, _ isAllowed: Bool) throws {
        let world = try GatewayWorld(
            Self.set(listeners: "[{name: own, port: 8080, protocol: HTTP}]") + "\n---\n"
                + GatewayWorld.route(
                    namespace: "apps", parent: "{kind: ListenerSet, name: set}",
                    rules: "[{backendRefs: [{name: web, port: 8080}]}]"), more: allowed)
        let status = try world.status("ListenerSet", "apps", "set")
        let configuration = world.gateway()
        if isAllowed {
            #expect(GatewayWorld.conditions(status) == ["Accepted=True/Accepted", "Programmed=True/Programmed"])
            #expect(status["listeners"]?[0]?["attachedRoutes"] == 1)
            #expect(try world.ask(Request(table: "http.8080"), in: configuration) == "web.apps")
            #expect(try world.parent("HTTPRoute", "apps")[0] == "Accepted=True/Accepted")
        } else {
            #expect(GatewayWorld.conditions(status) == ["Accepted=False/NotAllowed", "Programmed=False/NotAllowed"])
            #expect(configuration.routes["http.8080"] == nil)
        }
        #expect(try world.gatewayStatus()["attachedListenerSets"] == (isAllowed ? 1 : 0))
    }

    @Test func theEarlierListenerKeepsItsPlace() throws {
        let world = try GatewayWorld(
            Self.set(
                "young", created: "2026-02-01T00:00:00Z",
                listeners: "[{name: own, port: 8080, protocol: HTTP}, {name: more, port: 8081, protocol: HTTP}]")
                + "\n---\n"
                + Self.set(
                    "old", created: "2026-01-01T00:00:00Z",
                    listeners: "[{name: own, port: 8080, protocol: HTTP}, {name: gws, port: 80, protocol: TCP}]"),
            more: "allowedListeners: {namespaces: {from: All}}")
        let young = try world.status("ListenerSet", "apps", "young")
        let old = try world.status("ListenerSet", "apps", "old")
        func conditions(_ set: JSONValue, _ index: Int) -> [String] {
            set["listeners"]?[index].map(GatewayWorld.conditions) ?? []
        }
        #expect(conditions(old, 0)[0] == "Accepted=True/Accepted")
        #expect(conditions(old, 1)[3] == "Conflicted=True/ProtocolConflict")
        #expect(conditions(young, 0)[3] == "Conflicted=True/HostnameConflict")
        #expect(conditions(young, 1)[0] == "Accepted=True/Accepted")
        // The Gateway's own listener is as it was.
        #expect(GatewayWorld.conditions(try world.listener("http"))[3] == "Conflicted=False/NoConflicts")
    }

    @Test func aListenerSetReadsSecretsOfItsOwnNamespace() throws {
        let world = try GatewayWorld(
            Self.secret("mine", namespace: "apps") + "\n---\n" + Self.secret("theirs") + "\n---\n"
                + Self.set(
                    listeners: """
                        [{name: mine, port: 443, protocol: HTTPS, hostname: a.org, tls: {certificateRefs: [{name: mine}]}},
                         {name: theirs, port: 443, protocol: HTTPS, hostname: b.org, tls: {certificateRefs: [{name: theirs, namespace: infra}]}}]
                        """), more: "allowedListeners: {namespaces: {from: All}}")
        let listeners = try world.status("ListenerSet", "apps", "set")["listeners"]?.arrayValue ?? []
        #expect(GatewayWorld.conditions(listeners[0])[2] == "ResolvedRefs=True/ResolvedRefs")
        #expect(GatewayWorld.conditions(listeners[1])[2] == "ResolvedRefs=False/RefNotPermitted")
        #expect(Array(world.gateway().secrets.keys) == ["kubernetes-gateway://apps/mine"])
    }
}
