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
    private let lastGlobals = Mutex(MeshGlobals())
    private let state = Mutex(State())

    /// The value of an object, from `read` if it is not known. Errors are not remembered.
    func value<Value: Sendable>(of object: KubernetesObject, _ read: () throws -> Value) rethrows -> Value {
        try value(of: object, version: object.resourceVersion, isRight: { _ in true }, read)
    }

    /// The same for what is read from more than the object.
    /// - Parameters:
    ///   - version: of everything with a version that it is read from; empty reads it anew.
    ///   - isRight: Whether a known value is right for what has no version.
    func value<Value: Sendable>(
        of object: KubernetesObject, version: String, isRight: (Value) -> Bool, _ read: () throws -> Value
    ) rethrows -> Value {
        guard !version.isEmpty else { return try read() }
        let key = Key(
            apiVersion: object.apiVersion, kind: object.kind, namespace: object.namespace, name: object.name)
        if let known = state.withLock({ $0.value(key, version) }) as? Value, isRight(known) { return known }
        let value = try read()
        state.withLock { $0.set(key, version, value) }
        return value
    }

    /// The globals of a snapshot; the very same as the last one's where they are equal, which makes comparing them cheap.
    func globals(of snapshot: MeshSnapshot, objects: [KubernetesObject]) -> MeshGlobals {
        let globals = MeshGlobals(snapshot, objects: objects)
        return lastGlobals.withLock { last in
            if last != globals { last = globals }
            return last
        }
    }

    /// Drops what was not asked for since the last call.
    func forgetUnused() { state.withLock { $0.nextRound() } }
}
