import FoundationEssentials
import NIOCore
import NIOHTTP1
import WeftConfig
import WeftCore

/// Answers one request on a resource.
struct ResourceHandler: Sendable {
    let router: RequestRouter
    let request: APIRequest
    let target: ResourceTarget
    let writer: ResponseWriter
    let warnings: WarningList
    private var engine: APIEngine { router.engine }
    private var namespace: String { target.namespace ?? "" }

    init(
        router: RequestRouter, request: APIRequest, target: ResourceTarget, writer: ResponseWriter,
        warnings: WarningList
    ) {
        self.router = router
        self.request = request
        self.target = target
        self.writer = writer
        self.warnings = warnings
    }

    func run() async throws {
        let info = try engine.info(target.resource)
        if info.verbs == ["create"] {
            guard request.method == .POST else { throw APIError.methodNotAllowed }
            return try await writer.send(Reviews.answer(info, request, engine), status: 201)
        }
        guard let name = target.name else { return try await collection(info) }
        if let sub = target.rest.first, !["status", "finalize", "scale"].contains(sub) {
            return try await Subresources(router: router, request: request, target: target, writer: writer).run(
                sub, name)
        }
        try await single(info, name)
    }

    // MARK: Collections

    private func collection(_ info: ResourceInfo) async throws {
        switch request.method {
        case .GET: request.flag("watch") ? try await watch(info) : try await list(info)
        case .POST:
            guard info.verbs.contains("create"), info.namespaced == (target.namespace != nil) else {
                throw APIError.methodNotAllowed
            }
            let object = try await engine.create(
                target.resource, namespace: namespace, body: request.json(), options: options())
            try await reply(object, info, status: 201)
        case .DELETE:
            let page = try engine.list(
                target.resource, namespace: target.namespace, selection: selection(), limit: 0, after: nil)
            for item in page.items {
                _ = try await engine.delete(
                    target.resource, namespace: item.string("metadata", "namespace"),
                    name: item.string("metadata", "name"),
                    options: deleteOptions(), user: request.user)
            }
            try await writer.send(["kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success"])
        default: throw APIError.methodNotAllowed
        }
    }

    private func selection() throws -> Selection {
        try Selection(labels: request.first("labelSelector") ?? "", fields: request.first("fieldSelector") ?? "")
    }

    private func list(_ info: ResourceInfo) async throws {
        let page = try engine.list(
            target.resource, namespace: target.namespace, selection: selection(),
            limit: request.first("limit").flatMap { Int($0) } ?? 0,
            after: request.first("continue").flatMap { $0.isEmpty ? nil : $0 })
        if let table = tableBuilder(info) {
            return try await writer.send(
                table.table(
                    page.items, resourceVersion: String(page.version), next: page.next, remaining: page.remaining))
        }
        var metadata: JSONValue = ["resourceVersion": .string(String(page.version))]
        if let next = page.next { metadata["continue"] = .string(next) }
        if let remaining = page.remaining { metadata["remainingItemCount"] = .int(Int64(remaining)) }
        let partial = request.accept.contains("as=PartialObjectMetadataList")
        try await writer.send([
            "kind": .string(partial ? "PartialObjectMetadataList" : info.kind + "List"),
            "apiVersion": .string(partial ? "meta.k8s.io/v1" : info.apiVersion(target.resource.version)),
            "metadata": metadata,
            "items": .array(partial ? page.items.map(partialObject) : page.items),
        ])
    }

