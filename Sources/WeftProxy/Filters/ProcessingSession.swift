import NIOCore
import SwiftProtobuf
import Synchronization
import WeftHTTP
import WeftIR
import WeftProto
import WeftRouting
import WeftXDS

/// One exchange as an external processor sees it: what was shown, what is waited for, and what is held back meanwhile.
///
/// Loop-confined. One stream for the whole exchange, opened with the first message.
final class ProcessingSession {
    typealias Request = Envoy_Service_ExtProc_V3_ProcessingRequest
    typealias Response = Envoy_Service_ExtProc_V3_ProcessingResponse

    let processor: ExternalProcessor
    let settings: ExternalProcessing
    private(set) var mode: ExternalProcessing.Mode
    var request = ProcessingDirection()
    var response = ProcessingDirection()
    /// The processor has failed or left: nothing more is shown.
    private(set) var isDone = false
    /// What the processor has answered goes on, and is not shown again.
    var isPassing = false
    /// The request's body is gathered for the processor.
    var awaitsRequestBody = false
    /// The response went on, so that nothing more will be shown.
    var hasPassedResponse = false
    /// The stream failed while nothing was waited for: the next message finds out.
    private var earlyFailure: Failure?
    unowned let exchange: Exchange
    private var stream: GRPCStream?

    // The response, as far as it is held.
    var held: ResponseHead?
    var heldBody: [ByteBuffer] = []
    var heldBytes = 0
    var heldEnd: (trailers: HeaderBlock?, isThere: Bool) = (nil, false)
    /// A response larger than this cannot be shown whole.
    static let bodyLimit = 1 << 20

    init(_ exchange: Exchange, _ processor: ExternalProcessor, _ settings: ExternalProcessing) {
        self.exchange = exchange
        self.processor = processor
        self.settings = settings
        mode = settings.mode
    }

    /// Shows a part of the exchange and waits for what the processor says.
    func show(_ message: Request, _ side: ProcessingSide, _ phase: ProcessingDirection.Phase) {
        guard let bytes: [UInt8] = try? completed(message, side).serializedBytes() else { return fail(.internalError) }
        self[side].phase = phase
        if side == .request { awaitsRequestBody = false }
        if let earlyFailure { return fail(earlyFailure) }
        self[side].wasExtended = false
        startTimer(side, settings.messageTimeoutMilliseconds)
        processor.counts.messagesSent.wrappingAdd(1, ordering: .relaxed)
        (stream ?? open()).send(bytes)
    }

    /// Shows a part of the exchange and waits for nothing (`observability_mode`).
    func tell(_ message: Request, _ side: ProcessingSide) {
        guard !isDone, let bytes: [UInt8] = try? completed(message, side).serializedBytes() else { return }
        processor.counts.messagesSent.wrappingAdd(1, ordering: .relaxed)
        (stream ?? open()).send(bytes)
    }

    private func open() -> GRPCStream {
        let made = GRPCStream()
        stream = made
        processor.counts.streamsStarted.wrappingAdd(1, ordering: .relaxed)
        // What the processor says may end the exchange, which owns this session: neither may go before all is done.
        made.onMessage = { [unowned self] bytes in withExtendedLifetime((self, exchange)) { receive(bytes) } }
        made.onClose = { [unowned self] failure in withExtendedLifetime((self, exchange)) { closed(failure) } }
        var head = OwnRequest.grpc(
            "/envoy.service.ext_proc.v3.ExternalProcessor/Process", to: settings.service, timeoutMilliseconds: 0,
            metadata: exchange.metadata(for: settings.service))
        OwnRequest.mark(&head, localIP: exchange.connection.connection.info.localIP)
        made.start(head, cluster: settings.service.cluster, on: exchange.worker)
        return made
    }

    private func startTimer(_ side: ProcessingSide, _ milliseconds: UInt64) {
        self[side].timer?.cancel()
        let span = TimeAmount.milliseconds(Int64(clamping: milliseconds))
        self[side].timer = exchange.worker.eventLoop.assumeIsolated().scheduleTask(in: span) { [unowned self] in
            processor.counts.messageTimeouts.wrappingAdd(1, ordering: .relaxed)
            withExtendedLifetime((self, exchange)) { fail(.timeout) }
        }
    }

    func stopTimer(_ side: ProcessingSide) {
        self[side].timer?.cancel()
        self[side].timer = nil
    }

    // MARK: Answers

    private func receive(_ bytes: ByteBuffer) {
        guard !isDone, !exchange.isFinished else { return }
        processor.counts.messagesReceived.wrappingAdd(1, ordering: .relaxed)
        // What an observer says means nothing.
        if settings.observes { return }
        guard let message = try? Response(serializedBytes: Array(bytes.readableBytesView)) else {
            return fail(.internalError)
        }
        if message.hasOverrideMessageTimeout, message.response == nil { return extend(message) }
        if message.hasDynamicMetadata {
            take(message.dynamicMetadata)
        }
        switch (request.phase, response.phase, message.response) {
        case (_, _, .immediateResponse(let answer)?):
            guard !settings.ignoresImmediateResponse else { return fail(.spurious) }
            stop()
            exchange.answer(answer, self)
        case (.headers, _, .requestHeaders(let answer)?):
            takeMode(message)
            settle(.request)
            exchange.requestHeadersProcessed(answer.response, self)
        case (.body, _, .requestBody(let answer)?):
            settle(.request)
            exchange.requestBodyProcessed(answer.response, self)
        case (.pieces, _, .requestBody(let answer)?): pieceProcessed(answer.response, .request)
        case (.trailers, _, .requestTrailers(let answer)?): trailersProcessed(answer.headerMutation, .request)
        case (_, .headers, .responseHeaders(let answer)?):
            takeMode(message)
            settle(.response)
            exchange.responseHeadersProcessed(answer.response, self)
        case (_, .body, .responseBody(let answer)?):
            settle(.response)
            exchange.responseBodyProcessed(answer.response, self)
        case (_, .pieces, .responseBody(let answer)?): pieceProcessed(answer.response, .response)
        case (_, .trailers, .responseTrailers(let answer)?): trailersProcessed(answer.headerMutation, .response)
        default:
            processor.counts.spuriousMessages.wrappingAdd(1, ordering: .relaxed)
            fail(.spurious)
        }
    }

