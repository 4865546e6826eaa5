import Foundation
import TestSupport

/// What a server did with a hostile input.
struct HostileResult: Sendable {
    /// In the form of ``HostileCase/expected``.
    var answer = ""
    var forwards: [String] = []
    var headers: [[WireMessage.Field]] = []
    var summary: String { forwards.isEmpty ? answer : "\(answer) → \(forwards.joined(separator: ", "))" }
}

/// All hostile inputs put to every server that this machine has.
final class HostileRun: Sendable {
    /// Server, then case.
    let results: [HostileServer.Kind: [String: HostileResult]]
    let weftIsAlive: Bool
    let weftTotal: Int
    /// Resident bytes of weft-proxy before and after.
    let weftMemory: (before: Int, after: Int)
    let weftOutput: String

    static func shared() async throws -> HostileRun { try await sharedTask.value }
    private static let sharedTask = Task { try await HostileRun(HostileInputs.all) }

    init(_ cases: [HostileCase]) async throws {
        let folder = try Workspace.folder("hostile")
        try await Self.makeCertificate(folder)
        var servers: [HostileServer] = []
        for kind in HostileServer.Kind.allCases {
            guard let executable = HostileServer.executable(kind) else { continue }
            servers.append(try HostileServer(kind, executable: executable, folder: folder))
        }
        let started = servers
        defer { started.forEach { $0.stop() } }
        for server in servers { try await server.waitUntilReady() }
        let weft = servers[0]
        let before = weft.process.residentBytes
        let collected = ResultTable()
        // Packaged nginx may be older than HTTP/2 without TLS beside HTTP/1.
        let jobs = cases.flatMap { one in started.filter { !one.isHTTP2 || $0.kind != .nginx }.map { (one, $0) } }
        // Others are watched for a quiet moment, which takes time and no processor.
        await onThreads(24, jobs) { job in
            collected.add(job.1.kind, job.0.id, Self.put(job.0, to: job.1))
        }
        weftIsAlive = weft.process.isRunning && Self.answersPlainRequest(weft)
        weftMemory = (before, weft.process.residentBytes)
        // A request that its client resets at once may or may not get through.
        weftTotal = weft.record.total - weft.record.requests("rapid").count
        weftOutput = weft.process.output
        results = collected.all
    }

    private static func makeCertificate(_ folder: String) async throws {
        try await command([
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=a.test", "-days", "2", "-keyout",
            "\(folder)/key.pem", "-out", "\(folder)/cert.pem",
        ]).checked()
        let both = try ["cert", "key"].map { try String(contentsOfFile: "\(folder)/\($0).pem", encoding: .utf8) }
        try both.joined().write(toFile: "\(folder)/both.pem", atomically: true, encoding: .utf8)
    }

    static func answersPlainRequest(_ server: HostileServer) -> Bool {
        guard let socket = try? RawSocket(to: "127.0.0.1", port: server.ports[.http] ?? 0) else { return false }
        defer { socket.close() }
        socket.send("GET /alive HTTP/1.1\r\nhost: a.test\r\nx-id: alive\r\nconnection: close\r\n\r\n")
        return String(decoding: socket.receiveAll().bytes, as: UTF8.self).hasPrefix("HTTP/1.1 200")
    }

    private static func put(_ one: HostileCase, to server: HostileServer) -> HostileResult {
        guard let socket = try? RawSocket(to: "127.0.0.1", port: server.ports[one.port] ?? 0) else {
            return HostileResult(answer: "no connection")
        }
        defer { socket.close() }
        let id = one.wireID
        var result = HostileResult()
        var observer: any AnswerObserver = one.isHTTP2 ? FrameSummary() : StatusSummary()
        for (index, part) in one.parts.enumerated() {
            if index > 0 { Thread.sleep(forTimeInterval: 0.03) }
            socket.send(ByteSearch.replace(Array("{id}".utf8), with: Array(id.utf8), in: part))
        }
        let isWeft = server.kind == .weft
        // Weft's answer is defined, so waiting ends when it is there; others are waited for until they fall silent.
        let quiet = isWeft ? 20_000 : 500
        reading: while true {
            if isWeft, one.expected.hasSuffix("open"), observer.summary(ended: false) == one.expected {
                // It must stay so: a second answer would come at once.
                if case .bytes(let more) = socket.receive(within: 50) { observer.add(more) } else { break }
            }
            switch socket.receive(within: quiet) {
            case .bytes(let bytes): observer.add(bytes)
            case .closed, .reset:
                result.answer = observer.summary(ended: true)
                break reading
            case .nothing: break reading
            }
        }
        if result.answer.isEmpty { result.answer = observer.summary(ended: false) }
        let seen = server.record.requests(id).sorted { $0.order < $1.order }
        result.forwards = seen.map { "\($0.message.method) \($0.message.target.prefix(60))" }
        result.headers = seen.map(\.message.fields)
        return result
    }
}

/// Makes one line of what a server sent.
protocol AnswerObserver {
    mutating func add(_ bytes: [UInt8])
    func summary(ended: Bool) -> String
}

/// `400 closed`, `200 200 open`, `closed`.
struct StatusSummary: AnswerObserver {
    private var reader = WireReader()
    mutating func add(_ bytes: [UInt8]) { reader.buffer += bytes }
    func summary(ended: Bool) -> String {
        var copy = reader
        var words: [String] = []
        while let next = copy.next(isResponse: true, ended: ended) { words.append(String(next.status)) }
        if !copy.isEmpty { words.append("+ bytes") }
        return (words + [ended ? "closed" : "open"]).joined(separator: " ")
    }
}

private final class ResultTable: @unchecked Sendable {
    private let lock = NSLock()
    private var stored: [HostileServer.Kind: [String: HostileResult]] = [:]
    func add(_ kind: HostileServer.Kind, _ id: String, _ result: HostileResult) {
        lock.withLock { stored[kind, default: [:]][id] = result }
    }
    var all: [HostileServer.Kind: [String: HostileResult]] { lock.withLock { stored } }
}
