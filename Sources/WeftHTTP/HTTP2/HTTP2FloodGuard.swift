/// Counts what a peer can send for nothing, and says when it is too much. Limits are in ``HTTP2Options``.
struct HTTP2FloodGuard {
    private let options: HTTP2Options
    private var emptyFrames = 0
    private var priorityFrames = 0
    private var windowUpdates = 0
    private var settingsFrames = 0
    private var pings = 0
    private var messageFrames = 0
    private var spanStart: UInt64 = 0
    private var streamsClosed = 0
    private var prematureResets = 0
    var streamsOpened = 0
    private(set) var dataFramesSent = 0
    /// Frames written since the transport last had nothing to send.
    var outboundFrames = 0
    var outboundControlFrames = 0

    init(_ options: HTTP2Options) { self.options = options }

    mutating func dataFrameSent() {
        dataFramesSent += 1
        messageFrames += 1
        outboundFrames += 1
    }

    /// Starts a new span for counts that depend on time.
    /// - Parameter now: Milliseconds of any clock that never goes back.
    mutating func advance(to now: UInt64) {
        guard now &- spanStart >= options.floodSpan else { return }
        spanStart = now
        settingsFrames = 0
        pings = 0
        messageFrames = 0
    }

    /// A HEADERS, CONTINUATION or DATA frame.
    mutating func frame(isEmpty: Bool, endsStream: Bool) throws(HTTP2Failure) {
        guard isEmpty, !endsStream else {
            emptyFrames = 0
            messageFrames += 1
            return
        }
        emptyFrames += 1
        if emptyFrames > options.maximumEmptyFrames { throw .connection(.enhanceYourCalm, .emptyFrames) }
    }

    mutating func priority() throws(HTTP2Failure) {
        priorityFrames += 1
        if priorityFrames > options.maximumPriorityFramesPerStream * (1 + streamsOpened) {
            throw .connection(.enhanceYourCalm, .priorityFlood)
        }
    }

    mutating func windowUpdate() throws(HTTP2Failure) {
        windowUpdates += 1
        if windowUpdates > 5 + 2 * (streamsOpened + options.maximumWindowUpdatesPerDataFrame * dataFramesSent) {
            throw .connection(.enhanceYourCalm, .windowUpdateFlood)
        }
    }

    mutating func settings() throws(HTTP2Failure) {
        settingsFrames += 1
        if settingsFrames > options.maximumSettingsFrames { throw .connection(.enhanceYourCalm, .settingsFlood) }
    }

    mutating func ping() throws(HTTP2Failure) {
        pings += 1
        if pings > options.maximumPingFrames + 2 * messageFrames { throw .connection(.enhanceYourCalm, .pingFlood) }
    }

    /// A stream's response ended.
    mutating func streamCompleted() { streamsClosed += 1 }

    /// The peer reset a stream, or provoked a reset, before its response had ended.
    /// - Parameter age: Of the stream, in milliseconds.
    mutating func streamReset(age: UInt64) throws(HTTP2Failure) {
        streamsClosed += 1
        guard age < options.prematureResetAge else { return }
        prematureResets += 1
        if streamsClosed >= options.prematureResetStreams, prematureResets * 2 > streamsClosed {
            throw .connection(.enhanceYourCalm, .rapidReset)
        }
    }

    func checkOutbound() throws(HTTP2Failure) {
        if outboundControlFrames > options.maximumOutboundControlFrames {
            throw .connection(.enhanceYourCalm, .outboundControlFlood)
        }
        if outboundFrames > options.maximumOutboundFrames { throw .connection(.enhanceYourCalm, .outboundFlood) }
    }

    mutating func outputDrained() {
        outboundFrames = 0
        outboundControlFrames = 0
    }
}
