import NIOCore
import NIOPosix

/// Passes one question on to the upstream servers, one after the other, and one answer back. Loop-confined; reports
/// exactly once, `nil` when no server answered.
///
/// Each attempt has a socket and an identifier of its own, and only the asked server is listened to, as with
/// ``DNSExchange``; here the answer goes back as it came, whatever its type.
final class DNSForward {
    private let message: [UInt8]
    private let query: DNSQuery
    private let isDatagram: Bool
    private let timeout: TimeAmount
    private let eventLoop: any EventLoop
    private var servers: ArraySlice<SocketAddress>
    private var completion: (([UInt8]?) -> Void)?
    private var attempt = 0
    private var id: [UInt8] = []
    private var timer: Scheduled<Void>?
    private var channel: (any Channel)?

    /// - Parameter timeout: of each attempt.
    init(
        message: [UInt8], query: DNSQuery, isDatagram: Bool, servers: [SocketAddress], timeout: TimeAmount,
        eventLoop: any EventLoop, completion: @escaping ([UInt8]?) -> Void
    ) {
        self.message = message
        self.query = query
        self.isDatagram = isDatagram
        self.servers = servers[...]
        self.timeout = timeout
        self.eventLoop = eventLoop
        self.completion = completion
    }

    func start() { next() }

    private func next() {
        timer?.cancel()
        channel?.close(promise: nil)
        channel = nil
        attempt += 1
        guard let server = servers.popFirst() else { return finish(nil) }
        let number = attempt
        id = [UInt8.random(in: 0...255), UInt8.random(in: 0...255)]
        timer = eventLoop.assumeIsolated().scheduleTask(in: timeout) { [self] in failed(number) }
        let opened: EventLoopFuture<any Channel>
        if isDatagram {
            let any = server.protocol == .inet6 ? "::" : "0.0.0.0"
            opened = DatagramBootstrap(group: eventLoop).bind(host: any, port: 0)
        } else {
            opened = ClientBootstrap(group: eventLoop).connectTimeout(timeout).connect(to: server)
        }
        opened.hop(to: eventLoop).assumeIsolated().whenComplete { [self] result in
            guard case .success(let channel) = result else { return failed(number) }
            guard completion != nil, number == attempt else { return channel.close(promise: nil) }
            self.channel = channel
            let question = id + message[2...]
            do {
                if isDatagram {
                    try channel.pipeline.syncOperations.addHandler(
                        DatagramAnswer(query: question, server: server) { [self] in took($0, number) })
                } else {
                    try channel.pipeline.syncOperations.addHandler(
                        StreamAnswer(query: question) { [self] in took($0, number) })
                }
            } catch { failed(number) }
        }
    }

    private func failed(_ number: Int) {
        if completion != nil, number == attempt { next() }
    }

    /// What is not the answer to this question is not listened to: the right one may still come.
    private func took(_ bytes: [UInt8]?, _ number: Int) {
        guard number == attempt, completion != nil else { return }
        guard let bytes else { return failed(number) }
        let question = query.question
        guard bytes.count >= 12 + question.count, bytes[0] == id[0], bytes[1] == id[1], bytes[2] & 0x80 != 0,
            bytes[4] == 0, bytes[5] == 1,
            zip(bytes[12...], question).allSatisfy({ Self.lowercased($0) == Self.lowercased($1) })
        else { return isDatagram ? () : failed(number) }
        finish([message[0], message[1]] + bytes[2...])
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 { byte >= 65 && byte <= 90 ? byte | 0x20 : byte }

    private func finish(_ bytes: [UInt8]?) {
        guard let completion else { return }
        self.completion = nil
        timer?.cancel()
        channel?.close(promise: nil)
        completion(bytes)
    }
}
