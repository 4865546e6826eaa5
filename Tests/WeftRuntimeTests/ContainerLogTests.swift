import Foundation
import NIOCore
import Synchronization
import Testing

@testable import WeftRuntime

/// A log that outgrows its limit keeps its newest lines and stays readable.
struct ContainerLogTests {
    private final class Lines: Sendable {
        private let text = Mutex("")
        func add(_ bytes: ByteBuffer) { text.withLock { $0 += String(buffer: bytes) } }
        var all: [Substring] { text.withLock { $0 }.split(separator: "\n").map { $0 } }
    }

    private func withLog(limit: Int, _ body: (ContainerLog) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "weft-log-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(try ContainerLog(path: folder + "/0.log", limit: limit))
    }

    @Test func neverTakesMoreThanTwoFiles() async throws {
        try await withLog(limit: 1_000) { log in
            for number in 0..<500 { log.append(ByteBuffer(string: "line \(number)"), stream: "stdout") }
            log.finish()
            let sizes = log.paths.map { FileManager.default.contents(atPath: $0)?.count ?? 0 }
            #expect(sizes.allSatisfy { $0 <= 1_000 }, "\(sizes)")
            let lines = Lines()
            try await LogQuery().read(log) { lines.add($0) }
            let numbers = lines.all.compactMap { Int($0.dropFirst(5)) }
            #expect(numbers.last == 499)
            #expect(numbers.count > 10)
            #expect(numbers == Array((500 - numbers.count)..<500), "a gap or a repetition")
        }
    }

    @Test func aFollowerThatKeepsUpMissesNothing() async throws {
        try await withLog(limit: 400) { log in
            var offset = 0
            var seen: [UInt8] = []
            for number in 0..<100 {
                log.append(ByteBuffer(string: "line \(number)"), stream: "stderr")
                if number % 3 == 0 {
                    let (bytes, end) = log.read(from: offset)
                    seen += bytes
                    offset = end
                }
            }
            seen += log.read(from: offset).bytes
            let text = String(buffer: LogQuery().select(seen[...], tail: nil))
            #expect(text == (0..<100).map { "line \($0)\n" }.joined())
        }
    }

    @Test func selectsTheTail() async throws {
        try await withLog(limit: 1 << 20) { log in
            for number in 0..<10 { log.append(ByteBuffer(string: "\(number)"), stream: "stdout") }
            log.finish()
            var query = LogQuery()
            query.tailLines = 2
            let lines = Lines()
            try await query.read(log) { lines.add($0) }
            #expect(lines.all == ["8", "9"])
        }
    }
}
