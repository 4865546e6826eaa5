import Synchronization

/// Tells when something happened in the folders of files, by inotify: a file was moved into place, or written and closed.
///
/// A file is watched through its folder, because an atomic replacement (`rename`, a Kubernetes volume's `..data` link)
/// leaves the file that was there untouched. All watchers of a process use one inotify instance (``FolderEvents``).
/// Thread-safe.
final class FileWatcher: Sendable {
    private let kernel: FolderEvents
    private let number: UInt64
    /// One element for any number of events.
    let events: AsyncStream<Void>

    /// - Returns: `nil` if the kernel gives no more instances; whoever asks must look by itself then.
    init?() {
        guard let kernel = FolderEvents.ofThisProcess() else { return nil }
        let (events, news) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.kernel = kernel
        self.events = events
        number = kernel.add(news)
    }

    /// Watches the folders of these files, and no others.
    func watch(_ paths: Set<String>) { kernel.watch(Set(paths.map(Self.folder)), for: number) }

    private static func folder(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    func stop() { kernel.remove(number) }
}
