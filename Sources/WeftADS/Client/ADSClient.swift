import FoundationEssentials
import GRPCCore
import GRPCNIOTransportHTTP2
package import Logging
package import WeftIR
import WeftIdentity
import WeftProto
package import WeftXDS

/// What one response changed.
package struct ADSUpdate: Sendable {
    package var type: ResourceType
    /// Everything accepted so far, this response included.
    package var configuration: ProxyConfiguration
    package var updated: [String]
    package var removed: [String]
    package var version: String
    package var warnings: [String]
    /// Full names of the fields that have no effect, as often as they were met.
    package var ignoredFields: [String] = []
}

/// The answer to an update; a rejection keeps what was there before and is sent to the control plane.
package enum ADSVerdict: Sendable, Hashable {
    case accept
    case reject(String)
    /// What came is in use but for a part of it, of which the control plane is told.
    case partly(String)
}

/// Takes configuration from an ``ADSClient``. Calls come one after the other.
package protocol ADSClientDelegate: Sendable {
    /// Says why one resource cannot be used, or `nil`; the others of its response are applied all the same.
    func check(_ resource: DecodedResource) -> String?
    func apply(_ update: ADSUpdate) async -> ADSVerdict
    /// The stream opened (first response), or ended; `reason` is for people.
    func streamChanged(connected: Bool, reason: String?) async
}

extension ADSClientDelegate {
    package func check(_ resource: DecodedResource) -> String? { nil }
    package func streamChanged(connected: Bool, reason: String?) async {}
}

/// Keeps one proxy's configuration up to date over ADS. Comes back by itself, for ever, and tells the server what it
/// has, so that a reconnect costs only what changed (delta) or nothing new (state of the world).
package struct ADSClient: Sendable {
    package struct Configuration: Sendable {
        package var host: String
        package var port: Int
        /// The name in the server's certificate, whatever address is dialled.
        package var serverName = "istiod.istio-system.svc"
        /// Root certificates (PEM), asked for at each connect; `nil` connects in plain text.
        package var roots: (@Sendable () throws -> String)?
        /// The bearer token, asked for at each connect, because tokens on disk are replaced.
        package var token: (@Sendable () throws -> String)?
        package var node: ADSNode
        package var backoff = ReconnectBackoff()
        /// Which of clusters and listeners come by this stream as a whole.
        package var wildcards: [ResourceType] = [.cluster, .listener]
        /// Resources from elsewhere; what they name by ADS is subscribed to.
        package var base = ProxyConfiguration()
        /// What `runtime_key`s in resources stand for.
        package var runtime = RuntimeValues()
        /// Delta ADS, or state of the world.
        package var isDelta = true
        /// Metadata of every stream, besides the token.
        package var headers: [String: String] = [:]
        /// Certificate chain and key (PEM) that the client shows, asked for at each connect.
        package var identity: (@Sendable () throws -> (chain: String, key: String))?
        /// Whether the server's certificate must carry ``serverName``; its chain is verified in any case.
        package var verifiesName = true
        /// Tells of requests while somebody watches them; `nil` for a proxy that cannot.
        package var tap: (any TapSource)?
        /// Tells of the application; `nil` for a proxy that does not probe it.
        package var health: HealthReporter?

        package init(host: String, port: Int, node: ADSNode) {
            self.host = host
            self.port = port
            self.node = node
        }

        /// Reads roots and token from files.
        package mutating func useFiles(rootPath: String, tokenPath: String) {
            roots = { try Self.text(rootPath) }
            token = { try Self.text(tokenPath) }
        }

        private static func text(_ path: String) throws -> String {
            String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
        }
    }

    private let configuration: Configuration
    private let delegate: any ADSClientDelegate
    private let logger: Logger

    package init(_ configuration: Configuration, delegate: any ADSClientDelegate, logger: Logger) {
        self.configuration = configuration
        self.delegate = delegate
        self.logger = logger
    }

    /// Runs until the task is cancelled.
    package func run() async {
        let state = ClientState(configuration, delegate: delegate, logger: logger)
        var backoff = configuration.backoff
        while !Task.isCancelled {
            var reason = "the control plane closed the stream"
            var pushback: Duration?
            do {
                try await connect(state)
            } catch {
                let status = error as? RPCError
                reason = status.map { "\($0.code): \($0.message)" } ?? "\(error)"
                pushback = status.flatMap { RetryPushback.wait($0.metadata) }
            }
            if Task.isCancelled { return }
            if await state.ended() { backoff.reset() }
            let wait = max(backoff.next(random: Double.random(in: 0..<1)), pushback ?? .zero)
            logger.warning(
                "discovery at \(configuration.host):\(configuration.port): \(reason); next attempt in \(wait)")
            await delegate.streamChanged(connected: false, reason: reason)
            do { try await Task.sleep(for: wait) } catch { return }
        }
    }

    /// One stream, from connect to end.
    private func connect(_ state: ClientState) async throws {
        let metadata = try configuration.metadata()
        try await withGRPCClient(transport: configuration.transport()) { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                if let tap = configuration.tap {
                    let tapClient = TapClient(source: tap, configuration: configuration, logger: logger)
                    group.addTask { await tapClient.run(client) }
                }
                defer { group.cancelAll() }
                try await follow(client, state, metadata)
            }
        }
    }

    /// The discovery stream, to its end.
    private func follow(
        _ client: GRPCClient<HTTP2ClientTransport.Posix>, _ state: ClientState, _ metadata: Metadata
    ) async throws {
        var options = CallOptions.defaults
        options.waitForReady = false
        let service = Service.Client(wrapping: client)
        defer { configuration.health?.follow(nil) }
        if configuration.isDelta {
            let outbox = Outbox<ClientSubscription.Request>(await state.open())
            configuration.health?.follow { outbox.send($0.request) }
            try await service.deltaAggregatedResources(request: outbox.request(metadata), options: options) {
                try await outbox.answer($0.messages) { await state.receive($0) }
            }
        } else {
            let world = StateOfTheWorldState()
            let outbox = Outbox<StateOfTheWorldAdapter.Request>(await world.requests(await state.open()))
            configuration.health?.follow { outbox.send($0.worldRequest) }
            try await service.streamAggregatedResources(request: outbox.request(metadata), options: options) {
                try await outbox.answer($0.messages) { message in
                    let delta = await world.delta(message, held: await state.held)
                    return await world.requests(await state.receive(delta))
                }
            }
        }
    }

    private typealias Service = Envoy_Service_Discovery_V3_AggregatedDiscoveryService
}

