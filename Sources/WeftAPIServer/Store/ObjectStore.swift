import GRDB
import Synchronization
import WeftCore

/// A group and a plural name: objects are stored once, whatever versions they are served in.
struct StorageID: Hashable, Sendable {
    var group: String
    var resource: String
}

/// Where one object is stored.
struct ObjectID: Hashable, Sendable, Comparable {
    var namespace: String
    var name: String
    static func < (left: ObjectID, right: ObjectID) -> Bool {
        (left.namespace, left.name) < (right.namespace, right.name)
    }
}

/// One committed change, kept for watches that start in the past.
struct ChangeRecord: Sendable {
    var version: Int
    var storage: StorageID
    var id: ObjectID
    /// `nil` before a creation.
    var old: JSONValue?
    /// `nil` after a deletion; then ``old`` carries the version of the deletion.
    var new: JSONValue?
}

/// All objects: written through to SQLite, read from memory, with one global, ever-growing resource version.
///
/// Thread-safe. A write is acknowledged after the database has it in its write-ahead log, so that killing the process
/// loses nothing acknowledged. Watchers see changes in commit order; one that falls too far behind is cut off.
final class ObjectStore: Sendable {
    private struct State {
        var version = 1
        /// Watches cannot start before this version.
        var oldest = 1
        var objects: [StorageID: [ObjectID: JSONValue]] = [:]
        var log: [ChangeRecord] = []
        var watchers: [Int: Watcher] = [:]
        var nextWatcher = 0
        var closed = false
    }
    private struct Watcher {
        var storage: StorageID
        var deliver: @Sendable (ChangeRecord) -> Bool
        var end: @Sendable ((any Error)?) -> Void
    }

    /// Changes that are kept for watches from an old version.
    private static let logLimit = 20_000
    private let state: Mutex<State>
    private let database: DatabaseQueue

