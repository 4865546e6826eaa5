import FoundationEssentials
import Logging
import Synchronization

/// The part that this process has in a hot restart: child of the process before it, parent of the one after it.
final class RestartRole: Sendable {
    struct Options: Sendable {
        var isDisabled = false
        var baseID: Int?
        var isDynamic = false
        var baseIDPath: String?
        var epoch: Int?
        var parentShutdownSeconds = 900

        /// Whether somebody relies on it; otherwise a number that is taken is no reason not to start.
        var isWanted: Bool { baseID != nil || isDynamic || epoch != nil }
    }

    /// The process to take over from.
    let parent: HotRestartParent?
    private let options: Options
    private let logger: Logger
    private let base: Int
    private let server = Mutex<HotRestartServer?>(nil)
    private var epoch: Int { options.epoch ?? 0 }

    /// - Throws: ``HotRestartParent/Failure`` if the process before is not there, or cannot hand over.
    init(_ options: Options, _ logger: Logger) throws {
        self.options = options
        self.logger = logger
        base = options.isDynamic ? Int.random(in: 1 << 16..<1 << 30) : options.baseID ?? 0
        let epoch = options.epoch ?? 0
        parent = epoch > 0 && !options.isDisabled ? try HotRestartParent(base: base, epoch: epoch - 1) : nil
        if options.isDynamic, let path = options.baseIDPath {
            try Data("\(base)".utf8).write(to: URL(filePath: path), options: .atomic)
        }
    }

    /// Answers the process that will take over.
    /// - Throws: ``HotRestartParent/Failure`` if another process has the same numbers, and they were asked for.
    func serve(_ plane: DataPlane, admin: AdminServer?, quit: @escaping @Sendable () -> Void) throws {
        guard !options.isDisabled else { return }
        let logger = logger
        let actions = HotRestartServer.Actions(
            sockets: { plane.copies(ofSocketsFor: $0) },
            closeAdmin: { await admin?.stop() },
            drain: {
                logger.info("a new process has taken over: draining")
                await plane.handOver()
                await plane.drainGradually()
                // Whoever waits for this process need not wait for longer than there is somebody to serve.
                Task {
                    while await !plane.isIdle { try? await Task.sleep(for: .milliseconds(200)) }
                    quit()
                }
            },
            terminate: quit)
        do {
            let made = try HotRestartServer(base: base, epoch: epoch, actions: actions)
            made.start()
            server.withLock { $0 = made }
        } catch {
            if options.isWanted { throw error }
            logger.debug("no hot restart of this process: \(error)")
        }
    }

    /// When this process serves, the one before it is told to drain, and to end after its time. Returns when the task is
    /// cancelled.
    func takeOver(_ plane: DataPlane) async {
        if let parent {
            while !plane.isReady { do { try await Task.sleep(for: .milliseconds(20)) } catch { return } }
            parent.tell(.drain)
            await plane.acceptOnTakenSockets()
            logger.info("took over from the process with --restart-epoch \(epoch - 1)")
            do { try await Task.sleep(for: .seconds(options.parentShutdownSeconds)) } catch { return }
            parent.tell(.terminate)
        }
        // Cancelled with the process.
        while (try? await Task.sleep(for: .seconds(3600))) != nil {}
    }

    func stop() { server.withLock { $0 }?.stop() }
}
