import Testing
import WeftConfig
import WeftCore
import WeftIR
import WeftTranslate

/// Which transports the ports of `web.dev` take, and what its callers use, as PeerAuthentications say.
@Suite struct PeerAuthenticationSemanticsTests {
    private func policy(_ name: String, namespace: String, created: String = "2026-01-01T00:00:00Z", _ spec: String)
        -> String
    {
        """
        {apiVersion: security.istio.io/v1, kind: PeerAuthentication,
         metadata: {name: \(name), namespace: \(namespace), creationTimestamp: "\(created)"}, spec: \(spec)}
        ---

        """
    }

    /// What the server's port takes: mutual TLS, plain text.
    private func server(_ yaml: String, port: UInt16) throws -> Set<String> {
        Set(
            try SecurityMesh(yaml).chains(port: port).map { chain in
                chain.tls == nil ? (chain.match.transportProtocol == "tls" ? "passed TLS" : "plain") : "mutual"
            })
    }

    /// Whether a client of the service's port uses mutual TLS.
    private func client(_ yaml: String, port: Int) throws -> Bool {
        let base = """
            {apiVersion: v1, kind: Service, metadata: {name: web, namespace: dev}, spec: {clusterIP: 10.96.0.9, selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}, {name: tcp, port: 90, targetPort: 9000}]}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: web-1, namespace: dev, labels: {app: web, security.istio.io/tlsMode: istio}}, spec: {serviceAccountName: web}, status: {phase: Running, podIP: 10.244.0.2}}
            ---
            {apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web-a, namespace: dev, labels: {kubernetes.io/service-name: web}}, ports: [{name: http, port: 8080}, {name: tcp, port: 9000}], endpoints: [{addresses: [10.244.0.2], conditions: {ready: true}, targetRef: {kind: Pod, name: web-1}}]}
            ---

            """
        let objects = try ManifestReader.objects(in: base + yaml).map(\.object)
        let proxy = ProxyIdentity(kind: .sidecar, address: "10.244.0.3", podName: "client-1", namespace: "other")
        let (configuration, _) = Translator(MeshSnapshot(objects: objects)).configuration(for: proxy)
        let endpoints = configuration.endpoints["outbound|\(port)||web.dev.svc.cluster.local"]?.localities
            .flatMap(\.endpoints)
        return endpoints?.first?.transportSocketMatch["tlsMode"] == "istio"
    }

    private static let strictMesh = "{mtls: {mode: STRICT}}"

    @Test func permissiveWithoutAnyPolicy() throws {
        #expect(try server("", port: 8080) == ["mutual", "plain", "passed TLS"])
        #expect(try client("", port: 80))
    }

    @Test func strictMeshWithOnePortDisabled() throws {
        let yaml =
            policy("default", namespace: "istio-system", Self.strictMesh)
            + policy(
                "web", namespace: "dev",
                "{selector: {matchLabels: {app: web}}, portLevelMtls: {9000: {mode: DISABLE}}}")
        #expect(try server(yaml, port: 8080) == ["mutual"])
        #expect(try server(yaml, port: 9000) == ["plain", "passed TLS"])
        // Clients follow by themselves.
        #expect(try client(yaml, port: 80))
        #expect(try !client(yaml, port: 90))
    }

    @Test func theNarrowerPolicyWinsAndUnsetInherits() throws {
        let mesh = policy("default", namespace: "istio-system", Self.strictMesh)
        let space = policy("default", namespace: "dev", "{mtls: {mode: DISABLE}}")
        let unset = policy("own", namespace: "dev", "{selector: {matchLabels: {app: web}}, mtls: {mode: UNSET}}")
        let own = policy("own", namespace: "dev", "{selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}}")
        #expect(try server(mesh, port: 8080) == ["mutual"])
        #expect(try server(mesh + space, port: 8080) == ["plain", "passed TLS"])
        #expect(try server(mesh + space + unset, port: 8080) == ["plain", "passed TLS"])
        #expect(try server(mesh + space + own, port: 8080) == ["mutual"])
        let ported = policy(
            "own", namespace: "dev",
            "{selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}, portLevelMtls: {8080: {mode: UNSET}, 9000: {mode: PERMISSIVE}}}"
        )
        #expect(try server(ported, port: 8080) == ["mutual"])
        #expect(try server(ported, port: 9000).contains("plain"))
    }

