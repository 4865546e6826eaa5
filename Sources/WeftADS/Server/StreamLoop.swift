import GRPCCore
import Logging
import WeftXDS

/// Drives one stream: requests and snapshots go in one at a time, and what they cause is written before the next.
actor StreamLoop<Machine: SubscriptionMachine> {
    /// Requests that may wait for the first snapshot. A client opens one subscription per type.
    private static var queueLimit: Int { 64 }

    /// How long listeners and routes wait for a client that does not ask for the endpoints of new clusters.
    static var patience: Duration { .seconds(5) }

    private var machine: Machine
    private var snapshot: XDSSnapshot?
    private var queue: [Machine.Request] = []
    private let session: ADSSession
    private let delegate: any ADSDelegate
    private let gate: PushGate
    private let logger: Logger
    /// Held for the large response that is under way, until its nonce is answered.
    private var permit: (nonce: String, permit: PushGate.Permit)?
    private let write: @Sendable (Machine.Response) async throws -> Void
    /// Of the last publication, until everything of it has been sent.
    private var undelivered: UInt64?
    /// Ends the wait for a client's question.
    private var timer: Task<Void, Never>?
    /// Why what waited could not be written.
    private var failure: (any Error)?
    private let patience: Duration
    private var isBusy = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    init(
        _ machine: Machine, session: ADSSession, delegate: any ADSDelegate, gate: PushGate, logger: Logger,
        patience: Duration = StreamLoop.patience, write: @escaping @Sendable (Machine.Response) async throws -> Void
    ) {
        self.machine = machine
        self.session = session
        self.delegate = delegate
        self.gate = gate
        self.logger = logger
        self.patience = patience
        self.write = write
    }

    func receive(_ request: Machine.Request) async throws {
        // No subscription: it needs no snapshot, and nothing answers it.
        if let health = HealthInformation(request) { return await delegate.reported(session, health) }
        if !request.responseNonce.isEmpty, permit?.nonce == request.responseNonce { await givePermitBack() }
        await enter()
        defer { leave() }
        if let failure { throw failure }
        guard let snapshot else {
            guard queue.count < Self.queueLimit else {
                throw RPCError(code: .resourceExhausted, message: "too many requests before the first response")
            }
            queue.append(request)
            return
        }
        try await answer(request, snapshot)
        await settle()
    }

    func publish(_ newest: Publication) async throws {
        await enter()
        defer { leave() }
        if let failure { throw failure }
        snapshot = newest.snapshot
        undelivered = newest.number
        let waiting = queue
        queue = []
        for request in waiting { try await answer(request, newest.snapshot) }
        try await send(machine.push(newest.snapshot))
        await settle()
    }

    /// The stream is over.
    func close() async {
        timer?.cancel()
        await givePermitBack()
    }

    /// Tells that everything of the newest snapshot has been sent; if a part of it waits, sees to it that the wait ends.
    private func settle() async {
        guard !machine.isHolding else {
            timer =
                timer
                ?? Task { [patience] in
                    do { try await Task.sleep(for: patience) } catch { return }
                    await stopWaiting()
                }
            return
        }
        timer?.cancel()
        timer = nil
        guard let number = undelivered else { return }
        undelivered = nil
        await delegate.delivered(session, number: number)
    }

    private func stopWaiting() async {
        await enter()
        defer { leave() }
        timer = nil
        guard machine.isHolding, let snapshot else { return }
        logger.debug("\(session.node.id) asks for no endpoints of new clusters; it is sent the rest")
        do { try await send(machine.release(snapshot)) } catch { failure = error }
        await settle()
    }

    /// Names of secrets that this stream asked for and did not get, each told once.
    private var withheld: Set<String> = []
    /// More are not told: a stream may ask for as many names as it likes.
    private static var withheldLimit: Int { 16 }

    /// A proxy that asks for a secret which is not in its configuration gets nothing, and the log says who asked: it is
    /// not there, or it is another's.
    private func tellWithheld(_ request: Machine.Request, _ snapshot: XDSSnapshot) {
        guard ResourceType(typeURL: request.typeURL) == .secret else { return }
        for name in request.askedNames where name != "*" && snapshot[.secret, name] == nil {
            guard withheld.count < Self.withheldLimit, withheld.insert(name).inserted else { continue }
            let peer = session.peer.map { "\($0)" } ?? "no proven identity"
            logger.warning(
                "secret \(String(reflecting: String(name.prefix(200)))) withheld from \(session.node.id) (\(peer)): it does not exist, or is not for this proxy"
            )
        }
    }

    private func answer(_ request: Machine.Request, _ snapshot: XDSSnapshot) async throws {
        tellWithheld(request, snapshot)
        let reaction = machine.receive(request, snapshot: snapshot)
        session.update(machine.status)
        for event in reaction.events {
            switch event {
            case .acknowledged(let type, let version):
                await delegate.acknowledged(session, type, nonce: request.responseNonce, version: version)
            case .rejected(let type, let version, let reason):
                await delegate.rejected(session, type, nonce: request.responseNonce, version: version, reason: reason)
            case .subscribed, .unknownType: break
            }
        }
        try await send(reaction.responses)
    }

    private func send(_ responses: [Machine.Response]) async throws {
        session.update(machine.status)
        for response in responses {
            if let type = ResourceType(typeURL: response.typeURL) {
                await delegate.sent(
                    session, type, nonce: response.nonce, version: response.version, names: response.names)
            }
            if response.size > PushGate.threshold {
                await givePermitBack()
                let permit = await gate.enter()
                await permit.startTimer()
                self.permit = (response.nonce, permit)
            }
            try await write(response)
        }
    }

    private func givePermitBack() async {
        let permit = permit?.permit
        self.permit = nil
        await permit?.giveBack()
    }

    // MARK: One at a time, in the order of arrival; an actor alone lets others in while it waits.

    private func enter() async {
        guard isBusy else {
            isBusy = true
            return
        }
        await withCheckedContinuation { waiters.append($0) }
    }

    private func leave() {
        if waiters.isEmpty { isBusy = false } else { waiters.removeFirst().resume() }
    }
}
