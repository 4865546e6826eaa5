import NIOCore
import WeftHTTP
import WeftIR
import WeftTransport

extension Cluster {
    /// How large a response's head may be (`max_response_headers_kb`, `max_headers_count`).
    var headLimits: HTTP1Limits {
        var limits = HTTP1Limits()
        // Envoy takes up to 8 MiB.
        if let kilobytes = maxResponseHeadersKilobytes { limits.headBytes = Int(min(kilobytes, 8192)) << 10 }
        if let maxResponseHeadersCount { limits.headerCount = Int(maxResponseHeadersCount) }
        return limits
    }
}

extension HTTP2TransportOptions {
    /// - Parameter statistics: Where failures are counted.
    init(_ cluster: Cluster, statistics: HTTP2Statistics) {
        self.init(cluster.http2, statistics: statistics)
        let limits = cluster.headLimits
        codec.maximumHeaderListSize = limits.headBytes
        codec.maximumHeaderCount = limits.headerCount
    }

    /// - Parameters:
    ///   - options: Of a connection manager or a cluster.
    ///   - statistics: Where failures are counted.
    init(_ options: HTTP2ProtocolOptions?, statistics: HTTP2Statistics) {
        self.init()
        self.statistics = statistics
        guard let options else { return }
        func set<Value>(_ path: WritableKeyPath<HTTP2Options, Value>, _ value: Value?) {
            if let value { codec[keyPath: path] = value }
        }
        // The protocol's largest window is 2^31 - 1.
        set(\.streamWindow, options.initialStreamWindow.map { min($0, 0x7FFF_FFFF) })
        set(\.connectionWindow, options.initialConnectionWindow.map { min($0, 0x7FFF_FFFF) })
        set(\.headerTableSize, options.hpackTableSize.map { Int(min($0, 1 << 20)) })
        set(\.maximumOutboundFrames, options.maxOutboundFrames.map(Int.init))
        set(\.maximumOutboundControlFrames, options.maxOutboundControlFrames.map(Int.init))
        set(\.maximumEmptyFrames, options.maxConsecutiveEmptyFrames.map(Int.init))
        set(\.maximumPriorityFramesPerStream, options.maxPriorityFramesPerStream.map(Int.init))
        set(\.maximumWindowUpdatesPerDataFrame, options.maxWindowUpdatesPerDataFrame.map(Int.init))
        codec.allowsExtendedConnect = options.allowsConnect
        keepAlive.interval = options.keepAliveIntervalMilliseconds.map { .milliseconds(Int64(clamping: $0)) }
        if let limit = options.keepAliveTimeoutMilliseconds {
            keepAlive.timeout = .milliseconds(Int64(clamping: limit))
        }
    }
}
