import Testing
import WeftConfig
import WeftCore
import WeftHTTP
import WeftIR
import WeftTranslate

private typealias Mesh = SecurityMesh

/// What AuthorizationPolicies mean, shown by the proxy's own engines on translated policies.
@Suite struct AuthorizationSemanticsTests {
    private func mesh(_ spec: String) throws -> Mesh { try Mesh(Mesh.authorization(spec)) }

    // MARK: - Actions

    @Test func denyGoesBeforeAllow() throws {
        let mesh = try Mesh(
            Mesh.policy("AuthorizationPolicy", "yes", "{rules: [{}]}")
                + Mesh.policy(
                    "AuthorizationPolicy", "never", "{action: DENY, rules: [{to: [{operation: {methods: [POST]}}]}]}"))
        #expect(mesh.ask(Call()).status == 200)
        #expect(mesh.ask(Call(method: .post)) == Verdict(status: 403, policy: "ns[dev]-policy[never]-rule[0]"))
    }

    @Test func anAllowPolicyWithoutRulesRefusesEverybody() throws {
        for spec in ["{}", "{action: ALLOW}", "{action: ALLOW, rules: []}"] {
            let mesh = try mesh(spec)
            #expect(mesh.ask(Call()).status == 403, "\(spec)")
            #expect(!mesh.connects(), "\(spec)")
        }
        #expect(try mesh("{rules: [{}]}").ask(Call()).status == 200)
        #expect(try mesh("{action: DENY}").ask(Call()).status == 200)
    }

    @Test func auditTellsAndRefusesNobody() throws {
        let verdict = try mesh("{action: AUDIT, rules: [{to: [{operation: {paths: [/a]}}]}]}").ask(Call(path: "/a"))
        #expect(verdict == Verdict(shadows: ["audit ns[dev]-policy[p]-rule[0]"]))
    }

    @Test func policiesInTrialTellAndRefuseNobody() throws {
        let trial = #"{istio.io/dry-run: "true"}"#
        for (action, policy) in [("DENY", "ns[dev]-policy[t]-rule[0]"), ("ALLOW", "none")] {
            let paths = action == "DENY" ? "/a" : "/other"
            let mesh = try Mesh(
                Mesh.policy(
                    "AuthorizationPolicy", "t", annotations: trial,
                    "{action: \(action), rules: [{to: [{operation: {paths: [\(paths)]}}]}]}"))
            #expect(mesh.ask(Call(path: "/a")) == Verdict(shadows: [policy]))
        }
    }

    @Test func rootNamespaceHoldsEverywhereAndOthersStayAtHome() throws {
        let deny = "{action: DENY, rules: [{}]}"
        #expect(try Mesh(Mesh.policy("AuthorizationPolicy", namespace: "istio-system", deny)).ask(Call()).status == 403)
        #expect(try Mesh(Mesh.policy("AuthorizationPolicy", namespace: "other", deny)).ask(Call()).status == 200)
        let selected = "{selector: {matchLabels: {app: web}}, action: DENY, rules: [{}]}"
        #expect(try Mesh(Mesh.authorization(selected)).ask(Call()).status == 403)
        #expect(try Mesh(Mesh.authorization(selected.replacing("web", with: "db"))).ask(Call()).status == 200)
        // Sidecars take no notice of policies for gateways.
        let targeted =
            "{targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: g}], action: DENY, rules: [{}]}"
        #expect(try Mesh(Mesh.authorization(targeted)).ask(Call()).status == 200)
    }

    // MARK: - Conditions

