import Foundation
import Testing
import WeftIR
import WeftXDS

@testable import WeftProxy

/// A folder that goes with the test.
private struct Folder: ~Copyable {
    let url = FileManager.default.temporaryDirectory.appending(path: "weft-bootstrap-\(UUID().uuidString)")
    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(at: url) }

    func write(_ name: String, _ text: String) throws -> String {
        let file = url.appending(path: name)
        try text.write(to: file, atomically: true, encoding: .utf8)
        return file.path()
    }
}

@Suite struct BootstrapFileTests {
    @Test func aMistakeHasFileAndLine() throws {
        let folder = try Folder()
        let path = try folder.write(
            "b.yaml",
            """
            node: {id: n}
            static_resources:
              clusters:
              - name: a
                conect_timeout: 1s
              - name: b
                type: NONE
            """)
        let error = #expect(throws: BootstrapError.self) { try BootstrapFile.load(path: path, text: nil) }
        let lines = error?.lines ?? []
        #expect(lines.count == 2)
        #expect(lines.contains { $0.hasPrefix("\(path): line 5: static_resources.clusters[0].conect_timeout:") })
        #expect(lines.contains { $0.hasPrefix("\(path): line 7: static_resources.clusters[1].type: NONE") })
    }

    @Test(arguments: ["a: [", "- 1\n- 2", "a: 1\n---\nb: 2", "\u{0}"]) func whatIsNoBootstrapIsRefused(text: String) {
        #expect(throws: BootstrapError.self) { try BootstrapFile.load(path: nil, text: text) }
    }

    @Test func aFileThatIsNotThereIsNamed() {
        let error = #expect(throws: BootstrapError.self) {
            try BootstrapFile.load(path: "/nonexistent/weft.yaml", text: nil)
        }
        #expect(error?.lines == ["/nonexistent/weft.yaml: cannot be read: No such file or directory"])
    }

    @Test func textIsMergedOverTheFile() throws {
        let folder = try Folder()
        let path = try folder.write(
            "b.json", #"{"node": {"id": "a", "cluster": "k"}, "static_resources": {"clusters": [{"name": "one"}]}}"#)
        let text = "node: {id: b}\nstatic_resources: {clusters: [{name: two}]}\n"
        let bootstrap = try BootstrapFile.load(path: path, text: text).bootstrap
        #expect(bootstrap.node.id == "b")
        #expect(bootstrap.node.cluster == "k")
        #expect(bootstrap.configuration.clusters.keys.sorted() == ["one", "two"])
    }
}

@Suite struct SecretFileReaderTests {
    private func configuration(_ source: SecretReference.Source) -> ProxyConfiguration {
        var tls = DownstreamTLS()
        tls.common.certificates = [SecretReference(name: "s", source: source)]
        var chain = FilterChain(name: "c")
        chain.tls = tls
        var listener = Listener(name: "l", address: .ip("127.0.0.1", port: 1))
        listener.filterChains = [chain]
        var configuration = ProxyConfiguration()
        configuration.listeners["l"] = listener
        return configuration
    }

    private func certificate(_ configuration: ProxyConfiguration) -> Secret.Content? {
        let reference = configuration.listeners["l"]?.filterChains[0].tls?.common.certificates[0]
        return reference.flatMap { configuration.secrets[$0.name]?.content }
    }

    @Test func filesAreReadAndSeenToChange() throws {
        let folder = try Folder()
        let chain = try folder.write("chain.pem", "CHAIN")
        let key = try folder.write("key.pem", "KEY")
        let source = SecretReference.Source.inline(.certificateFrom(chain: .file(chain), privateKey: .file(key)))
        var reader = SecretFileReader()
        let (first, problems) = reader.resolve(configuration(source))
        #expect(problems.isEmpty)
        #expect(certificate(first) == .certificate(chainPEM: "CHAIN", privateKey: PrivateBytes(Array("KEY".utf8))))
        #expect(!reader.hasChanged)
        _ = try folder.write("key.pem", "NEW")
        #expect(reader.hasChanged)
        let (second, _) = reader.resolve(configuration(source))
        #expect(certificate(second) == .certificate(chainPEM: "CHAIN", privateKey: PrivateBytes(Array("NEW".utf8))))
        #expect(!reader.hasChanged)
    }

