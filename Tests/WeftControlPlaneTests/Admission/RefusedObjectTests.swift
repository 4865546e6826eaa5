import Testing
import WeftAnalysis
import WeftConfig
import WeftCore
import WeftIR
import WeftRouting
import WeftTranslate
import WeftXDS

/// Objects that admission refuses and that are there all the same: written before the webhook was, or while it was away.
///
/// Property: they change nothing that other objects make, and every resource is one that proxies take.
@Suite(.serialized) struct RefusedObjectTests {
    private static let rounds = 12

    /// A valid object of each kind, and what they are about.
    private static let neighbours: [KubernetesObject] = {
        let yaml = """
            {apiVersion: v1, kind: Service, metadata: {name: web, namespace: dev}, spec: {clusterIP: 10.96.0.9, ports: [{name: http, port: 80}]}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: db, namespace: dev}, spec: {clusterIP: 10.96.0.8, ports: [{name: tcp, port: 9000}]}}

            """
        let text = ([yaml] + AdmissionSeeds.all.map(\.yaml)).joined(separator: "\n---\n")
        return ((try? ManifestReader.objects(in: text)) ?? []).map(\.object)
    }()

    /// Kinds of which the parts that are in order stay in force.
    private static let divisible: Set = [
        "EnvoyFilter", "Gateway", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute",
        // These go on to guard, as far as they can be read.
        "AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication",
        // Conditions of the Gateway API say what becomes of these.
        "GatewayClass", "ListenerSet", "ReferenceGrant", "BackendTLSPolicy",
    ]

    private static let proxies = [ProxyIdentity.Kind.sidecar, .router].map {
        ProxyIdentity(
            kind: $0, address: "10.244.0.2", podName: "web-1", namespace: "dev",
            labels: ["app": "web", "istio": "ingressgateway", "gateway.networking.k8s.io/gateway-name": "x"])
    }

    private static func configurations(_ objects: [KubernetesObject]) -> [ProxyConfiguration] {
        let translator = Translator(MeshSnapshot(objects: objects))
        return proxies.map { translator.configuration(for: $0).0 }
    }

    private static let plain = configurations(neighbours)

    /// Why a proxy would refuse something of a configuration.
    private static func problems(_ configuration: ProxyConfiguration) throws -> [String] {
        let encoded = try EncodedConfiguration(configuration, target: .weft)
        var problems: [String] = []
        for resource in encoded.resources.values.flatMap(\.values) {
            do {
                switch try XDSDecoder().decode(resource.any).value {
                case .route(let table):
                    let compiled = RouteTable(table)
                    problems += compiled.problems + [compiled.repeatedDomain].compactMap(\.self)
                case .listener(let listener):
                    problems += FilterChainMatcher(listener.filterChains).problems
                    for case .inline(let table) in listener.managers.map(\.routes) {
                        problems += RouteTable(table).problems
                    }
                default: break
                }
            } catch {
                problems.append("\(error)")
            }
        }
        return problems
    }

    @Test func neighboursAreInOrder() throws {
        #expect(Self.neighbours.count > 20)
        for configuration in Self.plain {
            #expect(!configuration.listeners.isEmpty && !configuration.clusters.isEmpty)
            #expect(try Self.problems(configuration) == [])
        }
    }

    @Test(.timeLimit(.minutes(10)), arguments: AdmissionSeeds.all.map(\.kind))
    func aRefusedObjectTouchesNoOther(_ kind: String) async throws {
        let seed = try #require(AdmissionSeeds.all.first { $0.kind == kind })
        let start = try #require(try ManifestReader.objects(in: seed.yaml).first).object.json
        var mutator = DocumentMutator(seed: 7 &+ kind.utf8.reduce(UInt64(0)) { $0 &* 31 &+ UInt64($1) })
        var refused = 0
        for round in 0..<Self.rounds {
            // The threads are everybody's, and tests of servers wait for them.
            await Task.yield()
            var document = start
            for _ in 0...mutator.below(3) { document["spec"] = mutator.change(document["spec"] ?? .null) }
            document[path: "metadata", "name"] = "refused"
            let object = KubernetesObject(document)
            guard Admission.review(object).contains(where: { $0.severity == .error }) else { continue }
            refused += 1
            let found = Self.configurations(Self.neighbours + [object])
            for (index, configuration) in found.enumerated() {
                // `neighboursAreInOrder` looks at that one.
                if configuration == Self.plain[index] { continue }
                #expect(Self.divisible.contains(kind), "round \(round): \(document.text())")
                let problems = try Self.problems(configuration)
                #expect(problems.isEmpty, "round \(round): \(problems) of \(document.text())")
            }
        }
        #expect(refused > 0)
    }

    /// What stays of an object whose parts stand by themselves.
    @Test func partsThatAreInOrderStayInForce() throws {
        let yaml = """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: only, namespace: dev}
            spec:
              rules:
              - from: [{source: {ipBlocks: [nonsense]}}]
              - to: [{operation: {methods: [GET]}}]
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: broken, namespace: dev}
            spec:
              hosts: [web]
              http: [{match: [{uri: {regex: "a("}}], route: [{destination: {host: web}}]}]
            """
        let objects = try ManifestReader.objects(in: yaml).map(\.object)
        let service = try #require(Self.neighbours.first)
        let snapshot = MeshSnapshot(objects: [service] + objects)
        #expect(
            snapshot.diagnostics.map { "\($0.resource?.name ?? "") \($0.path ?? "")" } == [
                "broken spec.http[0].match[0].uri.regex", "only spec.rules[0].from[0].source.ipBlocks[0]", "only spec",
            ])
        let configuration = Translator(snapshot).configuration(for: Self.proxies[0]).0
        #expect(configuration.routes["80"]?.virtualHosts.flatMap(\.routes).contains { $0.provenance != nil } == false)
        let managers = configuration.listeners["virtualInbound"]?.managers ?? []
        let names = managers.flatMap(\.filters).flatMap { filter -> [String] in
            guard case .rbac(let rules) = filter.kind else { return [] }
            return rules.policies.map(\.name)
        }
        #expect(Set(names) == ["ns[dev]-policy[only]-rule[1]"], "an ALLOW policy goes on to refuse the rest")
    }
}
