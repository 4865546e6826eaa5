import Testing
import WeftConfig
import WeftCore
import WeftIR
import WeftProto
import WeftTranslate
import WeftXDS

@testable import WeftControlPlane

/// Proxies of one class share what is made for them, and the class is all that it is made from.
@Suite struct ShareTests {
    private func session(
        _ pod: String, _ address: String, kind: ProxyIdentity.Kind = .sidecar, app: String = "a",
        metadata: JSONValue = .object([:])
    )
        -> ProxySession
    {
        var identity = ProxyIdentity(
            kind: kind, address: address, podName: pod, namespace: "dev", labels: ["app": app])
        identity.metadata = metadata
        return ProxySession(
            id: pod, identity: identity, isAuthenticated: true, userAgent: "weft-proxy", version: "1",
            publish: { _, _ in })
    }

    private func pod(_ name: String, _ address: String, app: String) -> KubernetesObject {
        KubernetesObject([
            "apiVersion": "v1", "kind": "Pod",
            "metadata": ["name": .string(name), "namespace": "dev", "labels": ["app": .string(app)]],
            "spec": ["serviceAccountName": .string(app)], "status": ["podIP": .string(address), "phase": "Running"],
        ])
    }

    private func service(_ app: String, _ addresses: [String]) -> [KubernetesObject] {
        [
            KubernetesObject([
                "apiVersion": "v1", "kind": "Service", "metadata": ["name": .string(app), "namespace": "dev"],
                "spec": [
                    "clusterIP": "10.96.0.1", "selector": ["app": .string(app)],
                    "ports": [["name": "http", "port": 80, "targetPort": 8080]],
                ],
            ]),
            KubernetesObject([
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": [
                    "name": .string("\(app)-1"), "namespace": "dev",
                    "labels": ["kubernetes.io/service-name": .string(app)],
                ],
                "ports": [["name": "http", "port": 8080]],
                "endpoints": .array(addresses.map { ["addresses": [.string($0)]] }),
            ]),
        ]
    }

    private var objects: [KubernetesObject] {
        [
            pod("a-1", "10.0.0.1", app: "a"), pod("a-2", "10.0.0.2", app: "a"), pod("b-1", "10.0.0.3", app: "b"),
        ] + service("a", ["10.0.0.1", "10.0.0.2"]) + service("b", ["10.0.0.3"])
    }

    @Test func podsOfOneDeploymentShareEverythingAndNeighboursWhatTheySendBy() {
        let snapshot = MeshSnapshot(objects: objects)
        let first = ShareKey.keys(of: session("a-1", "10.0.0.1"), in: snapshot)
        let second = ShareKey.keys(of: session("a-2", "10.0.0.2"), in: snapshot)
        let other = ShareKey.keys(of: session("b-1", "10.0.0.3", app: "b"), in: snapshot)
        #expect(first == second)
        #expect(first[0] == other[0])
        #expect(first[1] != other[1])
    }

    /// Spans tell of the workload: only proxies that know their own names can share what they send by.
    @Test(arguments: [true, false])
    func tracingDividesWhoDoesNotKnowItsName(_ isNamed: Bool) throws {
        let settings: JSONValue = ["defaultProviders": ["tracing": ["weft"]]]
        let mesh = try settings.decode(MeshConfig.self)
        let snapshot = MeshSnapshot(objects: objects, meshConfig: mesh)
        let metadata: JSONValue = isNamed ? ["CANONICAL_NAMES": "true"] : .object([:])
        let first = ShareKey.keys(of: session("a-1", "10.0.0.1", metadata: metadata), in: snapshot)
        let other = ShareKey.keys(of: session("b-1", "10.0.0.3", app: "b", metadata: metadata), in: snapshot)
        #expect((first[0] == other[0]) == isNamed)
    }

    /// What tells two senders apart must be in the key of what they send by.
    @Test(arguments: [
        ["networking.istio.io/v1", "VirtualService"], ["networking.istio.io/v1", "Sidecar"],
        ["networking.istio.io/v1", "DestinationRule"],
    ])
    func aSelectorForSendersDividesThem(_ kind: [String]) {
        let specs: [String: JSONValue] = [
            "VirtualService": [
                "hosts": ["b"],
                "http": [
                    ["match": [["sourceLabels": ["app": "a"]]], "directResponse": ["status": 418]],
                    ["route": [["destination": ["host": "b"]]]],
                ],
            ],
            "Sidecar": [
                "workloadSelector": ["labels": ["app": "a"]], "egress": [["hosts": ["./a.dev.svc.cluster.local"]]],
            ],
            "DestinationRule": [
                "host": "b", "workloadSelector": ["matchLabels": ["app": "a"]],
                "trafficPolicy": ["connectionPool": ["tcp": ["maxConnections": 3]]],
            ],
        ]
        let rule = KubernetesObject([
            "apiVersion": .string(kind[0]), "kind": .string(kind[1]), "metadata": ["name": "x", "namespace": "dev"],
            "spec": specs[kind[1]] ?? [:],
        ])
        let snapshot = MeshSnapshot(objects: objects + [rule])
        let keys = ShareKey.keys(of: session("a-1", "10.0.0.1"), in: snapshot)
        let other = ShareKey.keys(of: session("b-1", "10.0.0.3", app: "b"), in: snapshot)
        #expect(keys[0] != other[0])
        #expect(keys[0].configuration(in: snapshot).0 != other[0].configuration(in: snapshot).0)
    }

    /// The two shares together are the whole, and nothing is in both.
    @Test func sharesAddUpToTheConfiguration() throws {
        let snapshot = MeshSnapshot(objects: objects)
        let session = session("a-1", "10.0.0.1")
        let shares = try ShareKey.keys(of: session, in: snapshot).flatMap {
            try $0.make(in: snapshot, number: 1, replacing: nil).parts
        }
        let (whole, _) = Translator(snapshot).configuration(for: session.identity)
        let expected = try XDSSnapshot(whole, target: .weft)
        let divided = XDSSnapshot(shares: shares)
        for type in ResourceType.allCases {
            #expect(divided[type] == expected[type])
            #expect(divided.count(of: type) == expected.count(of: type), "no \(type.shortName) resource is in both")
        }
    }

    /// A share that comes out the same is the same object, so that nobody is sent anything.
    @Test func anUnrelatedChangeLeavesTheShareAlone() throws {
        let before = MeshSnapshot(objects: objects)
        let after = MeshSnapshot(objects: objects + [pod("c-1", "10.0.0.9", app: "c")])
        for key in ShareKey.keys(of: session("a-1", "10.0.0.1"), in: before) {
            let old = try key.make(in: before, number: 1, replacing: nil)
            let new = try key.make(in: after, number: 2, replacing: old)
            let isSame = new.parts.elementsEqual(old.parts, by: ===)
            #expect(isSame)
        }
    }

    /// What controllers write into the status of policies is no input of anything; what users write is.
    @Test(arguments: ["PeerAuthentication", "Sidecar", "RequestAuthentication"])
    func aStatusWriteIsNoNewInput(_ kind: String) {
        func policy(version: String, status: JSONValue?, labels: JSONValue = [:]) -> KubernetesObject {
            let group = kind == "Sidecar" ? "networking" : "security"
            var json: JSONValue = [
                "apiVersion": .string("\(group).istio.io/v1"), "kind": .string(kind),
                "metadata": [
                    "name": "default", "namespace": "dev", "resourceVersion": .string(version), "generation": 1,
                    "labels": labels, "managedFields": [["manager": .string(version)]],
                ], "spec": [:],
            ]
            json["status"] = status
            return KubernetesObject(json)
        }
        let builder = SnapshotBuilder()
        func inputs(_ policy: KubernetesObject) -> (
            send: [ServiceInputs], traffic: TrafficInputs, receive: InboundInputs
        ) {
            let snapshot = builder.snapshot(objects: objects + [policy], meshConfig: MeshConfig())
            let proxy = ProxyClass(session("a-1", "10.0.0.1").identity, in: snapshot)
            let (translator, senders) = (Translator(snapshot), OutboundClass(proxy, in: snapshot))
            return (
                translator.inputs(for: senders).services, translator.inputs(for: senders).traffic,
                translator.inboundInputs(for: proxy)
            )
        }
        let before = inputs(policy(version: "1", status: nil))
        let written = inputs(policy(version: "2", status: ["conditions": [["type": "Accepted"]]]))
        #expect(before.send == written.send && before.traffic == written.traffic && before.receive == written.receive)
        let labelled = inputs(policy(version: "3", status: nil, labels: ["a": "b"]))
        #expect(
            before.send != labelled.send && before.traffic != labelled.traffic && before.receive != labelled.receive)
    }

    /// An endpoint is an input of what others send by, not of what a workload receives by.
    @Test func anEndpointIsNoInputOfTheReceivingSide() throws {
        let moved = objects.filter { $0.name != "b-1" || $0.kind != "EndpointSlice" } + [service("b", ["10.0.0.7"])[1]]
        let snapshots = [objects, moved].map { MeshSnapshot(objects: $0) }
        let inputs = snapshots.map { snapshot in
            Translator(snapshot).inboundInputs(
                for: ProxyClass(session("a-1", "10.0.0.1").identity, in: snapshot))
        }
        #expect(inputs[0] == inputs[1])
    }

    /// Random edits, each pushed on top of the one before: what is reused must be what would be made anew.
    @Test(arguments: 0..<12) func incrementalEqualsAnew(_ seed: UInt64) throws {
        var random = SystemlessRandom(state: seed)
        var old: [ShareKey: Share] = [:]
        let builder = SnapshotBuilder()
        for step in 1...25 {
            let snapshot = builder.snapshot(objects: randomObjects(&random), meshConfig: MeshConfig())
            for key in ShareKey.keys(of: session("a-1", "10.0.0.1"), in: snapshot) {
                let share = try key.make(in: snapshot, number: UInt64(step), replacing: old[key])
                let fresh = try XDSSnapshot(key.configuration(in: snapshot).0, target: .weft)
                let made = XDSSnapshot(shares: share.parts)
                for type in ResourceType.allCases { #expect(made[type] == fresh[type], "step \(step)") }
                old[key] = share
            }
        }
    }

    /// A changed rule makes one route table anew, and in it one virtual host; the rest is the very bytes from before.
    @Test func aRuleTouchesTheTablesOfItsHost() throws {
        func rule(_ timeout: String) -> KubernetesObject {
            KubernetesObject([
                "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
                "metadata": ["name": "b", "namespace": "dev"],
                "spec": [
                    "hosts": ["b"], "http": [["timeout": .string(timeout), "route": [["destination": ["host": "b"]]]]],
                ],
            ])
        }
        let before = MeshSnapshot(objects: objects + [rule("1s")])
        let after = MeshSnapshot(objects: objects + [rule("2s")])
        let proxy = OutboundClass(ProxyClass(session("a-1", "10.0.0.1").identity, in: before), in: before)
        let drafts = [before, after].map { Translator($0).inputs(for: proxy).traffic.draft().hosts["80"] ?? [:] }
        #expect(drafts[0].count == 2)
        let changed = drafts[0].filter { drafts[1][$0.key] != $0.value }.map(\.value.name)
        #expect(changed == ["b.dev.svc.cluster.local:80"])
        let key = try #require(ShareKey.keys(of: session("a-1", "10.0.0.1"), in: before).first)
        let old = try key.make(in: before, number: 1, replacing: nil)
        let new = try key.make(in: after, number: 2, replacing: old)
        #expect(new.parts[0] === old.parts[0], "clusters are the same")
        let fresh = try key.make(in: after, number: 2, replacing: nil)
        #expect(new.parts[1] == fresh.parts[1])
        #expect(new.parts[1] != old.parts[1])
    }

    /// An endpoint change makes one service's endpoints anew, and nothing else.
    @Test func anEndpointChangeTouchesOneAssignment() throws {
        // Of the same account as the pod before: who may answer is part of the cluster.
        let all = objects + [pod("b-2", "10.0.0.7", app: "b")]
        let before = MeshSnapshot(objects: all)
        let moved = all.filter { $0.name != "b-1" || $0.kind != "EndpointSlice" } + [service("b", ["10.0.0.7"])[1]]
        let after = MeshSnapshot(objects: moved)
        let key = try #require(ShareKey.keys(of: session("a-1", "10.0.0.1"), in: before).first)
        let old = try key.make(in: before, number: 1, replacing: nil)
        let new = try key.make(in: after, number: 2, replacing: old)
        #expect(new.parts[1] === old.parts[1], "listeners and routes are the same")
        var server = ServerSubscription.Delta()
        for type in [ResourceType.cluster, .endpoint] {
            var request = ServerSubscription.Delta.Request()
            request.typeURL = type.typeURL
            request.resourceNamesSubscribe = type == .endpoint ? ["outbound|80||b.dev.svc.cluster.local"] : []
            _ = server.receive(request, snapshot: XDSSnapshot(shares: old.parts))
        }
        let pushed = server.push(XDSSnapshot(shares: new.parts))
        #expect(pushed.map { $0.resources.map(\.name) } == [["outbound|80||b.dev.svc.cluster.local"]])
        #expect(pushed.map(\.typeURL) == [ResourceType.endpoint.typeURL])
    }

    /// Some of a mesh's objects, in some of their forms.
    private func randomObjects(_ random: inout SystemlessRandom) -> [KubernetesObject] {
        func object(_ kind: String, _ name: String, _ spec: JSONValue) -> KubernetesObject {
            KubernetesObject([
                "apiVersion": "networking.istio.io/v1", "kind": .string(kind),
                "metadata": [
                    "name": .string(name), "namespace": "dev", "creationTimestamp": .string("2026-01-0\(name.count)"),
                ], "spec": spec,
            ])
        }
        var all = [pod("a-1", "10.0.0.1", app: "a"), pod("a-2", "10.0.0.2", app: random.chance(3) ? "a" : "b")]
        if random.chance(3) { all.append(pod("b-1", "10.0.0.3", app: "b")) }
        for app in ["a", "b", "c"] where random.chance(4) {
            all += service(app, (1...3).filter { _ in random.chance(2) }.map { "10.0.0.\($0)" })
        }
        for host in ["a", "b", "c", "nowhere"] where random.chance(2) {
            let subset: JSONValue = random.chance(2) ? ["host": .string(host), "subset": "v1"] : ["host": "b"]
            let mirror: JSONValue = random.chance(2) ? ["host": "c"] : .null
            all.append(
                object(
                    "VirtualService", "vs-\(host)",
                    [
                        "hosts": [.string(host)], "exportTo": random.chance(3) ? ["*"] : ["."],
                        "http": [["route": [["destination": subset]], "mirror": mirror]],
                    ]))
        }
        for host in ["a", "b", "*.dev.svc.cluster.local"] where random.chance(2) {
            all.append(
                object(
                    "DestinationRule", "dr-\(host.count)",
                    [
                        "host": .string(host),
                        "trafficPolicy": [
                            "connectionPool": ["tcp": ["maxConnections": .int(Int64(random.next() % 3 + 1))]],
                            "loadBalancer": random.chance(2)
                                ? ["consistentHash": ["httpHeaderName": .string("x-\(random.next() % 2)")]] : .null,
                        ], "subsets": [["name": "v1", "labels": ["app": .string(random.chance(2) ? "a" : "b")]]],
                    ]))
        }
        all += neighbours(&random)
        if random.chance(3) {
            all.append(
                object(
                    "Sidecar", "default",
                    ["egress": [["hosts": [random.chance(2) ? "./a.dev.svc.cluster.local" : "*/*"]]]]))
        }
        if random.chance(3) {
            all.append(
                KubernetesObject([
                    "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
                    "metadata": ["name": "some", "namespace": "dev"],
                    "spec": [
                        "action": "DENY", "rules": random.chance(2) ? [["to": [["operation": ["ports": ["1"]]]]]] : [],
                    ],
                ]))
        }
        return all.map(versioned)
    }

    /// What stands for, hides behind or looks like another service; all have the address of the others.
    private func neighbours(_ random: inout SystemlessRandom) -> [KubernetesObject] {
        func plain(_ name: String, _ spec: JSONValue) -> KubernetesObject {
            KubernetesObject([
                "apiVersion": "v1", "kind": "Service", "metadata": ["name": .string(name), "namespace": "dev"],
                "spec": spec,
            ])
        }
        var all: [KubernetesObject] = []
        if random.chance(2) {
            let target = random.chance(2) ? "b.dev.svc.cluster.local" : "a.dev.svc.cluster.local"
            all.append(plain("alias", ["type": "ExternalName", "externalName": .string(target)]))
        }
        if random.chance(2) {
            let ports: JSONValue = [["name": "http", "port": 80], ["port": 81], ["name": "tcp", "port": 82]]
            all.append(plain("d", ["clusterIP": random.chance(2) ? "None" : "10.96.0.1", "ports": ports]))
        }
        if random.chance(2) {
            all.append(
                KubernetesObject([
                    "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
                    "metadata": ["name": "entry", "namespace": "dev", "creationTimestamp": "2026-01-01"],
                    "spec": [
                        "hosts": [random.chance(2) ? "nowhere.dev.svc.cluster.local" : "b.dev"],
                        "addresses": ["10.96.0.1"], "resolution": "STATIC",
                        "ports": [["number": 80, "name": "http", "protocol": "HTTP"]],
                        "endpoints": [["address": "10.0.0.9"]],
                    ],
                ]))
        }
        return all
    }

    /// With a version that says what the object says, as an API server's would.
    private func versioned(_ object: KubernetesObject) -> KubernetesObject {
        var object = object
        object.json[path: "metadata", "resourceVersion"] = .string("\(object.json)")
        return object
    }
}

