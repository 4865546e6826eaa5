import Logging
import WeftAPIServer
import WeftConfig
import WeftControllers
import WeftCore
import WeftRuntime

/// Follows the API server and drives the pure controllers, the pods, the service addresses and DNS.
///
/// Level-triggered: whatever changed, everything is computed again from the state, and only differences are written.
actor ControllerLoop {
    private let api: LocalAPI
    private let node: LocalNodeAPI
    private let runtime: PodRuntime
    private let dns: DNSServer
    private let certificate: String
    private let logger: Logger
    private var state = ClusterState()
    private var wake: AsyncStream<Void>.Continuation?
    private var rules = ""
    private var retry = false

    static let resources: [(ResourceID, String)] = [
        (.namespaces, "Namespace"), (.serviceAccounts, "ServiceAccount"), (.configMaps, "ConfigMap"),
        (.secrets, "Secret"),
        (.deployments, "Deployment"), (.replicaSets, "ReplicaSet"), (.statefulSets, "StatefulSet"),
        (.daemonSets, "DaemonSet"), (.jobs, "Job"), (.pods, "Pod"), (.services, "Service"),
        (.endpointSlices, "EndpointSlice"),
    ]

    init(api: LocalAPI, node: LocalNodeAPI, runtime: PodRuntime, dns: DNSServer, certificate: String, logger: Logger) {
        self.api = api
        self.node = node
        self.runtime = runtime
        self.dns = dns
        self.certificate = certificate
        self.logger = logger
    }

    func run() async throws {
        let (changes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.wake = wake
        var positions: [String: String] = [:]
        for (resource, kind) in Self.resources { positions[kind] = try await load(resource, kind) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (resource, kind) in Self.resources {
                let position = positions[kind]
                group.addTask { try await self.follow(resource, kind, from: position) }
            }
            group.addTask { await self.work(changes) }
            group.addTask { await self.refreshRegularly() }
            try await group.next()
            group.cancelAll()
        }
    }

    private func load(_ resource: ResourceID, _ kind: String) async throws -> String {
        let list = try await api.list(resource)
        let listed = Set(list.items.map(\.uid))
        for gone in state.all(kind) where !listed.contains(gone.uid) { await handle(.deleted(gone), kind) }
        for item in list.items { await handle(.added(item), kind) }
        return list.resourceVersion
    }

    private func follow(_ resource: ResourceID, _ kind: String, from position: String?) async throws {
        var position = position
        while !Task.isCancelled {
            do {
                for try await event in try await api.watch(resource, from: position) { await handle(event, kind) }
                if Task.isCancelled { return }
            } catch is CancellationError {
                return
            } catch {
                logger.warning("watch of \(resource) starts again: \(error)")
            }
            position = try await load(resource, kind)
        }
    }

    private func handle(_ event: WatchEvent, _ kind: String) async {
        switch event {
        case .added(let object), .modified(let object):
            state.store(object)
            if kind == "Pod" { await runtime.observe(object) }
        case .deleted(let object):
            state.remove(kind: kind, namespace: object.namespace, name: object.name, uid: object.uid)
            if kind == "Pod" {
                let runtime = runtime
                Task { await runtime.forget(uid: object.uid) }
            }
        }
        if kind == "ConfigMap" || kind == "Secret" {
            let runtime = runtime
            Task { await runtime.refreshVolumes() }
        }
        wake?.yield()
    }

    private func refreshRegularly() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(30))
            await runtime.refreshVolumes()
        }
    }

    private func work(_ changes: AsyncStream<Void>) async {
        for await _ in changes {
            try? await Task.sleep(for: .milliseconds(5))
            let context = ControllerContext(
                now: Timestamps.now(), node: NodeAddress.nodeName, certificateAuthority: certificate)
            retry = false
            for write in Controllers.reconcile(state, context) { await perform(write) }
            await updateNetwork()
            if retry, let wake {
                Task {
                    try? await Task.sleep(for: .milliseconds(300))
                    wake.yield()
                }
            }
        }
    }

    private func perform(_ write: DesiredWrite) async {
        do {
            switch write {
            case .create(let object):
                do { state.store(try await api.create(object)) } catch let error as APIError where error.isAlreadyExists
                { return }
            case .update(let object): state.store(try await api.update(object))
            case .updateStatus(let object): state.store(try await api.updateStatus(object))
            case .delete(let object):
                let resource = try api.resource(for: object.groupVersionKind)
                try await api.delete(
                    resource, namespace: object.namespace, name: object.name, options: DeleteOptions(uid: object.uid))
                // The watch brings the rest; until then the object counts as going.
                if let now = try? await api.get(resource, namespace: object.namespace, name: object.name) {
                    state.store(now)
                } else {
                    state.remove(kind: object.kind, namespace: object.namespace, name: object.name, uid: object.uid)
                }
            case .bind(let pod, let name):
                let body: JSONValue = ["metadata": ["uid": .string(pod.uid)], "spec": ["nodeName": .string(name)]]
                let bound = try await api.patch(.pods, namespace: pod.namespace, name: pod.name, body: body)
                state.store(bound)
                await node.record(
                    pod, nil, warning: false, reason: "Scheduled",
                    message: "Successfully assigned \(pod.namespace)/\(pod.name) to \(name)",
                    component: "default-scheduler")
            case .event(let object, let warning, let reason, let message):
                await node.record(
                    object, nil, warning: warning, reason: reason, message: message, component: "controller")
            }
        } catch let error as APIError where error.isConflict || error.isNotFound {
            retry = true
        } catch {
            retry = true
            await report(error, write)
        }
    }

    private func report(_ error: any Error, _ write: DesiredWrite) async {
        logger.warning("controller: \(error)")
        guard case .create(let object) = write,
            let owner = object.ownerReferences.first(where: { $0.controller == true }),
            let parent = state.all(owner.kind).first(where: { $0.uid == owner.uid })
        else { return }
        await node.record(
            parent, nil, warning: true, reason: "FailedCreate", message: "Error creating: \(error)",
            component: "\(owner.kind.lowercased())-controller")
    }

    private func updateNetwork() async {
        let services = state.all("Service").compactMap { try? $0.decode(Service.self) }
        let slices = state.all("EndpointSlice").compactMap { try? $0.decode(EndpointSlice.self) }
        dns.update(DNSTable(services: services, slices: slices))
        let script = ServiceRules.script(services: services, slices: slices)
        guard script != rules else { return }
        do {
            try await CommandRunner.run(["nft", "-f", "-"], input: script)
            rules = script
        } catch {
            logger.error("cannot set the service addresses: \(error)")
            retry = true
        }
    }
}
