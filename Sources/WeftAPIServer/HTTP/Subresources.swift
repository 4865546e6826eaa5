import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import WeftCore

/// The subresources that do something: logs, proxy, eviction, tokens, binding; `exec` without its upgrade.
struct Subresources: Sendable {
    let router: RequestRouter
    let request: APIRequest
    let target: ResourceTarget
    let writer: ResponseWriter
    private var engine: APIEngine { router.engine }
    private var namespace: String { target.namespace ?? "" }

    init(router: RequestRouter, request: APIRequest, target: ResourceTarget, writer: ResponseWriter) {
        self.router = router
        self.request = request
        self.target = target
        self.writer = writer
    }

    func run(_ sub: String, _ name: String) async throws {
        switch (target.resource.resource, sub) {
        case ("pods", "log"): try await logs(name)
        case ("pods", "exec"), ("pods", "attach"):
            _ = try PodTarget.resolve(engine, namespace, name, request)
            throw APIError.badRequest(
                "\(sub) needs a WebSocket upgrade with the protocol v5.channel.k8s.io or v4.channel.k8s.io; SPDY is not served"
            )
        case ("pods", "portforward"):
            throw APIError.badRequest("port-forward is not served yet")
        case ("pods", "eviction"): try await evict(name)
        case ("pods", "binding"): try await bind(name)
        case ("pods", "proxy"), ("services", "proxy"): try await proxy(name)
        case ("serviceaccounts", "token"): try await token(name)
        default: throw APIError.noSuchPath
        }
    }

    private func logs(_ name: String) async throws {
        let container = try PodTarget.resolve(engine, namespace, name, request)
        guard let backend = router.backend else {
            throw APIError.internalError("no node agent runs the pod's containers")
        }
        var log = PodLogRequest(namespace: namespace, pod: name, container: container)
        log.follow = request.flag("follow")
        log.previous = request.flag("previous")
        log.timestamps = request.flag("timestamps")
        log.tailLines = request.first("tailLines").flatMap { Int($0) }
        log.sinceSeconds = request.first("sinceSeconds").flatMap { Int($0) }
        log.sinceTime = request.first("sinceTime")
        log.limitBytes = request.first("limitBytes").flatMap { Int($0) }
        let started = StartOnce(writer: writer)
        try await backend.logs(log) { try await started.write($0) }
        try await started.finish()
    }

    private func evict(_ name: String) async throws {
        _ = try await engine.delete(
            .pods, namespace: namespace, name: name, options: DeleteOptions(), user: request.user)
        try await writer.send(
            ["kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success"], status: 201)
    }

    private func bind(_ name: String) async throws {
        let node = try request.json().string("target", "name")
        _ = try await engine.patch(
            .pods, namespace: namespace, name: name, kind: .merge, body: ["spec": ["nodeName": .string(node)]],
            options: WriteOptions(user: request.user))
        try await writer.send(
            ["kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success"], status: 201)
    }

    private func token(_ name: String) async throws {
        var body = try request.json()
        var wanted = ServiceAccountTokenRequest(namespace: namespace, serviceAccount: name)
        wanted.audiences = body[path: "spec", "audiences"]?.arrayValue?.compactMap(\.stringValue) ?? []
        wanted.expirationSeconds = body.int("spec", "expirationSeconds", absent: 3600)
        if body.string("spec", "boundObjectRef", "kind") == "Pod" {
            wanted.podName = body.string("spec", "boundObjectRef", "name")
            wanted.podUID = body.string("spec", "boundObjectRef", "uid")
        }
        let token = try engine.issueToken(wanted)
        body["kind"] = "TokenRequest"
        body["apiVersion"] = "authentication.k8s.io/v1"
        body["metadata"] = ["name": .string(name), "namespace": .string(namespace)]
        body["status"] = ["token": .string(token.token), "expirationTimestamp": .string(token.expirationTimestamp)]
        try await writer.send(body, status: 201)
    }

