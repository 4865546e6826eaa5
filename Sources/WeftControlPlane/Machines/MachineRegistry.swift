import FoundationEssentials
import Logging
import WeftADS
import WeftConfig
import WeftCore
import WeftKubernetes
import WeftTranslate

/// Keeps the WorkloadEntries of machines in step with the connections of their proxies (ADR 0107).
///
/// Every replica does so for the proxies that are connected to it. Each write names the version of the entry that it is
/// about, and an end is written only over one's own connection: so a machine that has come back, here or at another
/// replica, is never taken out by the connection that it had before.
actor MachineRegistry {
    /// What a registry sees of the mesh around it; asked each time.
    struct Surroundings: Sendable {
        /// The WorkloadEntries as last seen.
        var entries: @Sendable () -> [KubernetesObject]
        /// The control plane's instances that run; `nil` where nobody can tell.
        var instances: @Sendable () -> Set<String>?
        /// Whether this instance looks after entries that no instance has.
        var leads: @Sendable () -> Bool
    }

    /// Times in seconds.
    struct Times: Sendable {
        /// From the end of a connection to that of the entry.
        var grace = 10.0
        /// Between looks at all entries.
        var sweep = 5.0
        /// After the start, before connections are missed: proxies come back within their longest pause (15 s).
        var settling = 30.0
    }

    private struct Machine {
        var claim: MachineClaim
        /// As this connection was written into the entry.
        var connectedAt: String
        var health: HealthInformation?
        /// Why the entry could not be written again, as it was told.
        var problem: String?
    }

    private let client: KubernetesClient
    /// The name of this instance.
    private let controller: String
    private let surroundings: Surroundings
    private let times: Times
    private let metrics: ControlPlaneMetrics
    private let logger: Logger
    /// By session.
    private var machines: [String: Machine] = [:]
    /// Sessions whose health is being written.
    private var writing: Set<String> = []
    /// Attempts at one write while others write the same entry.
    private static let attempts = 5

    init(
        client: KubernetesClient, controller: String, surroundings: Surroundings, times: Times = Times(),
        metrics: ControlPlaneMetrics, logger: Logger
    ) {
        self.client = client
        self.controller = controller
        self.surroundings = surroundings
        self.times = times
        self.metrics = metrics
        self.logger = logger
    }

    // MARK: - Connections

    /// A proxy connected; one that stands for a machine has its entry when this returns.
    /// - Throws: `ADSRefusal` in words for the proxy, which tries again; other errors where the API did not answer.
    func connected(_ id: String, _ proxy: ProxyIdentity) async throws {
        guard let claim = try MachineClaim(proxy) else { return }
        do {
            machines[id] = Machine(claim: claim, connectedAt: try await take(claim))
        } catch let error as KubernetesError where error.code < 500 && error.code != 429 {
            metrics.count("auto_registration_errors_total")
            throw ADSRefusal("WorkloadEntry \(claim.key) of the proxy could not be written: \(error.message)")
        } catch {
            metrics.count("auto_registration_errors_total")
            throw error
        }
    }

    /// Its connection ended. Returns at once; the entry follows.
    func disconnected(_ id: String) {
        guard let machine = machines.removeValue(forKey: id) else { return }
        let key = machine.claim.key
        // Not a part of the stream's task, which has ended.
        Task {
            guard await release(key, connectedAt: machine.connectedAt) else { return }
            metrics.count("auto_registration_unregister_total")
            guard (try? await Task.sleep(for: .seconds(times.grace))) != nil else { return }
            await clean(key)
        }
    }

    /// Writes that the proxy is connected here, into its entry or into a new one.
    /// - Returns: the time, as it was written.
    private func take(_ claim: MachineClaim) async throws -> String {
        let now = Date()
        for _ in 0..<Self.attempts {
            do {
                try await write(claim, at: now)
                return MachineEntry.time(now)
            } catch let error as KubernetesError where error.isConflict || error.isAlreadyExists {
                logger.debug("WorkloadEntry \(claim.key): \(error)")
            }
        }
        throw ADSRefusal("WorkloadEntry \(claim.key) of the proxy is being changed all the time; try again")
    }

    private func write(_ claim: MachineClaim, at now: Date) async throws {
        if let entry = try await find(MachineEntry.resource, claim.key), entry.deletionTimestamp == nil {
            try claim.check(entry: entry)
            guard let patch = MachineEntry.connecting(entry, controller: controller, at: now) else { return }
            try await self.patch(claim.key, patch)
            metrics.count("auto_registration_updates_total")
            return logger.info("proxy of WorkloadEntry \(claim.key) connected")
        }
        guard let name = claim.group else {
            throw ADSRefusal("there is no WorkloadEntry \(claim.key) (WORKLOAD_ENTRY of the proxy); create it first")
        }
        let key = ObjectKey(namespace: claim.key.namespace, name: name)
        guard let group = try await find(MachineEntry.groupResource, key) else {
            throw ADSRefusal(
                "there is no WorkloadGroup \(key) (AUTO_REGISTER_GROUP of the proxy); create it, or correct the name on "
                    + "the machine")
        }
        try claim.check(group: group)
        let entry = MachineEntry.make(
            claim.key, of: claim.proxy, account: claim.account, from: group, controller: controller, at: now)
        _ = try await client.create(MachineEntry.resource, entry)
        metrics.count("auto_registration_success_total")
        logger.info("WorkloadEntry \(claim.key) registered by WorkloadGroup \(key)")
    }

    /// Writes that a connection ended, if the entry still tells of it.
    private func release(_ key: ObjectKey, connectedAt: String) async -> Bool {
        await change(key) { entry in
            MachineEntry.disconnecting(entry, controller: self.controller, connectedAt: connectedAt, at: Date())
        }
    }

    /// Removes an entry that has had no connection for too long.
    private func clean(_ key: ObjectKey) async {
        do {
            guard let entry = try await find(MachineEntry.resource, key), entry.deletionTimestamp == nil,
                MachineEntry.isOver(entry, grace: times.grace, at: Date())
            else { return }
            guard MachineEntry.isRegistered(entry) else { return await forget(entry) }
            try await client.delete(
                MachineEntry.resource, namespace: key.namespace, name: key.name,
                resourceVersion: entry.resourceVersion)
            metrics.count("auto_registration_deletes_total")
            logger.info("WorkloadEntry \(key) removed: its proxy has not come back in \(times.grace) s")
        } catch let error as KubernetesError where error.isConflict || error.isNotFound {
            logger.debug("WorkloadEntry \(key) not removed: \(error)")
        } catch {
            logger.warning("WorkloadEntry \(key) not removed, it will be tried again: \(error)")
        }
    }

    /// What the probe found of a machine whose proxy has gone is not known any more.
    private func forget(_ entry: KubernetesObject) async {
        let key = ObjectKey(entry)
        _ = await change(key, subresource: "status") { MachineEntry.health(of: $0, is: nil, at: Date()) }
        _ = await change(key) {
            MachineEntry.isOver($0, grace: self.times.grace, at: Date()) ? MachineEntry.forgetting($0) : nil
        }
    }

    // MARK: - Health

    /// A proxy says how its application is. Returns at once; the newest word is written.
    func reported(_ id: String, _ health: HealthInformation) {
        guard machines[id] != nil else { return }
        machines[id]?.health = health
        guard writing.insert(id).inserted else { return }
        Task { await writeHealth(id) }
    }

    private func writeHealth(_ id: String) async {
        defer { writing.remove(id) }
        var written: HealthInformation?
        while let machine = machines[id], let health = machine.health, health != written {
            let controller = controller
            let isNews = await change(machine.claim.key, subresource: "status") { entry in
                guard MachineEntry.isConnected(entry, to: controller, at: machine.connectedAt) else { return nil }
                return MachineEntry.health(of: entry, is: (health.isHealthy, health.problem ?? ""), at: Date())
            }
            if isNews {
                let state = health.problem.map { "not well: \($0)" } ?? "well"
                logger.info("machine of WorkloadEntry \(machine.claim.key) is \(state)")
            }
            written = health
        }
    }

    // MARK: - Looking after

    /// Looks at all entries now and then, until the task is cancelled.
    func run() async {
        let start = ContinuousClock.now
        while (try? await Task.sleep(for: .seconds(times.sweep))) != nil {
            await sweep(isSettled: ContinuousClock.now - start > .seconds(times.settling))
        }
    }

    /// Mends what was missed: an entry that is gone or says that its proxy is, a health that could not be written, and
    /// connections of instances that ended without a word.
    private func sweep(isSettled: Bool) async {
        let entries = surroundings.entries()
        let known = Dictionary(entries.map { (ObjectKey($0), $0) }, uniquingKeysWith: { first, _ in first })
        for (id, machine) in machines { await mend(id, machine, known[machine.claim.key]) }
        let instances = surroundings.leads() ? surroundings.instances() : nil
        for entry in entries {
            if isSettled, let connectedAt = lostConnection(entry, instances) {
                _ = await change(ObjectKey(entry)) { entry in
                    MachineEntry.disconnecting(
                        entry, controller: entry.annotations[MachineRegistration.controllerAnnotation] ?? "",
                        connectedAt: connectedAt, at: Date())
                }
            }
            if surroundings.leads(), MachineEntry.isOver(entry, grace: times.grace, at: Date()) {
                await clean(ObjectKey(entry))
            }
        }
    }

    private func mend(_ id: String, _ machine: Machine, _ entry: KubernetesObject?) async {
        if entry?.annotations[MachineRegistration.connectedAnnotation] == nil {
            do {
                let connectedAt = try await take(machine.claim)
                machines[id]?.connectedAt = connectedAt
                machines[id]?.problem = nil
            } catch {
                let problem = "\(error)"
                guard machine.problem != problem else { return }
                machines[id]?.problem = problem
                logger.warning("WorkloadEntry \(machine.claim.key) of a connected proxy is missing: \(problem)")
            }
        }
        guard let health = machines[id]?.health, let entry,
            MachineEntry.health(of: entry, is: (health.isHealthy, health.problem ?? ""), at: Date()) != nil
        else { return }
        reported(id, health)
    }

    /// When a connection began of which its instance knows nothing, or that an instance had that is no more.
    private func lostConnection(_ entry: KubernetesObject, _ instances: Set<String>?) -> String? {
        guard let instance = entry.annotations[MachineRegistration.controllerAnnotation],
            let connectedAt = entry.annotations[MachineRegistration.connectedAnnotation],
            let begin = MachineEntry.date(connectedAt), Date().timeIntervalSince(begin) > times.grace
        else { return nil }
        if instance == controller {
            let isKnown = machines.values.contains {
                $0.claim.key == ObjectKey(entry) && $0.connectedAt == connectedAt
            }
            return isKnown ? nil : connectedAt
        }
        return instances.map { $0.contains(instance) } ?? true ? nil : connectedAt
    }

    // MARK: - The API

    private func find(_ resource: APIResource, _ key: ObjectKey) async throws -> KubernetesObject? {
        do {
            return try await client.get(resource, namespace: key.namespace, name: key.name)
        } catch let error as KubernetesError where error.isNotFound {
            return nil
        }
    }

    private func patch(_ key: ObjectKey, _ patch: JSONValue, subresource: String? = nil) async throws {
        _ = try await client.patch(
            MachineEntry.resource, namespace: key.namespace, name: key.name, patch, subresource: subresource)
    }

    /// Reads an entry and patches it, again if somebody else was faster.
    /// - Parameter make: the patch; `nil` for nothing to do.
    /// - Returns: whether it was patched.
    private func change(
        _ key: ObjectKey, subresource: String? = nil, _ make: @Sendable (KubernetesObject) -> JSONValue?
    ) async -> Bool {
        for _ in 0..<Self.attempts {
            do {
                guard let entry = try await find(MachineEntry.resource, key), let patch = make(entry) else {
                    return false
                }
                try await self.patch(key, patch, subresource: subresource)
                return true
            } catch let error as KubernetesError where error.isConflict {
                logger.debug("WorkloadEntry \(key): \(error)")
            } catch {
                metrics.count("auto_registration_errors_total")
                logger.warning("WorkloadEntry \(key) not brought up to date, it will be tried again: \(error)")
                return false
            }
        }
        return false
    }
}
