package import GRPCCore
package import Logging
import WeftCore
package import WeftIdentity
package import WeftProto
import WeftXDS

/// The aggregated discovery service, in both variants.
package struct ADSServer: Envoy_Service_Discovery_V3_AggregatedDiscoveryService.ServiceProtocol {
    package enum Authentication: Sendable {
        /// Anybody may connect (15010).
        case none
        /// A bearer token is required (15012). `nil` from the closure is a bad token; an error means try again later.
        case token(@Sendable (_ token: String) async throws -> SPIFFEIdentity?)
    }

    private let authentication: Authentication
    private let delegate: any ADSDelegate
    private let admission: StreamAdmission
    private let gate: PushGate
    private let logger: Logger

    /// - Parameters:
    ///   - admission: How many streams may be opened by callers that have proved who they are. A port where nobody has to
    ///     needs its own: its callers would take the places of the others.
    ///   - gate: How many proxies are being sent to at a time.
    package init(
        authentication: Authentication, delegate: any ADSDelegate, admission: StreamAdmission = StreamAdmission(),
        gate: PushGate = PushGate(), logger: Logger
    ) {
        self.authentication = authentication
        self.delegate = delegate
        self.admission = admission
        self.gate = gate
        self.logger = logger
    }

    package func streamAggregatedResources(
        request: StreamingServerRequest<Envoy_Service_Discovery_V3_DiscoveryRequest>, context: ServerContext
    ) async throws -> StreamingServerResponse<Envoy_Service_Discovery_V3_DiscoveryResponse> {
        try await respond(ServerSubscription.StateOfTheWorld(), request, context)
    }

    package func deltaAggregatedResources(
        request: StreamingServerRequest<Envoy_Service_Discovery_V3_DeltaDiscoveryRequest>, context: ServerContext
    ) async throws -> StreamingServerResponse<Envoy_Service_Discovery_V3_DeltaDiscoveryResponse> {
        try await respond(ServerSubscription.Delta(), request, context)
    }

    private func respond<Machine: SubscriptionMachine>(
        _ machine: Machine, _ request: StreamingServerRequest<Machine.Request>, _ context: ServerContext
    ) async throws -> StreamingServerResponse<Machine.Response> {
        let peer = try await caller(request.metadata)
        // Not before it is known who asks: whoever may not be served is not to take a place from those who may.
        if case .refused(let wait) = try await admission.admit() {
            logger.warning("a stream was refused: too many proxies connect at once; it is to come back in \(wait)")
            throw RPCError(
                code: .unavailable, message: "too many proxies connect at once; try again in \(wait)",
                metadata: RetryPushback.metadata(wait))
        }
        return StreamingServerResponse { writer in
            do {
                try await run(machine, request.messages, peer: peer) { try await writer.write($0) }
            } catch let error as RPCError {
                throw error
            } catch {
                throw RPCError(code: .unavailable, message: "the stream was broken off: \(error)", cause: error)
            }
            return [:]
        }
    }

    /// Serves one stream until the proxy ends it, or until it cannot be written to.
    ///
    /// - Throws: `RPCError` for a proxy that is refused, and the error of a write that failed: the proxy would wait on a
    ///   stream on which nothing comes any more.
    private func run<Machine: SubscriptionMachine>(
        _ machine: Machine, _ messages: RPCAsyncSequence<Machine.Request, any Error>, peer: SPIFFEIdentity?,
        write: @escaping @Sendable (Machine.Response) async throws -> Void
    ) async throws {
        let (opened, opening) = AsyncStream.makeStream(of: OpenStream<Machine>.self)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                defer { opening.finish() }
                try await read(messages, machine, peer: peer, opening, write: write)
                return true
            }
            group.addTask {
                for await stream in opened {
                    for await snapshot in stream.session.snapshots { try await stream.loop.publish(snapshot) }
                }
                return false
            }
            // A failure of either is the end of both; nothing left to push is not.
            while let isOver = try await group.next(), !isOver {}
            group.cancelAll()
        }
    }

    /// Answers requests until there are no more.
    private func read<Machine: SubscriptionMachine>(
        _ messages: RPCAsyncSequence<Machine.Request, any Error>, _ machine: Machine, peer: SPIFFEIdentity?,
        _ opening: AsyncStream<OpenStream<Machine>>.Continuation,
        write: @escaping @Sendable (Machine.Response) async throws -> Void
    ) async throws {
        var requests = messages.makeAsyncIterator()
        guard let first = try await requests.next() else { return }
        let session = try await open(first, peer: peer)
        let loop = StreamLoop(
            machine, session: session, delegate: delegate, gate: gate, logger: logger, write: write)
        opening.yield(OpenStream(session: session, loop: loop))
        let outcome: (any Error)?
        do {
            try await loop.receive(first)
            while let request = try await requests.next() { try await loop.receive(request) }
            outcome = nil
        } catch {
            logger.debug("stream of \(session.node.id) ended: \(error)")
            outcome = error
        }
        session.finish()
        await loop.close()
        await delegate.disconnected(session)
        if let outcome { throw outcome }
    }

    /// The session of a stream whose first request is good.
    private func open(_ first: some DiscoveryRequestMessage, peer: SPIFFEIdentity?) async throws -> ADSSession {
        guard first.hasNode, !first.node.id.isEmpty else {
            throw RPCError(code: .invalidArgument, message: "the first request must carry the node with its id")
        }
        let node = ADSNode(first.node)
        if let problem = NodeCheck.problem(node, peer: peer) {
            logger.warning("proxy \(node.id) refused: \(problem)")
            throw RPCError(code: .permissionDenied, message: problem)
        }
        let session = ADSSession(node: node, peer: peer)
        do {
            try await delegate.connected(session)
        } catch let refusal as ADSRefusal {
            logger.warning("proxy \(node.id) refused: \(refusal)")
            throw RPCError(code: .invalidArgument, message: refusal.description)
        }
        return session
    }

    private func caller(_ metadata: Metadata) async throws -> SPIFFEIdentity? {
        guard case .token(let authenticate) = authentication else { return nil }
        guard let token = BearerToken.read(metadata[stringValues: "authorization"]) else {
            throw RPCError(code: .unauthenticated, message: "no bearer token in the metadata \"authorization\"")
        }
        let identity: SPIFFEIdentity?
        do {
            identity = try await authenticate(token)
        } catch let error as IdentityError {
            throw RPCError(code: .unauthenticated, message: error.message)
        } catch {
            logger.error("token could not be checked: \(error)")
            throw RPCError(code: .unavailable, message: "the token could not be checked now; try again")
        }
        guard let identity else { throw RPCError(code: .unauthenticated, message: "the bearer token is not valid") }
        return identity
    }
}

/// A stream whose proxy is known.
private struct OpenStream<Machine: SubscriptionMachine>: Sendable {
    let session: ADSSession
    let loop: StreamLoop<Machine>
}

/// Whether a node is what its credential says (Istio's PILOT_ENABLE_XDS_IDENTITY_CHECK).
enum NodeCheck {
    static func problem(_ node: ADSNode, peer: SPIFFEIdentity?) -> String? {
        guard let peer else { return nil }
        guard node.namespace == peer.namespace else {
            return "the node says namespace \(node.namespace ?? "(none)"), its credential says \(peer.namespace)"
        }
        if let account = node.serviceAccount, account != peer.serviceAccount {
            return "the node says service account \(account), its credential says \(peer.serviceAccount)"
        }
        return nil
    }
}
