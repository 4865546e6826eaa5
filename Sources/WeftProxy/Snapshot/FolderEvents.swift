@preconcurrency import Dispatch
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The one inotify instance of this process, for any number of watchers.
///
/// A user has few of them (`fs.inotify.max_user_instances`, mostly 128), proxies of all pods of a machine run as the
/// same user, and an Envoy that gets none ends itself. Thread-safe.
final class FolderEvents: Sendable {
    private struct Watcher {
        var folders: Set<String> = []
        let news: AsyncStream<Void>.Continuation
    }
    private struct State {
        /// The kernel's number for each folder.
        var watches: [String: CInt] = [:]
        var watchers: [UInt64: Watcher] = [:]
        var last: UInt64 = 0
    }
    private let descriptor: CInt
    private let state = Mutex(State())
    private let source: any DispatchSourceRead

    /// Made when it is first asked for, and kept as long as the process; `nil` while the kernel gives none.
    static func ofThisProcess() -> FolderEvents? {
        made.withLock { made in
            made = made ?? FolderEvents()
            return made
        }
    }
    private static let made = Mutex<FolderEvents?>(nil)

    private init?() {
        let descriptor = inotify_init1(CInt(IN_NONBLOCK | IN_CLOEXEC))
        guard descriptor >= 0 else { return nil }
        self.descriptor = descriptor
        source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: .global())
        source.setEventHandler { [weak self] in self?.take() }
        source.resume()
    }

    func add(_ news: AsyncStream<Void>.Continuation) -> UInt64 {
        state.withLock { state in
            state.last += 1
            state.watchers[state.last] = Watcher(news: news)
            return state.last
        }
    }

    /// Makes these the folders of a watcher. A folder that is not there is not watched.
    func watch(_ folders: Set<String>, for number: UInt64) {
        state.withLock { state in
            state.watchers[number]?.folders = folders
            for folder in folders where state.watches[folder] == nil {
                let mask = UInt32(IN_MOVED_TO | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE)
                let watch = unsafe inotify_add_watch(descriptor, folder, mask)
                if watch >= 0 { state.watches[folder] = watch }
            }
            forgetUnused(&state)
        }
    }

    func remove(_ number: UInt64) {
        state.withLock { state in
            state.watchers.removeValue(forKey: number)?.news.finish()
            forgetUnused(&state)
        }
    }

    private func forgetUnused(_ state: inout State) {
        let used = state.watchers.values.reduce(into: Set<String>()) { $0.formUnion($1.folders) }
        for (folder, watch) in state.watches where !used.contains(folder) {
            state.watches[folder] = nil
            // Two names of one folder are one watch.
            if !state.watches.values.contains(watch) { inotify_rm_watch(descriptor, watch) }
        }
    }

    /// Wakes whoever watches a folder in which something happened. What happened does not matter: the files are looked at.
    private func take() {
        let (touched, gone) = events()
        state.withLock { state in
            // Events that were lost (-1) may have been anybody's.
            let folders = state.watches.filter { touched.contains($0.value) || touched.contains(-1) }.keys
            for watcher in state.watchers.values where !watcher.folders.isDisjoint(with: folders) {
                watcher.news.yield()
            }
            // A folder that goes takes its watch with it; it is watched again when somebody asks.
            state.watches = state.watches.filter { !gone.contains($0.value) }
        }
    }

    /// Watches with events, and those among them that have ended.
    private func events() -> (touched: Set<CInt>, gone: Set<CInt>) {
        var touched: Set<CInt> = []
        var gone: Set<CInt> = []
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { room in
            while true {
                let count = unsafe read(descriptor, room.baseAddress, room.count)
                guard count > 0 else { return }
                var offset = 0
                while offset + MemoryLayout<inotify_event>.size <= count {
                    let event = unsafe room.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
                    touched.insert(event.wd)
                    if event.mask & UInt32(IN_IGNORED) != 0 { gone.insert(event.wd) }
                    offset += MemoryLayout<inotify_event>.size + Int(event.len)
                }
            }
        }
        return (touched, gone)
    }
}

/// How many inotify instances a program may still open. Pure but for the kernel's answers.
enum InotifyInstances {
    /// Whether so many more could be had at this moment by the user that we run as.
    /// - Parameter open: opens one; a negative number when there is none. For tests.
    static func areFree(_ count: Int, open: () -> CInt = { inotify_init1(CInt(IN_CLOEXEC)) }) -> Bool {
        var held: [CInt] = []
        defer { for descriptor in held { close(descriptor) } }
        for _ in 0..<count {
            let descriptor = open()
            guard descriptor >= 0 else { return false }
            held.append(descriptor)
        }
        return true
    }
}