@Suite struct PushPlanTests {
    @Test func groupsAreServedAsSoonAsTheirSharesAreMade() {
        let identity = ProxyIdentity(kind: .router, address: "1", podName: "p", namespace: "n")
        let snapshot = MeshSnapshot(objects: [])
        func key(_ account: String) -> ShareKey {
            var proxy = ProxyClass(identity, in: snapshot)
            proxy.serviceAccount = account
            return ShareKey(part: .gateway(proxy), target: .weft, maySeeSecrets: true)
        }
        var plan = PushPlan(groups: [[key("x"), key("y")]: ["1", "2"], [key("x")]: ["3"]])
        let unused = plan
        let (x, y) = (plan.keys.firstIndex(of: key("x")) ?? 9, plan.keys.firstIndex(of: key("y")) ?? 9)
        #expect(Set([plan.next(), plan.next()]) == [0, 1] && Set([x, y]) == [0, 1])
        #expect(plan.next() == nil)
        #expect(plan.made(x).map(\.ids) == [["3"]])
        #expect(plan.made(y).map(\.ids) == [["1", "2"]])
        #expect(plan.made(y).isEmpty)
        // A plan that nothing was taken from serves again.
        var again = unused
        #expect(again.next() == 0 && again.made(x).map(\.ids) == [["3"]])
    }