    private func partialObject(_ object: JSONValue) -> JSONValue {
        ["kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"] ?? [:]]
    }

    private func tableBuilder(_ info: ResourceInfo) -> TableBuilder? {
        guard request.accept.contains("as=Table") else { return nil }
        let columns = info.columns[target.resource.version] ?? [BuiltInColumns.name, BuiltInColumns.age]
        return TableBuilder(columns: columns, includeObject: request.first("includeObject") ?? "Metadata")
    }

    private func watch(_ info: ResourceInfo) async throws {
        let from = request.first("resourceVersion").flatMap { Int($0) }
        let wantsInitial = request.flag("sendInitialEvents")
        let stream = try engine.watch(
            target.resource, namespace: target.namespace, selection: selection(), from: wantsInitial ? nil : from)
        let seconds = request.first("timeoutSeconds").flatMap { Int($0) }.map { $0 > 0 ? $0 : 1800 } ?? 1800
        let table = tableBuilder(info)
        try await writer.begin(type: "application/json;stream=watch")
        let bookmarks = request.flag("allowWatchBookmarks")
        try await withThrowingTaskGroup(of: Void.self) { group in
            if wantsInitial, bookmarks { try await bookmark(info, initial: true) }
            group.addTask { try await self.forward(stream, table) }
            group.addTask {
                let slice = bookmarks ? min(seconds, 60) : seconds
                for _ in 0..<max(1, seconds / slice) {
                    try await Task.sleep(for: .seconds(slice))
                    if bookmarks { try await self.bookmark(info, initial: false) }
                }
            }
            try await group.next()
            group.cancelAll()
        }
        try await writer.end()
    }

    private func bookmark(_ info: ResourceInfo, initial: Bool) async throws {
        var metadata: JSONValue = [
            "resourceVersion": .string(String(engine.store.version)), "creationTimestamp": .null,
        ]
        if initial { metadata["annotations"] = ["k8s.io/initial-events-end": "true"] }
        try await send(
            "BOOKMARK",
            [
                "kind": .string(info.kind), "apiVersion": .string(info.apiVersion(target.resource.version)),
                "metadata": metadata,
            ])
    }

    private func forward(_ stream: WatchStream, _ table: TableBuilder?) async throws {
        do {
            for try await event in stream {
                switch event {
                case .added(let object): try await send("ADDED", object.json, table)
                case .modified(let object): try await send("MODIFIED", object.json, table)
                case .deleted(let object): try await send("DELETED", object.json, table)
                }
            }
        } catch let error as APIError {
            try await send("ERROR", error.status)
        }
    }

    private func send(_ type: String, _ object: JSONValue, _ table: TableBuilder? = nil) async throws {
        let version = object.string("metadata", "resourceVersion")
        let shown = table?.table([object], resourceVersion: version) ?? object
        var bytes = JSONValue.object(["type": .string(type), "object": shown]).serialized()
        bytes.append(UInt8(ascii: "\n"))
        try await writer.write(ByteBuffer(bytes: bytes))
    }

    // MARK: One object

    private func single(_ info: ResourceInfo, _ name: String) async throws {
        let sub = target.rest.first ?? ""
        if sub == "status", !info.hasStatus { throw APIError.noSuchPath }
        if sub == "scale", info.scale == nil { throw APIError.noSuchPath }
        switch request.method {
        case .GET:
            let object =
                sub == "scale"
                ? try engine.getScale(target.resource, namespace: namespace, name: name)
                : try engine.get(target.resource, namespace: namespace, name: name)
            try await reply(object, info)
        case .PUT:
            let object = try await engine.update(
                target.resource, namespace: namespace, name: name, body: request.json(), options: options())
            try await reply(object, info)
        case .PATCH:
            guard let kind = PatchKind(rawValue: request.contentType) else {
                throw APIError(
                    code: 415, reason: "UnsupportedMediaType",
                    message:
                        "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml"
                )
            }
            let existed = engine.store.get(engine.storage(info), ObjectID(namespace: namespace, name: name)) != nil
            let object = try await engine.patch(
                target.resource, namespace: namespace, name: name, kind: kind, body: request.json(), options: options())
            try await reply(object, info, status: existed ? 200 : 201)
        case .DELETE:
            let (remaining, last) = try await engine.delete(
                target.resource, namespace: namespace, name: name, options: deleteOptions(), user: request.user)
            if let remaining { return try await reply(remaining, info) }
            try await writer.send([
                "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success",
                "details": [
                    "name": .string(name), "group": .string(info.group), "kind": .string(info.plural),
                    "uid": last[path: "metadata", "uid"] ?? "",
                ],
            ])
        default: throw APIError.methodNotAllowed
        }
    }

    private func reply(_ object: JSONValue, _ info: ResourceInfo, status: Int = 200) async throws {
        if let table = tableBuilder(info), target.rest.isEmpty {
            return try await writer.send(
                table.table([object], resourceVersion: object.string("metadata", "resourceVersion")), status: status,
                warnings: warnings.all)
        }
        if request.accept.contains("as=PartialObjectMetadata") {
            return try await writer.send(partialObject(object), status: status)
        }
        try await writer.send(object, status: status, warnings: warnings.all)
    }

    private func options() -> WriteOptions {
        var options = WriteOptions(user: request.user)
        options.warnings = warnings
        options.dryRun = request.first("dryRun") == "All"
        options.fieldValidation = request.first("fieldValidation").flatMap { $0.isEmpty ? nil : $0 } ?? "Warn"
        let agent = request.headers.first(name: "user-agent")?.split(separator: "/").first.map(String.init) ?? "unknown"
        options.fieldManager = request.first("fieldManager").flatMap { $0.isEmpty ? nil : $0 } ?? agent
        options.force = request.flag("force")
        options.subresource = target.rest.first == "finalize" ? "" : target.rest.first ?? ""
        return options
    }

    private func deleteOptions() throws -> DeleteOptions {
        let body: JSONValue = request.body.readableBytes == 0 ? [:] : try request.json()
        var options = DeleteOptions()
        options.warnings = warnings
        options.gracePeriodSeconds =
            body["gracePeriodSeconds"]?.intValue
            ?? request.first("gracePeriodSeconds").flatMap { Int($0) }
        let policy = body["propagationPolicy"]?.stringValue ?? request.first("propagationPolicy")
        options.propagation = policy.flatMap { PropagationPolicy(rawValue: $0) }
        if body["orphanDependents"] == true { options.propagation = .orphan }
        options.uid = body[path: "preconditions", "uid"]?.stringValue
        options.resourceVersion = body[path: "preconditions", "resourceVersion"]?.stringValue
        options.dryRun = body["dryRun"]?.arrayValue?.contains("All") == true || request.first("dryRun") == "All"
        return options
    }
}