    @Test func aSecretFileInXDSFormIsRead() throws {
        let folder = try Folder()
        let path = try folder.write(
            "sds.yaml",
            """
            resources:
            - "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
              name: s
              tls_certificate:
                certificate_chain: {inline_string: C}
                private_key: {inline_string: K}
            """)
        var reader = SecretFileReader()
        let (result, problems) = reader.resolve(configuration(.path(path)))
        #expect(problems.isEmpty)
        #expect(certificate(result) == .certificate(chainPEM: "C", privateKey: PrivateBytes([0x4B])))
    }

    @Test func whatCannotBeReadIsToldAndComesLater() throws {
        let folder = try Folder()
        let path = folder.url.appending(path: "later.pem").path()
        var reader = SecretFileReader()
        let source = SecretReference.Source.inline(.certificateFrom(chain: .file(path), privateKey: .file(path)))
        let (result, problems) = reader.resolve(configuration(source))
        #expect(certificate(result) == nil)
        #expect(problems.count == 1)
        #expect(problems.first?.contains(path) == true)
        #expect(!reader.hasChanged)
        _ = try folder.write("later.pem", "X")
        #expect(reader.hasChanged)
    }
}

@Suite struct ResourceCheckTests {
    private func table(_ domains: [[String]], regex: String = "/a.*") -> RouteConfiguration {
        let route = Route(
            match: RouteMatch(path: .regex(regex)), action: .directResponse(DirectResponse(status: 200)))
        let hosts = domains.enumerated().map { VirtualHost(name: "h\($0)", domains: $1, routes: [route]) }
        return RouteConfiguration(name: "r", virtualHosts: hosts)
    }

    @Test func goodResourcesPass() {
        #expect(ResourceCheck.problem(.route(table([["a.example"], ["*"]]))) == nil)
        #expect(ResourceCheck.problem(.listener(Listener(name: "l", address: .ip("::1", port: 1)))) == nil)
    }

    @Test func badOnesSayWhy() {
        let twice = ResourceCheck.problem(.route(table([["a.example"], ["*", "A.example"]])))
        #expect(twice == "domain \"A.example\" is in virtual host h0 and in h1")
        #expect(ResourceCheck.problem(.route(table([["*"]], regex: "(")))?.isEmpty == false)
        let secret = Secret(
            name: "s", content: .certificate(chainPEM: "no", privateKey: PrivateBytes(Array("no".utf8))))
        #expect(ResourceCheck.problem(.secret(secret))?.hasPrefix("is no certificate and key") == true)
        let listener = Listener(name: "l", address: .ip("300.0.0.1", port: 1))
        #expect(ResourceCheck.problem(.listener(listener)) == "address \"300.0.0.1\" is not an IP address")
    }
}

@Suite struct StandaloneDiscoveryTests {
    private func bootstrap(_ change: (inout Bootstrap) -> Void) -> Bootstrap {
        var cluster = Cluster(name: "xds", discovery: .static)
        cluster.endpoints = ClusterLoadAssignment(
            clusterName: "xds",
            localities: [LocalityEndpoints(endpoints: [Endpoint(address: .ip("127.0.0.1", port: 1))])])
        var bootstrap = Bootstrap()
        bootstrap.configuration.clusters["xds"] = cluster
        bootstrap.ads = .init(cluster: "xds", isDelta: true)
        bootstrap.listeners = .ads
        bootstrap.clusters = .ads
        change(&bootstrap)
        return bootstrap
    }

