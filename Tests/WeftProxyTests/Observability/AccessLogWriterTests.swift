import Foundation
import Synchronization
import TestSupport
import Testing

@testable import WeftProxy

/// Lines that a file does not take at once.
@Suite struct AccessLogWriterTests {
    @Test func linesWaitForAFileThatIsNotThereYet() throws {
        let folder = try Workspace.folder("access-log-writer")
        try FileManager.default.removeItem(atPath: folder)
        let path = folder + "/access.log"
        let writer = AccessLogWriter()
        writer.buffer(path).append("first\n")
        writer.flush()
        writer.buffer(path).append("second\n")
        writer.flush()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        writer.buffer(path).append("third\n")
        writer.flush()
        writer.flush()
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "first\nsecond\nthird\n")
    }

    /// A disk that stays full does not fill the memory instead.
    @Test func whatNobodyTakesIsBounded() {
        let writer = AccessLogWriter()
        let line = String(repeating: "x", count: 1023) + "\n"
        for _ in 0..<4096 {
            writer.buffer("/dev/full").append(line)
            writer.flush()
            #expect(writer.buffer("/dev/full").count <= 1 << 20)
        }
        #expect(writer.buffer("/dev/full").count > 0)
    }

    /// What is lost is counted, line for line, and said once for each time that a file stops taking lines.
    @Test func lostLinesAreCountedAndSaidOnce() throws {
        let folder = try Workspace.folder("access-log-lost")
        let path = folder + "/away/access.log"
        let dropped = Counter()
        let said = Mutex<[String]>([])
        let writer = AccessLogWriter(dropped: dropped, warn: { words in said.withLock { $0.append(words) } })
        let line = String(repeating: "x", count: 1023) + "\n"
        for _ in 0..<4096 {
            writer.buffer(path).append(line)
            writer.flush()
        }
        #expect(dropped.count + writer.buffer(path).count / 1024 == 4096)
        #expect(dropped.count > 3000)
        let first = said.withLock { $0 }
        #expect(first.count == 1)
        #expect(first.first?.contains("No such file") == true && first.first?.contains(path) == true, "\(first)")
        // The file takes lines again, and then no longer.
        try FileManager.default.createDirectory(atPath: folder + "/away", withIntermediateDirectories: true)
        writer.flush()
        #expect(writer.buffer(path).count == 0)
        let before = dropped.count
        writer.buffer(path).append(line)
        writer.flush()
        #expect(dropped.count == before && said.withLock { $0.count } == 1)
    }

    @Test func whatWasWrittenGoesFromTheFront() {
        let buffer = LogBuffer(path: "any", capacity: 64)
        buffer.append("0123456789")
        buffer.removeFirst(4)
        #expect(String(decoding: buffer.bytes, as: UTF8.self) == "456789")
        buffer.removeFirst(0)
        buffer.append("ab")
        #expect(String(decoding: buffer.bytes, as: UTF8.self) == "456789ab")
        buffer.removeFirst(8)
        #expect(buffer.count == 0)
    }
}
