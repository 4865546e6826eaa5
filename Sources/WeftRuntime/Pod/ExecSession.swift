import CWeftLinux
import NIOCore
import NIOPosix
import Synchronization
import WeftConfig

/// Runs commands in running containers: same namespaces, environment and user.
enum ExecSession {
    private static let counter = Mutex(0)

    private static func spec(_ run: PodWorker.RunningContainer, _ command: [String], tty: Bool, folder: String) throws
        -> String
    {
        var records = run.launch.identity()
        records.add("join", String(run.initPID))
        if tty { records.add("terminal", "1") }
        for argument in command { records.add("argument", argument) }
        let number = counter.withLock {
            $0 += 1
            return $0
        }
        let path = "\(folder)/exec-\(number).spec"
        try records.write(to: path)
        return path
    }

    /// Runs a command with no input and collects its output: probes and hooks.
    static func capture(_ run: PodWorker.RunningContainer, _ command: [String], folder: String) async -> (
        code: Int, output: String
    ) {
        let collected = Collected()
        do {
            let code = try await self.run(run, command, tty: false, input: nil, resizes: nil, folder: folder) {
                bytes, _ in
                collected.bytes.withLock { if $0.readableBytes < 10240 { $0.writeImmutableBuffer(bytes) } }
            }
            return (code, collected.bytes.withLock { String(buffer: $0) })
        } catch {
            return (126, "\(error)")
        }
    }

    private final class Collected: Sendable { let bytes = Mutex(ByteBuffer()) }

    /// - Parameter output: bytes and whether they are errors; called in order.
    static func run(
        _ container: PodWorker.RunningContainer, _ command: [String], tty: Bool, input: AsyncStream<ByteBuffer>?,
        resizes: AsyncStream<(columns: Int, rows: Int)>?, folder: String,
        output: @escaping @Sendable (ByteBuffer, Bool) async -> Void
    ) async throws -> Int {
        let path = try spec(container, command, tty: tty, folder: folder)
        defer { Files.remove(path) }
        let (stream, continuation) = AsyncStream.makeStream(
            of: (ByteBuffer, Bool).self, bufferingPolicy: .bufferingOldest(65536))
        let open = Countdown(tty ? 1 : 2)
        let end: @Sendable () -> Void = { if open.decrement() == 0 { continuation.finish() } }
        let process: ChildProcess
        var writer: (any Channel)?
        var terminal: Int32 = -1
        if tty {
            var (controller, slave): (Int32, Int32) = (-1, -1)
            guard weft_open_terminal(&controller, &slave) == 0 else { throw RuntimeError("cannot open a terminal") }
            terminal = controller
            process = try await ChildProcess("exec", spec: path, standard: [slave, dup(slave), dup(slave)])
            let reader = dup(controller)
            writer = try await Pipes.writer(controller)
            try await Pipes.read(reader, onBytes: { continuation.yield(($0, false)) }, onEnd: end)
        } else {
            let out = try ChildProcess.pipe()
            let err = try ChildProcess.pipe()
            let stdin = input == nil ? nil : try ChildProcess.pipe()
            process = try await ChildProcess("exec", spec: path, standard: [stdin?.read ?? -1, out.write, err.write])
            if let stdin { writer = try await Pipes.writer(stdin.write) }
            try await Pipes.read(out.read, onBytes: { continuation.yield(($0, false)) }, onEnd: end)
            try await Pipes.read(err.read, onBytes: { continuation.yield(($0, true)) }, onEnd: end)
        }
        return try await serve(process, stream, writer, terminal, input, resizes, tty: tty, output)
    }

    private static func serve(
        _ process: ChildProcess, _ stream: AsyncStream<(ByteBuffer, Bool)>, _ writer: (any Channel)?, _ terminal: Int32,
        _ input: AsyncStream<ByteBuffer>?, _ resizes: AsyncStream<(columns: Int, rows: Int)>?, tty: Bool,
        _ output: @escaping @Sendable (ByteBuffer, Bool) async -> Void
    ) async throws -> Int {
        let feeding = Task {
            for await bytes in input ?? AsyncStream(unfolding: { nil }) {
                try? await writer?.writeAndFlush(bytes).get()
            }
            if !tty { try? await writer?.close() }
        }
        let sizing = Task {
            for await size in resizes ?? AsyncStream(unfolding: { nil }) {
                _ = weft_set_terminal_size(terminal, UInt16(clamping: size.columns), UInt16(clamping: size.rows))
            }
        }
        let printing = Task { for await (bytes, isError) in stream { await output(bytes, isError) } }
        var (code, failure): (Int, String?) = (128, nil)
        await withTaskCancellationHandler {
            for await line in process.lines {
                if line.hasPrefix("exit ") { code = Int(line.dropFirst(5)) ?? 128 }
                if line.hasPrefix("error ") { failure = String(line.dropFirst(6)) }
            }
        } onCancel: {
            process.signal(9)
        }
        _ = await process.collect()
        await printing.value
        feeding.cancel()
        sizing.cancel()
        try? await writer?.close()
        if let failure, code >= 126 {
            throw RuntimeError(
                "failed to exec in container: failed to start exec: OCI runtime exec failed: \(failure): unknown")
        }
        return code
    }
}

/// A count that several threads decrease.
private final class Countdown: Sendable {
    private let value: Mutex<Int>
    init(_ value: Int) { self.value = Mutex(value) }
    func decrement() -> Int {
        value.withLock {
            $0 -= 1
            return $0
        }
    }
}