    /// `from`, `to` or `when` of a DENY rule, a call that it matches and one that it does not.
    static let conditions: [(String, Call, Call)] = [
        ("from: [{source: {principals: [cluster.local/ns/dev/sa/client]}}]", Call(), Call(principal: nil)),
        (
            "from: [{source: {principals: ['*/sa/client']}}]", Call(),
            Call(principal: "spiffe://cluster.local/ns/dev/sa/x")
        ),
        (
            "from: [{source: {principals: ['cluster.local/ns/dev/*']}}]", Call(),
            Call(principal: "spiffe://cluster.local/ns/b/sa/client")
        ),
        ("from: [{source: {principals: ['*']}}]", Call(), Call(principal: nil)),
        (
            "from: [{source: {notPrincipals: [cluster.local/ns/dev/sa/x]}}]", Call(),
            Call(principal: "spiffe://cluster.local/ns/dev/sa/x")
        ),
        ("from: [{source: {namespaces: [dev]}}]", Call(), Call(principal: "spiffe://cluster.local/ns/dev2/sa/a")),
        (
            "from: [{source: {namespaces: ['de*']}}]", Call(principal: "spiffe://cluster.local/ns/dev2/sa/a"),
            Call(principal: "spiffe://cluster.local/ns/a-dev/sa/a")
        ),
        (
            "from: [{source: {namespaces: ['a*z']}}]", Call(principal: "spiffe://cluster.local/ns/a-to-z/sa/a"),
            Call(principal: "spiffe://cluster.local/ns/a/sa/z")
        ),
        ("from: [{source: {notNamespaces: [dev]}}]", Call(principal: nil), Call()),
        // Without a namespace it is the policy's; dots and other signs are literal.
        (
            "from: [{source: {serviceAccounts: [client]}}]", Call(),
            Call(principal: "spiffe://cluster.local/ns/b/sa/client")
        ),
        (
            "from: [{source: {serviceAccounts: ['b/c.d']}}]", Call(principal: "spiffe://cluster.local/ns/b/sa/c.d"),
            Call(principal: "spiffe://cluster.local/ns/b/sa/cxd")
        ),
        ("from: [{source: {notServiceAccounts: [x]}}]", Call(), Call(principal: "spiffe://cluster.local/ns/dev/sa/x")),
        ("from: [{source: {trustDomains: [cluster.local]}}]", Call(), Call(principal: "spiffe://old/ns/dev/sa/client")),
        ("from: [{source: {notTrustDomains: [cluster.local]}}]", Call(principal: "spiffe://o/ns/a/sa/b"), Call()),
        ("from: [{source: {ipBlocks: [10.244.0.0/24]}}]", Call(), Call(ip: "10.245.0.1")),
        ("from: [{source: {ipBlocks: [10.244.0.9]}}]", Call(remoteIP: "9.9.9.9"), Call(ip: "10.244.0.8")),
        ("from: [{source: {notIpBlocks: ['fd00::/8']}}]", Call(), Call(ip: "fd00::1")),
        ("from: [{source: {remoteIpBlocks: [9.9.9.0/24]}}]", Call(remoteIP: "9.9.9.9"), Call(remoteIP: "8.8.8.8")),
        ("from: [{source: {notRemoteIpBlocks: [9.9.9.9]}}]", Call(), Call(remoteIP: "9.9.9.9")),
        ("to: [{operation: {hosts: [web.dev]}}]", Call(), Call(host: "web.other")),
        ("to: [{operation: {hosts: ['*.example.com']}}]", Call(host: "A.Example.com:80"), Call(host: "example.com.x")),
        ("to: [{operation: {hosts: ['web.*']}}]", Call(host: "WEB.dev:80"), Call(host: "db.dev")),
        ("to: [{operation: {notHosts: [web.dev]}}]", Call(host: "x"), Call(host: "web.dev.:8080")),
        ("to: [{operation: {ports: ['8080']}}]", Call(), Call(method: .options, principal: nil, ip: "")),
        ("to: [{operation: {notPorts: ['9090']}}]", Call(), Call(method: .options, principal: nil, ip: "")),
        ("to: [{operation: {methods: [GET, PUT]}}]", Call(), Call(method: .post)),
        ("to: [{operation: {notMethods: [GET]}}]", Call(method: .post), Call()),
        ("to: [{operation: {paths: [/a]}}]", Call(path: "/a?b=c"), Call(path: "/a/b")),
        ("to: [{operation: {paths: ['/a*']}}]", Call(path: "/ab/c"), Call(path: "/b")),
        ("to: [{operation: {paths: ['*/c']}}]", Call(path: "/a/b/c"), Call(path: "/a/b/c/d")),
        ("to: [{operation: {paths: ['/a/{*}/c']}}]", Call(path: "/a/b/c"), Call(path: "/a/b/b/c")),
        ("to: [{operation: {paths: ['/a/{**}']}}]", Call(path: "/a/b/b/c"), Call(path: "/b/a/b")),
        ("to: [{operation: {notPaths: ['/a*']}}]", Call(path: "/b"), Call(path: "/ab")),
        (
            "when: [{key: 'request.headers[X-Token]', values: ['admin*']}]",
            Call(headers: [("x-token", "admins")]), Call(headers: [("x-token", "user")])
        ),
        ("when: [{key: 'request.headers[x-token]', values: ['*']}]", Call(headers: [("x-token", "u")]), Call()),
        (
            "when: [{key: 'request.headers[x-token]', notValues: [a]}]", Call(),
            Call(headers: [("x-token", "a")])
        ),
        ("when: [{key: source.ip, values: [10.244.0.9]}]", Call(), Call(ip: "1.1.1.1")),
        ("when: [{key: remote.ip, values: [9.0.0.0/8]}]", Call(remoteIP: "9.9.9.9"), Call()),
        ("when: [{key: source.namespace, values: [dev]}]", Call(), Call(principal: nil)),
        ("when: [{key: source.principal, values: [cluster.local/ns/dev/sa/client]}]", Call(), Call(principal: nil)),
        (
            "when: [{key: source.serviceAccount, values: [dev/client]}]", Call(),
            Call(principal: "spiffe://cluster.local/ns/dev/sa/clients")
        ),
        ("when: [{key: source.trustDomain, notValues: [x]}]", Call(), Call(principal: "spiffe://x/ns/a/sa/b")),
        ("when: [{key: destination.ip, values: [10.244.0.0/16]}]", Call(), Call(method: .options)),
        ("when: [{key: destination.port, values: ['8080']}]", Call(), Call(method: .options)),
        ("when: [{key: connection.sni, values: ['*.dev']}]", Call(serverName: "web.dev"), Call(serverName: "x")),
    ]