    @Test func deltaADSIsTaken() throws {
        #expect(try StandaloneDiscovery(bootstrap { _ in }) != nil)
        #expect(try StandaloneDiscovery(Bootstrap()) == nil)
    }

    /// Whole types by ADS or from files, either variant, metadata, and TLS whose server can be verified.
    @Test(
        arguments: [
            { (value: inout Bootstrap) in value.clusters = .path("/x") },
            { value in value.listeners = nil },
            { value in value.ads?.isDelta = false },
            { value in value.ads?.metadata = ["a": "b"] },
            { value in
                var tls = UpstreamTLS()
                tls.common.validation = SecretReference(name: "ca", source: .bootstrap)
                value.configuration.clusters["xds"]?.tls = tls
            },
        ] as [@Sendable (inout Bootstrap) -> Void])
    func otherSourcesAreTaken(change: @Sendable (inout Bootstrap) -> Void) throws {
        #expect(try StandaloneDiscovery(bootstrap(change)) != nil)
    }

    /// A static listener that waits for routes of a server is held back, others are served at once.
    @Test func listenersThatWaitAreHeldBack() throws {
        let value = bootstrap { value in
            let scopes = HTTPConnectionManager.Routes.scoped(ScopedRoutes(name: "s", key: [.init(header: "x")]))
            let all: [(String, String?, HTTPConnectionManager.Routes)] = [
                ("waits", nil, .rds("r")), ("does-not", "/rds", .rds("r")), ("waits-for-scopes", nil, scopes),
            ]
            for (name, file, routes) in all {
                var manager = HTTPConnectionManager(statPrefix: "m", routes: routes, filters: [])
                manager.routesFile = file
                var listener = Listener(name: name, address: .ip("127.0.0.1", port: 0))
                listener.filterChains = [FilterChain(name: "c", filters: [.httpConnectionManager(manager)])]
                value.configuration.listeners[name] = listener
            }
        }
        let discovery = try #require(try StandaloneDiscovery(value))
        #expect(discovery.startingConfiguration(value.configuration).listeners.keys.sorted() == ["does-not"])
    }

    /// What is not supported is said, not left out.
    @Test(
        arguments: [
            { (value: inout Bootstrap) in
                value.clusters = .server(Bootstrap.DiscoveryServer(cluster: "xds", isDelta: true))
            },
            { value in
                value.ads = nil
                let manager = HTTPConnectionManager(statPrefix: "m", routes: .rds("r"), filters: [])
                var listener = Listener(name: "l", address: .ip("127.0.0.1", port: 0))
                listener.filterChains = [FilterChain(name: "c", filters: [.httpConnectionManager(manager)])]
                value.configuration.listeners["l"] = listener
            },
            { value in
                value.ads = nil
                let scoped = ScopedRoutes(name: "s", key: [.init(header: "x")])
                let manager = HTTPConnectionManager(statPrefix: "m", routes: .scoped(scoped), filters: [])
                var listener = Listener(name: "l", address: .ip("127.0.0.1", port: 0))
                listener.filterChains = [FilterChain(name: "c", filters: [.httpConnectionManager(manager)])]
                value.configuration.listeners["l"] = listener
            },
            // TLS to whoever answers.
            { value in value.configuration.clusters["xds"]?.tls = UpstreamTLS() },
            // Names that the client cannot check.
            { value in
                var tls = UpstreamTLS()
                tls.common.validation = SecretReference(name: "ca", source: .bootstrap)
                tls.common.subjectAltNames = [SubjectAltNameMatcher(exact: "spiffe://a/b")]
                value.configuration.clusters["xds"]?.tls = tls
            },
            { value in value.configuration.clusters["xds"]?.endpoints = nil },
        ] as [@Sendable (inout Bootstrap) -> Void])
    func otherSourcesAreRefused(change: @Sendable (inout Bootstrap) -> Void) {
        #expect(throws: BootstrapError.self) { try StandaloneDiscovery(bootstrap(change)) }
    }
}
