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
        if let interval = keepAliveIntervalMilliseconds {
            wire.connectionKeepalive.interval = .init(milliseconds: interval)
        }
        if let timeout = keepAliveTimeoutMilliseconds {
            wire.connectionKeepalive.timeout = .init(milliseconds: timeout)
        }
    }
}
