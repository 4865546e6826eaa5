package import NIOCore
import NIOPosix
import Synchronization
import WeftHTTP
import WeftTransport

/// A request to the admin endpoints, already read whole.
package struct AdminRequest: Sendable {
    package var method: String
    package var path: String
    package var query: [String: String]
    package var body: String
}

/// An answer of an admin endpoint.
package struct AdminReply: Sendable {
    package var status: UInt16 = 200
    package var contentType = "text/plain; charset=UTF-8"
    package var body: String

    package init(_ body: String, status: UInt16 = 200) {
        self.body = body
        self.status = status
    }

    package init(_ body: String, contentType: String) {
        self.body = body
        self.contentType = contentType
    }

    package init(json body: String) {
        self.body = body
        contentType = "application/json"
    }
}

extension AdminReply {
    /// A page that changes something: GET gets 405, as from Envoy.
    static func post(_ route: @escaping AdminServer.Route) -> AdminServer.Route {
        { request in
            guard request.method == "POST" else {
                return AdminReply("Method \(request.method) not allowed, POST required.", status: 405)
            }
            return await route(request)
        }
    }
}

/// A small HTTP server on the proxy's own codec, for admin pages, health and metrics. No framework comes with it.
///
/// Runs on an event loop of its own, so that a scrape never waits behind traffic, nor traffic behind a scrape.
package final class AdminServer: Sendable {
    package typealias Route = @Sendable (AdminRequest) async -> AdminReply

    private let routes: [String: Route]
    private let fallback: Route
    private let channel = Mutex<(any Channel)?>(nil)

    /// - Parameter fallback: Answers every path that is not in `routes`.
    package init(
        routes: [String: Route], fallback: @escaping Route = { AdminReply("no such page: \($0.path)\n", status: 404) }
    ) {
        self.routes = routes
        self.fallback = fallback
    }

    /// - Returns: The port.
    package func start(host: String, port: UInt16, on eventLoop: any EventLoop) async throws -> UInt16 {
        let (descriptor, bound) = try ListeningSocket.open(host: host, port: port)
        let server = try await ListeningSocket.accept(on: descriptor, eventLoop: eventLoop) { [self] channel in
            channel.eventLoop.makeCompletedFuture {
                var limits = DownstreamLimits()
                limits.idleTimeout = .seconds(60)
                _ = try HTTPPipeline.configureDownstream(
                    channel, version: .http1, limits: limits, delegate: AdminConnection(self, eventLoop: eventLoop))
            }
        }.get()
        channel.withLock { $0 = server }
        return bound
    }

    package func stop() async { try? await channel.withLock { $0 }?.close() }

    fileprivate func answer(_ request: AdminRequest) async -> AdminReply {
        await (routes[request.path] ?? fallback)(request)
    }
}

/// One connection to the admin server.
private final class AdminConnection: DownstreamConnectionDelegate {
    private let server: AdminServer
    private let eventLoop: any EventLoop

    init(_ server: AdminServer, eventLoop: any EventLoop) {
        self.server = server
        self.eventLoop = eventLoop
    }

    func open(stream: DownstreamStream, head: RequestHead, endStream: Bool) -> any HTTPStreamReceiver {
        let exchange = AdminExchange(server, stream: stream, head: head, eventLoop: eventLoop)
        if endStream { exchange.answer() }
        return exchange
    }

    func refuse(stream: DownstreamStream, error: RequestError) {
        stream.closeAfterResponse()
        stream.respond(ResponseHead(status: 400), endStream: true)
    }

    func connectionClosed() {}
}

/// One admin request. Loop-confined but for the route's own work, which runs elsewhere.
private final class AdminExchange: HTTPStreamReceiver {
    private let server: AdminServer
    private var stream: DownstreamStream?
    private let head: RequestHead
    private let eventLoop: any EventLoop
    private var body = ""

    init(_ server: AdminServer, stream: DownstreamStream, head: RequestHead, eventLoop: any EventLoop) {
        self.server = server
        self.stream = stream
        self.head = head
        self.eventLoop = eventLoop
    }

    func receive(body bytes: ByteBuffer) { if body.utf8.count < 1 << 20 { body += String(buffer: bytes) } }
    func receiveEnd(trailers: HeaderBlock?) { answer() }
    func receive(reset: StreamReset) { stream = nil }
    func writabilityChanged(_ isWritable: Bool) {}

    func answer() {
        let parts = head.pathString.split(separator: "?", maxSplits: 1)
        var query: [String: String] = [:]
        for item in (parts.count > 1 ? String(parts[1]) : "").split(separator: "&") {
            let pair = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            query[Self.decoded(pair[0])] = pair.count > 1 ? Self.decoded(pair[1]) : ""
        }
        let request = AdminRequest(
            method: head.method.description, path: parts.first.map(String.init) ?? "/", query: query, body: body)
        let promise = eventLoop.makePromise(of: AdminReply.self)
        promise.completeWithTask { [server] in await server.answer(request) }
        promise.futureResult.assumeIsolated().whenSuccess { [self] reply in send(reply) }
    }

    /// A part of a query without its percent signs; as it is when they mean nothing.
    private static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            if byte == UInt8(ascii: "%"), digits.utf8.count == 2, let value = UInt8(digits, radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func send(_ reply: AdminReply) {
        guard let stream else { return }
        self.stream = nil
        var headers = HeaderBlock()
        headers.set("content-type", reply.contentType)
        headers.set("content-length", String(reply.body.utf8.count))
        stream.respond(ResponseHead(status: reply.status, headers: headers), endStream: reply.body.isEmpty)
        guard !reply.body.isEmpty else { return }
        if head.method != .head { stream.write(body: ByteBuffer(string: reply.body)) }
        stream.writeEnd(trailers: nil)
    }
}
