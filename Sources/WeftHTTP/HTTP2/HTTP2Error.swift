/// Error codes of RST_STREAM and GOAWAY (RFC 9113, section 7).
package struct HTTP2ErrorCode: RawRepresentable, Sendable, Hashable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let noError = HTTP2ErrorCode(rawValue: 0)
    package static let protocolError = HTTP2ErrorCode(rawValue: 1)
    package static let internalError = HTTP2ErrorCode(rawValue: 2)
    package static let flowControlError = HTTP2ErrorCode(rawValue: 3)
    package static let streamClosed = HTTP2ErrorCode(rawValue: 5)
    package static let frameSizeError = HTTP2ErrorCode(rawValue: 6)
    package static let refusedStream = HTTP2ErrorCode(rawValue: 7)
    package static let cancel = HTTP2ErrorCode(rawValue: 8)
    package static let compressionError = HTTP2ErrorCode(rawValue: 9)
    package static let enhanceYourCalm = HTTP2ErrorCode(rawValue: 11)
}

/// Why a stream or a connection was given up, by name: the debug data of GOAWAY and the key of a counter.
package enum HTTP2Reason: String, Error, Sendable, CaseIterable {
    // Broken framing and state.
    case preface = "http2.invalid_preface"
    case frameSize = "http2.frame_size"
    case frameState = "http2.frame_in_wrong_state"
    case framePadding = "http2.invalid_padding"
    case streamID = "http2.invalid_stream_id"
    case settingValue = "http2.invalid_setting"
    case windowOverflow = "http2.window_overflow"
    case windowExceeded = "http2.window_exceeded"
    case headerCompression = "http2.header_compression"
    case pushPromise = "http2.push_promise_refused"
    case priority = "http2.invalid_priority"
    // Messages that are no HTTP.
    case pseudoHeader = "http2.invalid.pseudo_header"
    case headerField = "http2.invalid.header_field"
    case connectionHeader = "http2.invalid.connection_header"
    case contentLength = "http2.invalid.content_length"
    case trailers = "http2.invalid.trailers"
    // Floods.
    case rapidReset = "http2.premature_reset_flood"
    case settingsFlood = "http2.inbound_settings_frames_flood"
    case pingFlood = "http2.inbound_ping_frames_flood"
    case emptyFrames = "http2.inbound_empty_frames_flood"
    case priorityFlood = "http2.inbound_priority_frames_flood"
    case windowUpdateFlood = "http2.inbound_window_update_frames_flood"
    case continuationFlood = "http2.inbound_continuation_frames_flood"
    case headerList = "http2.header_overflow"
    case interimResponses = "http2.interim_response_flood"
    case outboundFlood = "http2.outbound_flood"
    case outboundControlFlood = "http2.outbound_control_flood"
    // Not errors of the peer.
    case maximumStreams = "http2.max_concurrent_streams"
    case keepAliveTimeout = "http2.keepalive_timeout"
}

/// What went wrong while a frame was read, and how far it reaches.
enum HTTP2Failure: Error {
    case connection(HTTP2ErrorCode, HTTP2Reason)
    case stream(UInt32, HTTP2ErrorCode, HTTP2Reason)
}