    func settle(_ side: ProcessingSide) {
        stopTimer(side)
        self[side].phase = .idle
    }

    private func takeMode(_ message: Response) {
        guard message.hasModeOverride else { return }
        // What may not be asked for changes nothing.
        if let next = processor.accepted(.init(message.modeOverride), now: mode) { mode = next }
    }

    /// The processor needs more time; once for each message, and not more than it may.
    private func extend(_ message: Response) {
        let wanted = UInt64(clamping: message.overrideMessageTimeout.seconds).multipliedReportingOverflow(by: 1_000)
        let milliseconds = wanted.partialValue &+ UInt64(max(0, message.overrideMessageTimeout.nanos)) / 1_000_000
        let waiting = [ProcessingSide.request, .response].first { self[$0].timer != nil && !self[$0].wasExtended }
        guard let waiting, !wanted.overflow, milliseconds >= 1, milliseconds <= settings.maxMessageTimeoutMilliseconds
        else { return }
        self[waiting].wasExtended = true
        startTimer(waiting, milliseconds)
    }

    private func closed(_ failure: GRPCCallFailure?) {
        stream = nil
        guard !isDone, !exchange.isFinished else { return }
        if settings.observes {
            guard let failure, !exchange.responseStarted else {
                isDone = true
                return
            }
            return fail(.call(failure))
        }
        guard let failure else { return leave() }
        guard request.isBusy || response.isBusy || awaitsRequestBody || held != nil else {
            if hasPassedResponse { stop() } else { earlyFailure = .call(failure) }
            return
        }
        fail(.call(failure))
    }

    /// The processor has seen enough, or is left out.
    private func leave() {
        let isWaiting = request.phase == .headers || request.phase == .body || awaitsRequestBody
        let (towards, back) = (request.pieces, response.pieces)
        stop()
        exchange.processorLeft(self, wasWaiting: isWaiting)
        for piece in towards { pass(piece, .request) }
        for piece in back { pass(piece, .response) }
        for side in [ProcessingSide.request, .response] where self[side].isPaused && !exchange.isFinished {
            self[side].isPaused = false
            exchange.setReading(side, true)
        }
    }

    // MARK: The end

    enum Failure {
        case call(GRPCCallFailure)
        case timeout
        case spurious
        case internalError
        case mutation
        /// A new body whose length is not what `content-length` says.
        case length
    }

    /// The processor cannot be relied on for the rest of the exchange.
    func fail(_ failure: Failure) {
        guard !isDone else { return }
        guard !settings.failureModeAllows else {
            processor.counts.failureModeAllowed.wrappingAdd(1, ordering: .relaxed)
            return leave()
        }
        stop()
        dropResponse()
        if settings.observes { exchange.dropAttempt() }
        let (status, details): (UInt16, String) =
            switch failure {
            case .call(let failure): (settings.statusOnError, Self.details(failure))
            case .timeout: (504, "ext_proc_error_per-message_timeout_exceeded")
            case .spurious: (settings.statusOnError, "spurious_message")
            case .internalError: (settings.statusOnError, "ext_proc_error_gRPC_error_\(GRPCCallFailure.internalError)")
            case .length: (500, "mismatch_between_content_length_and_the_length_of_the_mutated_body")
            case .mutation: (settings.statusOnError, "ext_proc_error_invalid_mutation")
            }
        exchange.reply(
            .service(status: status, body: "", flag: "-", details: details), provenance: settings.provenance)
    }

    private static func details(_ failure: GRPCCallFailure) -> String {
        let base = "ext_proc_error_gRPC_error_\(failure.code)"
        guard failure.isFromServer else { return base }
        let message = failure.message.map { $0 == " " ? "_" : "\($0)" }.joined()
        return base + (message.isEmpty ? "{via_upstream}" : "{\(message){via_upstream}}")
    }

    /// Forgets a held response, so that another one can take its place.
    func dropResponse() {
        guard held != nil else { return }
        held = nil
        heldBody = []
        exchange.responseStarted = false
    }

    /// Nothing more is shown or heard.
    func stop() {
        isDone = true
        for side in [ProcessingSide.request, .response] {
            settle(side)
            self[side].pieces = []
        }
        if settings.observes {
            let patience = TimeAmount.milliseconds(Int64(clamping: settings.deferredCloseMilliseconds))
            stream?.end(within: patience, on: exchange.worker.eventLoop)
        } else {
            stream?.giveUp()
        }
        stream = nil
    }
}