    @Test(arguments: conditions.indices) func conditionMatches(_ index: Int) throws {
        let (clause, matching, other) = Self.conditions[index]
        // Conditions on the workload's own side are told apart by the method.
        let always = clause.contains("ort") || clause.contains("destination.")
        let rule = always ? "\(clause), \(clause.hasPrefix("to") ? "when" : "to"): " + Self.get(clause) : clause
        for (action, hit, miss) in [("DENY", 403, 200), ("ALLOW", 200, 403)] {
            let mesh = try mesh("{action: \(action), rules: [{\(rule)}]}")
            #expect(mesh.ask(matching).status == hit, "\(action) \(rule)")
            #expect(mesh.ask(other).status == miss, "\(action) \(rule)")
        }
    }

    private static func get(_ clause: String) -> String {
        clause.hasPrefix("to")
            ? "[{key: source.ip, values: [10.0.0.0/8]}]" : "[{operation: {methods: [GET]}}]"
    }

    @Test func allPartsOfARuleMustMatchAndAnyItemOfAList() throws {
        let mesh = try mesh(
            """
            {action: DENY, rules: [{from: [{source: {namespaces: [a]}}, {source: {namespaces: [dev], ipBlocks: [10.0.0.0/8]}}],
             to: [{operation: {methods: [GET]}}, {operation: {paths: [/p]}}], when: [{key: 'request.headers[x]', values: ['1']}]}]}
            """)
        let x = [("x", "1")]
        #expect(mesh.ask(Call(headers: x)).status == 403)
        #expect(mesh.ask(Call(path: "/p", method: .post, headers: x)).status == 403)
        #expect(mesh.ask(Call(path: "/q", method: .post, headers: x)).status == 200)
        #expect(mesh.ask(Call(headers: x, ip: "11.0.0.1")).status == 200)
        #expect(mesh.ask(Call()).status == 200)
    }

    // MARK: - TCP

    @Test func onTCPPortsAllowNeverMatchesHTTPAndDenyGoesWithoutIt() throws {
        let paths = "rules: [{from: [{source: {namespaces: [dev]}}], to: [{operation: {paths: [/a]}}]}]"
        #expect(try !mesh("{action: ALLOW, \(paths)}").connects())
        #expect(try !mesh("{action: DENY, \(paths)}").connects())
        #expect(try mesh("{action: DENY, \(paths)}").connects(principal: nil))
        for clause in [
            "from: [{source: {requestPrincipals: ['*']}}]", "when: [{key: 'request.headers[a]', values: [b]}]",
            "when: [{key: 'request.auth.claims[a]', values: [b]}]", "to: [{operation: {hosts: [a]}}]",
            "to: [{operation: {notMethods: [GET]}}]",
        ] {
            #expect(try !mesh("{action: ALLOW, rules: [{\(clause)}]}").connects(), "\(clause)")
            #expect(try !mesh("{action: DENY, rules: [{\(clause)}]}").connects(), "\(clause)")
        }
        // A rule with such a condition is dropped as a whole, as in Istio.
        let either = "to: [{operation: {paths: [/a]}}, {operation: {ports: ['9000']}}]"
        #expect(try !mesh("{action: ALLOW, rules: [{\(either)}]}").connects())
        #expect(try mesh("{rules: [{to: [{operation: {ports: ['9000']}}]}]}").connects())
        #expect(try !mesh("{rules: [{to: [{operation: {ports: ['9001']}}]}]}").connects())
        #expect(try mesh("{rules: [{from: [{source: {ipBlocks: [10.244.0.0/16]}}]}]}").connects())
    }

    // MARK: - Trust domains

