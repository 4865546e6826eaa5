import Foundation
import TestSupport
import Testing

/// Whatever is sent, and whoever does not read: the proxy holds little.
///
/// Inside the other suite, because it must not run beside it.
extension HostileInputTests {
    @Suite(.serialized) struct MemoryTests {
        /// Resident bytes above those of before, at the peak. Four connections with full buffers and windows need a few MiB.
        static let bound = 40 << 20

        @Test(arguments: MemoryCase.all.map(\.name))
        func isBounded(_ name: String) async throws {
            let growth = try #require(try await MemoryRun.shared().growth[.weft]?[name])
            #expect(growth < Self.bound, "\(name): \(growth >> 20) MiB more")
        }

        @Test func theProxyLivesOn() async throws {
            let run = try await MemoryRun.shared()
            #expect(run.isAlive, "\(run.output.suffix(2000))")
        }
    }
}

/// All ``MemoryCase``s put to weft-proxy, and to Envoy when its table is to be written.
final class MemoryRun: Sendable {
    /// Bytes at the peak above what was resident before the case.
    let growth: [HostileServer.Kind: [String: Int]]
    let isAlive: Bool
    let output: String

    static func shared() async throws -> MemoryRun { try await sharedTask.value }
    private static let sharedTask = Task { try await MemoryRun() }

    private init() async throws {
        let folder = try Workspace.folder("hostile-memory")
        let kinds: [HostileServer.Kind] =
            ProcessInfo.processInfo.environment["WEFT_WRITE_DOCS"] == nil ? [.weft] : [.weft, .envoy]
        var growth: [HostileServer.Kind: [String: Int]] = [:]
        var isAlive = false
        var output = ""
        for kind in kinds {
            guard let executable = HostileServer.executable(kind) else { continue }
            let deaf = try RawListener()
            let server = try HostileServer(kind, executable: executable, folder: folder, deaf: deaf.port)
            defer {
                server.stop()
                deaf.close()
            }
            try await server.waitUntilReady()
            for one in MemoryCase.all {
                guard server.process.isRunning else { break }
                growth[kind, default: [:]][one.name] = await Self.put(one, to: server)
            }
            if kind == .weft {
                isAlive = server.process.isRunning && HostileRun.answersPlainRequest(server)
                output = server.process.output
            }
        }
        self.growth = growth
        self.isAlive = isAlive
        self.output = output
    }

    private static func put(_ one: MemoryCase, to server: HostileServer) async -> Int {
        let before = server.process.residentBytes
        server.process.resetPeak()
        let port = server.ports[one.port] ?? 0
        await onThreads(min(one.connections, 8), Array(0..<min(one.connections, 8))) { thread in
            var held: [RawSocket] = []
            for _ in stride(from: thread, to: one.connections, by: 8) {
                guard let socket = try? RawSocket(to: "127.0.0.1", port: port) else { continue }
                one.attack(socket)
                held.append(socket)
            }
            // All are open at once until the last has attacked.
            held.forEach { $0.reset() }
        }
        return server.process.peakBytes - before
    }
}
