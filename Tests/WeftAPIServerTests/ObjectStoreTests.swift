import Foundation
import TestSupport
import Testing
import WeftCore

@testable import WeftAPIServer

/// What the store promises while the database takes its time.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ObjectStoreTests {
    private let storage = StorageID(group: "", resource: "configmaps")
    private func id(_ name: String) -> ObjectID { ObjectID(namespace: "default", name: name) }

    private func put(_ store: ObjectStore, _ name: String) async throws {
        _ = try await store.commit { [storage, id = id(name)] in $0.put(storage, id, ["metadata": ["name": "x"]]) }
    }

    /// Another process holds SQLite's write lock, as a disk would that does not answer, until it is ended.
    private func lock(_ folder: String) async throws -> ServerProcess {
        let script = """
            import sqlite3, time
            connection = sqlite3.connect("\(folder)/state.db", isolation_level=None, timeout=20)
            connection.execute("BEGIN IMMEDIATE")
            print("locked", flush=True)
            while True: time.sleep(60)
            """
        let process = try ServerProcess(
            "lock", "/usr/bin/env", ["python3", "-c", script], log: folder + "/lock.log")
        try await eventually("the database is locked") {
            try String(contentsOfFile: folder + "/lock.log", encoding: .utf8).contains("locked") ? true : nil
        }
        return process
    }

    /// More writers wait than there are threads: neither a lock nor a thread is left for readers if they are in their way.
    @Test func readsDoNotWaitForWrites() async throws {
        let folder = try Workspace.folder("object-store-reads")
        let store = try ObjectStore(path: folder + "/state.db")
        try await put(store, "before")
        let process = try await lock(folder)
        let writers = ProcessInfo.processInfo.activeProcessorCount * 4
        try await withThrowingTaskGroup(of: Void.self) { group in
            let (started, first) = AsyncStream.makeStream(of: Void.self)
            group.addTask {
                try await store.commit { [storage, id = id("first")] transaction in
                    _ = transaction.put(storage, id, ["metadata": ["name": "first"]])
                    first.yield()
                }
            }
            for await _ in started.prefix(1) {}
            for writer in 0..<writers { group.addTask { try await put(store, "writer-\(writer)") } }
            group.addTask {
                // Others read while the writers wait: objects, lists, and watches that begin.
                #expect(store.get(storage, id("before")) != nil)
                #expect(store.get(storage, id("first")) == nil, "not before the database has it")
                #expect(store.all(storage).objects.count == 1)
                let watch = try store.watch(
                    storage, from: nil, initial: { objects, _ in #expect(objects.count == 1) },
                    deliver: { _ in true }, end: { _ in })
                store.unwatch(watch)
                // Only now are the writers let go.
                process.stop()
            }
            try await group.waitForAll()
        }
        #expect(store.all(storage).objects.count == writers + 2)
        store.close()
        let again = try ObjectStore(path: folder + "/state.db")
        #expect(again.all(storage).objects.count == writers + 2)
        again.close()
    }

    /// Each commit sees what the one before it has left, and watchers see them in the order of their versions.
    @Test func commitsAreInOrderHoweverManyThereAre() async throws {
        let folder = try Workspace.folder("object-store-order")
        let store = try ObjectStore(path: folder + "/state.db")
        let (changes, continuation) = AsyncStream.makeStream(of: Int.self)
        _ = try store.watch(
            storage, from: nil, initial: { _, _ in },
            deliver: {
                continuation.yield($0.version)
                return true
            }, end: { _ in continuation.finish() })
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    try await store.commit { [storage, id = id("counter")] transaction in
                        let count = transaction.get(storage, id)?["count"]?.intValue ?? 0
                        _ = transaction.put(storage, id, ["count": .int(Int64(count + 1))])
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(store.get(storage, id("counter"))?["count"]?.intValue == 200)
        store.close()
        var versions: [Int] = []
        for await version in changes { versions.append(version) }
        #expect(versions == versions.sorted() && versions.count == 200)
    }

    /// A commit that refuses leaves nothing behind, and a store that is closed refuses.
    @Test func whatThrowsIsNotStored() async throws {
        let store = try ObjectStore(path: try Workspace.folder("object-store-refusals") + "/state.db")
        let before = store.version
        await #expect(throws: APIError.self) {
            try await store.commit { [storage, id = id("half")] transaction in
                _ = transaction.put(storage, id, [:])
                throw APIError.internalError("no")
            }
        }
        #expect(store.version == before && store.all(storage).objects.isEmpty)
        store.close()
        await #expect(throws: APIError.self) { try await put(store, "late") }
    }
}