/// What a stream sends: the opening requests, and the answers to each response.
private struct Outbox<Request: Sendable>: Sendable {
    private let batches: AsyncStream<[Request]>
    private let continuation: AsyncStream<[Request]>.Continuation

    init(_ opening: [Request]) {
        // The server is what limits how many there are.
        (batches, continuation) = AsyncStream.makeStream(of: [Request].self, bufferingPolicy: .bufferingOldest(256))
        continuation.yield(opening)
    }

    func request(_ metadata: Metadata) -> StreamingClientRequest<Request> {
        StreamingClientRequest(of: Request.self, metadata: metadata) { [batches] writer in
            for await batch in batches { for message in batch { try await writer.write(message) } }
        }
    }

    /// Sends what is no answer, unless the stream is over; the next one begins with what holds then.
    func send(_ request: Request) { continuation.yield([request]) }

    /// Returns at the end of the stream.
    func answer<Response: Sendable>(
        _ messages: RPCAsyncSequence<Response, any Error>, _ react: (Response) async -> [Request]
    ) async throws {
        defer { continuation.finish() }
        for try await message in messages {
            guard case .enqueued = continuation.yield(await react(message)) else {
                throw RPCError(code: .resourceExhausted, message: "the stream does not take our answers")
            }
        }
    }
}

/// ``StateOfTheWorldAdapter`` of one stream.
private actor StateOfTheWorldState {
    private var adapter = StateOfTheWorldAdapter()

    func requests(_ delta: [ClientSubscription.Request]) -> [StateOfTheWorldAdapter.Request] {
        delta.map { adapter.request($0) }
    }

    func delta(
        _ response: StateOfTheWorldAdapter.Response, held: [ResourceType: Set<String>]
    ) -> ClientSubscription.Response {
        adapter.delta(response, held: held)
    }
}

/// The subscription over all streams of one client.
private actor ClientState {
    private var subscription: ClientSubscription
    private let delegate: any ADSClientDelegate
    private let logger: Logger
    private var heard = false

    init(_ configuration: ADSClient.Configuration, delegate: any ADSClientDelegate, logger: Logger) {
        subscription = ClientSubscription(
            node: configuration.node.wire, wildcards: configuration.wildcards, base: configuration.base,
            runtime: configuration.runtime)
        self.delegate = delegate
        self.logger = logger
    }

    func open() -> [ClientSubscription.Request] {
        heard = false
        return subscription.connect()
    }

    /// The names of the resources that are in use.
    var held: [ResourceType: Set<String>] { subscription.versions.mapValues { Set($0.keys) } }

    /// - Returns: whether the stream that ended had brought anything.
    func ended() -> Bool { heard }

    func receive(_ response: ClientSubscription.Response) async -> [ClientSubscription.Request] {
        if !heard {
            heard = true
            await delegate.streamChanged(connected: true, reason: nil)
        }
        let before = subscription
        var reaction = subscription.receive(response) { delegate.check($0) }
        for error in reaction.errors { logger.error("resource refused: \(error)") }
        guard let type = reaction.type else { return reaction.requests }
        let update = ADSUpdate(
            type: type, configuration: subscription.configuration, updated: reaction.updated, removed: reaction.removed,
            version: response.systemVersionInfo, warnings: reaction.warnings, ignoredFields: reaction.ignoredFields)
        let verdict = await delegate.apply(update)
        if case .partly(let reason) = verdict, !reaction.requests.isEmpty {
            logger.error("\(type.shortName): \(reason)")
            reaction.requests[0].errorDetail.code = 3
            reaction.requests[0].errorDetail.message = (reaction.errors + [reason]).joined(separator: "; ")
        }
        guard case .reject(let reason) = verdict else { return reaction.requests }
        // Nothing of this response stays: the next stream says so by the versions that it sends.
        logger.error("\(type.shortName) refused: \(reason)")
        subscription = before
        reaction.requests = Array(reaction.requests.prefix(1))
        if !reaction.requests.isEmpty {
            reaction.requests[0].errorDetail.code = 3
            reaction.requests[0].errorDetail.message = (reaction.errors + [reason]).joined(separator: "; ")
        }
        return reaction.requests
    }
}
