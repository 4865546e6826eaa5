import Logging
import Synchronization
import WeftAPIServer
import WeftConfig
import WeftCore
import WeftRuntime

/// The node agent's view of the API server, in the same process. Safe from any task.
final class LocalNodeAPI: NodeAPI {
    private struct KnownEvent {
        var name: String
        var count: Int
    }
    private let api: LocalAPI
    private let publish: PublishTable
    private let logger: Logger
    private let events = Mutex<[String: KnownEvent]>([:])

    init(_ api: LocalAPI, publish: PublishTable, logger: Logger) {
        self.api = api
        self.publish = publish
        self.logger = logger
    }

    func object(kind: String, namespace: String, name: String) async -> KubernetesObject? {
        try? await api.get(kind == "Secret" ? .secrets : .configMaps, namespace: namespace, name: name)
    }

    func updatePodStatus(_ pod: KubernetesObject, status: JSONValue) async {
        var status = status
        for key in ["podIP", "podIPs", "reason", "message"] where status[key] == nil { status[key] = JSONValue.null }
        do {
            let body: JSONValue = ["metadata": ["uid": .string(pod.uid)], "status": status]
            _ = try await api.patch(.pods, namespace: pod.namespace, name: pod.name, body: body, subresource: "status")
        } catch let error as APIError where error.isNotFound || error.isConflict {
            return
        } catch {
            logger.warning("cannot write the status of pod \(pod.namespace)/\(pod.name): \(error)")
        }
    }

    func removePod(_ pod: KubernetesObject) async {
        let options = DeleteOptions(gracePeriodSeconds: 0, uid: pod.uid)
        try? await api.delete(.pods, namespace: pod.namespace, name: pod.name, options: options)
    }

    func event(_ pod: KubernetesObject, container: String?, warning: Bool, reason: String, message: String) async {
        let list =
            pod.json[path: "spec", "initContainers"]?.arrayValue?.contains { $0["name"]?.stringValue == container }
            == true
        let path = container.map { "spec.\(list ? "initContainers" : "containers"){\($0)}" }
        await record(pod, path, warning: warning, reason: reason, message: message, component: "kubelet")
    }

    /// Repeats of an event raise its count.
    func record(
        _ object: KubernetesObject, _ path: String?, warning: Bool, reason: String, message: String, component: String
    ) async {
        let now = Timestamps.now()
        let key = [object.kind, object.uid, path ?? "", reason, message].joined(separator: "\n")
        let namespace = object.namespace.isEmpty ? "default" : object.namespace
        let known = events.withLock { events -> KnownEvent? in
            if events.count > 4096 { events = [:] }
            guard var known = events[key] else { return nil }
            known.count += 1
            events[key] = known
            return known
        }
        if let known {
            let body: JSONValue = ["count": .int(Int64(known.count)), "lastTimestamp": .string(now)]
            if (try? await api.patch(.events, namespace: namespace, name: known.name, body: body)) != nil { return }
        }
        let name = "\(object.name).\(String(UInt64.random(in: 0x1000_0000_0000_0000...UInt64.max), radix: 16))"
        events.withLock { $0[key] = KnownEvent(name: name, count: 1) }
        var target: JSONValue = [
            "apiVersion": .string(object.apiVersion), "kind": .string(object.kind),
            "namespace": .string(object.namespace),
            "name": .string(object.name), "uid": .string(object.uid),
            "resourceVersion": .string(object.resourceVersion),
        ]
        target["fieldPath"] = path.map { .string($0) }
        let event: JSONValue = [
            "apiVersion": "v1", "kind": "Event", "metadata": ["name": .string(name), "namespace": .string(namespace)],
            "involvedObject": target, "type": warning ? "Warning" : "Normal", "reason": .string(reason),
            "message": .string(message),
            "source": ["component": .string(component), "host": .string(NodeAddress.nodeName)],
            "firstTimestamp": .string(now), "lastTimestamp": .string(now), "count": 1,
            "reportingComponent": .string(component), "reportingInstance": .string(NodeAddress.nodeName),
        ]
        _ = try? await api.create(KubernetesObject(event))
    }

    func token(_ pod: KubernetesObject, audience: String?, expirationSeconds: Int) async throws -> String {
        let account = pod.json[path: "spec", "serviceAccountName"]?.stringValue ?? "default"
        var request = ServiceAccountTokenRequest(
            namespace: pod.namespace, serviceAccount: account.isEmpty ? "default" : account)
        request.audiences = audience.map { [$0] } ?? []
        request.expirationSeconds = expirationSeconds
        request.podName = pod.name
        request.podUID = pod.uid
        return try api.issueToken(request).token
    }

    func publishedSockets(_ pod: Pod) async -> [PublishedSocket] {
        let services = (try? await api.list(.services, namespace: pod.metadata.namespace))?.items ?? []
        return publish.sockets(for: pod, services: services.compactMap { try? $0.decode(Service.self) })
    }
}
