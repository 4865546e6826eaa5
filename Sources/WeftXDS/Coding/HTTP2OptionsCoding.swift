import SwiftProtobuf
import WeftIR
import WeftProto

/// `Http2ProtocolOptions` but for `max_concurrent_streams`, which has its own place.
extension HTTP2ProtocolOptions {
    /// - Returns: `nil` when the message says nothing about these fields.
    init?(_ wire: Envoy_Config_Core_V3_Http2ProtocolOptions) {
        self.init()
        if wire.hasHpackTableSize { hpackTableSize = wire.hpackTableSize.value }
        if wire.hasInitialStreamWindowSize { initialStreamWindow = wire.initialStreamWindowSize.value }
        if wire.hasInitialConnectionWindowSize { initialConnectionWindow = wire.initialConnectionWindowSize.value }
        allowsConnect = wire.allowConnect
        if wire.hasMaxOutboundFrames { maxOutboundFrames = wire.maxOutboundFrames.value }
        if wire.hasMaxOutboundControlFrames { maxOutboundControlFrames = wire.maxOutboundControlFrames.value }
        if wire.hasMaxConsecutiveInboundFramesWithEmptyPayload {
            maxConsecutiveEmptyFrames = wire.maxConsecutiveInboundFramesWithEmptyPayload.value
        }
        if wire.hasMaxInboundPriorityFramesPerStream {
            maxPriorityFramesPerStream = wire.maxInboundPriorityFramesPerStream.value
        }
        if wire.hasMaxInboundWindowUpdateFramesPerDataFrameSent {
            maxWindowUpdatesPerDataFrame = wire.maxInboundWindowUpdateFramesPerDataFrameSent.value
        }
        if wire.hasConnectionKeepalive {
            let keepAlive = wire.connectionKeepalive
            if keepAlive.hasInterval { keepAliveIntervalMilliseconds = keepAlive.interval.milliseconds }
            if keepAlive.hasTimeout { keepAliveTimeoutMilliseconds = keepAlive.timeout.milliseconds }
        }
        if self == HTTP2ProtocolOptions() { return nil }
    }

    func write(to wire: inout Envoy_Config_Core_V3_Http2ProtocolOptions) {
        if let hpackTableSize { wire.hpackTableSize = .init(hpackTableSize) }
        if let initialStreamWindow { wire.initialStreamWindowSize = .init(initialStreamWindow) }
        if let initialConnectionWindow { wire.initialConnectionWindowSize = .init(initialConnectionWindow) }
        if allowsConnect { wire.allowConnect = true }
        if let maxOutboundFrames { wire.maxOutboundFrames = .init(maxOutboundFrames) }
        if let maxOutboundControlFrames { wire.maxOutboundControlFrames = .init(maxOutboundControlFrames) }
        if let limit = maxConsecutiveEmptyFrames { wire.maxConsecutiveInboundFramesWithEmptyPayload = .init(limit) }
        if let limit = maxPriorityFramesPerStream { wire.maxInboundPriorityFramesPerStream = .init(limit) }
        if let limit = maxWindowUpdatesPerDataFrame {
            wire.maxInboundWindowUpdateFramesPerDataFrameSent = .init(limit)
        }
        if let span = keepAliveIntervalMilliseconds { wire.connectionKeepalive.interval = .init(milliseconds: span) }
        if let span = keepAliveTimeoutMilliseconds { wire.connectionKeepalive.timeout = .init(milliseconds: span) }
    }
}
