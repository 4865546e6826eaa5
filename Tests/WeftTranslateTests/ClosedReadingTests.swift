import Testing
import WeftConfig
import WeftCore
import WeftHTTP
import WeftIR
import WeftTranslate

private typealias Mesh = SecurityMesh

/// Objects that guard workloads and that admission would refuse, in a mesh that has them all the same: what cannot be read of
/// them lets nobody in.
@Suite struct ClosedReadingTests {
    private static let post = "to: [{operation: {methods: [POST]}}]"

    /// What stands beside conditions that cannot be read still decides: POST is refused, GET is not.
    static let rulesOfDeny = [
        "{from: [{source: {ipBlocks: [nonsense]}}], \(post)}",
        "{from: [{source: {notIpBlocks: ['10.0.0.0/99']}}], \(post)}",
        "{from: [{source: {remoteIpBlocks: [1::2::3]}}], \(post)}",
        "{from: [{source: {serviceAccounts: ['a/b/c']}}], \(post)}",
        "{from: [{source: {notServiceAccounts: ['*']}}], \(post)}",
        "{from: [{source: {serviceAccounts: [x], namespaces: [dev]}}, {source: {namespaces: [dev]}}], \(post)}",
        "{from: [{source: {principals: ['']}}], \(post)}", "{from: [{}], \(post)}", "{from: [], \(post)}",
        "{from: [{source: {}}], \(post)}", "{from: 5, \(post)}", "{from: [5], \(post)}",
        "{from: [{source: {principals: 5}}], \(post)}", "{from: [{source: {principals: [5]}}], \(post)}",
        "{from: [{source: {namespaces: [[], dev]}}], \(post)}",
        "{to: [{operation: {methods: [POST], ports: [http]}}]}",
        "{to: [{operation: {methods: [POST], notPorts: ['']}}]}",
        "{to: [{operation: {methods: [POST], hosts: ['']}}]}", "{to: [{operation: {methods: [POST], paths: [5]}}]}",
        "{when: [{key: nonsense, values: [a]}], \(post)}", "{when: [{key: source.ip, values: [nowhere]}], \(post)}",
        "{when: [{key: destination.port, values: ['70000']}], \(post)}",
        "{when: [{key: 'request.headers[]', values: [a]}], \(post)}", "{when: [{values: [a]}], \(post)}",
        "{when: [{key: source.namespace}], \(post)}", "{when: [{key: 5, values: [a]}], \(post)}",
        "{when: x, \(post)}", "{when: [x, {key: source.ip, values: [10.0.0.0/8]}], \(post)}",
        "{when: [{key: 'request.auth.claims[a', values: [b]}], \(post)}",
        "{when: [{key: 'experimental.envoy.filters.x[', values: [b]}], \(post)}",
    ]

    @Test(arguments: rulesOfDeny) func aDenyHoldsWithoutWhatCannotBeRead(_ rule: String) throws {
        let mesh = try Mesh(Mesh.authorization("{action: DENY, rules: [{to: [{operation: {paths: [/x]}}]}, \(rule)]}"))
        #expect(mesh.ask(Call(method: .post)).status == 403)
        #expect(mesh.ask(Call()).status == 200)
        #expect(mesh.ask(Call(path: "/x")).status == 403, "the other rule stays as it is")
    }

    @Test func aDenyHoldsForTheValuesThatCanBeRead() throws {
        let mesh = try Mesh(
            Mesh.authorization("{action: DENY, rules: [{from: [{source: {ipBlocks: [nonsense, 10.244.0.0/16]}}]}]}"))
        #expect(mesh.ask(Call()).status == 403)
        #expect(mesh.ask(Call(ip: "10.9.0.1")).status == 200)
    }

    /// Nothing tells what they were to refuse, so they refuse everything.
    @Test(arguments: [
        "{action: DENY, rules: 5}", "{action: DENY, rules: [5]}", "{action: DENY, rules: [null]}",
        "{action: MAYBE, rules: [{}]}", "{action: 5, rules: [{}]}", "{action: MAYBE}", "5",
        "{action: CUSTOM, provider: {name: nobody}, rules: x}", "{action: CUSTOM, provider: 5, rules: [{}]}",
        "{action: CUSTOM, rules: [{}]}", "{selector: {matchLabels: {app: 'w*b'}}, action: DENY, rules: [{}]}",
        "{selector: {matchLabels: {'a*': web}}, action: DENY, rules: [{}]}",
        "{selector: {matchLabels: {app: 5}}, action: DENY, rules: [{}]}",
        "{selector: x, action: DENY, rules: [{}]}", "{provider: {name: x}, action: DENY, rules: [{}]}",
        "{selector: {matchLabels: {app: web}}, targetRefs: [{kind: Service, name: web}], action: DENY, rules: [{}]}",
    ]) func whatTellsNothingRefusesEverything(_ spec: String) throws {
        let allow = Mesh.policy("AuthorizationPolicy", "all", "{rules: [{}]}")
        let mesh = try Mesh(allow + Mesh.authorization(spec))
        #expect(mesh.ask(Call()).status == 403)
        #expect(!mesh.connects())
    }