    /// A plan is kept as long as the grounds are equal: then no proxy's keys are others.
    @Test func equalGroundsMakeEqualKeys() {
        let builder = SnapshotBuilder()
        func object(_ kind: String, _ name: String, _ version: Int, _ rest: [String: JSONValue]) -> KubernetesObject {
            var json: JSONValue = [
                "apiVersion": kind == "VirtualService" ? "networking.istio.io/v1" : "v1", "kind": .string(kind),
                "metadata": [
                    "name": .string(name), "namespace": "dev", "resourceVersion": .string(String(version)),
                    "labels": ["app": "a"],
                ],
            ]
            for (key, value) in rest { json[key] = value }
            return KubernetesObject(json)
        }
        func rule(_ version: Int, _ label: String?) -> KubernetesObject {
            let match: JSONValue = label.map { [["sourceLabels": [$0: "x"]]] } ?? [["uri": ["prefix": "/"]]]
            return object(
                "VirtualService", "r", version,
                ["spec": ["hosts": ["b"], "http": [["match": match, "directResponse": ["status": 418]]]]])
        }
        let pod = object(
            "Pod", "p", 1,
            ["spec": ["serviceAccountName": "one"], "status": ["podIP": "10.0.0.1", "phase": "Running"]])
        let other = object(
            "Pod", "p", 2,
            ["spec": ["serviceAccountName": "two"], "status": ["podIP": "10.0.0.1", "phase": "Running"]])
        func grounds(_ objects: [KubernetesObject]) -> ClassGrounds {
            builder.snapshot(objects: objects, meshConfig: MeshConfig()).classGrounds
        }
        let first = grounds([pod, rule(3, nil)])
        #expect(grounds([pod, rule(4, nil)]) == first, "a rule that tells nobody apart")
        #expect(grounds([pod, rule(5, "tier")]) != first, "a rule that tells senders apart by a label")
        #expect(grounds([other, rule(4, nil)]) != first, "another account")
        #expect(grounds([rule(4, nil)]) != first, "no pod")
    }
}

