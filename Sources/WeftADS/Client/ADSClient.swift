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

/// Keeps one proxy's configuration up to date over delta ADS. Comes back by itself, for ever, and tells the server
/// what it has, so that a reconnect costs only what changed.
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
        let state = ClientState(node: configuration.node, delegate: delegate, logger: logger)
        var backoff = configuration.backoff
        while !Task.isCancelled {
            var reason = "the control plane closed the stream"
            do {
                try await connect(state)
            } catch {
                reason = (error as? RPCError).map { "\($0.code): \($0.message)" } ?? "\(error)"
            }
            if Task.isCancelled { return }
            if await state.ended() { backoff.reset() }
            let wait = backoff.next(random: Double.random(in: 0..<1))
            logger.warning(
                "discovery at \(configuration.host):\(configuration.port): \(reason); next attempt in \(wait)")
            await delegate.streamChanged(connected: false, reason: reason)
            do { try await Task.sleep(for: wait) } catch { return }
        }
    }

    /// One stream, from connect to end.
    private func connect(_ state: ClientState) async throws {
        let metadata = try configuration.metadata()
        // The answers to one response, or the opening requests; the server is what limits how many there are.
        let (requests, outbox) = AsyncStream.makeStream(
            of: [Envoy_Service_Discovery_V3_DeltaDiscoveryRequest].self, bufferingPolicy: .bufferingOldest(256))
        outbox.yield(await state.open())
        let request = StreamingClientRequest(
            of: Envoy_Service_Discovery_V3_DeltaDiscoveryRequest.self, metadata: metadata
        ) { writer in
            for await batch in requests { for message in batch { try await writer.write(message) } }
        }
        var options = CallOptions.defaults
        options.waitForReady = false
        let callOptions = options
        try await withGRPCClient(transport: configuration.transport()) { client in
            let service = Envoy_Service_Discovery_V3_AggregatedDiscoveryService.Client(wrapping: client)
            try await service.deltaAggregatedResources(request: request, options: callOptions) { response in
                defer { outbox.finish() }
                for try await message in response.messages {
                    guard case .enqueued = outbox.yield(await state.receive(message)) else {
                        throw RPCError(code: .resourceExhausted, message: "the stream does not take our answers")
                    }
                }
            }
        }
    }
}

/// The subscription over all streams of one client.
private actor ClientState {
    private var subscription: ClientSubscription
    private let delegate: any ADSClientDelegate
    private let logger: Logger
    private var heard = false

    init(node: ADSNode, delegate: any ADSClientDelegate, logger: Logger) {
        subscription = ClientSubscription(node: node.wire)
        self.delegate = delegate
        self.logger = logger
    }

    func open() -> [ClientSubscription.Request] {
        heard = false
        return subscription.connect()
    }

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