    @Test func theOldestOfALevelWins() throws {
        let old = policy("z", namespace: "dev", created: "2025-01-01T00:00:00Z", "{mtls: {mode: STRICT}}")
        let new = policy("a", namespace: "dev", created: "2026-01-01T00:00:00Z", "{mtls: {mode: DISABLE}}")
        #expect(try server(new + old, port: 8080) == ["mutual"])
    }

    @Test func whatDoesNotSelectTheWorkloadDoesNotCount() throws {
        let yaml =
            policy("other", namespace: "dev", "{selector: {matchLabels: {app: db}}, mtls: {mode: STRICT}}")
            // A selector in the root namespace selects workloads of that namespace alone.
            + policy("root", namespace: "istio-system", "{selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}}")
            // Ports belong to a selector; without one they say nothing.
            + policy("ports", namespace: "dev", "{portLevelMtls: {8080: {mode: STRICT}}}")
        #expect(try server(yaml, port: 8080).contains("plain"))
    }

    // MARK: - Objects that admission refuses

    private static let disabledMesh = "{mtls: {mode: DISABLE}}"

    @Test func modesThatCannotBeReadAreStrict() throws {
        let mesh = policy("default", namespace: "istio-system", Self.disabledMesh)
        for spec in ["{mtls: {mode: STRCT}}", "{mtls: 5}", "{mtls: {mode: 5}}"] {
            #expect(try server(mesh + policy("own", namespace: "dev", spec), port: 8080) == ["mutual"], "\(spec)")
        }
        for ports in ["{9000: {mode: NO}}", "{9000: 5}", "{9000: {mode: [STRICT]}}"] {
            let own = policy("own", namespace: "dev", "{selector: {matchLabels: {app: web}}, portLevelMtls: \(ports)}")
            #expect(try server(mesh + own, port: 9000) == ["mutual"], "\(ports)")
            #expect(try server(mesh + own, port: 8080) == ["plain", "passed TLS"], "\(ports)")
        }
    }

    @Test func aRefusedPolicyIsInForceWhereItCanBeRead() throws {
        // Ports without a selector, and a port that there is not.
        for spec in [
            "{mtls: {mode: STRICT}, portLevelMtls: {8080: {mode: DISABLE}}}",
            "{selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}, portLevelMtls: {99999: {mode: DISABLE}}}",
        ] { #expect(try server(policy("p", namespace: "dev", spec), port: 8080) == ["mutual"], "\(spec)") }
        let mesh = policy("p", namespace: "istio-system", "{mtls: {mode: STRICT}, portLevelMtls: {}}")
        #expect(try server(mesh, port: 8080) == ["mutual"])
    }

    @Test func aSelectorThatCannotBeReadClosesAndNeverOpens() throws {
        let strict = "{selector: {matchLabels: {app: 'w*'}}, mtls: {mode: STRICT}}"
        let guess = policy("a", namespace: "dev", created: "2020-01-01T00:00:00Z", strict)
        #expect(try server(guess, port: 8080) == ["mutual"])
        let open = policy("b", namespace: "dev", strict.replacing("STRICT", with: "DISABLE"))
        #expect(try server(policy("m", namespace: "istio-system", Self.strictMesh) + open, port: 8080) == ["mutual"])
        // What names the workload goes before what only may mean it, and the root namespace's is for its own workloads.
        let own = policy("own", namespace: "dev", "{selector: {matchLabels: {app: web}}, mtls: {mode: DISABLE}}")
        #expect(try server(guess + own, port: 8080) == ["plain", "passed TLS"])
        let root = policy(
            "r", namespace: "istio-system", "{selector: {matchLabels: {'*x': web}}, mtls: {mode: STRICT}}")
        #expect(try server(root, port: 8080).contains("plain"))
    }
}
