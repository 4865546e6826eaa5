import CWeftLinux
import Dispatch
import Logging
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What one process of a hot restart asks the one before it. Each is one packet on a Unix socket; ADR 0029.
enum HotRestartMessage: Equatable {
    /// Copies of the listening sockets of an address.
    case sockets(key: String)
    /// Close the admin pages: the new process wants their port.
    case closeAdmin
    /// Accept nothing more, and drain what is connected.
    case drain
    /// End now.
    case terminate

    static let version = "weft.1"

    var text: String {
        switch self {
        case .sockets(let key): "sockets \(key)"
        case .closeAdmin: "close-admin"
        case .drain: "drain"
        case .terminate: "terminate"
        }
    }

    init?(_ text: String) {
        switch text {
        case "close-admin": self = .closeAdmin
        case "drain": self = .drain
        case "terminate": self = .terminate
        default:
            guard text.hasPrefix("sockets ") else { return nil }
            self = .sockets(key: String(text.dropFirst(8)))
        }
    }

    /// The socket of a process, in the abstract namespace.
    static func path(base: Int, epoch: Int) -> String { "@weft_hot_restart_\(base)_\(epoch)" }
}

/// The process before this one, as this one sees it. Thread-safe; calls wait for the answer, five seconds at most.
final class HotRestartParent: Sendable {
    struct Failure: Error, CustomStringConvertible { var description: String }

    private let descriptor: CInt
    private let lock = Mutex(())

    init(base: Int, epoch: Int) throws {
        let path = HotRestartMessage.path(base: base, epoch: epoch)
        let connected = unsafe weft_connect_unix(path)
        guard connected >= 0 else {
            throw Failure(
                description: "no process with --base-id \(base) and --restart-epoch \(epoch) to take over from "
                    + "(\(unsafe String(cString: strerror(-connected)))); start the first one with --restart-epoch 0")
        }
        descriptor = connected
        guard weft_peer_user(connected) == Int64(geteuid()) else {
            close(connected)
            throw Failure(description: "the process with --restart-epoch \(epoch) belongs to another user")
        }
        let greeting = try ask("hello \(HotRestartMessage.version)").text
        guard greeting == "hello \(HotRestartMessage.version)" else {
            close(connected)
            throw Failure(description: "the running process cannot hand over to this version: it says \"\(greeting)\"")
        }
    }

    deinit { close(descriptor) }

    /// Copies of the sockets that it listens on at an address; none if it does not.
    func sockets(for key: String) -> [CInt] { (try? ask(HotRestartMessage.sockets(key: key).text).descriptors) ?? [] }

    /// - Returns: False if it did not answer: it is gone.
    @discardableResult
    func tell(_ message: HotRestartMessage) -> Bool { (try? ask(message.text)) != nil }

    private func ask(_ text: String) throws -> (text: String, descriptors: [CInt]) {
        try lock.withLock { _ in
            let bytes = Array(text.utf8)
            let code = unsafe weft_send_descriptors(descriptor, bytes, bytes.count, nil, 0)
            guard code == 0, let answer = HotRestartPacket.receive(descriptor, milliseconds: 5_000) else {
                throw Failure(description: "the process before this one does not answer")
            }
            return answer
        }
    }
}

/// One packet with the descriptors that came along.
enum HotRestartPacket {
    /// - Returns: `nil` at the end of the connection, and when nothing comes in time (negative waits for ever).
    static func receive(_ socket: CInt, milliseconds: CInt) -> (text: String, descriptors: [CInt])? {
        var bytes = [UInt8](repeating: 0, count: 4096)
        var descriptors = [CInt](repeating: -1, count: 250)
        var count = descriptors.count
        let length = unsafe weft_receive_descriptors(
            socket, &bytes, bytes.count, &descriptors, &count, milliseconds)
        guard length > 0 else { return nil }
        return (String(decoding: bytes.prefix(length), as: UTF8.self), Array(descriptors.prefix(count)))
    }
}

/// Answers the process that takes over from this one.
///
/// One thread of its own, which only waits; what it is asked is done by the actions. Only processes of the same user
/// are answered: whoever can ask could take connections.
final class HotRestartServer: Sendable {
    struct Actions: Sendable {
        /// Gives copies, which are closed when they are sent.
        var sockets: @Sendable (_ key: String) -> [CInt]
        var closeAdmin: @Sendable () async -> Void
        var drain: @Sendable () async -> Void
        var terminate: @Sendable () -> Void
    }

    private let descriptor: CInt
    private let actions: Actions

    /// - Throws: If another process has the same numbers.
    init(base: Int, epoch: Int, actions: Actions) throws {
        let opened = unsafe weft_listen_unix(HotRestartMessage.path(base: base, epoch: epoch), 0, 4, 1)
        guard opened >= 0 else {
            throw HotRestartParent.Failure(
                description: "a process with --base-id \(base) and --restart-epoch \(epoch) is running "
                    + "(\(unsafe String(cString: strerror(-opened)))); give another --base-id, or the next --restart-epoch"
            )
        }
        descriptor = opened
        self.actions = actions
    }

    func start() {
        DispatchQueue(label: "hot-restart").async { [self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                if connection < 0 {
                    if errno == EINTR || errno == ECONNABORTED { continue }
                    return
                }
                _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
                if weft_peer_user(connection) == Int64(geteuid()) { serve(connection) }
                close(connection)
            }
        }
    }

    /// The next process may ask until it or we end.
    func stop() { shutdown(descriptor, CInt(SHUT_RDWR)) }

    private func serve(_ connection: CInt) {
        while let packet = HotRestartPacket.receive(connection, milliseconds: -1) {
            for descriptor in packet.descriptors { close(descriptor) }
            let (text, descriptors) = answer(packet.text)
            let bytes = Array(text.utf8)
            let code = unsafe weft_send_descriptors(connection, bytes, bytes.count, descriptors, descriptors.count)
            for descriptor in descriptors { close(descriptor) }
            if code != 0 { return }
        }
    }

    private func answer(_ text: String) -> (String, [CInt]) {
        if text.hasPrefix("hello ") { return ("hello \(HotRestartMessage.version)", []) }
        switch HotRestartMessage(text) {
        case .sockets(let key): return ("sockets", actions.sockets(key))
        case .closeAdmin: wait(actions.closeAdmin)
        case .drain: wait(actions.drain)
        case .terminate: actions.terminate()
        case nil: return ("unknown", [])
        }
        return ("ok", [])
    }

    /// Lets this thread, which is nobody else's, wait for asynchronous work.
    private func wait(_ work: @escaping @Sendable () async -> Void) {
        let done = DispatchSemaphore(value: 0)
        Task {
            await work()
            done.signal()
        }
        done.wait()
    }
}
