import NIOHTTP1
import Testing
import WeftConfig
import WeftCore

@testable import WeftKubernetes

@Suite struct KubernetesClientTests {
    /// Runs `body` with a client of a fake server.
    private func withServer(
        _ answer: @escaping @Sendable (FakeAPIServer.Request, Int) -> FakeAPIServer.Answer,
        token: KubernetesConfiguration.Credential = .none,
        _ body: (KubernetesClient, FakeAPIServer) async throws -> Void
    ) async throws {
        let server = try await FakeAPIServer(answer)
        let client = KubernetesClient(configuration: KubernetesConfiguration(server: server.url, credential: token))
        do {
            try await body(client, server)
        } catch {
            try? await client.shutdown()
            try? await server.stop()
            throw error
        }
        try await client.shutdown()
        try await server.stop()
    }

    @Test func errorsCarryTheServersStatus() async throws {
        let status =
            #"{"kind":"Status","status":"Failure","reason":"NotFound","code":404,"message":"pods \"x\" not found"}"#
        try await withServer({ _, _ in .init(status: .notFound, chunks: [status]) }) { client, _ in
            let error = await #expect(throws: KubernetesError.self) {
                try await client.get(.pods, namespace: "dev", name: "x")
            }
            #expect(error?.isNotFound == true)
            #expect(error?.message == "pods \"x\" not found")
        }
    }

    @Test func anErrorThatIsNoStatusKeepsItsText() async throws {
        try await withServer({ _, _ in .init(status: .serviceUnavailable, chunks: ["starting"]) }) { client, _ in
            let error = await #expect(throws: KubernetesError.self) {
                try await client.get(.pods, namespace: "dev", name: "x")
            }
            #expect(error == KubernetesError(code: 503, reason: "ServiceUnavailable", message: "starting"))
        }
    }

    @Test func listsAllPages() async throws {
        try await withServer({ request, _ in
            request.uri.contains("continue=next")
                ? .init(chunks: [#"{"metadata":{"resourceVersion":"9"},"items":[{"metadata":{"name":"b"}}]}"#])
                : .init(chunks: [
                    #"{"metadata":{"resourceVersion":"9","continue":"next"},"items":[{"metadata":{"name":"a"}}]}"#
                ])
        }) { client, server in
            let list = try await client.list(
                .services, namespace: "dev", options: ListOptions(labelSelector: "a=b"), pageSize: 1)
            #expect(list.items.map(\.name) == ["a", "b"])
            #expect(list.items.map(\.kind) == ["Service", "Service"])
            #expect(list.resourceVersion == "9")
            #expect(
                server.requests.map(\.path) == ["/api/v1/namespaces/dev/services", "/api/v1/namespaces/dev/services"])
            #expect(server.requests[0].uri.contains("labelSelector=a%3Db"))
        }
    }

    @Test(arguments: [
        (PatchKind.json, "application/json-patch+json"), (.merge, "application/merge-patch+json"),
        (.strategic, "application/strategic-merge-patch+json"),
    ])
    func patchesSayWhatTheyAre(_ kind: PatchKind, _ type: String) async throws {
        try await withServer(
            { _, _ in .init(chunks: [#"{"kind":"Service","metadata":{"name":"a"}}"#]) }, token: .token("t0")
        ) { client, server in
            let result = try await client.patch(
                .services, namespace: "dev", name: "a", kind: kind, ["x": 1], subresource: "status")
            #expect(result.name == "a")
            let request = try #require(server.requests.first)
            #expect(request.method == "PATCH")
            #expect(request.path == "/api/v1/namespaces/dev/services/a/status")
            #expect(request.headers.first(name: "content-type") == type)
            #expect(request.headers.first(name: "authorization") == "Bearer t0")
            #expect(request.body == #"{"x":1}"#)
        }
    }

    @Test func appliesOnTheServer() async throws {
        let object = KubernetesObject(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "dev"]])
        try await withServer({ request, _ in .init(chunks: [request.body]) }) { client, server in
            let applied = try await client.apply(.namespaces, object, fieldManager: "weft")
            #expect(applied == object)
            #expect(server.requests.first?.uri == "/api/v1/namespaces/dev?fieldManager=weft&force=true")
            #expect(server.requests.first?.headers.first(name: "content-type") == "application/apply-patch+yaml")
        }
    }

    @Test func discoveryIsAskedOnceAndTellsWhatIsMissing() async throws {
        let list =
            #"{"resources":[{"name":"virtualservices","kind":"VirtualService","namespaced":true},{"name":"virtualservices/status","kind":"VirtualService"}]}"#
        try await withServer({ request, _ in
            request.path == "/apis/networking.istio.io/v1"
                ? .init(chunks: [list]) : .init(status: .notFound, chunks: ["404 page not found"])
        }) { client, server in
            let kind = GroupVersionKind(group: "networking.istio.io", version: "v1", kind: "VirtualService")
            let resource = try #require(try await client.resource(for: kind))
            #expect(
                resource.path(namespace: "dev", name: "a")
                    == "/apis/networking.istio.io/v1/namespaces/dev/virtualservices/a")
            _ = try await client.resource(for: kind)
            #expect(server.requests.count == 1)
            let missing = try await client.resource(for: GroupVersionKind(group: "a.b", version: "v1", kind: "C"))
            #expect(missing == nil)
        }
    }

    @Test func tokensAreReviewed() async throws {
        let good =
            #"{"status":{"authenticated":true,"user":{"username":"system:serviceaccount:dev:web","groups":["g"]},"audiences":["istio-ca"]}}"#
        try await withServer({ request, _ in
            request.body.contains("good")
                ? .init(status: .created, chunks: [good])
                : .init(status: .created, chunks: [#"{"status":{"authenticated":false}}"#])
        }) { client, _ in
            let identity = try #require(try await client.reviewToken("good", audiences: ["istio-ca"]))
            #expect(identity.serviceAccount?.namespace == "dev")
            #expect(identity.serviceAccount?.name == "web")
            let bad = try await client.reviewToken("bad", audiences: ["istio-ca"])
            #expect(bad == nil)
        }
    }
}

@Suite struct WatchTests {
    private func event(_ type: String, _ name: String, _ version: Int) -> String {
        #"{"type":"\#(type)","object":{"kind":"Service","metadata":{"name":"\#(name)","namespace":"dev","resourceVersion":"\#(version)"}}}"#
            + "\n"
    }

    @Test func eventsMayBeCutAnywhere() async throws {
        let text = event("ADDED", "a", 1) + "\n" + event("DELETED", "a", 2) + event("BOOKMARK", "", 7)
        let bytes = text.map(String.init)
        let server = try await FakeAPIServer { _, _ in .init(chunks: bytes) }
        let client = KubernetesClient(configuration: KubernetesConfiguration(server: server.url))
        var seen: [String] = []
        for try await event in try await client.watch(.services, resourceVersion: "0") {
            switch event {
            case .added(let object): seen.append("+\(object.name)")
            case .modified(let object): seen.append("~\(object.name)")
            case .deleted(let object): seen.append("-\(object.name)")
            case .bookmark(let version): seen.append("@\(version)")
            }
        }
        #expect(seen == ["+a", "-a", "@7"])
        #expect(server.requests.first?.uri.contains("allowWatchBookmarks=true") == true)
        try await client.shutdown()
        try await server.stop()
    }

    @Test func aGoneVersionIsAnError() throws {
        let line = #"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}"#
        let error = #expect(throws: KubernetesError.self) { try WatchEvent(parsing: line.utf8) }
        #expect(error?.isGone == true)
    }

    /// list → watch breaks off → watch from the last version → 410 → list again.
    @Test func anInformerSurvivesAll() async throws {
        let added = event("ADDED", "b", 5)
        let expired = #"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}"# + "\n"
        let server = try await FakeAPIServer { request, number in
            switch number {
            case 1:
                .init(chunks: [
                    #"{"metadata":{"resourceVersion":"3"},"items":[{"metadata":{"name":"a","namespace":"dev","resourceVersion":"1"}}]}"#
                ])
            case 2: .init(chunks: [added])
            case 3: .init(chunks: [expired])
            case 4:
                .init(chunks: [
                    #"{"metadata":{"resourceVersion":"9"},"items":[{"metadata":{"name":"c","namespace":"dev","resourceVersion":"8"}}]}"#
                ])
            default: .init(chunks: [""], staysOpen: true)
            }
        }
        let client = KubernetesClient(configuration: KubernetesConfiguration(server: server.url))
        let (changes, sink) = AsyncStream<String>.makeStream(bufferingPolicy: .bufferingNewest(16))
        let informer = Informer(client: client, resource: .services) { change in
            sink.yield((change.new == nil ? "-" : "+") + change.key.description)
        }
        let task = Task { await informer.run() }
        var seen: [String] = []
        for await change in changes {
            seen.append(change)
            if seen.count == 5 { break }
        }
        #expect(seen == ["+dev/a", "+dev/b", "-dev/a", "-dev/b", "+dev/c"])
        await informer.store.waitForSync()
        #expect(informer.store.all.map(\.name) == ["c"])
        let uris = server.requests.map(\.uri)
        #expect(uris[1].contains("resourceVersion=3"))
        #expect(uris[2].contains("resourceVersion=5"))
        task.cancel()
        try await server.stop()
        try await client.shutdown()
    }

    /// Many clusters have a Gateway API whose TCPRoutes are of `v1alpha2` alone.
    @Test func aKindIsReadInTheVersionThatTheServerHas() async throws {
        let group = "/apis/gateway.networking.k8s.io"
        let server = try await FakeAPIServer { request, _ in
            switch request.path {
            case "\(group)/v1":
                .init(chunks: [#"{"resources":[{"name":"gateways","kind":"Gateway","namespaced":true}]}"#])
            case "\(group)/v1alpha2":
                .init(chunks: [#"{"resources":[{"name":"tcproutes","kind":"TCPRoute","namespaced":true}]}"#])
            case "\(group)/v1alpha2/tcproutes" where !request.uri.contains("watch"):
                .init(chunks: [
                    #"{"metadata":{"resourceVersion":"3"},"items":[{"apiVersion":"gateway.networking.k8s.io/v1alpha2","kind":"TCPRoute","metadata":{"name":"a","namespace":"dev"}}]}"#
                ])
            case "\(group)/v1alpha2/tcproutes": .init(chunks: [""], staysOpen: true)
            default: .init(status: .notFound, chunks: [#"{"kind":"Status","code":404,"reason":"NotFound"}"#])
            }
        }
        let client = KubernetesClient(configuration: KubernetesConfiguration(server: server.url))
        let kind = GroupVersionKind(group: "gateway.networking.k8s.io", version: "v1", kind: "TCPRoute")
        let informer = Informer(client: client, kind: kind, olderVersions: ["v1beta1", "v1alpha3", "v1alpha2"])
        let task = Task { await informer.run() }
        await informer.store.waitForSync()
        #expect(informer.store.all.map(\.apiVersion) == ["gateway.networking.k8s.io/v1alpha2"])
        task.cancel()
        try await server.stop()
        try await client.shutdown()
    }
}
