import Foundation
import Synchronization

/// Where the repository and what the tests run are.
package enum Workspace {
    package static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path(percentEncoded: false)
    /// `WEFT_PROXY` names another build, such as the release one.
    package static let weftProxy =
        ProcessInfo.processInfo.environment["WEFT_PROXY"] ?? root + ".build/debug/weft-proxy"
    package static let envoy = root + ".build-tools/envoy/envoy/_bin/envoy"

    /// A new empty folder for the files of one test run.
    package static func folder(_ name: String) throws -> String {
        let path = root + ".build/tests/" + name
        try? FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }
}

/// A server that a test started, ended when the test asks or the test process exits.
package final class ServerProcess: Sendable {
    package let name: String
    package let log: String
    private let process: Mutex<Process>

    package init(_ name: String, _ executable: String, _ arguments: [String], log: String) throws {
        self.name = name
        self.log = log
        let process = Process()
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        try Data().write(to: URL(filePath: log))
        let output = try FileHandle(forWritingTo: URL(filePath: log))
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        ProcessEnd.kill(atExit: process.processIdentifier)
        self.process = Mutex(process)
    }

    package var isRunning: Bool { process.withLock { $0.isRunning } }
    package var identifier: Int32 { process.withLock { $0.processIdentifier } }
    package var output: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    /// Waits until something listens on the port.
    package func waitForPort(_ port: UInt16, address: String = "127.0.0.1") async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline {
            guard isRunning else { throw StepFailure("\(name) ended:\n\(output.prefix(1000))") }
            if let socket = try? RawSocket(to: address, port: port) { return socket.close() }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw StepFailure("\(name) does not listen on \(address):\(port):\n\(output.prefix(1000))")
    }

    /// Resident memory in bytes.
    package var residentBytes: Int {
        let text = (try? String(contentsOfFile: "/proc/\(identifier)/statm", encoding: .utf8)) ?? ""
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * 4096
    }

    package func stop() {
        process.withLock {
            guard $0.isRunning else { return }
            $0.terminate()
            $0.waitUntilExit()
        }
    }
}

/// A failing test must not leave its servers behind.
private enum ProcessEnd {
    private static let identifiers = Mutex<[Int32]>([])
    private static let installed: Void = {
        atexit { ProcessEnd.identifiers.withLock { $0.forEach { Glibc.kill($0, SIGKILL) } } }
    }()
    static func kill(atExit identifier: Int32) {
        _ = installed
        identifiers.withLock { $0.append(identifier) }
    }
}

/// Runs `body` for every element on `threads` threads, because the body blocks; waits for all.
package func onThreads<Element: Sendable>(
    _ threads: Int, _ elements: [Element], _ body: @escaping @Sendable (Element) -> Void
) async {
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
        let progress = ThreadProgress(threads: threads) { done.resume() }
        for _ in 0..<threads {
            let thread = Thread {
                while let index = progress.next(below: elements.count) { body(elements[index]) }
                progress.threadEnded()
            }
            thread.start()
        }
    }
}

/// What the threads of one ``onThreads(_:_:_:)`` share.
private final class ThreadProgress: Sendable {
    private struct State {
        var next = 0
        var running: Int
    }
    private let state: Mutex<State>
    private let completion: @Sendable () -> Void

    init(threads: Int, completion: @escaping @Sendable () -> Void) {
        state = Mutex(State(running: threads))
        self.completion = completion
    }

    func next(below end: Int) -> Int? {
        state.withLock { state in
            guard state.next < end else { return nil }
            defer { state.next += 1 }
            return state.next
        }
    }

    func threadEnded() {
        let isLast = state.withLock { state in
            state.running -= 1
            return state.running == 0
        }
        if isLast { completion() }
    }
}
