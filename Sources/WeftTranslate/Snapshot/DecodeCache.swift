import Synchronization
import WeftConfig

/// Remembers what objects were read into, by kind, name and resource version. Objects without a version are read anew.
final class DecodeCache: Sendable {
    private struct Key: Hashable {
        var kind: String
        var namespace: String
        var name: String
    }
    private struct Entry {
        var version: String
        var value: any Sendable
        var isUsed = true
    }
    private let entries = Mutex<[Key: Entry]>([:])

    /// The value of an object, from `read` if it is not known. Errors are not remembered.
    func value<Value: Sendable>(of object: KubernetesObject, _ read: () throws -> Value) rethrows -> Value {
        let version = object.resourceVersion
        guard !version.isEmpty else { return try read() }
        let key = Key(kind: object.kind, namespace: object.namespace, name: object.name)
        let known = entries.withLock { entries -> Value? in
            guard let entry = entries[key], entry.version == version else { return nil }
            entries[key]?.isUsed = true
            return entry.value as? Value
        }
        if let known { return known }
        let value = try read()
        entries.withLock { $0[key] = Entry(version: version, value: value) }
        return value
    }

    /// Drops what was not asked for since the last call.
    func forgetUnused() {
        entries.withLock { entries in
            entries = entries.filter(\.value.isUsed)
            for key in entries.keys { entries[key]?.isUsed = false }
        }
    }
}