    init(path: String) throws {
        var configuration = Configuration()
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA journal_mode = WAL")
            try database.execute(sql: "PRAGMA synchronous = NORMAL")
        }
        database = try DatabaseQueue(path: path, configuration: configuration)
        try database.write { database in
            try database.execute(
                sql: """
                    CREATE TABLE IF NOT EXISTS objects (
                        api_group TEXT NOT NULL, resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
                        version INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (api_group, resource, namespace, name));
                    CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
                    """)
        }
        state = Mutex(try Self.load(database))
    }

    private static func load(_ database: DatabaseQueue) throws -> State {
        var state = State()
        try database.read { database in
            state.version = try Int.fetchOne(database, sql: "SELECT value FROM meta WHERE key = 'version'") ?? 1
            let rows = try Row.fetchCursor(
                database, sql: "SELECT api_group, resource, namespace, name, body FROM objects")
            while let row = try rows.next() {
                let body: String = row["body"]
                let storage = StorageID(group: row["api_group"], resource: row["resource"])
                let id = ObjectID(namespace: row["namespace"], name: row["name"])
                state.objects[storage, default: [:]][id] = try JSONValue(parsing: body)
            }
        }
        state.oldest = state.version
        return state
    }

    var version: Int { state.withLock { $0.version } }

    func get(_ storage: StorageID, _ id: ObjectID) -> JSONValue? { state.withLock { $0.objects[storage]?[id] } }

    /// All objects of a kind, in order of namespace and name, with the version of that moment.
    func all(_ storage: StorageID, namespace: String? = nil) -> (objects: [(ObjectID, JSONValue)], version: Int) {
        let (table, version) = state.withLock { ($0.objects[storage] ?? [:], $0.version) }
        let chosen = table.filter { namespace == nil || $0.key.namespace == namespace }
        return (chosen.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, version)
    }

    /// Every storage that holds an object.
    var storages: [StorageID] { state.withLock { $0.objects.filter { !$0.value.isEmpty }.map(\.key) } }

    /// Runs `body` on the newest state; what it puts and removes is committed as one, or not at all when it throws.
    func commit<Result: Sendable>(_ body: (inout Transaction) throws -> Result) throws -> Result {
        try state.withLock { state in
            guard !state.closed else { throw APIError.internalError("the server is shutting down") }
            let (result, changes, version) = try Self.run(body, on: state)
            if changes.isEmpty { return result }
            try write(changes)
            state.version = version
            for change in changes {
                // In place: a second reference to the table, as the transaction's, would make this a copy of all objects.
                state.objects[change.storage, default: [:]][change.id] = change.new
                state.log.append(change)
            }
            Self.publish(changes, &state)
            return result
        }
    }

    /// Runs the body on its own reference to the objects, which is gone when this returns.
    private static func run<Result>(_ body: (inout Transaction) throws -> Result, on state: State) throws
        -> (Result, [ChangeRecord], Int)
    {
        let objects = state.objects
        var transaction = Transaction(version: state.version) {
            objects[$0]?[$1]
        } table: {
            objects[$0] ?? [:]
        }
        let result = try body(&transaction)
        return (result, transaction.changes, transaction.version)
    }

    private func write(_ changes: [ChangeRecord]) throws {
        do {
            try database.write { database in
                for change in changes {
                    if let new = change.new {
                        try database.execute(
                            sql: "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?)",
                            arguments: [
                                change.storage.group, change.storage.resource, change.id.namespace, change.id.name,
                                change.version, new.text(),
                            ])
                    } else {
                        try database.execute(
                            sql: """
                                DELETE FROM objects WHERE api_group = ? AND resource = ? AND namespace = ? AND name = ?
                                """,
                            arguments: [
                                change.storage.group, change.storage.resource, change.id.namespace, change.id.name,
                            ])
                    }
                }
                try database.execute(
                    sql: "INSERT OR REPLACE INTO meta VALUES ('version', ?)", arguments: [changes.last?.version ?? 1])
            }
        } catch {
            throw APIError.internalError("cannot write to the database: \(error)")
        }
    }

    private static func publish(_ changes: [ChangeRecord], _ state: inout State) {
        if state.log.count > logLimit {
            let extra = state.log.count - logLimit / 2
            state.oldest = state.log[extra - 1].version
            state.log.removeFirst(extra)
        }
        for (key, watcher) in state.watchers {
            for change in changes where change.storage == watcher.storage {
                if watcher.deliver(change) { continue }
                state.watchers[key] = nil
                watcher.end(APIError.expired(change.version, state.version))
                break
            }
        }
    }

    /// Starts a watch. `deliver` is called under the store's lock, for old changes first; it returns false when it is full.
    /// - Parameter from: `nil` hands the current objects to `initial` first.
    func watch(
        _ storage: StorageID, from: Int?, initial: ([JSONValue], Int) -> Void,
        deliver: @escaping @Sendable (ChangeRecord) -> Bool, end: @escaping @Sendable ((any Error)?) -> Void
    ) throws -> Int {
        try state.withLock { state in
            guard !state.closed else { throw APIError.internalError("the server is shutting down") }
            if let from {
                // A version of another history, as after the state was removed, would wait for ever.
                guard from >= state.oldest, from <= state.version else { throw APIError.expired(from, state.oldest) }
                for change in state.log where change.version > from && change.storage == storage { _ = deliver(change) }
            } else {
                let table = state.objects[storage] ?? [:]
                initial(table.sorted { $0.key < $1.key }.map(\.value), state.version)
            }
            state.nextWatcher += 1
            state.watchers[state.nextWatcher] = Watcher(storage: storage, deliver: deliver, end: end)
            return state.nextWatcher
        }
    }

    func unwatch(_ watcher: Int) { _ = state.withLock { $0.watchers.removeValue(forKey: watcher) } }

    /// Ends all watches and refuses further writes.
    func close() {
        let watchers = state.withLock { state in
            state.closed = true
            defer { state.watchers = [:] }
            return Array(state.watchers.values)
        }
        for watcher in watchers { watcher.end(nil) }
        try? database.close()
    }
}

/// Reads and writes of one commit. Each write takes the next resource version and stamps it into the object.
struct Transaction {
    private(set) var version: Int
    private(set) var changes: [ChangeRecord] = []
    private let base: (StorageID, ObjectID) -> JSONValue?
    private let baseTable: (StorageID) -> [ObjectID: JSONValue]

    fileprivate init(
        version: Int, base: @escaping (StorageID, ObjectID) -> JSONValue?,
        table: @escaping (StorageID) -> [ObjectID: JSONValue]
    ) {
        self.version = version
        self.base = base
        self.baseTable = table
    }

    func get(_ storage: StorageID, _ id: ObjectID) -> JSONValue? {
        if let change = changes.last(where: { $0.storage == storage && $0.id == id }) { return change.new }
        return base(storage, id)
    }

    func all(_ storage: StorageID) -> [JSONValue] {
        var table = baseTable(storage)
        for change in changes where change.storage == storage { table[change.id] = change.new }
        return Array(table.values)
    }

    /// - Returns: the object with its new resource version.
    mutating func put(_ storage: StorageID, _ id: ObjectID, _ object: JSONValue) -> JSONValue {
        let old = get(storage, id)
        version += 1
        var object = object
        object[path: "metadata", "resourceVersion"] = .string(String(version))
        changes.append(ChangeRecord(version: version, storage: storage, id: id, old: old, new: object))
        return object
    }

    mutating func remove(_ storage: StorageID, _ id: ObjectID) {
        guard var old = get(storage, id) else { return }
        version += 1
        old[path: "metadata", "resourceVersion"] = .string(String(version))
        changes.append(ChangeRecord(version: version, storage: storage, id: id, old: old, new: nil))
    }
}