@Suite struct RejectionOriginTests {
    @Test(
        arguments: [
            ("80: bad route", ["80", "8080"], ["80": "80: bad route"]),
            (
                "Error adding/updating listener(s) 0.0.0.0_80: no", ["0.0.0.0_80", "0.0.0.0_8080", "80"],
                ["0.0.0.0_80": "0.0.0.0_80: no"]
            ),
            // Envoy's listeners, one a line; a reason may name another resource.
            (
                "Error adding/updating listener(s) 0.0.0.0_80: Unable to find cluster x\nvirtualInbound: bad filter\n",
                ["0.0.0.0_80", "virtualInbound", "virtualOutbound", "x"],
                ["0.0.0.0_80": "0.0.0.0_80: Unable to find cluster x", "virtualInbound": "virtualInbound: bad filter"]
            ),
            // Envoy's clusters, in a row.
            (
                "Error adding/updating cluster(s) outbound|80||a.dev: no, outbound|81||a.dev: neither",
                ["outbound|80||a.dev", "outbound|81||a.dev", "outbound|82||a.dev"],
                ["outbound|80||a.dev": "outbound|80||a.dev: no", "outbound|81||a.dev": "outbound|81||a.dev: neither"]
            ),
            // weft-proxy's.
            (
                "a: load_assignment: is missing; c: timeout of 80 is out of range; b is fine",
                ["a", "b", "c", "80"],
                ["a": "a: load_assignment: is missing", "c": "c: timeout of 80 is out of range; b is fine"]
            ),
            // gRPC's.
            (
                "xDS response validation errors: [resource index 1: a.dev:80: INVALID_ARGUMENT: no]",
                ["a.dev:80", "b.dev:80"], ["a.dev:80": "a.dev:80: INVALID_ARGUMENT: no]"]
            ),
            (
                "cluster outbound|80||a.dev is bad.", ["outbound|80||a.dev", "outbound|80||a.dev.svc"],
                ["outbound|80||a.dev": "cluster outbound|80||a.dev is bad."]
            ),
            (
                "Only a single wildcard domain is permitted in route 80", ["80", "81"],
                ["80": "Only a single wildcard domain is permitted in route 80"]
            ),
            ("no name at all, but 80 of something", ["80", "b"], [:]),
            ("no name at all", ["a1"], ["a1": "no name at all"]),
        ] as [(String, [String], [String: String])])
    func findsTheNamedResources(_ message: String, _ sent: [String], _ named: [String: String]) {
        #expect(RejectionOrigin.refusals(in: message, among: sent) == named)
    }

