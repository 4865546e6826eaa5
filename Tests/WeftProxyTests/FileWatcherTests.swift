import Foundation
import Testing

@testable import WeftProxy

/// A machine has few inotify instances for all its pods together, so a process takes one.
@Suite struct FileWatcherTests {
    private func instances() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count { name in
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)"))
                == "anon_inode:inotify"
        }
    }

    private func folder() throws -> String {
        let path = NSTemporaryDirectory() + "watched-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    @Test func manyWatchersTakeOneInstance() throws {
        let watchers = try (0..<10).map { _ in try #require(FileWatcher()) }
        let folder = try folder()
        for watcher in watchers { watcher.watch([folder + "/a"]) }
        #expect(try instances() == 1)
        for watcher in watchers { watcher.stop() }
        try FileManager.default.removeItem(atPath: folder)
    }

    /// Who watches a folder is woken, until it stops; the end of one takes nothing from another.
    @Test(.timeLimit(.minutes(1))) func eachIsToldOfItsOwnFolders() async throws {
        let folders = [try folder(), try folder()]
        let watchers = try (0..<3).map { _ in try #require(FileWatcher()) }
        for watcher in watchers[0...1] { watcher.watch([folders[0] + "/a"]) }
        watchers[2].watch([folders[1] + "/a"])
        watchers[1].stop()
        #expect(await Self.isWoken(watchers[1]) == false, "its stream has ended")
        try Data("x".utf8).write(to: URL(filePath: folders[0] + "/a"), options: .atomic)
        #expect(await Self.isWoken(watchers[0]))
        try Data("x".utf8).write(to: URL(filePath: folders[1] + "/a"))
        #expect(await Self.isWoken(watchers[2]))
        for watcher in watchers { watcher.stop() }
        for folder in folders { try FileManager.default.removeItem(atPath: folder) }
    }

    /// A folder that was removed and made again is watched when somebody asks again.
    @Test(.timeLimit(.minutes(1))) func aFolderThatComesBackIsWatchedAgain() async throws {
        let folder = try folder()
        let watcher = try #require(FileWatcher())
        watcher.watch([folder + "/a"])
        try FileManager.default.removeItem(atPath: folder)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let waker = Task { for await _ in watcher.events { return } }
        let writer = Task {
            // The kernel tells of the end of the old watch in its own time.
            while !Task.isCancelled {
                watcher.watch([folder + "/a"])
                try Data("x".utf8).write(to: URL(filePath: folder + "/a"))
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        await waker.value
        writer.cancel()
        watcher.stop()
        _ = await writer.result
        try FileManager.default.removeItem(atPath: folder)
    }

    private static func isWoken(_ watcher: FileWatcher) async -> Bool {
        for await _ in watcher.events { return true }
        return false
    }

    @Test(arguments: [(2, 2, true), (2, 1, false), (1, 0, false), (0, 0, true)])
    func roomIsAskedOfTheKernel(_ needed: Int, _ left: Int, _ isFree: Bool) throws {
        var given = 0
        let found = InotifyInstances.areFree(needed) {
            given += 1
            return given <= left ? dup(0) : -1
        }
        #expect(found == isFree)
        #expect(given == min(needed, left + 1), "what was taken to see is no more than what is needed")
    }
}