    /// `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`.
    private func proxy(_ text: String) async throws {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let name = parts.count == 3 ? parts[1] : parts[0]
        let port = parts.count == 3 ? parts[2] : parts.count == 2 ? parts[1] : ""
        let place: (address: String, port: Int)
        if target.resource.resource == "pods" {
            let pod = try engine.get(.pods, namespace: namespace, name: name)
            let first = pod[path: "spec", "containers"]?[0]?["ports"]?[0]?.int("containerPort") ?? 80
            place = (pod.string("status", "podIP"), Int(port) ?? first)
        } else {
            let service = try engine.get(.services, namespace: namespace, name: name)
            guard
                let found = ServiceEndpoints.pick(
                    engine.store, service, port: Int(port), name: port.isEmpty || Int(port) != nil ? nil : port)
            else {
                throw APIError(
                    code: 503, reason: "ServiceUnavailable", message: "no endpoints available for service \"\(name)\"")
            }
            place = found
        }
        let query = request.query.map { "\($0.name.pathEscaped)=\($0.value.pathEscaped)" }.joined(separator: "&")
        let path = target.rest.dropFirst().joined(separator: "/")
        var outgoing = HTTPClientRequest(
            url: "http://\(place.address):\(place.port)/\(path)" + (query.isEmpty ? "" : "?\(query)"))
        outgoing.method = request.method
        // As a real API server: what the caller says goes on, but not his credentials for this server.
        let own: Set = ["authorization", "host", "content-length", "connection", "transfer-encoding", "upgrade"]
        for (name, value) in request.headers where !own.contains(name.lowercased()) {
            outgoing.headers.add(name: name, value: value)
        }
        outgoing.body = .bytes(request.body)
        let response: HTTPClientResponse
        do {
            response = try await HTTPClient.shared.execute(outgoing, timeout: .seconds(30))
        } catch {
            throw APIError(
                code: 503, reason: "ServiceUnavailable",
                message: "error trying to reach service: dial tcp \(place.address):\(place.port): \(error)")
        }
        let type = response.headers.first(name: "content-type") ?? "text/plain"
        // A stream of events has no end that one could wait for.
        guard type.hasPrefix("text/event-stream") else {
            return try await writer.send(response.status, type: type, body: response.body.collect(upTo: 32 << 20))
        }
        let started = StartOnce(writer: writer, type: type)
        for try await bytes in response.body { try await started.write(bytes) }
        try await started.finish()
    }
}

/// Which container a pod's request means.
enum PodTarget {
    static func resolve(_ engine: APIEngine, _ namespace: String, _ name: String, _ request: APIRequest) throws
        -> String
    {
        let pod = try engine.get(.pods, namespace: namespace, name: name)
        let regular = (pod[path: "spec", "containers"]?.arrayValue ?? []).map { $0.string("name") }
        let initial = (pod[path: "spec", "initContainers"]?.arrayValue ?? []).map { $0.string("name") }
        if let wanted = request.first("container"), !wanted.isEmpty {
            guard (regular + initial).contains(wanted) else {
                throw APIError.badRequest("container \(wanted) is not valid for pod \(name)")
            }
            return wanted
        }
        if let only = regular.first, regular.count == 1, initial.isEmpty { return only }
        if let chosen = pod[path: "metadata", "annotations", "kubectl.kubernetes.io/default-container"]?.stringValue,
            regular.contains(chosen)
        {
            return chosen
        }
        if regular.count == 1 { return regular[0] }
        throw APIError.badRequest(
            "a container name must be specified for pod \(name), choose one of: [\(regular.joined(separator: " "))]")
    }
}

/// Begins the response with the first bytes, so that an error before them is still a Status.
actor StartOnce {
    private let writer: ResponseWriter
    private var started = false

    private let type: String

    init(writer: ResponseWriter, type: String = "text/plain") {
        self.writer = writer
        self.type = type
    }

    func write(_ bytes: ByteBuffer) async throws {
        try await start()
        try await writer.write(bytes)
    }
    func finish() async throws {
        try await start()
        try await writer.end()
    }
    private func start() async throws {
        if started { return }
        started = true
        try await writer.begin(type: type)
    }
}