    private static func reference(_ kind: String, _ name: String) -> ResourceReference {
        ResourceReference(kind: kind, namespace: "dev", name: name)
    }

    /// Objects behind a resource: those it was made from, EnvoyFilters that change or bring it, those that want a secret.
    @Test func findsTheObjects() {
        var configuration = ProxyConfiguration()
        for name in ["a", "b"] {
            var cluster = Cluster(name: name, discovery: .strictDNS)
            cluster.provenance = Provenance(Self.reference("DestinationRule", name))
            configuration.clusters[name] = cluster
        }
        func patch(_ name: String, _ operation: ResourcePatch.Operation, _ value: JSONValue, on cluster: String? = nil)
        {
            var patch = ResourcePatch(
                target: .cluster, operation: operation, provenance: Provenance(Self.reference("EnvoyFilter", name)))
            patch.value = value
            patch.cluster = .init()
            patch.cluster?.name = cluster
            configuration.patches.append(patch)
        }
        patch("changes-b", .merge, ["connect_timeout": "1s"], on: "b")
        patch("brings-c", .add, ["name": "c", "type": "STATIC"])
        func names(_ cluster: String) -> [String] {
            RejectionOrigin.objects(of: [cluster], .cluster, in: configuration).map { "\($0.kind) \($0.name)" }
        }
        #expect(names("a") == ["DestinationRule a"])
        #expect(names("b") == ["DestinationRule b", "EnvoyFilter changes-b"])
        #expect(names("c") == ["EnvoyFilter brings-c"])
        #expect(names("d").isEmpty)
        var tls = UpstreamTLS()
        tls.common.certificates = [SecretReference(name: "kubernetes://s", source: .ads)]
        configuration.clusters["a"]?.tls = tls
        let users = RejectionOrigin.objects(of: ["kubernetes://s"], .secret, in: configuration)
        #expect(users == [Self.reference("DestinationRule", "a")])
    }
}

