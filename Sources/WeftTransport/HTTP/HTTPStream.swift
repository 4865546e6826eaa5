package import NIOCore
package import WeftHTTP

/// Why a stream ended before its message did.
package enum StreamReset: Sendable {
    /// The connection went away.
    case connectionClosed
    /// The peer reset this stream (HTTP/2).
    case remote
    /// The peer refused it before doing anything: always safe to try again.
    case refused
    /// What came was not HTTP.
    case protocolError
    /// TLS broke off: the peer refused our certificate after its side of the handshake, for one (TLS 1.3).
    case transportFailure(String)
}

/// Takes the rest of a message: body, end, or reset. Called on the stream's event loop.
package protocol HTTPStreamReceiver: AnyObject {
    func receive(body: ByteBuffer)
    func receiveEnd(trailers: HeaderBlock?)
    /// The last call; nothing follows.
    func receive(reset: StreamReset)
    func writabilityChanged(_ isWritable: Bool)
    /// All that could be read at once has been handed over: the moment to flush. Only codecs whose streams say
    /// ``HTTPStream/batchesReads`` call it.
    func readComplete()
}

extension HTTPStreamReceiver {
    package func readComplete() {}
}

/// Takes a response, head first.
package protocol ResponseReceiver: HTTPStreamReceiver {
    /// An interim response (1xx other than 101).
    func receive(informational head: ResponseHead)
    func receive(head: consuming ResponseHead, endStream: Bool)
}

/// Takes each request of a downstream connection.
package protocol DownstreamConnectionDelegate: AnyObject {
    /// - Returns: Who takes the rest of the request.
    func open(stream: DownstreamStream, head: consuming RequestHead, endStream: Bool) -> any HTTPStreamReceiver
    /// Bytes that are no request; the reply to send is the delegate's, through `stream`.
    func refuse(stream: DownstreamStream, error: RequestError)
    func connectionClosed()
}

/// What can be wrong with a request's bytes.
package enum RequestError: Error, Sendable { case malformed, headersTooLarge, timeout }

/// The writing half of one exchange on any codec. Abstract; loop-confined.
package class HTTPStream {
    init() {}
    package func write(body: ByteBuffer) {}
    package func writeEnd(trailers: HeaderBlock?) {}
    /// Sends what was written so far.
    package func flush() {}
    /// Gives the exchange up.
    package func reset() {}
    package func setReading(_ on: Bool) {}
    package var isWritable: Bool { true }
    /// Whether the receiver hears ``HTTPStreamReceiver/readComplete()`` after what one read brought.
    package var batchesReads: Bool { false }
    /// From here on both directions are bytes without framing (after 101, or 200 to CONNECT).
    package func startTunnel() {}
}

/// An exchange with whoever called us.
package class DownstreamStream: HTTPStream {
    package func respond(_ head: ResponseHead, endStream: Bool) {}
    package func inform(_ head: ResponseHead) {}
    /// The connection closes after this exchange.
    package func closeAfterResponse() {}
}

/// An exchange with an upstream.
package class UpstreamStream: HTTPStream {
    package final func send(_ head: RequestHead, endStream: Bool) {
        var head = head
        write(head: &head, endStream: endStream)
        headWritten(endStream: endStream)
    }
    /// The first half of ``send(_:endStream:)``, for a head that stays where it lies and is not copied: it is read, not
    /// changed, and nobody is called back.
    package func write(head: inout RequestHead, endStream: Bool) {}
    /// The second half, right after the first.
    package func headWritten(endStream: Bool) {}
    package var localAddress: SocketAddress? { nil }
}

/// A pooled upstream connection on any codec. Abstract; loop-confined.
package class UpstreamHTTPConnection {
    init() {}
    /// - Returns: `nil` when the connection cannot take another exchange.
    package func open(_ receiver: any ResponseReceiver) -> UpstreamStream? { nil }
    /// Closes when nothing is under way any more.
    package func drain() {}
    package func close() {}
    /// How many exchanges may be added right now.
    package var capacity: Int { 0 }
    package var activeStreams: Int { 0 }
    /// Whether it takes several exchanges at once.
    package var isMultiplexed: Bool { false }
    /// Exchanges that were started on it; the pool's count.
    package var served: UInt32 = 0
    /// Whether it lies in its pool's list of free connections, and since when; the pool's.
    package var isPooled = false
    package var idleSince = NIODeadline.distantPast
    /// `address:port` of our end, for logs; set once by whoever opened it.
    package var localName: String?
    /// What TLS has agreed on; `nil` without TLS.
    package var tlsFacts: TLSFacts? { nil }
    /// Called whenever ``capacity`` grew, and when the connection is gone.
    package var onChange: ((_ connection: UpstreamHTTPConnection, _ isClosed: Bool) -> Void)?
}
