/// How HTTP/2 is spoken on one side of the proxy (`envoy.config.core.v3.Http2ProtocolOptions`). `nil` members are the
/// proxy's defaults; the limit on streams has its own place beside this.
package struct HTTP2ProtocolOptions: Sendable, Hashable, Codable {
    /// Bytes of header compression tables (`hpack_table_size`).
    package var hpackTableSize: UInt32?
    /// Bytes in flight on a stream (`initial_stream_window_size`) and on the connection.
    package var initialStreamWindow: UInt32?
    package var initialConnectionWindow: UInt32?
    /// Extended CONNECT for upgrades over HTTP/2 (`allow_connect`, RFC 8441).
    package var allowsConnect = false
    /// Silence before a PING, and how long its answer may take (`connection_keepalive`); `nil` sends none.
    package var keepAliveIntervalMilliseconds: UInt64?
    package var keepAliveTimeoutMilliseconds: UInt64?
    /// `max_outbound_frames`, `max_outbound_control_frames`.
    package var maxOutboundFrames: UInt32?
    package var maxOutboundControlFrames: UInt32?
    /// `max_consecutive_inbound_frames_with_empty_payload`.
    package var maxConsecutiveEmptyFrames: UInt32?
    /// `max_inbound_priority_frames_per_stream`, `max_inbound_window_update_frames_per_data_frame_sent`.
    package var maxPriorityFramesPerStream: UInt32?
    package var maxWindowUpdatesPerDataFrame: UInt32?

    package init() {}
}