@Suite struct ConnectionTests {
    private func connection() -> ProxyConnection {
        let identity = ProxyIdentity(kind: .sidecar, address: "1", podName: "p", namespace: "n")
        return ProxyConnection(
            session: ProxySession(
                id: "1", identity: identity, isAuthenticated: true, userAgent: "", version: "",
                publish: { _, _ in }))
    }

    @Test func aProxyHasConfirmedWhenEverythingSentIsTaken() {
        var connection = connection()
        let now = ContinuousClock.now
        connection.published = 4
        connection.current = 4
        connection.didSend("n1", .cluster, names: ["a", "b"], at: now)
        #expect(connection.didAcknowledge("n1", .cluster, at: now) != nil)
        #expect(connection.confirmed == 0, "more may be on its way")
        connection.didDeliver(4)
        #expect(connection.confirmed == 4)
        connection.isCurrent(for: 6)
        #expect(connection.confirmed == 6, "a snapshot that asks nothing new is confirmed at once")
    }

    @Test func aRefusalIsKeptByNameUntilTheResourceIsTaken() {
        var connection = connection()
        let now = ContinuousClock.now
        connection.published = 1
        connection.current = 1
        connection.didSend("n1", .cluster, names: ["a", "b"], at: now)
        connection.didDeliver(1)
        #expect(connection.didReject("n1", .cluster, message: "b: no") == ["b"])
        #expect(connection.rejections[.cluster] == ["b": "b: no"])
        #expect(connection.confirmed == 0)
        connection.didSend("n2", .cluster, names: ["a"], at: now)
        _ = connection.didAcknowledge("n2", .cluster, at: now)
        #expect(connection.rejections[.cluster] == ["b": "b: no"])
        connection.didSend("n3", .cluster, names: ["b"], at: now)
        _ = connection.didAcknowledge("n3", .cluster, at: now)
        #expect(connection.rejections[.cluster] == [:])
        #expect(connection.confirmed == 1)
    }

