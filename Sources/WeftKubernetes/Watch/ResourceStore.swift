import Synchronization
package import WeftConfig
import WeftCore

/// Names one object within one kind.
package struct ObjectKey: Sendable, Hashable, Comparable, CustomStringConvertible {
    package var namespace: String
    package var name: String

    package init(namespace: String = "", name: String) {
        self.namespace = namespace
        self.name = name
    }

    package init(_ object: KubernetesObject) { self.init(namespace: object.namespace, name: object.name) }

    package var description: String { namespace.isEmpty ? name : "\(namespace)/\(name)" }
    package static func < (left: ObjectKey, right: ObjectKey) -> Bool {
        (left.namespace, left.name) < (right.namespace, right.name)
    }
}

/// One difference between what the store held and what it holds now.
package struct StoreChange: Sendable, Hashable {
    package var key: ObjectKey
    /// `nil` if the object is new.
    package var old: KubernetesObject?
    /// `nil` if the object is gone.
    package var new: KubernetesObject?
}

/// The objects of one kind as last seen. Safe to read from anywhere.
///
/// A write that changes nothing but the resource version and the managed fields is no change.
package final class ResourceStore: Sendable {
    private struct State {
        var objects: [ObjectKey: KubernetesObject] = [:]
        var isSynced = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    package init() {}

    package subscript(_ key: ObjectKey) -> KubernetesObject? { state.withLock { $0.objects[key] } }
    package subscript(namespace: String, name: String) -> KubernetesObject? {
        self[ObjectKey(namespace: namespace, name: name)]
    }

    /// Every object, in the order of namespace and name.
    package var all: [KubernetesObject] {
        let objects = state.withLock { $0.objects }
        return objects.sorted { $0.key < $1.key }.map(\.value)
    }
    /// Every object, in no order.
    package var unordered: [KubernetesObject] { Array(state.withLock { $0.objects }.values) }
    package var count: Int { state.withLock { $0.objects.count } }
    /// Whether the first list has arrived (or the kind is known not to be served).
    package var isSynced: Bool { state.withLock { $0.isSynced } }

    /// Returns once the first list has arrived.
    package func waitForSync() async {
        await withCheckedContinuation { continuation in
            let isSynced = state.withLock { state in
                if !state.isSynced { state.waiters.append(continuation) }
                return state.isSynced
            }
            if isSynced { continuation.resume() }
        }
    }

    /// Takes a whole list: what is missing from it is gone.
    package func replace(with objects: [KubernetesObject]) -> [StoreChange] {
        let changes = state.withLock { state in
            let new = Dictionary(objects.map { (ObjectKey($0), $0) }, uniquingKeysWith: { _, last in last })
            var changes: [StoreChange] = []
            for (key, old) in state.objects where new[key] == nil { changes.append(StoreChange(key: key, old: old)) }
            for (key, object) in new where !Self.isEqual(state.objects[key], object) {
                changes.append(StoreChange(key: key, old: state.objects[key], new: object))
            }
            state.objects = new
            return changes
        }
        markSynced()
        return changes.sorted { $0.key < $1.key }
    }

    /// Takes one event; `nil` when it changes nothing.
    package func apply(_ event: WatchEvent) -> StoreChange? {
        state.withLock { state in
            switch event {
            case .added(let object), .modified(let object):
                let key = ObjectKey(object)
                let old = state.objects.updateValue(object, forKey: key)
                return Self.isEqual(old, object) ? nil : StoreChange(key: key, old: old, new: object)
            case .deleted(let object):
                let key = ObjectKey(object)
                guard let old = state.objects.removeValue(forKey: key) else { return nil }
                return StoreChange(key: key, old: old)
            case .bookmark:
                return nil
            }
        }
    }

    func markSynced() {
        let waiters = state.withLock { state in
            state.isSynced = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private static func isEqual(_ old: KubernetesObject?, _ new: KubernetesObject) -> Bool {
        guard let old else { return false }
        return old.resourceVersion == new.resourceVersion || withoutBookkeeping(old) == withoutBookkeeping(new)
    }

    private static func withoutBookkeeping(_ object: KubernetesObject) -> KubernetesObject {
        var object = object
        object.json[path: "metadata", "resourceVersion"] = nil
        object.json[path: "metadata", "managedFields"] = nil
        return object
    }
}