    @Test func namesOfTheMeshsTrustDomainsStandForEachOther() throws {
        var config = MeshConfig()
        config.trustDomain = "new"
        config.trustDomainAliases = ["old"]
        for written in ["cluster.local", "new", "old"] {
            let mesh = try Mesh(
                Mesh.authorization("{rules: [{from: [{source: {principals: ['\(written)/ns/dev/sa/client']}}]}]}"),
                mesh: config)
            for domain in ["new", "old"] {
                #expect(mesh.ask(Call(principal: "spiffe://\(domain)/ns/dev/sa/client")).status == 200)
            }
            #expect(mesh.ask(Call(principal: "spiffe://other/ns/dev/sa/client")).status == 403)
        }
        let names = try Mesh("", mesh: config).chains(port: 8080).compactMap(\.tls).first?.common.subjectAltNames
        #expect(names?.map(\.matcher.pattern) == [.prefix("spiffe://new/"), .prefix("spiffe://old/")])
    }

    // MARK: - CUSTOM

    private static let asking: MeshConfig = {
        var config = MeshConfig()
        let text = """
            {extensionProviders: [
              {name: asker, envoyExtAuthzHttp: {service: asker.dev.svc.cluster.local, port: 8000, includeRequestHeadersInCheck: [x-token]}},
              {name: asker-2, envoyExtAuthzGrpc: {service: dev/asker.dev.svc.cluster.local, port: 8000, timeout: 2s, failOpen: true}}]}
            """
        if let decoded: MeshConfig = try? YAMLReader.value(in: text).decode() { config = decoded }
        return config
    }()

    @Test func customAsksForWhatItsRulesMatch() throws {
        let yaml = Mesh.authorization(
            "{action: CUSTOM, provider: {name: asker}, rules: [{to: [{operation: {paths: ['/admin*']}}]}]}")
        let mesh = try Mesh(yaml, mesh: Self.asking)
        #expect(mesh.ask(Call(path: "/admin/x")).asked)
        #expect(!mesh.ask(Call(path: "/")).asked)
        // On a TCP port nothing can be said of paths.
        #expect(mesh.connects())
    }

    @Test func eachProviderIsAskedForItsOwnPolicies() throws {
        let yaml =
            Mesh.policy(
                "AuthorizationPolicy", "a",
                "{action: CUSTOM, provider: {name: asker}, rules: [{to: [{operation: {paths: [/a]}}]}]}")
            + Mesh.policy(
                "AuthorizationPolicy", "b",
                "{action: CUSTOM, provider: {name: asker-2}, rules: [{to: [{operation: {paths: [/b]}}]}]}")
        let filters = try #require(try Mesh(yaml, mesh: Self.asking).manager).filters
        let calls = filters.compactMap { filter -> ExternalAuthorization? in
            if case .externalAuthorization(let call) = filter.kind { call } else { nil }
        }
        #expect(calls.map(\.failureModeAllows) == [false, true])
        #expect(
            calls.map(\.enabledMetadata?.test) == [
                .string(StringMatcher(.prefix("istio-ext-authz-asker-ns["))),
                .string(StringMatcher(.prefix("istio-ext-authz-asker-2-ns["))),
            ])
    }

    @Test func aProviderThatIsNotThereRefuses() throws {
        let mesh = try Mesh(
            Mesh.authorization(
                "{action: CUSTOM, provider: {name: nobody}, rules: [{to: [{operation: {paths: [/a]}}]}]}"))
        #expect(mesh.ask(Call(path: "/a")).status == 403)
        #expect(mesh.ask(Call(path: "/b")).status == 200)
        // The rule says nothing of connections that could be told apart.
        #expect(!mesh.connects())
    }

    /// A service that speaks gRPC is asked about connections, too; conditions on HTTP are left out there.
    @Test func connectionsAreShownToServicesThatSpeakGRPC() throws {
        for (provider, asks) in [("asker", false), ("asker-2", true)] {
            let mesh = try Mesh(
                Mesh.authorization(
                    "{action: CUSTOM, provider: {name: \(provider)}, rules: [{to: [{operation: {paths: [/a]}}]}]}"),
                mesh: Self.asking)
            let filters = mesh.chains(port: 9000).first?.filters ?? []
            let calls = filters.filter { if case .externalAuthorization = $0 { true } else { false } }
            let shadows = filters.compactMap { filter -> RBAC? in if case .rbac(let rbac) = filter { rbac } else { nil }
            }
            #expect(calls.count == (asks ? 1 : 0), "\(provider)")
            #expect(shadows.flatMap(\.shadowPolicies).map(\.permissions) == (asks ? [[.any]] : []), "\(provider)")
            #expect(mesh.connects(), "\(provider)")
        }
    }

    /// TLS alone is no name: gateways take callers without a certificate.
    @Test func aStarIsSomebodyWithAName() throws {
        let mesh = try mesh("{rules: [{from: [{source: {principals: ['*']}}]}]}")
        #expect(mesh.ask(Call()).status == 200)
        #expect(mesh.ask(Call(principal: "")).status == 403)
    }
}