    /// Without a name all of the response are suspected, until the proxy takes something of the type again.
    @Test func aRefusalWithoutANameIsAboutAll() {
        var connection = connection()
        let now = ContinuousClock.now
        connection.didSend("n1", .cluster, names: ["a", "b"], at: now)
        #expect(connection.didReject("n1", .cluster, message: "no").isEmpty)
        #expect(connection.rejections[.cluster]?.keys.sorted() == ["a", "b"])
        #expect(connection.rejections[.cluster]?["a"] == "no (it names none of the 2 resources sent)")
        connection.didSend("n2", .cluster, names: ["b"], at: now)
        #expect(connection.didReject("n2", .cluster, message: "still no") == ["b"])
        connection.didSend("n3", .cluster, names: ["c"], at: now)
        _ = connection.didAcknowledge("n3", .cluster, at: now)
        #expect(connection.rejections[.cluster] == ["b": "still no"], "what was named stays until it is taken")
        connection.didSend("n4", .listener, names: [], at: now)
        #expect(connection.didReject("n4", .listener, message: "no").isEmpty)
        #expect(connection.rejections[.listener]?.count == 1)
    }
}

/// Numbers by chance that are the same in each run.
private struct SystemlessRandom {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// True but once in `of` times.
    mutating func chance(_ of: UInt64) -> Bool { next() % of != 0 }
}
