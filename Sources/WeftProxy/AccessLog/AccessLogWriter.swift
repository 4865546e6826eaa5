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
    private var pending: [String: [UInt8]] = [:]
    private var descriptors: [String: CInt] = [:]
    private static let batch = 64 << 10
    /// Who watches requests go by; `nil` for nobody, which is all that a request then pays for.
    var tap: TapRecorder?

    func flush() {
        tap?.flush()
        for (path, bytes) in pending where !bytes.isEmpty {
            pending[path] = []
            write(bytes, to: path)
        }
    }

    private func write(_ bytes: [UInt8], to path: String) {
        let descriptor = descriptors[path] ?? open(path)
        guard descriptor >= 0 else { return }
        bytes.withUnsafeBytes { all in
            var offset = 0
            while offset < all.count, let base = all.baseAddress {
                let count = Glibc.write(descriptor, base + offset, all.count - offset)
                if count <= 0 { return }
                offset += count
            }
        }
    }

    private func open(_ path: String) -> CInt {
        let descriptor: CInt =
            switch path {
            case "/dev/stdout": 1
            case "/dev/stderr": 2
            default: Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
            }
        descriptors[path] = descriptor
        return descriptor
    }

    private func add(_ context: LogContext, to logs: [CompiledAccessLog], _ worker: Worker) {
        var view: LogFilterView?
        for log in logs {
            if let filter = log.filter {
                let seen = view ?? context.filterView
                view = seen
                guard filter.accepts(seen, draw: { worker.decisions.next() }) else { continue }
            }
            switch log.sink {
            case .file(let path, let format):
                pending[path, default: []].append(contentsOf: format.text(context).utf8)
                if pending[path, default: []].count > Self.batch { flush() }
            case .service(let service): worker.logServices.add(context, to: service)
            }
        }
    }

    func exchangeFinished(_ exchange: Exchange) {
        if let tap { tap.exchangeFinished(exchange) }
        let logs = exchange.connection.manager.logs
        guard !logs.isEmpty else { return }
        add(LogContext(exchange), to: logs, exchange.worker)
    }

    /// For connections that no HTTP exchange tells about.
    func connectionEnded(
        _ info: ConnectionInfo, _ record: ConnectionRecord, logs: [CompiledAccessLog], _ worker: Worker
    ) {
        guard !logs.isEmpty else { return }
        add(LogContext(info, record), to: logs, worker)
    }
}
