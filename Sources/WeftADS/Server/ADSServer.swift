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
    ///   - admission: How many streams may be opened; shared by the servers of one process.
    ///   - gate: How many proxies are being sent to at a time; shared likewise.
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
        if case .refused(let wait) = try await admission.admit() {
            logger.warning("a stream was refused: too many proxies connect at once; it is to come back in \(wait)")
            throw RPCError(
                code: .unavailable, message: "too many proxies connect at once; try again in \(wait)",
                metadata: RetryPushback.metadata(wait))
        }
        let peer = try await caller(request.metadata)
        return StreamingServerResponse { writer in
            try await run(machine, request.messages, peer: peer) { try await writer.write($0) }
            return [:]
        }
    }

    /// Serves one stream to its end.
    private func run<Machine: SubscriptionMachine>(
        _ machine: Machine, _ messages: RPCAsyncSequence<Machine.Request, any Error>, peer: SPIFFEIdentity?,
        write: @escaping @Sendable (Machine.Response) async throws -> Void
    ) async throws {
        var requests = messages.makeAsyncIterator()
        guard let first = try await requests.next() else { return }
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
        let loop = StreamLoop(
            machine, session: session, delegate: delegate, gate: gate, logger: logger, write: write)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { for await snapshot in session.snapshots { try await loop.publish(snapshot) } }
                try await loop.receive(first)
                while let request = try await requests.next() { try await loop.receive(request) }
                group.cancelAll()
            }
        } catch {
            logger.debug("stream of \(node.id) ended: \(error)")
        }
        session.finish()
        await loop.close()
        await delegate.disconnected(session)
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
