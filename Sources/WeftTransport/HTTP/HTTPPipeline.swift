package import NIOCore
package import WeftHTTP

/// Which codec a connection gets.
package enum HTTPVersion: Sendable {
    case http1, http2
    // Written out so that other modules compare without a call through a witness table.
    @inlinable package static func == (left: HTTPVersion, right: HTTPVersion) -> Bool {
        switch (left, right) {
        case (.http1, .http1), (.http2, .http2): true
        default: false
        }
    }
}

/// A downstream connection's codec, for draining.
package struct DownstreamCodec {
    private let http1: HTTP1Downstream?
    private let http2: HTTP2Downstream?

    fileprivate init(http1: HTTP1Downstream? = nil, http2: HTTP2Downstream? = nil) {
        self.http1 = http1
        self.http2 = http2
    }

    /// Finishes what is under way, then closes.
    /// - Parameter closesIdle: False leaves an idle HTTP/1 connection open: it is the next answer that ends it. HTTP/2
    ///   says GOAWAY in either case, which loses nothing.
    package func drain(closesIdle: Bool = true) {
        http1?.drain(closesIdle: closesIdle)
        http2?.drain()
    }

    /// Requests that come from now on are for `delegate`; those under way stay where they are.
    package func hand(to delegate: any DownstreamConnectionDelegate) {
        http1?.delegate = delegate
        http2?.delegate = delegate
    }
}

/// Puts codecs on channels. Every call is made on the channel's event loop. Without a ``FlushBatch`` codecs flush at once.
package enum HTTPPipeline {
    /// - Parameter isPlain: No handler between the codec and the socket changes what is written: it may be written to the
    ///   socket directly.
    package static func configureDownstream(
        _ channel: any Channel, version: HTTPVersion, limits: DownstreamLimits,
        delegate: any DownstreamConnectionDelegate, flushes: FlushBatch? = nil, isPlain: Bool = false
    ) throws -> DownstreamCodec {
        switch version {
        case .http1:
            let handler = HTTP1Downstream(delegate: delegate, limits: limits, flushes: flushes)
            try channel.pipeline.syncOperations.addHandler(handler)
            limitDuration(of: channel, limits) { [weak handler] in handler?.drain() }
            if isPlain { handler.writeDirectly(to: channel) }
            return DownstreamCodec(http1: handler)
        case .http2:
            let handler = HTTP2Downstream(delegate: delegate, limits: limits)
            try channel.pipeline.syncOperations.addHandler(handler)
            limitDuration(of: channel, limits) { [weak handler] in handler?.drain() }
            if isPlain { handler.writeDirectly(to: channel) }
            return DownstreamCodec(http2: handler)
        }
    }

    private static func limitDuration(
        of channel: any Channel, _ limits: DownstreamLimits, _ drain: @escaping () -> Void
    ) {
        guard let span = limits.maximumDuration else { return }
        let timer = channel.eventLoop.assumeIsolated().scheduleTask(in: span, drain)
        channel.closeFuture.assumeIsolated().whenComplete { _ in timer.cancel() }
    }

    /// - Parameter limits: Of a response's head over HTTP/1; `http2` has its own.
    package static func configureUpstream(
        _ channel: any Channel, version: HTTPVersion, maxStreams: Int, flushes: FlushBatch? = nil,
        limits: HTTP1Limits = HTTP1Limits(), http2: HTTP2TransportOptions = HTTP2TransportOptions(),
        isPlain: Bool = false
    ) throws -> UpstreamHTTPConnection {
        switch version {
        case .http1:
            let connection = HTTP1UpstreamConnection(channel: channel, flushes: flushes, limits: limits)
            if let handler = connection.handler {
                try channel.pipeline.syncOperations.addHandler(handler)
                if isPlain { handler.writeDirectly(to: channel) }
            }
            return connection
        case .http2:
            let connection = HTTP2UpstreamConnection(channel: channel, maxStreams: maxStreams, configuration: http2)
            if let session = connection.session {
                try channel.pipeline.syncOperations.addHandler(session)
                if isPlain { session.writeDirectly(to: channel) }
            }
            return connection
        }
    }
}
