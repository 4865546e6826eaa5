package import NIOCore
package import WeftHTTP

/// When an HTTP/2 connection is asked whether it still lives (`connection_keepalive`).
package struct HTTP2KeepAlive: Sendable, Hashable {
    /// Silence after which a PING is sent; `nil` sends none.
    package var interval: TimeAmount?
    /// How long its answer may take.
    package var timeout: TimeAmount = .seconds(20)

    package init(interval: TimeAmount? = nil, timeout: TimeAmount = .seconds(20)) {
        self.interval = interval
        self.timeout = timeout
    }
}

/// How HTTP/2 is spoken on a connection.
package struct HTTP2TransportOptions: Sendable {
    package var codec = HTTP2Options()
    package var keepAlive = HTTP2KeepAlive()
    /// Between the two GOAWAYs of a drain at most; the client's answer to a PING ends the wait earlier.
    package var drainTimeout: TimeAmount = .seconds(5)
    /// Where failures are counted.
    package var statistics: HTTP2Statistics?

    package init() {}
}
