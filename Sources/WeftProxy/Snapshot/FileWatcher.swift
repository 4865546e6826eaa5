@preconcurrency import Dispatch
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Tells when something happened in the folders of files, by inotify: a file was moved into place, or written and closed.
///
/// A file is watched through its folder, because an atomic replacement (`rename`, a Kubernetes volume's `..data` link)
/// leaves the file that was there untouched. Thread-safe.
final class FileWatcher: Sendable {
    private let descriptor: CInt
    private let folders = Mutex<[String: CInt]>([:])
    private let source: any DispatchSourceRead
    /// One element for any number of events.
    let events: AsyncStream<Void>

    /// - Returns: `nil` if the kernel gives no more watches; whoever asks must look by itself then.
    init?() {
        let descriptor = inotify_init1(CInt(IN_NONBLOCK | IN_CLOEXEC))
        guard descriptor >= 0 else { return nil }
        self.descriptor = descriptor
        let (events, news) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.events = events
        source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: .global())
        source.setEventHandler {
            // What happened does not matter: the files are looked at.
            withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { room in
                while unsafe read(descriptor, room.baseAddress, room.count) > 0 {}
            }
            news.yield()
        }
        source.setCancelHandler {
            close(descriptor)
            news.finish()
        }
        source.resume()
    }

    /// Watches the folders of these files, and no others.
    func watch(_ paths: Set<String>) {
        let wanted = Set(paths.map(Self.folder))
        folders.withLock { folders in
            for (folder, watch) in folders where !wanted.contains(folder) {
                inotify_rm_watch(descriptor, watch)
                folders[folder] = nil
            }
            for folder in wanted where folders[folder] == nil {
                let mask = UInt32(IN_MOVED_TO | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE)
                let watch = unsafe inotify_add_watch(descriptor, folder, mask)
                if watch >= 0 { folders[folder] = watch }
            }
        }
    }

    private static func folder(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    func stop() { source.cancel() }
}
