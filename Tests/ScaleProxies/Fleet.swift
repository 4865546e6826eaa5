import Glibc
import NIOCore
import NIOHTTP2
import NIOPosix
import Synchronization

/// All simulated proxies. Connects them, and connects those again whose stream has ended.
final class Fleet: Sendable {
    let ledger = Ledger()
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let port: Int
    private let proxies: [SimulatedProxy]
    private let connections = Mutex<[Int: any Channel]>([:])

    init(port: Int, proxies: Int, namespaces: Int) {
        self.port = port
        self.proxies = (0..<proxies).map { index in
            let namespace = "n\(index % namespaces)"
            let address = "10.99.\(index / 250).\(index % 250 + 1)"
            return SimulatedProxy(
                index: index, node: "sidecar~\(address)~p\(index).\(namespace)~\(namespace).svc.cluster.local")
        }
        for index in 0..<proxies { ledger.isBehind(index) }
    }

    /// Connects everybody as soon as the port is open.
    func start() async throws {
        while true {
            if let probe = try? await ClientBootstrap(group: group).connect(host: "127.0.0.1", port: port).get() {
                try? await probe.close()
                break
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        for proxy in proxies { Task { await run(proxy) } }
    }

    func synced() async {
        await ledger.waitForSync()
        Self.answer("{\"at\": \(ledger.lastSync), \"bytes\": \(ledger.bytes)}")
    }

    func expect(_ typeURL: String, count: Int) async {
        ledger.expect(typeURL, count: count)
        Self.answer("{\"armed\": true}")
        Self.answer("{\"arrivals\": \(await ledger.waitForArrivals())}")
    }

    func reconnect() async {
        for proxy in proxies { ledger.isBehind(proxy.index) }
        for connection in connections.withLock(\.values) { connection.close(promise: nil) }
        await synced()
    }

    static func answer(_ line: String) {
        print(line)
        fflush(nil)
    }

    /// One stream after the other, for ever.
    private func run(_ proxy: SimulatedProxy) async {
        while true {
            let stream = try? await open(proxy)
            try? await stream?.closeFuture.get()
            try? await stream?.parent?.close()
            ledger.isBehind(proxy.index)
            try? await Task.sleep(for: .milliseconds(300 + proxy.index % 10 * 40))
        }
    }

    /// A connection with one stream.
    private func open(_ proxy: SimulatedProxy) async throws -> any Channel {
        var configuration = NIOHTTP2Handler.Configuration()
        configuration.stream.targetWindowSize = 8 << 20
        configuration.connection.targetWindowSize = 8 << 20
        configuration.connection.initialSettings = [
            HTTP2Setting(parameter: .initialWindowSize, value: 8 << 20),
            HTTP2Setting(parameter: .enablePush, value: 0),
        ]
        let (connection, multiplexer) = try await ClientBootstrap(group: group)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connect(host: "127.0.0.1", port: port) { [configuration] channel in
                channel.configureAsyncHTTP2Pipeline(mode: .client, configuration: configuration) {
                    $0.close()
                }.map { (channel, $0) }
            }
        connections.withLock { $0[proxy.index] = connection }
        return try await multiplexer.openStream { [ledger] channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(ProxyStream(proxy, ledger: ledger))
                return channel
            }
        }
    }
}
