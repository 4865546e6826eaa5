import FoundationEssentials
import NIOCore
import WeftHTTP
import WeftIR
import WeftProto
import WeftRouting
import WeftTransport

/// Shows the exchange to an external processor (`envoy.service.ext_proc.v3.ExternalProcessor`) and does what it says.
extension Exchange {
    typealias CommonAnswer = Envoy_Service_ExtProc_V3_CommonResponse

    func process(_ processor: ExternalProcessor, _ name: String) -> FilterStep {
        var settings = processor.settings
        switch routeFilter(name) {
        case .externalProcessing(let own)?: settings = processor.with(own)
        case .disabled?: return .next
        default: break
        }
        let session = ProcessingSession(self, processor, settings)
        keptState().processing = session
        if settings.observes { return observe(session) }
        defer { if settings.mode.dropsRequestLength, !session.isDone { head.headers.remove(.contentLength) } }
        guard settings.mode.requestHeaders else { return showRequestBody(session) ? .pause : .next }
        session.show(requestHeaders(for: session), .request, .headers)
        return .pause
    }

    private func requestHeaders(for session: ProcessingSession) -> ProcessingSession.Request {
        var message = ProcessingSession.Request()
        let fields = head.pseudoFields + head.headers.fields.map { ($0.name.lowercased(), $0.value) }
        message.requestHeaders.headers = ProcessingSession.headerMap(fields, session.processor.selection)
        message.requestHeaders.endOfStream = requestEnded && bodyBytes == 0
        return message
    }

    /// The processor sees the request, and nobody waits for it.
    private func observe(_ session: ProcessingSession) -> FilterStep {
        if session.mode.requestHeaders { session.tell(requestHeaders(for: session), .request) }
        session.request.isStreamed = session.mode.requestBody == .streamed && !isUpgrade
        guard session.request.isStreamed else { return .next }
        for (index, bytes) in body.enumerated() {
            session.tellPiece(bytes, isLast: requestEnded && index == body.count - 1, .request)
        }
        return .next
    }

    // MARK: Request

    func requestHeadersProcessed(_ answer: CommonAnswer, _ session: ProcessingSession) {
        guard apply(answer, session) else { return }
        if answer.status == .continueAndReplace {
            if answer.hasBodyMutation {
                head.headers.remove(.contentLength)
                replaceRequestBody(answer.bodyMutation)
            }
            return runFilters()
        }
        if !showRequestBody(session) { runFilters() }
    }

    /// - Returns: Whether the chain waits for it.
    private func showRequestBody(_ session: ProcessingSession) -> Bool {
        guard !isUpgrade else { return false }
        let mode = session.mode.requestBody
        guard mode != .none, !requestEnded || bodyBytes > 0 else {
            holdTrailers(session)
            return false
        }
        // What is there as a whole is shown as a whole, whatever the mode.
        if requestEnded {
            showWholeBody(session)
            return true
        }
        if mode == .streamed {
            let early = body
            body = []
            bodyBytes = 0
            session.startStreaming(.request, early)
            return false
        }
        session.awaitsRequestBody = true
        awaitBody(limit: ProcessingSession.bodyLimit, takesPart: mode == .bufferedPartial) { [weak self] in
            self?.showWholeBody(session)
        }
        return true
    }

    private func showWholeBody(_ session: ProcessingSession) {
        session.awaitsRequestBody = false
        guard bodyBytes > 0 else {
            holdTrailers(session)
            return runFilters()
        }
        var message = ProcessingSession.Request()
        message.requestBody.body = body.reduce(into: Data()) { $0.append(contentsOf: $1.readableBytesView) }
        message.requestBody.endOfStream = requestEnded && requestTrailers == nil
        session.request.shownPieces = body.count
        session.show(message, .request, .body)
    }

    /// Trailers that came before the router began are shown while it sends what was before them.
    private func holdTrailers(_ session: ProcessingSession) {
        guard requestEnded, let trailers = requestTrailers, session.showsTrailers(.request) else { return }
        requestEnded = false
        requestTrailers = nil
        receiveEnd(trailers: trailers)
    }

