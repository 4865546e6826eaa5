import Dispatch
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Signals that end the process, as a stream.
///
/// Handlers are installed explicitly: the first process of a PID namespace gets no default action. A second handler for
/// the same process replaces the first.
enum TerminationSignals {
    private static let pipeEnd = Atomic<CInt>(-1)

    static func stream(_ numbers: [CInt] = [SIGTERM, SIGINT]) -> AsyncStream<CInt> {
        var ends: [CInt] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { return AsyncStream { $0.finish() } }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        pipeEnd.store(ends[1], ordering: .sequentiallyConsistent)
        for number in numbers {
            var action = sigaction()
            // Only a write may be done here: it is safe in a signal handler.
            unsafe action.__sigaction_handler.sa_handler = { number in
                var byte = UInt8(truncatingIfNeeded: number)
                _ = unsafe write(TerminationSignals.pipeEnd.load(ordering: .relaxed), &byte, 1)
            }
            _ = unsafe sigaction(number, &action, nil)
        }
        signal(SIGPIPE, SIG_IGN)
        let reading = ends[0]
        let (stream, continuation) = AsyncStream.makeStream(of: CInt.self)
        let source = DispatchSource.makeReadSource(fileDescriptor: reading, queue: .global())
        source.setEventHandler {
            // Captured, so that the source lives as long as its handler.
            _ = source
            var byte: UInt8 = 0
            while unsafe read(reading, &byte, 1) == 1 { continuation.yield(CInt(byte)) }
        }
        source.resume()
        return stream
    }
}
