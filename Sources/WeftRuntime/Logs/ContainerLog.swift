package import NIOCore
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// The log of one run of a container: a file of lines, each `TIME stdout|stderr F TEXT` as CRI runtimes write them.
///
/// At ``limit`` bytes the file becomes `PATH.1` and a new one begins, so that one run takes twice that at most; readers
/// then miss the oldest lines and nothing else. Safe from any thread; followers are woken by each write.
package final class ContainerLog: Sendable {
    private struct State {
        var isOpen = true
        var followers: [Int: AsyncStream<Void>.Continuation] = [:]
        var nextFollower = 0
        var file: Int32
        /// Bytes in the current file, in `PATH.1`, and in files that are gone.
        var size = 0
        var rotated = 0
        var dropped = 0
    }
    /// kubelet's `containerLogMaxSize`.
    package static let limit = 10 << 20
    package let path: String
    private let limit: Int
    private let state: Mutex<State>

    /// - Parameter limit: bytes of one file.
    package init(path: String, limit: Int = ContainerLog.limit) throws {
        self.path = path
        self.limit = limit
        state = Mutex(State(file: try Self.create(path)))
    }

    private static func create(_ path: String) throws -> Int32 {
        let file = open(path, O_CREAT | O_RDWR | O_APPEND | O_TRUNC | O_CLOEXEC, 0o640)
        guard file >= 0 else { throw RuntimeError("cannot open the log \(path): \(String(cString: strerror(errno)))") }
        return file
    }

    deinit { _ = state.withLock { close($0.file) } }

    /// The files that hold what is left of the log, oldest first.
    package var paths: [String] { ["\(path).1", path] }

    package func append(_ line: ByteBuffer, stream: String) {
        let bytes =
            Array("\(Timestamps.now(nanoseconds: true)) \(stream) F ".utf8) + Array(line.readableBytesView) + [10]
        state.withLock { state in
            if state.size + bytes.count > limit, state.size > 0 { rotate(&state) }
            let written = bytes.withUnsafeBytes { write(state.file, $0.baseAddress, bytes.count) }
            state.size += max(0, written)
        }
        wake()
    }

    private func rotate(_ state: inout State) {
        guard rename(path, "\(path).1") == 0 else { return }
        close(state.file)
        state.dropped += state.rotated
        state.rotated = state.size
        state.size = 0
        // A disk without room for an empty file has none for lines either: they are lost until it has.
        state.file = (try? Self.create(path)) ?? -1
    }

    /// What was written after the first `offset` bytes of the whole run, and the offset behind it. Starts later when the
    /// bytes are not kept any more.
    func read(from offset: Int) -> (bytes: [UInt8], end: Int) {
        state.withLock { state in
            let start = max(offset, state.dropped)
            let old = start - state.dropped < state.rotated ? Files.read("\(path).1") ?? [] : []
            let skipped = max(0, start - state.dropped - state.rotated)
            let new = Self.tail(state.file, from: skipped, count: state.size - skipped)
            return (old.dropFirst(start - state.dropped) + new, state.dropped + state.rotated + state.size)
        }
    }

    private static func tail(_ file: Int32, from start: Int, count: Int) -> [UInt8] {
        guard count > 0, file >= 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = 0
            while filled < count {
                let got = pread(file, buffer.baseAddress?.advanced(by: filled), count - filled, off_t(start + filled))
                if got <= 0 { return }
                filled += got
            }
        }
    }

    /// The container has ended: followers read to the end and stop.
    package func finish() {
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
            let (bytes, end) = log.read(from: offset)
            offset = end
            if !bytes.isEmpty {
                var output = select(bytes[...], tail: first ? tailLines : nil)
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
