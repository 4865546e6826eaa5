package import NIOCore
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// The log of one run of a container: a file of lines, each `TIME stdout|stderr F TEXT` as CRI runtimes write them.
///
/// Safe from any thread; followers are woken by each write.
package final class ContainerLog: Sendable {
    private struct State {
        var isOpen = true
        var followers: [Int: AsyncStream<Void>.Continuation] = [:]
        var nextFollower = 0
    }
    package let path: String
    private let file: Int32
    private let state = Mutex(State())

    package init(path: String) throws {
        self.path = path
        file = open(path, O_CREAT | O_WRONLY | O_APPEND | O_TRUNC | O_CLOEXEC, 0o640)
        guard file >= 0 else { throw RuntimeError("cannot open the log \(path): \(String(cString: strerror(errno)))") }
    }

    deinit { close(file) }

    func append(_ line: ByteBuffer, stream: String) {
        let bytes =
            Array("\(Timestamps.now(nanoseconds: true)) \(stream) F ".utf8) + Array(line.readableBytesView) + [10]
        _ = bytes.withUnsafeBytes { write(file, $0.baseAddress, bytes.count) }
        wake()
    }

    /// The container has ended: followers read to the end and stop.
    func finish() {
        state.withLock { $0.isOpen = false }
        wake()
    }

    package var isOpen: Bool { state.withLock { $0.isOpen } }

    private func wake() {
        for follower in state.withLock({ Array($0.followers.values) }) { follower.yield() }
    }

    /// Yields after each change; coalesces.
    package func changes() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let id = state.withLock { state in
            state.nextFollower += 1
            state.followers[state.nextFollower] = continuation
            return state.nextFollower
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.followers.removeValue(forKey: id) }
        }
        continuation.yield()
        return stream
    }
}

/// Which lines of a log to show.
package struct LogQuery: Sendable {
    package var follow = false
    package var timestamps = false
    package var tailLines: Int?
    /// RFC 3339; lines before it are left out.
    package var since: String?
    package var limitBytes: Int?
    package init() {}

    /// Writes the log, and what is added to it while it is open if ``follow`` is set.
    package func read(_ log: ContainerLog, write: @Sendable (ByteBuffer) async throws -> Void) async throws {
        var offset = 0
        var left = limitBytes ?? Int.max
        var first = true
        let changes = log.changes()
        for await _ in changes {
            let open = log.isOpen
            let bytes = Files.read(log.path) ?? []
            if bytes.count > offset {
                var output = select(bytes[offset...], tail: first ? tailLines : nil)
                offset = bytes.count
                if output.readableBytes > left {
                    output = output.getSlice(at: output.readerIndex, length: left) ?? output
                }
                left -= output.readableBytes
                if output.readableBytes > 0 { try await write(output) }
            }
            first = false
            if !follow || !open || left <= 0 { return }
        }
    }

    func select(_ bytes: ArraySlice<UInt8>, tail: Int?) -> ByteBuffer {
        var lines = bytes.split(separator: 10)
        if let since { lines = lines.filter { String(decoding: $0.prefix(30), as: UTF8.self) >= since } }
        if let tail { lines = Array(lines.suffix(max(0, tail))) }
        var output = ByteBuffer()
        for line in lines {
            let fields = line.split(separator: 32, maxSplits: 3, omittingEmptySubsequences: false)
            guard fields.count == 4 else { continue }
            if timestamps { output.writeBytes(fields[0] + [32]) }
            output.writeBytes(fields[3])
            output.writeInteger(UInt8(10))
        }
        return output
    }
}
