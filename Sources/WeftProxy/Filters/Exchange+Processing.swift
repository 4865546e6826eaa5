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
        guard settings.mode.requestHeaders else { return showRequestBody(session) ? .pause : .next }
        var message = ProcessingSession.Request()
        let fields = head.pseudoFields + head.headers.fields.map { ($0.name.lowercased(), $0.value) }
        message.requestHeaders.headers = ProcessingSession.headerMap(fields, processor.selection)
        message.requestHeaders.endOfStream = requestEnded && bodyBytes == 0
        session.show(message, .requestHeaders)
        return .pause
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
        guard session.mode.requestBody == .buffered, !isUpgrade, !requestEnded || bodyBytes > 0 else { return false }
        if requestEnded {
            showWholeBody(session)
        } else {
            session.awaitsRequestBody = true
            awaitBody(limit: ProcessingSession.bodyLimit) { [weak self] in self?.showWholeBody(session) }
        }
        return true
    }

    private func showWholeBody(_ session: ProcessingSession) {
        session.awaitsRequestBody = false
        guard bodyBytes > 0 else { return runFilters() }
        var message = ProcessingSession.Request()
        message.requestBody.body = body.reduce(into: Data()) { $0.append(contentsOf: $1.readableBytesView) }
        message.requestBody.endOfStream = requestTrailers == nil
        session.show(message, .requestBody)
    }

    func requestBodyProcessed(_ answer: CommonAnswer, _ session: ProcessingSession) {
        guard apply(answer, session) else { return }
        if answer.hasBodyMutation {
            guard Self.fits(answer.bodyMutation, head.headers) else { return session.fail(.length) }
            replaceRequestBody(answer.bodyMutation)
        }
        runFilters()
    }

    /// Whether a new body is as long as the headers say, if they say anything.
    private static func fits(_ mutation: Envoy_Service_ExtProc_V3_BodyMutation, _ headers: HeaderBlock) -> Bool {
        guard let new = bytes(mutation), let said = headers[.contentLength].flatMap(ASCII.decimal) else { return true }
        return said == UInt64(new.readableBytes)
    }

    private func replaceRequestBody(_ mutation: Envoy_Service_ExtProc_V3_BodyMutation) {
        guard let new = Self.bytes(mutation) else { return }
        body = new.readableBytes == 0 ? [] : [new]
        bodyBytes = new.readableBytes
    }

    /// - Returns: `nil` when the body stays.
    private static func bytes(_ mutation: Envoy_Service_ExtProc_V3_BodyMutation) -> ByteBuffer? {
        switch mutation.mutation {
        case .body(let bytes): ByteBuffer(bytes: bytes)
        case .clearBody_p(true): ByteBuffer()
        case .clearBody_p(false), .streamedResponse, nil: nil
        }
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

    // MARK: Response

    /// - Returns: Whether the response waits for the processor; what follows of it goes to the session then.
    func holds(_ response: ResponseHead, endStream: Bool, _ session: ProcessingSession) -> Bool {
        guard !session.isDone, session.mode.responseHeaders || session.mode.responseBody == .buffered && !endStream
        else {
            session.hasPassedResponse = true
            return false
        }
        session.held = response
        session.heldEnd.isThere = endStream
        if session.mode.responseHeaders {
            var message = ProcessingSession.Request()
            let fields =
                [(":status", String(response.status))]
                + response.headers.fields.map { ($0.name.lowercased(), $0.value) }
            message.responseHeaders.headers = ProcessingSession.headerMap(fields, session.processor.selection)
            message.responseHeaders.endOfStream = endStream
            session.show(message, .responseHeaders)
        }
        return true
    }

    func hold(_ bytes: ByteBuffer, _ session: ProcessingSession) {
        session.heldBody.append(bytes)
        session.heldBytes += bytes.readableBytes
        guard session.heldBytes > ProcessingSession.bodyLimit else { return }
        if session.mode.responseBody == .buffered {
            session.stop()
            session.dropResponse()
            reply(.service(status: 500, body: "", flag: "-", details: "response_payload_too_large"))
        } else {
            attempt?.setReading(false)
        }
    }

    func holdEnd(_ trailers: HeaderBlock?, _ session: ProcessingSession) {
        session.heldEnd = (trailers, true)
        if session.phase == .idle { showResponseBody(session) }
    }

    func responseHeadersProcessed(_ answer: CommonAnswer, _ session: ProcessingSession) {
        guard applyToResponse(answer, session) else { return }
        if answer.status == .continueAndReplace {
            if answer.hasBodyMutation {
                session.held?.headers.remove(.contentLength)
                replaceResponseBody(answer.bodyMutation, session)
                // What the upstream still sends is replaced too.
                session.heldEnd = (nil, true)
                attempt?.abandon()
                attempt = nil
            }
            return release(session)
        }
        guard session.mode.responseBody == .buffered, !session.heldEnd.isThere || session.heldBytes > 0 else {
            return release(session)
        }
        if session.heldEnd.isThere { showResponseBody(session) }
    }

    private func showResponseBody(_ session: ProcessingSession) {
        guard session.heldBytes > 0 else { return release(session) }
        var message = ProcessingSession.Request()
        message.responseBody.body = session.heldBody.reduce(into: Data()) {
            $0.append(contentsOf: $1.readableBytesView)
        }
        message.responseBody.endOfStream = session.heldEnd.trailers == nil
        session.show(message, .responseBody)
    }

    func responseBodyProcessed(_ answer: CommonAnswer, _ session: ProcessingSession) {
        guard applyToResponse(answer, session) else { return }
        if answer.hasBodyMutation, let held = session.held {
            guard Self.fits(answer.bodyMutation, held.headers) else { return session.fail(.length) }
            replaceResponseBody(answer.bodyMutation, session)
        }
        release(session)
    }

    private func replaceResponseBody(
        _ mutation: Envoy_Service_ExtProc_V3_BodyMutation, _ session: ProcessingSession
    ) {
        guard let new = Self.bytes(mutation) else { return }
        session.heldBody = new.readableBytes == 0 ? [] : [new]
        session.heldBytes = new.readableBytes
    }

    /// - Returns: False when the exchange has been answered.
    private func applyToResponse(_ answer: CommonAnswer, _ session: ProcessingSession) -> Bool {
        guard answer.hasHeaderMutation else { return true }
        guard let changes = session.changes(answer.headerMutation) else {
            session.fail(.mutation)
            return false
        }
        for name in changes.removed { session.held?.headers.drop(name) }
        for change in changes.set {
            if change.name == ":status" {
                if let status = UInt16(change.value), (200..<600).contains(status) { session.held?.status = status }
            } else if !change.name.hasPrefix(":") {
                session.held?.headers.apply(change)
            }
        }
        record.status = Int(session.held?.status ?? 0)
        return true
    }

    /// Lets the held response go on.
    private func release(_ session: ProcessingSession) {
        guard var response = session.held else { return }
        session.held = nil
        session.hasPassedResponse = true
        let (pieces, end) = (session.heldBody, session.heldEnd)
        session.heldBody = []
        let isEmpty = end.isThere && pieces.isEmpty && end.trailers == nil
        deliver(&response, endStream: isEmpty, isMore: !pieces.isEmpty)
        guard !isFinished else { return }
        for piece in pieces { receive(responseBody: piece, isMore: true) }
        if end.isThere { return receiveResponseEnd(trailers: end.trailers) }
        stream.flush()
        attempt?.setReading(true)
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

    func answer(_ immediate: Envoy_Service_ExtProc_V3_ImmediateResponse, _ session: ProcessingSession) {
        guard let changes = session.changes(immediate.headers) else { return session.fail(.mutation) }
        var headers = HeaderBlock()
        for change in changes.set where !change.name.hasPrefix(":") { headers.apply(change) }
        if immediate.hasGrpcStatus, original.isGRPC { headers.set("grpc-status", String(immediate.grpcStatus.status)) }
        let code = immediate.status.code.rawValue
        session.dropResponse()
        attempt?.abandon()
        attempt = nil
        reply(
            .service(
                status: (200..<600).contains(code) ? UInt16(code) : 200,
                body: String(decoding: immediate.body, as: UTF8.self), flag: "-",
                details: immediate.details.isEmpty
                    ? "ext_proc_immediate_response" : immediate.details.map { $0 == " " ? "_" : "\($0)" }.joined()),
            provenance: session.settings.provenance, headers: headers)
    }
}