    func requestBodyProcessed(_ answer: CommonAnswer, _ session: ProcessingSession) {
        guard apply(answer, session) else { return }
        if answer.hasBodyMutation {
            guard Self.fits(answer.bodyMutation, head.headers) else { return session.fail(.length) }
            replaceRequestBody(answer.bodyMutation, shown: session.request.shownPieces)
        }
        holdTrailers(session)
        runFilters()
    }

    /// Whether a new body is as long as the headers say, if they say anything.
    static func fits(_ mutation: Envoy_Service_ExtProc_V3_BodyMutation, _ headers: HeaderBlock) -> Bool {
        guard let new = mutation.bytes, let said = headers[.contentLength].flatMap(ASCII.decimal) else { return true }
        return said == UInt64(new.readableBytes)
    }

    /// - Parameter shown: How many buffers of it the processor has seen; `nil` is all that there are.
    private func replaceRequestBody(_ mutation: Envoy_Service_ExtProc_V3_BodyMutation, shown: Int? = nil) {
        guard let new = mutation.bytes else { return }
        let rest = body.dropFirst(shown ?? body.count)
        body = (new.readableBytes == 0 ? [] : [new]) + rest
        bodyBytes = body.reduce(0) { $0 + $1.readableBytes }
    }

    /// Back-pressure towards who sends a side of the exchange.
    func setReading(_ side: ProcessingSide, _ on: Bool) {
        if side == .request { stream.setReading(on) } else { attempt?.setReading(on) }
    }

    /// - Returns: False when the exchange has been answered.
    private func apply(_ answer: CommonAnswer, _ session: ProcessingSession) -> Bool {
        guard answer.hasHeaderMutation else {
            clearRoute(answer, session)
            return true
        }
        guard let changes = session.changes(answer.headerMutation) else {
            session.fail(.mutation)
            return false
        }
        for name in changes.removed { head.headers.drop(name) }
        for change in changes.set { apply(toRequest: change) }
        if session.mode.dropsRequestLength { head.headers.remove(.contentLength) }
        clearRoute(answer, session)
        return true
    }

    private func clearRoute(_ answer: CommonAnswer, _ session: ProcessingSession) {
        let isWanted =
            switch session.settings.routeCache {
            case .default: answer.clearRouteCache_p
            case .clear: true
            case .retain: false
            }
        if isWanted { chooseRouteAnew() }
    }

    // MARK: The processor's end

    /// It has gone, and the exchange goes on without it.
    /// - Parameter wasWaiting: The filter chain stood still for it.
    func processorLeft(_ session: ProcessingSession, wasWaiting: Bool) {
        if session.held != nil { return release(session) }
        guard wasWaiting else { return }
        if session.awaitsRequestBody {
            session.awaitsRequestBody = false
            forgetBodyWait()
        }
        runFilters()
    }

    func dropAttempt() {
        attempt?.abandon()
        attempt = nil
    }

    func answer(_ immediate: Envoy_Service_ExtProc_V3_ImmediateResponse, _ session: ProcessingSession) {
        guard let changes = session.changes(immediate.headers) else { return session.fail(.mutation) }
        var headers = HeaderBlock()
        for change in changes.set where !change.name.hasPrefix(":") { headers.apply(change) }
        if immediate.hasGrpcStatus, original.isGRPC { headers.set("grpc-status", String(immediate.grpcStatus.status)) }
        let code = immediate.status.code.rawValue
        session.dropResponse()
        dropAttempt()
        reply(
            .service(
                status: (200..<600).contains(code) ? UInt16(code) : 200,
                body: String(decoding: immediate.body, as: UTF8.self), flag: "-",
                details: immediate.details.isEmpty
                    ? "ext_proc_immediate_response" : immediate.details.map { $0 == " " ? "_" : "\($0)" }.joined()),
            provenance: session.settings.provenance, headers: headers)
    }
}