    @Test func aSelectorThatCannotBeReadLeavesOutWhomItDoesNotMean() throws {
        for selector in ["{app: 'x*'}", "{app: '*x'}", "{app: web, tier: '*'}"] {
            let deny = Mesh.authorization("{selector: {matchLabels: \(selector)}, action: DENY, rules: [{}]}")
            #expect(try Mesh(deny).ask(Call()).status == 200, "\(selector)")
        }
    }

    /// An ALLOW policy lets in whom its readable rules let in, and nobody if it is unclear where it holds.
    @Test(arguments: [
        ("{rules: [{from: [{source: {ipBlocks: [nonsense]}}]}, {to: [{operation: {methods: [POST]}}]}]}", 200),
        ("{rules: [{from: [{source: {notIpBlocks: [nonsense]}}]}]}", 403),
        ("{rules: [{when: [{key: nonsense, values: [a]}]}]}", 403), ("{rules: [5]}", 403), ("{rules: 5}", 403),
        ("{rules: [{from: 5}]}", 403), ("{rules: [{from: [x, {source: {namespaces: [dev]}}]}]}", 403),
        ("{selector: {matchLabels: {app: '*'}}, rules: [{}]}", 403), ("{selector: 5, rules: [{}]}", 403),
        ("{selector: {matchLabels: {app: web}}, targetRefs: [{kind: Service, name: w}], rules: [{}]}", 403),
    ]) func anAllowLetsNobodyInByWhatCannotBeRead(_ spec: String, _ posted: Int) throws {
        let mesh = try Mesh(Mesh.authorization(spec))
        #expect(mesh.ask(Call(method: .post)).status == posted)
        #expect(mesh.ask(Call()).status == 403)
    }

    @Test func aTrialThatCannotBeReadIsInEarnest() throws {
        for (text, status) in [("maybe", 403), ("yes", 403), ("1", 200), ("True", 200), ("f", 403)] {
            let mesh = try Mesh(
                Mesh.policy(
                    "AuthorizationPolicy", "t", annotations: "{istio.io/dry-run: \"\(text)\"}",
                    "{action: DENY, rules: [{}]}"))
            #expect(mesh.ask(Call()).status == status, "\(text)")
        }
    }

    @Test func aCustomRuleAsksAboutMore() throws {
        let config: MeshConfig = try YAMLReader.value(
            in:
                "{extensionProviders: [{name: asker, envoyExtAuthzHttp: {service: asker.dev.svc.cluster.local, port: 8000}}]}"
        ).decode()
        for condition in [
            "when: [{key: nonsense, values: [a]}]", "when: [{key: 'request.auth.claims[a]', values: [b]}]",
            "from: [{source: {requestPrincipals: ['*']}}]", "from: [{source: {ipBlocks: [x]}}]",
        ] {
            let mesh = try Mesh(
                Mesh.authorization("{action: CUSTOM, provider: {name: asker}, rules: [{\(condition), \(Self.post)}]}"),
                mesh: config)
            #expect(mesh.ask(Call(method: .post)).asked, "\(condition)")
            #expect(!mesh.ask(Call()).asked, "\(condition)")
        }
    }

