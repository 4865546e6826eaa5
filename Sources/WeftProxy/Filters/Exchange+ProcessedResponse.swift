import FoundationEssentials
import NIOCore
import WeftHTTP
import WeftIR
import WeftProto
import WeftRouting
import WeftTransport

/// The response, as an external processor sees and changes it.
extension Exchange {
    /// - Returns: Whether the response waits for the processor; what follows of it goes to the session then.
    func holds(_ response: inout ResponseHead, endStream: Bool, _ session: ProcessingSession) -> Bool {
        let mode = session.mode
        if session.settings.observes {
            if mode.responseHeaders { session.tell(responseHeaders(response, endStream, session), .response) }
            session.response.isStreamed = mode.responseBody == .streamed && !endStream
            return false
        }
        let isGathered = mode.responseBody == .buffered || mode.responseBody == .bufferedPartial
        guard !session.isDone, mode.responseHeaders || isGathered && !endStream else {
            if !session.isDone, mode.dropsResponseLength { response.headers.remove(.contentLength) }
            streamResponse(session, [], isOver: endStream)
            return false
        }
        session.held = response
        session.heldEnd.isThere = endStream
        if session.mode.responseHeaders {
            session.show(responseHeaders(response, endStream, session), .response, .headers)
        }
        if mode.dropsResponseLength { session.held?.headers.remove(.contentLength) }
        return true
    }

    private func responseHeaders(
        _ response: borrowing ResponseHead, _ endStream: Bool, _ session: ProcessingSession
    ) -> ProcessingSession.Request {
        var message = ProcessingSession.Request()
        let fields =
            [(":status", String(response.status))] + response.headers.fields.map { ($0.name.lowercased(), $0.value) }
        message.responseHeaders.headers = ProcessingSession.headerMap(fields, session.processor.selection)
        message.responseHeaders.endOfStream = endStream
        return message
    }

    func hold(_ bytes: ByteBuffer, _ session: ProcessingSession) {
        session.heldBody.append(bytes)
        session.heldBytes += bytes.readableBytes
        guard session.heldBytes > ProcessingSession.bodyLimit else { return }
        if session.mode.responseBody == .bufferedPartial, session.response.phase == .idle {
            attempt?.setReading(false)
            showResponseBody(session)
        } else if session.mode.responseBody == .buffered {
            session.stop()
            session.dropResponse()
            reply(.service(status: 500, body: "", flag: "-", details: "response_payload_too_large"))
        } else {
            attempt?.setReading(false)
        }
    }

    func holdEnd(_ trailers: HeaderBlock?, _ session: ProcessingSession) {
        session.heldEnd = (trailers, true)
        if session.response.phase == .idle { showResponseBody(session) }
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
        let mode = session.mode.responseBody
        guard mode != .none, !session.heldEnd.isThere || session.heldBytes > 0 else {
            // Trailers that came meanwhile are shown before anything goes on, as in Envoy.
            if let trailers = session.heldEnd.trailers, session.showsTrailers(.response) {
                return session.showHeldTrailers(trailers)
            }
            return release(session)
        }
        // What is there as a whole is shown as a whole, whatever the mode.
        if session.heldEnd.isThere { return showResponseBody(session) }
        if mode == .streamed { return release(session) }
        if mode == .bufferedPartial, session.heldBytes > ProcessingSession.bodyLimit { showResponseBody(session) }
    }

    private func showResponseBody(_ session: ProcessingSession) {
        guard session.heldBytes > 0 else { return release(session) }
        var message = ProcessingSession.Request()
        message.responseBody.body = session.heldBody.reduce(into: Data()) {
            $0.append(contentsOf: $1.readableBytesView)
        }
        message.responseBody.endOfStream = session.heldEnd.isThere && session.heldEnd.trailers == nil
        session.response.shownPieces = session.heldBody.count
        session.show(message, .response, .body)
    }

    func responseBodyProcessed(_ answer: CommonAnswer, _ session: ProcessingSession) {
        guard applyToResponse(answer, session) else { return }
        if answer.hasBodyMutation, let held = session.held {
            guard Self.fits(answer.bodyMutation, held.headers) else { return session.fail(.length) }
            replaceResponseBody(answer.bodyMutation, session, shown: session.response.shownPieces)
        }
        release(session)
    }

    private func replaceResponseBody(
        _ mutation: Envoy_Service_ExtProc_V3_BodyMutation, _ session: ProcessingSession, shown: Int? = nil
    ) {
        guard let new = mutation.bytes else { return }
        let rest = session.heldBody.dropFirst(shown ?? session.heldBody.count)
        session.heldBody = (new.readableBytes == 0 ? [] : [new]) + rest
        session.heldBytes = session.heldBody.reduce(0) { $0 + $1.readableBytes }
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
        if session.mode.dropsResponseLength { session.held?.headers.remove(.contentLength) }
        record.status = Int(session.held?.status ?? 0)
        return true
    }

    /// Lets the held response go on.
    func release(_ session: ProcessingSession) {
        guard var response = session.held else { return }
        session.held = nil
        let (pieces, end) = (session.heldBody, session.heldEnd)
        session.heldBody = []
        let isEmpty = end.isThere && pieces.isEmpty && end.trailers == nil
        deliver(&response, endStream: isEmpty, isMore: !pieces.isEmpty)
        guard !isFinished else { return }
        if streamResponse(session, pieces, isOver: end.isThere) {
            stream.flush()
            attempt?.setReading(true)
            return
        }
        for piece in pieces { pass(responseBody: piece, isMore: true) }
        if end.isThere { return receiveResponseEnd(trailers: end.trailers) }
        stream.flush()
        attempt?.setReading(true)
    }

    /// Whether the rest of the response is for the processor, piece by piece; if nothing is, it has seen the last of it.
    @discardableResult
    private func streamResponse(_ session: ProcessingSession, _ early: [ByteBuffer], isOver: Bool) -> Bool {
        guard !session.isDone, !isOver, session.mode.responseBody == .streamed else {
            session.hasPassedResponse = isOver || !session.mode.responseTrailers
            return false
        }
        session.startStreaming(.response, early)
        return true
    }
}
