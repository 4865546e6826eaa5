/// What one end of a connection offers, demands and endures. Values are Envoy's defaults unless the line says other.
package struct HTTP2Options: Sendable, Hashable {
    /// SETTINGS_MAX_CONCURRENT_STREAMS to tell the peer; a client tells none.
    package var maximumStreams: UInt32 = 1024
    /// SETTINGS_INITIAL_WINDOW_SIZE of streams and the window of the connection, in bytes. Smaller than Envoy's: they
    /// bound what a paused stream can make us hold.
    package var streamWindow: UInt32 = 256 << 10
    package var connectionWindow: UInt32 = 1 << 20
    /// Bytes of dynamic tables, each way.
    package var headerTableSize = 4096
    /// Of a field section, names and values with 32 bytes for each field line.
    package var maximumHeaderListSize = 60 << 10
    package var maximumHeaderCount = 100
    /// SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441).
    package var allowsExtendedConnect = false

    // Floods. Consecutive frames without payload that end nothing.
    package var maximumEmptyFrames = 1
    /// PRIORITY frames for each stream opened.
    package var maximumPriorityFramesPerStream = 100
    /// WINDOW_UPDATE frames for each DATA frame sent.
    package var maximumWindowUpdatesPerDataFrame = 10
    package var maximumContinuationFrames = 64
    /// Frames, and those of them that answer or reset, waiting to leave.
    package var maximumOutboundFrames = 10_000
    package var maximumOutboundControlFrames = 1000
    /// SETTINGS and PING frames within ``floodSpan``; Envoy bounds only their unsent answers. Each frame with a message
    /// allows two more PINGs, because some peers measure the path with them.
    package var maximumSettingsFrames = 100
    package var maximumPingFrames = 1000
    /// Milliseconds.
    package var floodSpan: UInt64 = 10_000
    /// Once this many streams have closed, no more than half of them may have been reset before their response ended.
    package var prematureResetStreams = 500
    /// Milliseconds after which a reset is an ordinary cancellation.
    package var prematureResetAge: UInt64 = 1000
    /// Bytes queued on one stream beyond which it counts as not writable.
    package var streamQueueLimit = 64 << 10

    package init() {}

    /// The largest frame payload that the peer may send; the protocol's minimum.
    static let maximumFrameSize = 16_384
}

/// The peer's settings (RFC 9113, 6.5.2).
struct HTTP2PeerSettings {
    var maximumStreams = UInt32.max
    var initialWindow = 65_535
    var maximumFrameSize = 16_384
    var allowsExtendedConnect = false
}
