import NIOCore
import WeftIR
import WeftRouting

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Writes access log lines of one worker in batches: at most one system call per file and flush.
///
/// Loop-confined; flushed every second, when large, and at the end.
final class AccessLogWriter {
    /// One for each file; there are few.
    private var pending: [LogBuffer] = []
    private var descriptors: [String: CInt] = [:]
    private var second = LogSecond()
    private static let batch = 64 << 10
    /// Bytes that wait for a file that takes none now: its disk is full, its folder is not there yet.
    private static let patience = 1 << 20
    /// Who watches requests go by; `nil` for nobody, which is all that a request then pays for.
    var tap: TapRecorder?
    private let dropped: Counter
    private let warn: @Sendable (String) -> Void
    /// Files whose lines are lost at present: it is said once, and again after the file has taken some.
    private var failing: Set<String> = []

    /// - Parameters:
    ///   - dropped: Counts lines that no file took in time.
    ///   - warn: Told once when a file begins to lose lines, in words for people.
    init(dropped: Counter = Counter(), warn: @escaping @Sendable (String) -> Void = { _ in }) {
        self.dropped = dropped
        self.warn = warn
    }

    func flush() {
        tap?.flush()
        for buffer in pending where buffer.count > 0 { write(buffer) }
    }

    /// The lines of a file that wait to be written.
    func buffer(_ path: String) -> LogBuffer {
        for buffer in pending where buffer.path == path { return buffer }
        let made = LogBuffer(path: path)
        pending.append(made)
        return made
    }

    private func flush(full buffer: LogBuffer) { if buffer.count > Self.batch { write(buffer) } }

    /// What the file does not take now is tried again with the next flush.
    private func write(_ buffer: LogBuffer) {
        let descriptor = descriptors[buffer.path] ?? open(buffer.path)
        var offset = 0
        while descriptor >= 0, offset < buffer.count, let base = buffer.bytes.baseAddress {
            let count = Glibc.write(descriptor, base + offset, buffer.count - offset)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            offset += count
        }
        let reason = descriptor < 0 || offset < buffer.count ? String(cString: strerror(errno)) : ""
        if offset > 0 { failing.remove(buffer.path) }
        buffer.removeFirst(offset)
        if buffer.count > Self.patience { drop(buffer, reason) }
    }

    /// Lets go of the lines that wait for a file that takes none.
    private func drop(_ buffer: LogBuffer, _ reason: String) {
        let lines = buffer.bytes.count { $0 == UInt8(ascii: "\n") }
        dropped.add(lines)
        if failing.insert(buffer.path).inserted {
            warn(
                "access log \(buffer.path) takes no lines (\(reason)): \(lines) are lost, and those that come until it does; "
                    + "access_logs.file_access_log.lines_dropped counts them")
        }
        buffer.removeAll()
    }

    /// What waits is written where it was meant to go; later lines go to the file that has the name then.
    func reopen() {
        flush()
        for descriptor in descriptors.values where descriptor > 2 { close(descriptor) }
        descriptors = [:]
    }

    private func open(_ path: String) -> CInt {
        let descriptor: CInt =
            switch path {
            case "/dev/stdout": 1
            case "/dev/stderr": 2
            default: Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
            }
        if descriptor >= 0 { descriptors[path] = descriptor }
        return descriptor
    }

    /// - Parameter view: What filters look at; of all logs the same.
    private func accepts(
        _ filter: CompiledLogFilter, _ context: () -> LogContext, _ view: inout LogFilterView?, _ worker: Worker
    ) -> Bool {
        let seen = view ?? context().filterView
        view = seen
        return filter.accepts(seen, draw: { worker.decisions.next() })
    }

    /// - Parameter now: When the exchange ended.
    func exchangeFinished(_ exchange: Exchange, now: NIODeadline) {
        if let tap { tap.exchangeFinished(exchange) }
        let manager = exchange.connection.manager
        guard manager.filtersLogs else {
            for log in manager.logs { write(exchange, now, to: log) }
            return
        }
        var view: LogFilterView?
        for log in manager.logs {
            if let filter = log.filter, !accepts(filter, { LogContext(exchange) }, &view, exchange.worker) { continue }
            write(exchange, now, to: log)
        }
    }

    private func write(_ exchange: Exchange, _ now: NIODeadline, to log: CompiledAccessLog) {
        switch log.sink {
        case .file(let file):
            let buffer = buffer(file.path)
            file.format.write(exchange, now: now, second: &second, to: buffer)
            flush(full: buffer)
        case .service(let service): exchange.worker.logServices.add(LogContext(exchange), to: service)
        }
    }

    /// For connections that no HTTP exchange tells about.
    func connectionEnded(
        _ info: ConnectionInfo, _ record: ConnectionRecord, logs: [CompiledAccessLog], _ worker: Worker
    ) {
        guard !logs.isEmpty else { return }
        let context = LogContext(info, record)
        var view: LogFilterView?
        for log in logs {
            if let filter = log.filter, !accepts(filter, { context }, &view, worker) { continue }
            switch log.sink {
            case .file(let file):
                let buffer = buffer(file.path)
                buffer.append(file.format.text(context))
                flush(full: buffer)
            case .service(let service): worker.logServices.add(context, to: service)
            }
        }
    }
}