    /// A reference that cannot be read stands for every gateway of the namespace, and for no sidecar.
    @Test func aTargetThatCannotBeReadIsEveryGateway() throws {
        for target in ["{group: apps, kind: Deployment, name: g}", "{group: gateway.networking.k8s.io, kind: Gateway}"]
        {
            let yaml = """
                {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: edge, namespace: dev},
                 spec: {gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP}]}}
                ---
                \(Mesh.authorization("{targetRefs: [\(target)], action: DENY, rules: [{}]}"))
                """
            let objects = try ManifestReader.objects(in: yaml).map(\.object)
            let proxy = ProxyIdentity(
                kind: .router, address: "10.244.0.3", podName: "g", namespace: "dev",
                labels: ["gateway.networking.k8s.io/gateway-name": "edge"])
            let configuration = Translator(MeshSnapshot(objects: objects)).configuration(for: proxy).0
            let filters = configuration.listeners.values.flatMap(\.managers).flatMap(\.filters)
            #expect(
                filters.contains { filter in
                    if case .rbac(let rules) = filter.kind {
                        rules.action == .deny && !rules.policies.isEmpty
                    } else {
                        false
                    }
                }, "\(target)")
            #expect(
                try Mesh(Mesh.authorization("{targetRefs: [\(target)], action: DENY, rules: [{}]}")).ask(Call()).status
                    == 200)
        }
    }

    // MARK: - Tokens

    private static let rule = "{issuer: me, jwks: \"\(TestTokens.jwks)\"}"
    private static let token = TestTokens.make(#"{"iss":"me","sub":"alice"}"#)

    /// The first rule cannot be read. Its tokens are refused, wherever it takes them from.
    @Test(arguments: [
        "{issuer: me, jwks: \"\(TestTokens.jwks)\", jwksUri: 'https://h/k'}",
        "{issuer: me, jwks: \"\(TestTokens.jwks)\", timeout: never}", "{jwks: \"\(TestTokens.jwks)\"}",
        "{issuer: me, jwks: \"\(TestTokens.jwks)\", fromHeaders: [{name: 'a b'}]}", "{issuer: me, jwks: '{'}", "5",
        "{issuer: me, jwks: \"\(TestTokens.jwks)\", outputClaimToHeaders: [{header: ':authority', claim: sub}]}",
    ]) func aTokenRuleThatCannotBeReadAcceptsNothing(_ broken: String) throws {
        let mesh = try Mesh(Mesh.policy("RequestAuthentication", "{jwtRules: [\(broken)]}"))
        let call = Call(headers: [("authorization", "Bearer \(Self.token)")])
        #expect(mesh.ask(call).status == 401)
        #expect(mesh.ask(Call()).status == 200)
        let both = try Mesh(Mesh.policy("RequestAuthentication", "{jwtRules: [\(broken), \(Self.rule)]}"))
        #expect(both.ask(call).status == 200, "the other rule stays as it is")
    }

    /// A DENY by what the token says does not open because the token is not looked at any more.
    @Test func aDenyByClaimsDoesNotOpen() throws {
        let deny = Mesh.authorization("{action: DENY, rules: [{from: [{source: {requestPrincipals: [me/alice]}}]}]}")
        let call = Call(headers: [("authorization", "Bearer \(Self.token)")])
        #expect(
            try Mesh(deny + Mesh.policy("RequestAuthentication", "{jwtRules: [\(Self.rule)]}")).ask(call).status == 403)
        let broken = Self.rule.replacing("issuer: me", with: "issuer: me, timeout: never")
        #expect(
            try Mesh(deny + Mesh.policy("RequestAuthentication", "{jwtRules: [\(broken)]}")).ask(call).status == 401)
    }

    @Test func anUnclearPlaceOfATokenRuleAcceptsNothing() throws {
        let yaml = Mesh.policy(
            "RequestAuthentication", "{selector: {matchLabels: {app: 'w*'}}, jwtRules: [\(Self.rule)]}")
        #expect(try Mesh(yaml).ask(Call(headers: [("authorization", "Bearer \(Self.token)")])).status == 401)
    }

    // MARK: - What the status says

    @Test func theStatusSaysWhatIsInForce() throws {
        let yaml =
            Mesh.policy("AuthorizationPolicy", "d", "{action: DENY, rules: [{from: [{source: {ipBlocks: [x]}}]}]}")
            + Mesh.policy("AuthorizationPolicy", "u", "{action: MAYBE}")
            + Mesh.policy("PeerAuthentication", "p", "{mtls: {mode: STRCT}}")
            + Mesh.policy("RequestAuthentication", "r", "{jwtRules: [{}]}")
        let objects = try ManifestReader.objects(in: yaml).map(\.object)
        let notes = MeshSnapshot(objects: objects).diagnostics.filter { $0.code == "WEFT0005" }
        #expect(Set(notes.compactMap(\.resource?.name)) == ["d", "u", "p", "r"])
        #expect(notes.contains { $0.resource?.name == "d" && $0.message.contains("match more than is written") })
        #expect(notes.contains { $0.resource?.name == "u" && $0.message.contains("everything is refused") })
        #expect(notes.contains { $0.resource?.name == "p" && $0.message.contains("STRICT") })
        #expect(notes.contains { $0.resource?.name == "r" && $0.message.contains("tokens") })
    }
}
