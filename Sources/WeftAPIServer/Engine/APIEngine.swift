import FoundationEssentials
import Logging
import Synchronization
import WeftConfig
import WeftCore

/// The API's semantics without a wire: what create, update, patch, delete, list and watch mean, admission included.
///
/// Thread-safe. Reads come from the store's memory; writes run admission (which may call webhooks) and are then committed
/// against the newest state, so a write based on an old object fails with a conflict.
final class APIEngine: Sendable {
    let store: ObjectStore
    let registry = Registry()
    let tokens: TokenIssuer
    let webhooks: WebhookCaller
    let authorizer: Authorizer
    let logger: Logger

    init(store: ObjectStore, tokens: TokenIssuer, logger: Logger) throws {
        self.store = store
        self.tokens = tokens
        self.logger = logger
        self.authorizer = Authorizer(store: store)
        self.webhooks = WebhookCaller(store: store, logger: logger)
        let definitions = StorageID(group: "apiextensions.k8s.io", resource: "customresourcedefinitions")
        for (id, definition) in store.all(definitions).objects {
            registry.set(CustomResources.info(definition), for: id.name)
        }
    }

    // MARK: Look-up

    func info(_ resource: ResourceID) throws -> ResourceInfo {
        guard let info = registry.info(StorageID(group: resource.group, resource: resource.resource)),
            info.versions.contains(resource.version)
        else { throw APIError.noSuchPath }
        return info
    }

    func resource(for kind: GroupVersionKind) throws -> ResourceID {
        guard let info = registry.info(kind: kind) else {
            throw APIError.badRequest("no matches for kind \"\(kind.kind)\" in version \"\(kind.apiVersion)\"")
        }
        return info.id(kind.version)
    }

    func served(_ object: JSONValue, _ info: ResourceInfo, _ version: String) -> JSONValue {
        var object = object
        object["apiVersion"] = .string(info.apiVersion(version))
        object["kind"] = .string(info.kind)
        if info.storage.resource == "secrets" { object["stringData"] = nil }
        if info.isCustom, case .custom(let schema)? = info.schemas[version] { object = schema.defaulted(object) }
        return object
    }

    // MARK: Reads

    func get(_ resource: ResourceID, namespace: String, name: String) throws -> JSONValue {
        let info = try info(resource)
        guard let object = store.get(storage(info), ObjectID(namespace: namespace, name: name)) else {
            throw APIError.notFound(resource, name)
        }
        return served(object, info, resource.version)
    }

    /// Events of both groups are the same objects.
    func storage(_ info: ResourceInfo) -> StorageID {
        info.group == "events.k8s.io" ? StorageID(group: "", resource: "events") : info.storage
    }

    struct Page: Sendable {
        var items: [JSONValue]
        var version: Int
        var next: String?
        var remaining: Int?
    }

    func list(_ resource: ResourceID, namespace: String?, selection: Selection, limit: Int, after: String?) throws
        -> Page
    {
        let info = try info(resource)
        if let bad = selection.unsupportedField({ Self.selectable($0, info) }) {
            throw APIError.badRequest(
                "Unable to find \"\(info.apiVersion(resource.version)), Resource=\(resource.resource)\" that match label selector \"\", field selector \"\(bad)\": field label not supported: \(bad)"
            )
        }
        let (all, version) = store.all(storage(info), namespace: namespace)
        var chosen = all.filter { selection.matches($0.1) }
        var page = Page(items: [], version: version)
        if let after, let token = ContinueToken(after) {
            chosen = chosen.filter { token.last < $0.0 }
            page.version = token.version
        }
        if limit > 0, chosen.count > limit {
            page.remaining = chosen.count - limit
            chosen = Array(chosen.prefix(limit))
            page.next = chosen.last.map { ContinueToken(version: page.version, last: $0.0).text }
        }
        page.items = chosen.map { served($0.1, info, resource.version) }
        return page
    }

    private static func selectable(_ path: String, _ info: ResourceInfo) -> Bool {
        if path == "metadata.name" || path == "metadata.namespace" { return true }
        if info.isCustom { return false }
        let roots: [String] =
            switch info.kind {
            case "Event": ["involvedObject.", "regarding.", "reason", "type", "source", "reportingComponent"]
            case "Pod": ["spec.", "status."]
            case "Node": ["spec.unschedulable"]
            case "Secret": ["type"]
            case "Namespace": ["status.phase"]
            case "Service": ["spec.clusterIP", "spec.type"]
            default: ["spec.", "status."]
            }
        return roots.contains { path.hasPrefix($0) }
    }

    func watch(_ resource: ResourceID, namespace: String?, selection: Selection, from: Int?) throws -> WatchStream {
        let info = try info(resource)
        let version = resource.version
        let (stream, continuation) = WatchStream.makeStream(bufferingPolicy: .bufferingOldest(16_384))
        let translate: @Sendable (JSONValue) -> KubernetesObject = { [self] in
            KubernetesObject(served($0, info, version))
        }
        let wanted: @Sendable (JSONValue?) -> Bool = { object in
            guard let object else { return false }
            return (namespace == nil || object.string("metadata", "namespace") == namespace)
                && selection.matches(object)
        }
        let watcher = try store.watch(storage(info), from: from == 0 ? nil : from) { objects, _ in
            for object in objects where wanted(object) { continuation.yield(.added(translate(object))) }
        } deliver: { change in
            let event: WatchEvent
            switch (wanted(change.old), wanted(change.new), change.new) {
            case (_, true, let new?) where change.old != nil && wanted(change.old): event = .modified(translate(new))
            case (_, true, let new?): event = .added(translate(new))
            case (true, false, let new):
                var last = change.old ?? [:]
                last[path: "metadata", "resourceVersion"] = (new ?? last)[path: "metadata", "resourceVersion"]
                event = .deleted(translate(last))
            default: return true
            }
            if case .dropped = continuation.yield(event) { return false }
            return true
        } end: { error in
            continuation.finish(throwing: error)
        }
        continuation.onTermination = { [store] _ in store.unwatch(watcher) }
        return stream
    }

    // MARK: Tokens

    func issueToken(_ request: ServiceAccountTokenRequest) throws -> ServiceAccountToken {
        let accounts = ResourceID.serviceAccounts
        let account = try get(accounts, namespace: request.namespace, name: request.serviceAccount)
        return try tokens.issue(request, accountUID: account.string("metadata", "uid"))
    }
}

/// Where a paged list goes on.
struct ContinueToken {
    var version: Int
    var last: ObjectID

    init(version: Int, last: ObjectID) {
        self.version = version
        self.last = last
    }
    init?(_ text: String) {
        guard let data = Data(base64Encoded: text) else { return nil }
        let parts = String(decoding: data, as: UTF8.self).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, let version = Int(parts[0]) else { return nil }
        self.init(version: version, last: ObjectID(namespace: String(parts[1]), name: String(parts[2])))
    }
    var text: String { Data("\(version)/\(last.namespace)/\(last.name)".utf8).base64EncodedString() }
}
