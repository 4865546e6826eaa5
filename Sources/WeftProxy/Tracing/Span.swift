import NIOCore
import WeftRouting

/// A span that has begun: the request at this proxy, or one try at an upstream. Loop-confined.
final class Span {
    let context: TraceContext
    var name: String
    /// Whether this end of the call is the client.
    let isClient: Bool
    /// Both ends of the call have one span id (Zipkin).
    let isShared: Bool
    let started: NIODeadline
    /// Why the request is traced.
    var reason = TraceReason.notTraceable
    var isSampled: Bool { context.isSampled }

    init(_ context: TraceContext, name: String, isClient: Bool, isShared: Bool = false, started: NIODeadline) {
        self.context = context
        self.name = name
        self.isClient = isClient
        self.isShared = isShared
        self.started = started
    }

    /// - Parameter now: When it ended.
    func finished(_ tags: [(String, String)], now: NIODeadline, isError: Bool) -> FinishedSpan {
        let wall = LogClock.now() - (NIODeadline.now() - now).nanoseconds
        return FinishedSpan(
            context: context, name: name, isClient: isClient, isShared: isShared,
            start: wall - (now - started).nanoseconds, end: wall, tags: tags, isError: isError)
    }
}

/// A span that is over, ready for export. Times in nanoseconds since 1970.
struct FinishedSpan: Sendable {
    var context: TraceContext
    var name: String
    var isClient: Bool
    var isShared: Bool
    var start: Int64
    var end: Int64
    var tags: [(String, String)]
    var isError: Bool
}
