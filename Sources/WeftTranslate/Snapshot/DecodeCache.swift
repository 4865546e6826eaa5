import Synchronization
import WeftConfig

/// Remembers what objects were read into, by kind, name and resource version. Objects without a version are read anew.
final class DecodeCache: Sendable {
    private struct Key: Hashable {
        var apiVersion: String
        var kind: String
        var namespace: String
        var name: String
    }
    private struct Entry {
        var version: String
        var value: any Sendable
        /// The round in which it was asked for last.
        var round: UInt64
    }
    private struct State {
        var entries: [Key: Entry] = [:]
        var round: UInt64 = 0
        /// How many entries were asked for in this round.
        var used = 0

        mutating func value(_ key: Key, _ version: String) -> (any Sendable)? {
            guard let index = entries.index(forKey: key) else { return nil }
            if entries.values[index].round != round {
                entries.values[index].round = round
                used += 1
            }
            return entries.values[index].version == version ? entries.values[index].value : nil
        }

        mutating func set(_ key: Key, _ version: String, _ value: any Sendable) {
            let old = entries.updateValue(Entry(version: version, value: value, round: round), forKey: key)
            if old?.round != round { used += 1 }
        }

        mutating func nextRound() {
            if used < entries.count { entries = entries.filter { $0.value.round == round } }
            round += 1
            used = 0
        }
    }
    /// Of the snapshot before.
    private struct Last {
        var workloads: WorkloadReading?
        var registry: Registry?
        var services: ServiceList?
        var index: ServiceIndex?
        var views = ScopeViews()
        var globals = MeshGlobals()
        /// Lists of read objects, by group and kind.
        var configs: [String: any Sendable] = [:]
    }
    private let last = Mutex(Last())
    private let state = Mutex(State())

    /// The value of an object, from `read` if it is not known. Errors are not remembered.
    func value<Value: Sendable>(of object: KubernetesObject, _ read: () throws -> Value) rethrows -> Value {
        let version = object.resourceVersion
        guard !version.isEmpty else { return try read() }
        let key = Key(
            apiVersion: object.apiVersion, kind: object.kind, namespace: object.namespace, name: object.name)
        if let known = state.withLock({ $0.value(key, version) }) as? Value { return known }
        let value = try read()
        state.withLock { $0.set(key, version, value) }
        return value
    }

    /// The globals of a snapshot; the very same as the last one's where they are equal, which makes comparing them cheap.
    func globals(of snapshot: MeshSnapshot, objects: [KubernetesObject]) -> MeshGlobals {
        let globals = MeshGlobals(snapshot, objects: objects)
        return last.withLock { last in
            if last.globals != globals { last.globals = globals }
            return last.globals
        }
    }

    /// The very same list as the last one where they are equal.
    func kept<Spec: IstioSpec>(_ configs: [Config<Spec>]) -> [Config<Spec>] {
        let key = "\(Spec.group)/\(Spec.kind)"
        return last.withLock { last in
            if let known = last.configs[key] as? [Config<Spec>], known == configs { return known }
            last.configs[key] = configs
            return configs
        }
    }

    func workloads(of objects: [KubernetesObject], entries: [Config<WorkloadEntry>]) -> WorkloadList {
        let reading = WorkloadReading(objects, entries: entries, replacing: last.withLock { $0.workloads })
        last.withLock { $0.workloads = reading }
        return reading.list
    }

    func registry(of objects: ObjectsByKind, workloads: WorkloadList, defaultExportTo: [String]) -> Registry {
        let registry = Registry(
            objects, workloads: workloads, defaultExportTo: defaultExportTo, replacing: last.withLock { $0.registry })
        last.withLock { $0.registry = registry }
        return registry
    }

    /// Services in a snapshot's order; the very same as the last one's where they are equal.
    func services(_ services: [MeshService]) -> [MeshService] {
        let list = ServiceList(services, replacing: last.withLock { $0.services })
        last.withLock { $0.services = list }
        return list.sorted
    }

    func index(of services: [MeshService]) -> ServiceIndex {
        let index = ServiceIndex.index(of: services, replacing: last.withLock { $0.index })
        last.withLock { $0.index = index }
        return index
    }

    /// Views for the next snapshot, which keep of the last one's what is equal.
    func views() -> ScopeViews {
        last.withLock { last in
            last.views = ScopeViews(after: last.views)
            return last.views
        }
    }

    /// Drops what was not asked for since the last call.
    func forgetUnused() { state.withLock { $0.nextRound() } }
}
