package import NIOCore

/// The time of one event loop, read from the system once for all that a read from a socket leads to: what a request, its
/// connection, its pool, its metrics and its log line call now is then the same moment.
///
/// Loop-confined.
package final class LoopClock {
    private var last = NIODeadline.distantPast
    private var isStopped = false

    package init() {}

    /// While a read is handled, the time at which it began; else the time.
    @inline(__always) package var now: NIODeadline { isStopped ? last : .now() }

    /// A read begins to be handled. Ends with ``goOn()``, in the same turn of the loop.
    func stop() {
        last = .now()
        isStopped = true
    }

    /// What follows takes its own time.
    func goOn() { isStopped = false }
}
